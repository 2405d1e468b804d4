//! Tests `packaging/add-md5sums`, which completes the package.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::lacks;

#[test]
fn every_file_of_the_package_has_its_sum() {
    let folder = std::env::temp_dir().join(format!("dnsherald-md5sums-{}", std::process::id()));
    let tree = folder.join("tree");
    fs::create_dir_all(tree.join("usr/bin")).unwrap();
    fs::create_dir(tree.join("DEBIAN")).unwrap();
    for place in [&folder, &tree, &tree.join("DEBIAN")] {
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(tree.join("usr/bin/a"), "a\n").unwrap();
    let control =
        "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: a\n";
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    let package = folder.join("a.deb");
    let built = Command::new("dpkg-deb").arg("--build").args([&tree, &package]).output();
    if built.is_err() {
        return lacks("dpkg-deb");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/add-md5sums");
    let added = Command::new(script).arg(&package).output().unwrap();
    assert!(added.status.success(), "{added:?}");
    let sums = Command::new("dpkg-deb").arg("--info").arg(&package).arg("md5sums").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&sums.stdout), "60b725f10c9c85c70d97880dfe8191b3  usr/bin/a\n");
    fs::remove_dir_all(folder).unwrap();
}
