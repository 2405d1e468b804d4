//! Places that other users can change.

use super::*;

/// A user who can write to the directory, or to one above it, could make root install a file.
#[test]
fn a_place_that_other_users_can_change_is_neither_written_nor_read() {
    let host = Host::new("place");
    host.snapshot().save_present().unwrap();
    host.write("unbound.conf", "broken");
    let before = host.everything();
    for part in [
        "lib",
        "lib/state-rollback",
        "lib/state-rollback/unbound",
        "lib/state-rollback/unbound/snapshot.json",
    ] {
        let part = host.directory.join(part);
        let mode = fs::metadata(&part).unwrap().permissions();
        fs::set_permissions(&part, fs::Permissions::from_mode(mode.mode() | 0o020)).unwrap();
        for refused in [
            why(host.snapshot().check()),
            why(host.snapshot().restore()),
            host.snapshot().save_present().unwrap_err().to_string(),
        ] {
            assert!(
                refused.contains(&format!("{} can be written to by others", part.display())),
                "{refused}"
            );
        }
        fs::set_permissions(&part, mode).unwrap();
        if is_root() {
            chown(&part, Some(NOBODY), None).unwrap();
            assert!(why(host.snapshot().restore()).contains(" belongs to "));
            assert!(host.snapshot().save_present().is_err());
            chown(&part, Some(0), None).unwrap();
        }
    }
    assert_eq!(host.everything(), before);
    host.snapshot().restore().unwrap();
}

/// A user linked the directory to another one.
#[test]
fn no_symlink_is_followed_on_the_way_to_the_place() {
    let host = Host::new("linked");
    let victim = host.directory.join("victim");
    make(&victim.join("unbound"), 0o755).unwrap();
    fs::write(victim.join("unbound/precious"), "precious").unwrap();
    symlink(&victim, host.directory.join("lib/state-rollback")).unwrap();
    let before = host.everything();
    assert!(host.snapshot().save_present().unwrap_err().to_string().contains("state-rollback is a link"));
    assert!(host.snapshot().restore().is_err());
    assert_eq!(host.everything(), before);
}

#[test]
fn nothing_is_restored_into_a_directory_that_others_can_change() {
    let host = Host::new("destination");
    host.snapshot().save_present().unwrap();
    host.write("unbound.conf", "broken");
    let etc = host.etc("");
    fs::set_permissions(&etc, fs::Permissions::from_mode(0o777)).unwrap();
    let before = host.everything();
    assert!(why(host.snapshot().check()).contains("can be written to by others"));
    assert!(host.snapshot().restore().is_err());
    fs::set_permissions(&etc, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&etc, host.directory.join("etc/real")).unwrap();
    symlink("real", host.directory.join("etc/unbound")).unwrap();
    assert!(why(host.snapshot().check()).contains("unbound is a link"));
    assert!(host.snapshot().restore().is_err());
    fs::remove_file(host.directory.join("etc/unbound")).unwrap();
    fs::rename(host.directory.join("etc/real"), &etc).unwrap();
    assert_eq!(host.everything(), before);
}

#[test]
fn a_user_who_cannot_write_to_the_directory_does_not_roll_back() {
    let host = Host::new("read-only");
    host.snapshot().save_present().unwrap();
    host.write("unbound.conf", "broken");
    fs::set_permissions(host.etc("."), fs::Permissions::from_mode(0o555)).unwrap();
    let checked = host.snapshot().check();
    fs::set_permissions(host.etc("."), fs::Permissions::from_mode(0o755)).unwrap();
    match is_root() {
        true => drop(checked.unwrap()),
        false => assert!(why(checked).ends_with("unbound: Permission denied (os error 13)")),
    }
}

#[test]
fn a_directory_that_others_can_write_to_is_left_out() {
    let host = Host::new("shared");
    fs::set_permissions(host.etc("conf.d"), fs::Permissions::from_mode(0o775)).unwrap();
    host.snapshot().save_present().unwrap();
    host.write("conf.d/zone.conf", "changed");
    host.write("unbound.conf", "broken");
    let changed = host.snapshot().restore().unwrap();
    assert!(changed.contains("conf.d can be written to by others"), "{changed}");
    assert_eq!(["unbound.conf", "conf.d/zone.conf"].map(|name| host.read(name)), ["old", "changed"]);
}

#[test]
fn only_root_saves_beside_the_state() {
    let state = Path::new("/var/lib/dnsherald");
    assert_eq!(places(state, true), Path::new("/var/lib/dnsherald-rollback"));
    assert_eq!(places(state, false), Path::new("/var/lib/dnsherald/rollback"));
}
