//! Saves that fail, names that are left out, and snapshots that are damaged.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::*;

#[test]
fn a_save_that_fails_keeps_the_snapshot_before() {
    let host = Host::new("survives");
    host.snapshot().save_present().unwrap();
    // A save that was killed has left half of another.
    let draft = host.place().join(format!("{NAME}.new"));
    host.write("unbound.conf", "newer");
    fs::write(&draft, "{").unwrap();
    host.snapshot().save_present().unwrap();
    assert!(!draft.exists());
    // It cannot be written.
    make(&draft, 0o700).unwrap();
    let before = host.everything();
    assert!(host.snapshot().save_present().is_err());
    assert_eq!(host.everything(), before);
    fs::remove_dir(draft).unwrap();
    // Larger than what is saved: it fails before anything is written.
    let many = host.etc("many");
    make(&many, 0o755).unwrap();
    let large = "x".repeat(scope::LARGEST_FILE as usize);
    (0..5).for_each(|number| fs::write(many.join(format!("{number}.conf")), &large).unwrap());
    assert!(host.snapshot().save_present().unwrap_err().to_string().contains("more than 16 MiB"));
    fs::remove_dir_all(many).unwrap();
    host.write("unbound.conf", "broken");
    host.snapshot().restore().unwrap();
    assert_eq!(host.read("unbound.conf"), "newer");
}

/// A path that cannot be read stands for a disk or a file server that fails.
#[test]
fn a_save_that_cannot_read_a_path_keeps_the_snapshot_before() {
    let host = Host::new("unreadable");
    host.snapshot().save_present().unwrap();
    host.write("unbound.conf", "newer");
    let before = host.everything();
    let unreadable = Path::new("/").join("x".repeat(300));
    let mut snapshot = host.snapshot();
    snapshot.scope.as_mut().unwrap().directories.push(unreadable.clone());
    let refused = snapshot.save_present().unwrap_err().to_string();
    assert_eq!(refused, format!("{}: File name too long (os error 36)", unreadable.display()));
    assert_eq!(host.everything(), before);
}

#[test]
fn a_name_that_is_not_utf_8_is_left_alone_and_named() {
    let host = Host::new("utf-8");
    let path = host.etc("").join(OsStr::from_bytes(b"caf\xe9.conf"));
    fs::write(&path, "saved").unwrap();
    host.snapshot().save_present().unwrap();
    fs::write(&path, "changed").unwrap();
    host.write("unbound.conf", "broken");
    let said = host.snapshot().restore().unwrap();
    assert!(said.ends_with("caf\u{fffd}.conf has a name that is not UTF-8"), "{said}");
    assert_eq!((host.read("unbound.conf").as_str(), fs::read(&path).unwrap()), ("old", b"changed".to_vec()));
}

/// A configuration may have more files than a process can have open.
#[test]
fn a_draft_is_closed_before_the_next_one_is_written() {
    let host = Host::new("drafts");
    let path = host.etc("unbound.conf");
    let saved = host.snapshot().scope.unwrap().read().unwrap().remove(&path).unwrap();
    let draft = changes::prepare(&path, &saved).unwrap().unwrap();
    let written = host.etc(".unbound.conf.rolled-back.new");
    assert!(written.exists());
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    assert!(!open.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file == written));
    drop(draft);
    assert!(!written.exists());
}

#[test]
fn a_damaged_snapshot_is_not_restored() {
    let host = Host::new("damaged");
    host.snapshot().save_present().unwrap();
    host.write("unbound.conf", "broken");
    let path = host.place().join(NAME);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let before = host.everything();
    assert!(why(host.snapshot().check()).contains("is damaged"));
    assert!(host.snapshot().restore().is_err());
    assert_eq!(host.everything(), before);
    fs::remove_file(&path).unwrap();
    make(&path, 0o700).unwrap();
    assert!(why(host.snapshot().check()).contains("snapshot.json: Is a directory"));
    fs::remove_dir(&path).unwrap();
    // The version before wrote an object.
    fs::write(&path, r#"{"config_file":"/etc/unbound/unbound.conf"}"#).unwrap();
    let refused = host.snapshot().check().unwrap_err();
    assert!(refused.why.contains("snapshot.json is damaged or of another version: "), "{}", refused.why);
    assert_eq!(refused.remedy.as_deref(), Some(RESTART_ONCE));
    host.snapshot().save_present().unwrap();
    host.snapshot().check().unwrap();
}
