//! What the helper's user may use: its own directories, and the control channels of the servers.
//!
//! Only modes, owners and groups are looked at. Capabilities may permit more, and so may an access list (ACL): a file or
//! directory that has one counts as permitted.

use std::ffi::CString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use rustix::io::Errno;

use super::NO_CONFIGURATION;
use crate::backend::{Backend, Kind};
use crate::config::Config;
use crate::doctor::facts::{Access, Denied, Known};

const READ: u32 = 4;
const WRITE: u32 = 2;
const ENTER: u32 = 1;

/// The extended attribute of an access list.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// The user of the helper.
#[derive(Debug)]
pub(super) struct HelperUser {
    pub(super) user: User,
    /// Further groups of the unit, separated by blanks.
    pub(super) groups: String,
    /// The groups of the running ExaBGP: others count from its next start.
    pub(super) running: Option<Vec<u32>>,
}

/// A user with its groups.
#[derive(Clone, Debug)]
struct Who {
    uid: u32,
    gids: Vec<u32>,
}

/// Looks at everything that the user of the helper needs.
pub(super) fn look(config: Result<&Config, &String>, user: Known<HelperUser>) -> Known<Access> {
    let config = config.map_err(|_| NO_CONFIGURATION.to_owned())?;
    let HelperUser { user, groups, running } = user?;
    // From the next start of ExaBGP on, and now.
    let next = Who::new(&user, &groups);
    let who = running.map_or_else(|| next.clone(), |gids| Who { uid: next.uid, gids });
    let mut access = Access { user: user.name, denied: vec![] };
    // `dnsherald healthcheck` has neither sockets nor state.
    let directories = config.origin.as_ref().map(|_| [&config.control, &config.state]);
    for path in directories.into_iter().flatten() {
        // The helper makes a directory that is missing.
        let place = if path.exists() { path.as_path() } else { path.parent().unwrap_or(path) };
        if !who.may(place, WRITE | ENTER)? {
            let is_granted = next.may(place, WRITE | ENTER)?;
            access.denied.push(Denied { path: path.clone(), backend: None, group: None, is_granted });
        }
    }
    for backend in &config.backends {
        for (path, need) in channel(backend) {
            if !path.exists() {
                continue;
            }
            if !who.may(&path, need)? {
                let group = backend.facts().access.group.map(str::to_owned);
                let is_granted = next.may(&path, need)?;
                access.denied.push(Denied { path, backend: Some(backend.name.clone()), group, is_granted });
            }
            // The socket is used if there is one, and the keys otherwise.
            break;
        }
    }
    Ok(access)
}

/// The sockets and keys of the control channel, as Debian has them, the preferred one first.
fn channel(backend: &Backend) -> Vec<(PathBuf, u32)> {
    let of = |files: &[(&str, u32)]| files.iter().map(|(path, need)| (PathBuf::from(path), *need)).collect();
    match backend.kind {
        Kind::Unbound => of(&[("/run/unbound.ctl", WRITE), ("/etc/unbound/unbound_control.key", READ)]),
        Kind::Bind => of(&[("/etc/bind/rndc.key", READ)]),
        Kind::Nsd => of(&[("/run/nsd/nsd.ctl", WRITE), ("/etc/nsd/nsd_control.key", READ)]),
        Kind::Knot => of(&[("/run/knot/knot.sock", WRITE)]),
        Kind::KnotResolver => of(&[("/run/knot-resolver/control/1", WRITE)]),
        Kind::PowerDns => of(&[("/run/pdns/pdns.controlsocket", WRITE)]),
        Kind::PowerDnsRecursor => of(&[("/run/pdns-recursor/pdns_recursor.controlsocket", WRITE)]),
        // Its key is in the configuration.
        Kind::Dnsdist => backend.config_file.iter().map(|path| (path.clone(), READ)).collect(),
        Kind::Dnsmasq | Kind::Generic => vec![],
    }
}

