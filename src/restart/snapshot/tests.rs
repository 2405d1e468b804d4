use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use super::*;
use crate::directory::make;

/// Somebody without any right; only root can be robbed by him.
const NOBODY: u32 = 65534;

/// A host, whose folder is removed at the end of a test that went well.
struct Host {
    folder: PathBuf,
}

impl Host {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("dnsherald-kept-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        make(&folder.join("etc/unbound/conf.d"), 0o755).unwrap();
        make(&folder.join("lib/state"), 0o755).unwrap();
        let host = Self { folder };
        host.write("unbound.conf", "old");
        host.write("conf.d/zone.conf", "zone");
        host
    }

    fn etc(&self, name: &str) -> PathBuf {
        self.folder.join("etc/unbound").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.etc(name), text).unwrap();
        fs::set_permissions(self.etc(name), fs::Permissions::from_mode(0o640)).unwrap();
    }

    /// Empty where there is no such file.
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.etc(name)).unwrap_or_default()
    }

    fn place(&self) -> PathBuf {
        self.folder.join("lib/state-rollback/unbound")
    }

    fn kept(&self) -> Kept {
        let scope = Scope { file: self.etc("unbound.conf"), folders: vec![self.etc("")], names: names() };
        Kept { scope: Some(scope), place: self.place() }
    }

    /// Nothing else than this file is known to be the server's.
    fn kept_alone(&self) -> Kept {
        let scope = Scope { file: self.etc("unbound.conf"), folders: vec![], names: vec![] };
        Kept { scope: Some(scope), place: self.place() }
    }

    fn everything(&self) -> Vec<(PathBuf, String)> {
        let mut all = vec![];
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if fs::symlink_metadata(&path).unwrap().is_dir() {
                    folders.push(path);
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
            fs::remove_dir_all(&self.folder).unwrap();
        }
    }
}

fn names() -> Vec<String> {
    vec!["*.conf".to_owned()]
}

fn why<T: std::fmt::Debug>(refused: Result<T, Trouble>) -> String {
    refused.unwrap_err().why
}

#[test]
fn what_was_kept_comes_back_and_nothing_is_lost() {
    let host = Host::new("back");
    let kept = host.kept();
    assert!(why(kept.put_back()).contains("no configuration is kept"));
    kept.keep().unwrap();
    assert!(why(kept.put_back()).ends_with("as far as that is kept"));
    host.write("unbound.conf", "broken");
    host.write("conf.d/new.conf", "broken, too");
    fs::remove_file(host.etc("conf.d/zone.conf")).unwrap();
    let changed = kept.put_back().unwrap();
    assert_eq!(
        ["unbound.conf", "conf.d/zone.conf", "conf.d/new.conf"].map(|name| host.read(name)),
        ["old", "zone", ""]
    );
    let aside = [".unbound.conf.rolled-back", "conf.d/.new.conf.rolled-back"].map(|name| host.read(name));
    assert_eq!(aside, ["broken", "broken, too"]);
    assert!(["unbound.conf", "new.conf", "zone.conf"].iter().all(|name| changed.contains(name)), "{changed}");
    kept.keep().unwrap();
    assert!(kept.put_back().is_err(), "what was left aside is no part of it");
}

/// They may have been reloaded or renewed since; their older selves would be served as if they were true.
#[test]
fn zones_and_certificates_are_neither_kept_nor_touched() {
    let host = Host::new("zones");
    make(&host.etc("zones"), 0o755).unwrap();
    for (name, text) in
        [("zones/example.org", "serial 1"), ("example.net.zone", "serial 1"), ("tls.pem", "old")]
    {
        host.write(name, text);
    }
    host.kept().keep().unwrap();
    assert_eq!(fs::read_dir(host.place().join("copies-1")).unwrap().count(), 2, "the two configurations");
    let since = [
        ("zones/example.org", "serial 2"),
        ("example.net.zone", "serial 2"),
        ("tls.pem", "renewed"),
        ("zones/example.com", "added since"),
        ("zones/.hidden.conf", "of an editor"),
    ];
    since.iter().for_each(|(name, text)| host.write(name, text));
    assert!(why(host.kept().put_back()).ends_with("as far as that is kept"));
    host.write("unbound.conf", "broken");
    let said = host.kept().put_back().unwrap();
    for (name, text) in since {
        assert_eq!(host.read(name), text, "{name}");
    }
    assert!(said.ends_with("unbound.conf") && !said.contains("example"), "{said}");
}

