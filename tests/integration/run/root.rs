//! `run` by root with directories of another user, who creates links in them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::support::helper::{ANNOUNCE, Helper, Pop, WITHDRAW, ideal};
use crate::support::lacks;

/// The owner of the directories.
const USER: u32 = 64_731;

/// A PoP with the directories of [`USER`].
fn pop() -> Option<Pop> {
    if !geteuid().is_root() {
        lacks("root, who gives a directory to another user");
        return None;
    }
    let pop = Pop::new();
    for name in ["control", "state"] {
        fs::create_dir(pop.file(name)).unwrap();
        chown(pop.file(name), Some(USER), Some(USER)).unwrap();
    }
    Some(pop)
}

/// A file of root in the folder.
fn precious(pop: &Pop) -> PathBuf {
    let file = pop.file("precious");
    fs::write(&file, "kept").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

#[track_caller]
fn is_untouched(file: &Path) {
    let found = fs::metadata(file).unwrap();
    assert_eq!((fs::read_to_string(file).unwrap().as_str(), found.mode() & 0o7777), ("kept", 0o600));
}

fn names(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[track_caller]
fn ends(helper: &mut Helper) {
    helper.is_sent("TERM");
    helper.says(WITHDRAW);
    helper.exits_well();
}

#[test]
fn writes_nothing_where_another_user_can_create_links() {
    let Some(pop) = pop() else { return };
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    let refused = |name: &str| {
        let directory = pop.file(name);
        let directory = directory.display();
        format!(
            "{directory} belongs to user {USER} (mode 755), so another user could redirect root to another file: run \
             this as user {USER}, or `chown root {directory}`"
        )
    };
    helper.logs(&format!(
        "cannot use the directory {}: {}",
        pop.file("control").display(),
        refused("control")
    ));
    helper.logs(&format!("cannot write the state to {}: {}", pop.state_file().display(), refused("state")));
    helper.logs(&format!(
        "cannot store the last good configuration in {}: {}",
        pop.last_good().file().display(),
        refused("state")
    ));
    ends(&mut helper);
    assert_eq!(names(&pop.file("control")).len() + names(&pop.file("state")).len(), 0);
}

/// Without the sticky bit another user can exchange root's files, and with it put a socket in the place of the next.
#[test]
fn refuses_a_directory_that_others_can_write() {
    let Some(pop) = pop() else { return };
    for (name, mode) in [("control", 0o1777), ("state", 0o777)] {
        chown(pop.file(name), Some(0), Some(0)).unwrap();
        fs::set_permissions(pop.file(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    for (name, mode) in [("control", "1777"), ("state", "777")] {
        let directory = pop.file(name);
        let directory = directory.display();
        helper.logs(&format!("{directory} can be written to by others than its owner (mode {mode}), "));
        helper.logs(&format!("`chmod go-w {directory}`"));
    }
    ends(&mut helper);
    assert_eq!(names(&pop.file("control")).len() + names(&pop.file("state")).len(), 0);
}

/// As a tmpfs that is mounted without `mode=`: no other user can replace root's files there.
#[test]
fn a_state_is_kept_in_a_sticky_directory_and_no_file_of_another_user_is_read_there() {
    let Some(pop) = pop() else { return };
    for name in ["control", "state"] {
        chown(pop.file(name), Some(0), Some(0)).unwrap();
    }
    fs::set_permissions(pop.file("state"), fs::Permissions::from_mode(0o1777)).unwrap();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.remembers("\"acknowledged\": \"up\"");
    pop.keeps_its_configuration();
    ends(&mut helper);
    let (state, lock) = (pop.state_file(), pop.state_file().with_extension("lock"));
    for theirs in [&state, &lock] {
        chown(theirs, Some(USER), Some(USER)).unwrap();
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        helper.logs(&format!(
            "it belongs to user {USER}, and all users can write to {}",
            pop.file("state").display()
        ));
        ends(&mut helper);
        fs::remove_file(theirs).unwrap();
    }
}

#[test]
fn follows_links_that_only_root_can_create() {
    let Some(pop) = pop() else { return };
    let [real, theirs] = ["real", "theirs"].map(|name| pop.file(name));
    fs::create_dir(&real).unwrap();
    for name in ["control", "state"] {
        fs::remove_dir(pop.file(name)).unwrap();
        symlink(&real, pop.file(name)).unwrap();
    }
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.remembers("\"acknowledged\": \"up\"");
    pop.comes_to_be(|status| status.services[0].settled());
    ends(&mut helper);
    // The same directory through a link of the other user.
    fs::remove_dir_all(&real).unwrap();
    fs::create_dir(&real).unwrap();
    fs::create_dir(&theirs).unwrap();
    symlink(&real, theirs.join("link")).unwrap();
    chown(&theirs, Some(USER), Some(USER)).unwrap();
    for name in ["control", "state"] {
        fs::remove_file(pop.file(name)).unwrap();
        symlink(theirs.join("link"), pop.file(name)).unwrap();
    }
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.logs(&format!("{} belongs to user {USER}", theirs.display()));
    helper.logs("cannot write the state to ");
    ends(&mut helper);
    assert_eq!(names(&real).len(), 0);
}

/// It names commands that root would run.
#[test]
fn does_not_use_the_last_good_configuration_of_another_user() {
    let Some(pop) = pop() else { return };
    chown(pop.file("state"), Some(0), Some(0)).unwrap();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.keeps_its_configuration();
    ends(&mut helper);
    let kept = pop.last_good().file().to_owned();
    pop.is_configured(&pop.configuration().replace("rise = 2", "rize = 2"));
    for path in [&kept, &pop.file("state")] {
        chown(path, Some(USER), Some(USER)).unwrap();
        let mut helper = pop.helper_with(&["--state", pop.file("state").to_str().unwrap()], ideal("5.0.15"));
        helper.opens();
        helper.says(WITHDRAW);
        helper.logs(&format!(
            "the last good configuration in {} is not used, because root would run",
            kept.display()
        ));
    }
}

#[test]
fn records_without_following_links() {
    let Some(pop) = pop() else { return };
    let precious = precious(&pop);
    let recorded = |place: &Path| {
        let mut helper = pop.helper_with(&["--record", place.to_str().unwrap()], ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        helper
    };
    // A directory of the other user.
    let theirs = pop.file("state").join("run.trace");
    let mut helper = recorded(&theirs);
    helper.logs(&format!(
        "cannot record to {}: {} belongs to user",
        theirs.display(),
        pop.file("state").display()
    ));
    ends(&mut helper);
    // A world-writable one, with a link and a pipe of that user.
    let shared = pop.file("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
    let (link, pipe) = (shared.join("run.trace"), shared.join("pipe"));
    symlink(&precious, &link).unwrap();
    let mut helper = recorded(&link);
    helper.logs(&format!("recording to {}.1", link.display()));
    ends(&mut helper);
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    chown(&pipe, Some(USER), Some(USER)).unwrap();
    let mut helper = recorded(&pipe);
    helper.logs("it belongs to another user");
    ends(&mut helper);
    is_untouched(&precious);
}

#[test]
fn healthcheck_writes_no_process_id_through_a_link() {
    let Some(pop) = pop() else { return };
    let precious = precious(&pop);
    let [link, hard, plain] = ["link", "hard", "plain"].map(|name| pop.file("control").join(name));
    symlink(&precious, &link).unwrap();
    fs::hard_link(&precious, &hard).unwrap();
    fs::write(&plain, "the longer text of another program").unwrap();
    let told = |file: &Path| {
        let mut command = std::process::Command::new(crate::support::binary());
        command.args([
            "healthcheck",
            "--no-ack",
            "--no-ip-setup",
            "--ip",
            "192.0.2.53",
            "--command",
            "true",
            "--interval",
            "0",
        ]);
        let output = command.arg("--pid").arg(file).output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(told(&link).contains("it is a symlink"), "{}", told(&link));
    assert!(told(&hard).contains("several hard links"), "{}", told(&hard));
    is_untouched(&precious);
    told(&plain);
    let written = fs::read_to_string(&plain).unwrap();
    assert!(written.trim().parse::<u32>().is_ok(), "{written:?}");
}

/// An editor of root may leave the file to root alone.
#[test]
fn a_file_that_the_helper_may_not_read_is_a_warning() {
    let Some(pop) = pop() else { return };
    let run = format!("set -- setpriv --reuid {USER} --clear-groups \"$@\"");
    let mut helper = pop.helper_after(&run, ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.keeps_its_configuration();
    pop.comes_to_be(|status| status.services[0].settled());
    let file = pop.configuration_file();
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    assert_eq!(pop.alert().0, Some(0), "{:?}", pop.alert());
    mode(0o600);
    let (code, line) = pop.alert();
    let why = format!("{}: user `{USER}` of the helper cannot read it", file.display());
    assert!(code == Some(1) && line.contains(&why), "{line}");
    // The file that it cannot read names the directory of the last good configuration.
    let then =
        "a restart of the helper would withdraw the prefixes that its state names, and announce nothing";
    let ahead = format!("{then}: {why}");
    let advice = pop.told(&["explain"]);
    assert!(advice.contains("let the user of the helper read"), "{advice}");
    assert!(pop.told(&["check-config"]).starts_with(&format!("now: {ahead}\n")));
    for words in [&["status"][..], &["explain"]] {
        let said = String::from_utf8(pop.command(words).stderr).unwrap();
        assert!(said.contains(&ahead), "{words:?}: {said}");
    }
    mode(0o644);
    assert_eq!(pop.alert().0, Some(0), "{:?}", pop.alert());
    assert!(!pop.told(&["check-config"]).contains("a restart of the helper"));
    helper.has_said_no_more();
}