impl Who {
    /// `groups` are further groups of the unit, separated by blanks.
    fn new(user: &User, groups: &str) -> Self {
        let name = CString::new(user.name.as_str()).unwrap_or_default();
        let listed = getgrouplist(&name, user.gid).unwrap_or_else(|_| vec![user.gid]);
        let further = groups.split_whitespace().filter_map(|word| match word.parse() {
            Ok(number) => Some(Gid::from_raw(number)),
            Err(_) => Group::from_name(word).ok().flatten().map(|group| group.gid),
        });
        let gids = listed.into_iter().chain(further).map(Gid::as_raw).collect();
        Self { uid: Uid::as_raw(user.uid), gids }
    }

    /// Whether the mode of one file permits all that is needed.
    fn is_permitted(&self, (mode, uid, gid): (u32, u32, u32), need: u32) -> bool {
        let bits = match () {
            () if uid == self.uid => mode >> 6,
            () if self.gids.contains(&gid) => mode >> 3,
            () => mode,
        };
        self.uid == 0 || bits & need == need
    }

    /// Whether it may use a path: enter all directories above it, and what `need` says there.
    fn may(&self, path: &Path, need: u32) -> Known<bool> {
        for (place, need) in path.ancestors().map(|place| (place, if place == path { need } else { ENTER })) {
            let found = fs::metadata(place).map_err(|error| {
                // This user may see less than that of the helper.
                let is_denied = error.kind() == ErrorKind::PermissionDenied;
                let remedy = if is_denied { "; run this as root" } else { "" };
                format!("{} cannot be looked at: {error}{remedy}", place.display())
            })?;
            let is_permitted = self.is_permitted((found.mode(), found.uid(), found.gid()), need);
            if !is_permitted && !has_access_list(place) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a file or directory has an access list (acl(5)) beside its mode.
fn has_access_list(path: &Path) -> bool {
    match rustix::fs::getxattr(path, ACCESS_LIST, &mut [0_u8; 64][..]) {
        Ok(size) => size > 0,
        // Longer than the buffer.
        Err(error) => error == Errno::RANGE,
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{XattrFlags, setxattr};

    use super::*;

    /// One user more may read and write: entries of tag, permissions and number, for the owner, user 65500, the group, the
    /// mask and others.
    const LIST: [u8; 44] = [
        2, 0, 0, 0, //
        1, 0, 6, 0, 255, 255, 255, 255, //
        2, 0, 6, 0, 220, 255, 0, 0, //
        4, 0, 4, 0, 255, 255, 255, 255, //
        16, 0, 6, 0, 255, 255, 255, 255, //
        32, 0, 0, 0, 255, 255, 255, 255,
    ];

    #[test]
    fn the_owner_the_group_and_others_have_their_bits() {
        let who = Who { uid: 100, gids: vec![100, 7] };
        assert!(who.is_permitted((0o600, 100, 0), READ | WRITE));
        assert!(!who.is_permitted((0o077, 100, 7), READ), "the owner has no bits of the group");
        assert!(who.is_permitted((0o660, 0, 7), WRITE) && !who.is_permitted((0o640, 0, 7), WRITE));
        assert!(who.is_permitted((0o604, 0, 0), READ) && !who.is_permitted((0o660, 0, 0), READ));
        assert!(Who { uid: 0, gids: vec![] }.is_permitted((0, 5, 5), WRITE));
    }

    #[test]
    fn a_file_with_an_access_list_counts_as_permitted() {
        let path = std::env::temp_dir().join(format!("dnsherald-acl-{}", std::process::id()));
        fs::write(&path, "").unwrap();
        let who = Who { uid: 65_500, gids: vec![65_500] };
        assert_eq!(who.may(&path, WRITE), Ok(false));
        // A file system may have no access lists.
        let is_set = setxattr(&path, ACCESS_LIST, &LIST, XattrFlags::empty()).is_ok();
        assert_eq!(who.may(&path, WRITE), Ok(is_set));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_path_is_reached_through_its_directories() {
        let who = Who { uid: 65_500, gids: vec![65_500] };
        assert_eq!(who.may(Path::new("/"), ENTER), Ok(true));
        assert_eq!(who.may(Path::new("/usr"), WRITE), Ok(false));
        assert!(who.may(Path::new("/usr/no/such/path"), READ).unwrap_err().contains("cannot be looked at"));
    }
}
