//! The umask for this process and the programs that it runs.
//!
//! ExaBGP hands down 0137, under which the owner cannot enter a directory that a program makes: `mktemp -d` makes
//! unusable directories, and `knotc` cannot check a configuration.

use rustix::fs::Mode;
use rustix::process::umask;

/// Lets the umask take no permission from the owner. What it takes from group and others stays. Call this before a
/// second thread starts.
pub fn keep_owner_permissions() {
    let inherited = umask(Mode::empty());
    umask(inherited.difference(Mode::RWXU));
}
