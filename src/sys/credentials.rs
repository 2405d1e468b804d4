//! The user and the groups of a process, and what they may use.
//!
//! Only modes, owners and groups are looked at. Capabilities may permit more, and so may an access list (ACL): a file or
//! directory that has one counts as permitted.

use std::ffi::CString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Group, Pid, Uid, User, getgrouplist};
use rustix::io::Errno;

/// Permission to read.
pub(crate) const READ: u32 = 4;
/// Permission to write.
pub(crate) const WRITE: u32 = 2;
/// Permission to enter a directory.
pub(crate) const ENTER: u32 = 1;

/// The extended attribute of an access list.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// A user with its groups.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Credentials {
    pub(crate) uid: u32,
    pub(crate) gids: Vec<u32>,
}

impl Credentials {
    /// The effective ones of a running process; `None` if it cannot be seen.
    pub(crate) fn from_process(pid: Pid) -> Option<Self> {
        Self::from_status(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
    }

    /// Those in `/proc/PID/status`: the effective user and group, and the supplementary groups.
    fn from_status(status: &str) -> Option<Self> {
        let numbers = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().map(|word| word.parse().ok()).collect::<Option<Vec<u32>>>()
        };
        let effective = |key| numbers(key)?.get(1).copied();
        let gids = [effective("Gid:")?].into_iter().chain(numbers("Groups:")?).collect();
        Some(Self { uid: effective("Uid:")?, gids })
    }

    /// The name of the user, or its number if it has none.
    pub(crate) fn user(&self) -> String {
        user_name(Uid::from_raw(self.uid))
    }

    /// Those of a user at the next start of its unit: `groups` are further groups of the unit, separated by blanks.
    pub(crate) fn from_user(user: &User, groups: &str) -> Self {
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
    ///
    /// # Errors
    /// The reason, if this process may not look at the path.
    pub(crate) fn may(&self, path: &Path, need: u32) -> Result<bool, String> {
        let own = path.ancestors().map(Path::to_owned);
        // Of a symlink, the way to its target counts, too.
        let target = fs::canonicalize(path).ok().filter(|target| target != path);
        let places =
            own.chain(target.iter().flat_map(|target| target.ancestors().skip(1).map(Path::to_owned)));
        for place in places {
            let need = if place == path { need } else { ENTER };
            let found = fs::metadata(&place).map_err(|error| {
                // This user may see less than that of the helper.
                let is_denied = error.kind() == ErrorKind::PermissionDenied;
                let remedy = if is_denied { "; run this as root" } else { "" };
                format!("{} cannot be looked at: {error}{remedy}", place.display())
            })?;
            let is_permitted = self.is_permitted((found.mode(), found.uid(), found.gid()), need);
            if !is_permitted && !has_access_list(&place) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The name of a user, or its number if it has none.
pub(crate) fn user_name(user: Uid) -> String {
    let known = User::from_uid(user).ok().flatten();
    known.map_or_else(|| user.to_string(), |known| known.name)
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
    fn a_process_has_its_effective_user_and_groups() {
        let status =
            "Name:\texabgp\nUid:\t104\t103\t104\t104\nGid:\t0\t105\t0\t0\nGroups:\t105 110 \nNgid:\t0\n";
        let expected = Credentials { uid: 103, gids: vec![105, 105, 110] };
        assert_eq!(Credentials::from_status(status), Some(expected));
        let alone = Credentials::from_status("Uid:\t7\t7\t7\t7\nGid:\t7\t7\t7\t7\nGroups:\t\n").unwrap();
        assert_eq!(alone.gids, [7]);
        assert_eq!(Credentials::from_status("Name:\tx\n"), None);
    }

    #[test]
    fn the_owner_the_group_and_others_have_their_bits() {
        let who = Credentials { uid: 100, gids: vec![100, 7] };
        assert!(who.is_permitted((0o600, 100, 0), READ | WRITE));
        assert!(!who.is_permitted((0o077, 100, 7), READ), "the owner has no bits of the group");
        assert!(who.is_permitted((0o660, 0, 7), WRITE) && !who.is_permitted((0o640, 0, 7), WRITE));
        assert!(who.is_permitted((0o604, 0, 0), READ) && !who.is_permitted((0o660, 0, 0), READ));
        assert!(Credentials { uid: 0, gids: vec![] }.is_permitted((0, 5, 5), WRITE));
    }

    #[test]
    fn a_file_with_an_access_list_counts_as_permitted() {
        let path = std::env::temp_dir().join(format!("dnsherald-acl-{}", std::process::id()));
        fs::write(&path, "").unwrap();
        let who = Credentials { uid: 65_500, gids: vec![65_500] };
        assert_eq!(who.may(&path, WRITE), Ok(false));
        // A file system may have no access lists.
        let is_set = setxattr(&path, ACCESS_LIST, &LIST, XattrFlags::empty()).is_ok();
        assert_eq!(who.may(&path, WRITE), Ok(is_set));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_path_is_reached_through_its_directories() {
        let who = Credentials { uid: 65_500, gids: vec![65_500] };
        assert_eq!(who.may(Path::new("/"), ENTER), Ok(true));
        assert_eq!(who.may(Path::new("/usr"), WRITE), Ok(false));
        let folder = std::env::temp_dir().join(format!("dnsherald-way-{}", std::process::id()));
        fs::create_dir_all(folder.join("closed")).unwrap();
        fs::write(folder.join("closed/file"), "").unwrap();
        std::os::unix::fs::symlink("closed/file", folder.join("link")).unwrap();
        let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
        for name in [".", "closed", "closed/file"] {
            fs::set_permissions(folder.join(name), mode(0o755)).unwrap();
        }
        assert_eq!(who.may(&folder.join("link"), READ), Ok(true));
        fs::set_permissions(folder.join("closed"), mode(0o700)).unwrap();
        assert_eq!(who.may(&folder.join("link"), READ), Ok(false), "its target is out of reach");
        fs::remove_dir_all(folder).unwrap();
        assert!(who.may(Path::new("/usr/no/such/path"), READ).unwrap_err().contains("cannot be looked at"));
    }
}
