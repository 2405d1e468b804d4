use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use nix::unistd::geteuid;

use super::*;
use crate::sys::directory::make;

mod saving;
mod trust;

/// A user whom root does not trust.
const NOBODY: u32 = 65534;

impl Snapshot {
    /// Reads and saves the present configuration.
    fn save_present(&self) -> io::Result<()> {
        self.read_present()?.map_or(Ok(()), |present| self.save(&present))
    }
}

/// A host, whose directory is removed at the end of a test that passed.
struct Host {
    directory: PathBuf,
}

impl Host {
    fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("dnsherald-snapshot-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        make(&directory.join("etc/unbound/conf.d"), 0o755).unwrap();
        make(&directory.join("lib/state"), 0o755).unwrap();
        let host = Self { directory };
        host.write("unbound.conf", "old");
        host.write("conf.d/zone.conf", "zone");
        host
    }

    fn etc(&self, name: &str) -> PathBuf {
        self.directory.join("etc/unbound").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.etc(name), text).unwrap();
        fs::set_permissions(self.etc(name), fs::Permissions::from_mode(0o640)).unwrap();
    }

    /// Empty if there is no such file.
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.etc(name)).unwrap_or_default()
    }

    fn place(&self) -> PathBuf {
        self.directory.join("lib/state-rollback/unbound")
    }

    fn snapshot(&self) -> Snapshot {
        let scope = Scope {
            file: self.etc("unbound.conf"),
            directories: vec![self.directory.join("etc/unbound")],
            names: &["*.conf"],
        };
        Snapshot { scope: Some(scope), directory: self.place() }
    }

    /// Only this file is known to be the server's.
    fn snapshot_of_main_file(&self) -> Snapshot {
        let scope = Scope { file: self.etc("unbound.conf"), directories: vec![], names: &[] };
        Snapshot { scope: Some(scope), directory: self.place() }
    }

    fn everything(&self) -> Vec<(PathBuf, String)> {
        let mut all = vec![];
        let mut directories = vec![self.directory.clone()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if fs::symlink_metadata(&path).unwrap().is_dir() {
                    directories.push(path);
                } else {
                    let text = fs::read_to_string(&path).unwrap_or_default();
                    all.push((path, text));
                }
            }
        }
        all.sort();
        all
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            fs::remove_dir_all(&self.directory).unwrap();
        }
    }
}

impl Snapshot {
    fn restore(&self) -> Result<String, Trouble> {
        self.check()?.undo()
    }
}

fn why<T: std::fmt::Debug>(refused: Result<T, Trouble>) -> String {
    refused.unwrap_err().why
}

#[test]
fn a_rollback_restores_the_snapshot_and_loses_nothing() {
    let host = Host::new("back");
    let snapshot = host.snapshot();
    assert!(why(snapshot.restore()).contains("no configuration is saved"));
    snapshot.save_present().unwrap();
    assert!(why(snapshot.restore()).ends_with("the last successful restart saved"));
    host.write("unbound.conf", "broken");
    host.write("conf.d/new.conf", "broken, too");
    fs::remove_file(host.etc("conf.d/zone.conf")).unwrap();
    let changed = snapshot.restore().unwrap();
    assert_eq!(
        ["unbound.conf", "conf.d/zone.conf", "conf.d/new.conf"].map(|name| host.read(name)),
        ["old", "zone", ""]
    );
    let aside = [".unbound.conf.rolled-back", "conf.d/.new.conf.rolled-back"].map(|name| host.read(name));
    assert_eq!(aside, ["broken", "broken, too"]);
    assert!(changed.starts_with("the rollback restored these paths: "), "{changed}");
    assert!(["unbound.conf", "new.conf", "zone.conf"].iter().all(|name| changed.contains(name)), "{changed}");
    snapshot.save_present().unwrap();
    assert!(snapshot.restore().is_err(), "what was left aside is no part of it");
}

