//! The umask that ExaBGP hands down, 0137: under it no program can enter a directory that it has made.
//!
//! What this program makes itself has explicit modes. But so it would be with every command, hook and control program
//! that it runs: `mktemp -d` makes what cannot be used, and `knotc` cannot check a configuration.

use rustix::fs::Mode;
use rustix::process::umask;

/// From here on the umask takes nothing from the owner; what it takes from others stays. To be called before there is
/// a second thread.
pub fn leave_the_owner_alone() {
    let handed_down = umask(Mode::empty());
    umask(handed_down.difference(Mode::RWXU));
}