/// As of a version that kept whole folders, zones among them.
#[test]
fn what_was_kept_under_other_names_is_not_put_back() {
    let host = Host::new("names");
    let mut other = host.kept();
    other.scope.as_mut().unwrap().names = vec!["*".to_owned()];
    other.keep().unwrap();
    host.write("unbound.conf", "broken");
    let refused = why(host.kept().put_back());
    assert!(refused.ends_with("are files named `*`, expected `*.conf`"), "{refused}");
    let manifest = host.place().join("manifest.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    json.as_object_mut().unwrap().remove("names");
    fs::write(&manifest, json.to_string()).unwrap();
    assert!(why(host.kept().is_ready()).contains("expected `*.conf`"));
    assert_eq!(host.read("unbound.conf"), "broken");
    host.kept().keep().unwrap();
    host.kept().is_ready().unwrap();
}

/// Here by a folder that has come in between.
#[test]
fn what_fails_midway_leaves_nothing_half_written() {
    let host = Host::new("midway");
    host.write("a.conf", "old");
    host.kept().keep().unwrap();
    host.write("a.conf", "new");
    host.write("unbound.conf", "new");
    host.write("conf.d/zone.conf", "new");
    let kept = host.kept();
    let (scope, manifest) = kept.manifest().unwrap();
    let difference = Difference::of(&manifest, &kept.place, scope).unwrap();
    fs::remove_file(host.etc("conf.d/zone.conf")).unwrap();
    make(&host.etc("conf.d/zone.conf"), 0o755).unwrap();
    let failed = difference.undo(&manifest).unwrap_err().to_string();
    let so_far = format!("changed so far: {}", host.etc("a.conf").display());
    assert!(failed.contains("conf.d/zone.conf: ") && failed.ends_with(&so_far), "{failed}");
    let left = host.everything().into_iter().map(|(path, _)| path);
    assert_eq!(left.filter(|path| path.extension().is_some_and(|end| end == "new")).count(), 0);
    assert_eq!(
        ["a.conf", ".a.conf.rolled-back", "unbound.conf"].map(|name| host.read(name)),
        ["old", "new", "new"]
    );
}

#[test]
fn what_was_put_aside_stays_when_it_happens_again() {
    let host = Host::new("again");
    host.kept().keep().unwrap();
    for broken in ["first", "second", "third"] {
        host.write("unbound.conf", broken);
        host.kept().put_back().unwrap();
    }
    let aside = ["", ".2", ".3"].map(|number| host.read(&format!(".unbound.conf.rolled-back{number}")));
    assert_eq!(aside, ["first", "second", "third"]);
}

#[test]
fn owner_and_mode_come_back_as_they_were() {
    let host = Host::new("owner");
    host.write("key.conf", "secret");
    host.write("zone.conf", "of somebody else's");
    if is_root() {
        chown(host.etc("zone.conf"), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    host.kept().keep().unwrap();
    fs::set_permissions(host.etc("key.conf"), fs::Permissions::from_mode(0o604)).unwrap();
    fs::remove_file(host.etc("zone.conf")).unwrap();
    host.kept().put_back().unwrap();
    let found = |name: &str| fs::metadata(host.etc(name)).unwrap();
    assert_eq!(found("key.conf").mode() & 0o7777, 0o640);
    let owner = if is_root() { NOBODY } else { geteuid().as_raw() };
    assert_eq!((found("zone.conf").uid(), found("zone.conf").mode() & 0o7777), (owner, 0o640));
    for entry in fs::read_dir(host.place().join("copies-1")).unwrap() {
        let copy = entry.unwrap().metadata().unwrap();
        assert_eq!(
            (copy.mode() & 0o7777, copy.uid()),
            (0o600, geteuid().as_raw()),
            "there are keys among them"
        );
    }
    assert_eq!(fs::metadata(host.place()).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn a_folder_that_is_gone_comes_back_as_it_was() {
    let host = Host::new("folder");
    fs::set_permissions(host.etc("conf.d"), fs::Permissions::from_mode(0o2750)).unwrap();
    host.kept().keep().unwrap();
    fs::remove_dir_all(host.etc("conf.d")).unwrap();
    host.kept().put_back().unwrap();
    assert_eq!(host.read("conf.d/zone.conf"), "zone");
    assert_eq!(fs::metadata(host.etc("conf.d")).unwrap().mode() & 0o7777, 0o2750);
}

#[test]
fn what_could_not_be_kept_is_left_alone_and_named() {
    let host = Host::new("skipped");
    let large = "x".repeat(manifest::LARGEST as usize + 1);
    host.write("large.conf", &large);
    symlink("/etc/hostname", host.etc("link.conf")).unwrap();
    symlink("/etc/hostname", host.etc("link.pem")).unwrap();
    symlink(".", host.etc("folder")).unwrap();
    host.kept().keep().unwrap();
    host.write("large.conf", "small by now");
    let nothing = why(host.kept().put_back());
    assert!(nothing.contains("as far as that is kept; not kept, and left alone"), "{nothing}");
    host.write("unbound.conf", "broken");
    fs::remove_file(host.etc("link.conf")).unwrap();
    symlink("elsewhere", host.etc("link.conf")).unwrap();
    make(&host.etc("new/deep"), 0o755).unwrap();
    host.write("new/deep/a.conf", "somebody else's");
    let changed = host.kept().put_back().unwrap();
    for left in [
        "large.conf (has more than 4 MiB)",
        "link.conf (is a link)",
        "folder (is a link)",
        "new/deep/a.conf (lies in a folder",
    ] {
        assert!(changed.contains(left), "{left}: {changed}");
    }
    assert_eq!(
        ["unbound.conf", "large.conf", "new/deep/a.conf"].map(|name| host.read(name)),
        ["old", "small by now", "somebody else's"]
    );
    assert!(!changed.contains("link.pem"), "no configuration: {changed}");
    assert_eq!(fs::read_link(host.etc("link.conf")).unwrap(), Path::new("elsewhere"));
}

#[test]
fn a_file_that_has_grown_too_large_since_is_put_aside() {
    let host = Host::new("grown");
    host.kept().keep().unwrap();
    host.write("unbound.conf", &"x".repeat(manifest::LARGEST as usize + 1));
    host.kept().put_back().unwrap();
    assert_eq!(host.read("unbound.conf"), "old");
    assert!(host.read(".unbound.conf.rolled-back").len() > manifest::LARGEST as usize);
}

#[test]
fn without_its_main_file_there_is_no_rollback() {
    let host = Host::new("main");
    fs::rename(host.etc("unbound.conf"), host.etc("real.conf")).unwrap();
    symlink("real.conf", host.etc("unbound.conf")).unwrap();
    for kept in [host.kept(), host.kept_alone()] {
        kept.keep().unwrap();
        host.write("real.conf", "broken");
        let refused = why(kept.is_ready());
        assert!(
            refused.contains("unbound.conf was not kept at the last restart that went well (is a link)"),
            "{refused}"
        );
        assert!(kept.put_back().is_err());
    }
    fs::remove_file(host.etc("unbound.conf")).unwrap();
    host.write("unbound.conf", "a file");
    host.kept().keep().unwrap();
    host.kept().is_ready().unwrap();
    fs::remove_file(host.etc("unbound.conf")).unwrap();
    symlink("real.conf", host.etc("unbound.conf")).unwrap();
    let before = host.everything();
    assert!(why(host.kept().is_ready()).contains("unbound.conf (is a link)"));
    assert!(host.kept().put_back().is_err());
    assert_eq!(host.everything(), before);
}

#[test]
fn what_lies_beside_a_file_alone_is_not_its_own() {
    let host = Host::new("alone");
    host.write("other-program.conf", "as before");
    host.kept_alone().keep().unwrap();
    host.write("unbound.conf", "broken");
    host.write("other-program.conf", "changed by somebody else");
    host.write("another-program.conf", "new");
    assert!(host.kept_alone().put_back().unwrap().contains("unbound.conf"));
    assert_eq!(
        ["unbound.conf", "other-program.conf", "another-program.conf"].map(|name| host.read(name)),
        ["old", "changed by somebody else", "new"]
    );
}

#[test]
fn another_main_file_is_another_configuration() {
    let host = Host::new("another");
    host.kept().keep().unwrap();
    host.write("other.conf", "other");
    let scope = Scope { file: host.etc("other.conf"), folders: vec![host.etc("")], names: names() };
    let refused = why(Kept { scope: Some(scope), place: host.place() }.is_ready());
    assert!(refused.contains("unbound.conf, not in ") && refused.ends_with("other.conf"), "{refused}");
}

/// Whoever else can write to the place, or to one above it, could have it installed by root.
#[test]
fn a_place_that_is_not_ours_alone_is_neither_written_to_nor_restored_from() {
    let host = Host::new("place");
    host.kept().keep().unwrap();
    host.write("unbound.conf", "broken");
    let before = host.everything();
    for part in [
        "lib",
        "lib/state-rollback",
        "lib/state-rollback/unbound",
        "lib/state-rollback/unbound/manifest.json",
    ] {
        let part = host.folder.join(part);
        let mode = fs::metadata(&part).unwrap().permissions();
        fs::set_permissions(&part, fs::Permissions::from_mode(mode.mode() | 0o020)).unwrap();
        for refused in [
            why(host.kept().is_ready()),
            why(host.kept().put_back()),
            host.kept().keep().unwrap_err().to_string(),
        ] {
            assert!(
                refused.contains(&format!("{} can be written to by others", part.display())),
                "{refused}"
            );
        }
        fs::set_permissions(&part, mode).unwrap();
        if is_root() {
            chown(&part, Some(NOBODY), None).unwrap();
            assert!(why(host.kept().put_back()).contains(" belongs to "));
            assert!(host.kept().keep().is_err());
            chown(&part, Some(0), None).unwrap();
        }
    }
    assert_eq!(host.everything(), before);
    host.kept().put_back().unwrap();
}

/// As shown by somebody who linked the place to a folder of others.
#[test]
fn no_link_is_followed_on_the_way_to_the_place() {
    let host = Host::new("linked");
    let victim = host.folder.join("victim");
    make(&victim.join("unbound"), 0o755).unwrap();
    fs::write(victim.join("unbound/precious"), "precious").unwrap();
    symlink(&victim, host.folder.join("lib/state-rollback")).unwrap();
    let before = host.everything();
    assert!(host.kept().keep().unwrap_err().to_string().contains("state-rollback is a link"));
    assert!(host.kept().put_back().is_err());
    assert_eq!(host.everything(), before);
}

#[test]
fn nothing_is_put_back_into_a_folder_of_others() {
    let host = Host::new("destination");
    host.kept().keep().unwrap();
    host.write("unbound.conf", "broken");
    let etc = host.etc("");
    fs::set_permissions(&etc, fs::Permissions::from_mode(0o777)).unwrap();
    let before = host.everything();
    assert!(why(host.kept().is_ready()).contains("can be written to by others"));
    assert!(host.kept().put_back().is_err());
    fs::set_permissions(&etc, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&etc, host.folder.join("etc/real")).unwrap();
    symlink("real", host.folder.join("etc/unbound")).unwrap();
    assert!(why(host.kept().is_ready()).contains("unbound is a link"));
    assert!(host.kept().put_back().is_err());
    fs::remove_file(host.folder.join("etc/unbound")).unwrap();
    fs::rename(host.folder.join("etc/real"), &etc).unwrap();
    assert_eq!(host.everything(), before);
}

#[test]
fn a_folder_that_others_can_write_to_is_left_out() {
    let host = Host::new("shared");
    fs::set_permissions(host.etc("conf.d"), fs::Permissions::from_mode(0o775)).unwrap();
    host.kept().keep().unwrap();
    host.write("conf.d/zone.conf", "changed");
    host.write("unbound.conf", "broken");
    let changed = host.kept().put_back().unwrap();
    assert!(changed.contains("conf.d (can be written to by others"), "{changed}");
    assert_eq!(["unbound.conf", "conf.d/zone.conf"].map(|name| host.read(name)), ["old", "changed"]);
}

#[test]
fn what_was_kept_before_survives_whatever_fails() {
    let host = Host::new("survives");
    host.kept().keep().unwrap();
    // One that was killed has left half of another; it is in nobody's way.
    host.write("unbound.conf", "newer");
    for name in ["copies-2", "copies-2/0", "manifest.json.new"] {
        make(&host.place().join(name), 0o700).unwrap();
    }
    host.kept().keep().unwrap();
    assert!(!host.place().join("copies-1").exists() && !host.place().join("manifest.json.new").exists());
    let before = host.everything();
    // It fails when the others are copied already.
    let scope = host.kept().scope.unwrap();
    let mut tree = Tree::of(&scope).unwrap();
    tree.files.insert(host.etc("zzz.conf"));
    assert!(Manifest::keep(&scope, tree, &host.place()).is_err());
    assert_eq!(host.everything(), before);
    // More than is kept: it fails before anything is written.
    let many = host.etc("many");
    make(&many, 0o755).unwrap();
    (0..2_001).for_each(|number| fs::write(many.join(format!("{number}.conf")), "").unwrap());
    assert!(host.kept().keep().unwrap_err().to_string().contains("more than 2000 files"));
    fs::remove_dir_all(many).unwrap();
    host.write("unbound.conf", "broken");
    host.kept().put_back().unwrap();
    assert_eq!(host.read("unbound.conf"), "newer");
}

#[test]
fn a_damaged_copy_is_not_put_back() {
    let host = Host::new("damaged");
    host.kept().keep().unwrap();
    host.write("unbound.conf", "broken");
    for copy in fs::read_dir(host.place().join("copies-1")).unwrap() {
        fs::write(copy.unwrap().path(), "").unwrap();
    }
    let before = host.everything();
    assert!(why(host.kept().is_ready()).contains("is damaged"));
    assert!(host.kept().put_back().is_err());
    assert_eq!(host.everything(), before);
    fs::write(host.place().join("manifest.json"), "{").unwrap();
    assert!(host.kept().is_ready().is_err());
    host.kept().keep().unwrap();
    host.kept().is_ready().unwrap();
}

#[test]
fn nobody_but_root_keeps_beside_the_state() {
    let state = Path::new("/var/lib/dnsherald");
    assert_eq!(places(state, true), Path::new("/var/lib/dnsherald-rollback"));
    assert_eq!(places(state, false), Path::new("/var/lib/dnsherald/rollback"));
}