/// The zones may have been reloaded or renewed since; a rollback would make the server serve outdated data.
#[test]
fn zones_and_certificates_are_neither_saved_nor_touched() {
    let host = Host::new("zones");
    make(&host.etc("zones"), 0o755).unwrap();
    for (name, text) in
        [("zones/example.org", "serial 1"), ("example.net.zone", "serial 1"), ("tls.pem", "old")]
    {
        host.write(name, text);
    }
    host.snapshot().save_present().unwrap();
    let saved = fs::read_to_string(host.place().join(NAME)).unwrap();
    assert_eq!(saved.matches(r#"{"File":["#).count(), 2, "the two configurations");
    let since = [
        ("zones/example.org", "serial 2"),
        ("example.net.zone", "serial 2"),
        ("tls.pem", "renewed"),
        ("zones/example.com", "added since"),
        ("zones/.hidden.conf", "of an editor"),
    ];
    since.iter().for_each(|(name, text)| host.write(name, text));
    assert!(why(host.snapshot().restore()).ends_with("the last successful restart saved"));
    host.write("unbound.conf", "broken");
    let said = host.snapshot().restore().unwrap();
    for (name, text) in since {
        assert_eq!(host.read(name), text, "{name}");
    }
    let aside = format!("(the replaced file is now {})", host.etc(".unbound.conf.rolled-back").display());
    assert!(said.ends_with(&aside) && !said.contains("example"), "{said}");
}

/// A version before this may have saved whole directories, with zones.
#[test]
fn a_snapshot_of_other_names_is_not_restored() {
    let host = Host::new("names");
    let mut other = host.snapshot();
    other.scope.as_mut().unwrap().names = &["*"];
    other.save_present().unwrap();
    host.write("unbound.conf", "broken");
    let refused = why(host.snapshot().restore());
    assert!(
        refused.contains("unbound.conf with [*] in ") && refused.contains("unbound.conf with [*.conf] in "),
        "{refused}"
    );
    assert_eq!(host.read("unbound.conf"), "broken");
    host.snapshot().save_present().unwrap();
    host.snapshot().check().unwrap();
}

/// A directory stands where a file was.
#[test]
fn a_failure_midway_leaves_nothing_half_written() {
    let host = Host::new("midway");
    host.write("a.conf", "old");
    host.snapshot().save_present().unwrap();
    host.write("a.conf", "new");
    host.write("unbound.conf", "new");
    host.write("conf.d/zone.conf", "new");
    let snapshot = host.snapshot();
    let changes = snapshot.check().unwrap();
    fs::remove_file(host.etc("conf.d/zone.conf")).unwrap();
    make(&host.etc("conf.d/zone.conf"), 0o755).unwrap();
    let failed = why(changes.undo());
    let so_far =
        format!("so far the rollback changed {} (the replaced file is now ", host.etc("a.conf").display());
    assert!(failed.contains("conf.d/zone.conf: ") && failed.contains(&so_far), "{failed}");
    let left = host.everything().into_iter().map(|(path, _)| path);
    assert_eq!(left.filter(|path| path.extension().is_some_and(|end| end == "new")).count(), 0);
    assert_eq!(
        ["a.conf", ".a.conf.rolled-back", "unbound.conf"].map(|name| host.read(name)),
        ["old", "new", "new"]
    );
}

#[test]
fn a_second_rollback_keeps_the_files_that_the_first_renamed() {
    let host = Host::new("again");
    host.snapshot().save_present().unwrap();
    for broken in ["first", "second", "third"] {
        host.write("unbound.conf", broken);
        host.snapshot().restore().unwrap();
    }
    let aside = ["", ".2", ".3"].map(|number| host.read(&format!(".unbound.conf.rolled-back{number}")));
    assert_eq!(aside, ["first", "second", "third"]);
}

#[test]
fn owner_and_mode_are_restored() {
    let host = Host::new("owner");
    host.write("key.conf", "secret");
    host.write("zone.conf", "of another user");
    if is_root() {
        chown(host.etc("zone.conf"), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    host.snapshot().save_present().unwrap();
    fs::set_permissions(host.etc("key.conf"), fs::Permissions::from_mode(0o604)).unwrap();
    fs::remove_file(host.etc("zone.conf")).unwrap();
    host.snapshot().restore().unwrap();
    let found = |name: &str| fs::metadata(host.etc(name)).unwrap();
    assert_eq!(found("key.conf").mode() & 0o7777, 0o640);
    let owner = if is_root() { NOBODY } else { geteuid().as_raw() };
    assert_eq!((found("zone.conf").uid(), found("zone.conf").mode() & 0o7777), (owner, 0o640));
    let snapshot = fs::metadata(host.place().join(NAME)).unwrap();
    let expected = (0o600, geteuid().as_raw());
    assert_eq!((snapshot.mode() & 0o7777, snapshot.uid()), expected, "there are keys in it");
    assert_eq!(fs::metadata(host.place()).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn a_missing_directory_is_restored() {
    let host = Host::new("folder");
    fs::set_permissions(host.etc("conf.d"), fs::Permissions::from_mode(0o2750)).unwrap();
    host.snapshot().save_present().unwrap();
    fs::remove_dir_all(host.etc("conf.d")).unwrap();
    host.snapshot().restore().unwrap();
    assert_eq!(host.read("conf.d/zone.conf"), "zone");
    assert_eq!(fs::metadata(host.etc("conf.d")).unwrap().mode() & 0o7777, 0o2750);
}

#[test]
fn files_that_were_not_saved_are_left_alone_and_named() {
    let host = Host::new("skipped");
    let large = "x".repeat(scope::LARGEST_FILE as usize + 1);
    host.write("large.conf", &large);
    symlink("/etc/hostname", host.etc("link.conf")).unwrap();
    symlink("/etc/hostname", host.etc("link.pem")).unwrap();
    symlink(".", host.etc("folder")).unwrap();
    host.snapshot().save_present().unwrap();
    host.write("large.conf", "small by now");
    let nothing = why(host.snapshot().restore());
    assert!(nothing.contains("restart saved; the rollback does not touch these paths: "), "{nothing}");
    host.write("unbound.conf", "broken");
    fs::remove_file(host.etc("link.conf")).unwrap();
    symlink("elsewhere", host.etc("link.conf")).unwrap();
    make(&host.etc("new/deep"), 0o755).unwrap();
    host.write("new/deep/a.conf", "another user's");
    let changed = host.snapshot().restore().unwrap();
    for left in [
        "large.conf has more than 4 MiB",
        "link.conf is a link",
        "folder is a link",
        "new/deep/a.conf lies in a directory",
    ] {
        assert!(changed.contains(left), "{left}: {changed}");
    }
    assert_eq!(
        ["unbound.conf", "large.conf", "new/deep/a.conf"].map(|name| host.read(name)),
        ["old", "small by now", "another user's"]
    );
    assert!(!changed.contains("link.pem"), "no configuration: {changed}");
    assert_eq!(fs::read_link(host.etc("link.conf")).unwrap(), Path::new("elsewhere"));
}

#[test]
fn a_file_that_has_grown_too_large_since_is_put_aside() {
    let host = Host::new("grown");
    host.snapshot().save_present().unwrap();
    host.write("unbound.conf", &"x".repeat(scope::LARGEST_FILE as usize + 1));
    host.snapshot().restore().unwrap();
    assert_eq!(host.read("unbound.conf"), "old");
    assert!(host.read(".unbound.conf.rolled-back").len() > scope::LARGEST_FILE as usize);
}

#[test]
fn without_its_main_file_there_is_no_rollback() {
    let host = Host::new("main");
    fs::rename(host.etc("unbound.conf"), host.etc("real.conf")).unwrap();
    symlink("real.conf", host.etc("unbound.conf")).unwrap();
    for snapshot in [host.snapshot(), host.snapshot_of_main_file()] {
        snapshot.save_present().unwrap();
        host.write("real.conf", "broken");
        let refused = why(snapshot.check());
        assert!(
            refused.contains("the last successful restart did not save `config-file`: ")
                && refused.ends_with("unbound.conf is a link"),
            "{refused}"
        );
        assert!(snapshot.restore().is_err());
    }
    fs::remove_file(host.etc("unbound.conf")).unwrap();
    host.write("unbound.conf", "a file");
    host.snapshot().save_present().unwrap();
    host.snapshot().check().unwrap();
    fs::remove_file(host.etc("unbound.conf")).unwrap();
    symlink("real.conf", host.etc("unbound.conf")).unwrap();
    let before = host.everything();
    assert!(why(host.snapshot().check()).contains("unbound.conf is a link"));
    assert!(host.snapshot().restore().is_err());
    assert_eq!(host.everything(), before);
}

#[test]
fn files_beside_an_unusual_main_file_are_not_touched() {
    let host = Host::new("alone");
    host.write("other-program.conf", "as before");
    host.snapshot_of_main_file().save_present().unwrap();
    host.write("unbound.conf", "broken");
    host.write("other-program.conf", "changed by another program");
    host.write("another-program.conf", "new");
    assert!(host.snapshot_of_main_file().restore().unwrap().contains("unbound.conf"));
    assert_eq!(
        ["unbound.conf", "other-program.conf", "another-program.conf"].map(|name| host.read(name)),
        ["old", "changed by another program", "new"]
    );
}

#[test]
fn another_main_file_is_another_configuration() {
    let host = Host::new("another");
    host.snapshot().save_present().unwrap();
    host.write("other.conf", "other");
    let scope = Scope {
        file: host.etc("other.conf"),
        directories: vec![host.directory.join("etc/unbound")],
        names: &["*.conf"],
    };
    let refused = why(Snapshot { scope: Some(scope), directory: host.place() }.check());
    assert!(
        refused.contains("/unbound.conf with ")
            && refused.contains(", not of ")
            && refused.contains("/other.conf with "),
        "{refused}"
    );
}
