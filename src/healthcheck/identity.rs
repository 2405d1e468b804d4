//! Permanently drops root privileges.
//!
//! All names are looked up before anything changes. Then the process drops its supplementary groups first and its user
//! last, because only root may change groups. Afterwards it verifies the result.
//!
//! The process keeps no supplementary group: neither those of root, which the original keeps, nor those of the user. If
//! only a user is named, the process takes that user's group, where the original keeps the group of root.

use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, getgroups, getresgid, getresuid, seteuid, setgroups, setresgid, setresuid,
};

use super::arguments::RunAs;

/// A user and group, by number.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The name for error messages.
    named: String,
    user: Option<Uid>,
    group: Gid,
    /// Whether the options name a group.
    group_named: bool,
}

/// Looks up the user and group that the options name. Returns `None` if they name neither.
///
/// # Errors
/// Returns an error that says which name is unknown.
pub(crate) fn look_up(identity: &RunAs) -> Result<Option<Identity>, String> {
    let user = identity.user.as_deref().map(user).transpose()?;
    let group = identity.group.as_deref().map(group).transpose()?;
    let group_named = group.is_some();
    let (named, gid) = match (&user, &group) {
        (None, None) => return Ok(None),
        (Some(user), None) => (format!("user `{}`", user.name), user.gid),
        (None, Some(group)) => (format!("group `{}`", group.name), group.gid),
        (Some(user), Some(group)) => (format!("user `{}` of group `{}`", user.name, group.name), group.gid),
    };
    Ok(Some(Identity { named, user: user.map(|user| user.uid), group: gid, group_named }))
}

fn user(name: &str) -> Result<User, String> {
    User::from_name(name)
        .map_err(|error| format!("--user: cannot look up `{name}`: {error}"))?
        .ok_or_else(|| format!("--user: no user `{name}` on this host, expected an existing one"))
}

fn group(name: &str) -> Result<Group, String> {
    Group::from_name(name)
        .map_err(|error| format!("--group: cannot look up `{name}`: {error}"))?
        .ok_or_else(|| format!("--group: no group `{name}` on this host, expected an existing one"))
}

impl Identity {
    /// Switches all threads to this identity. Does nothing if the process already has it and may not change its groups.
    ///
    /// # Errors
    /// Returns an error if the switch fails. The process must then exit.
    pub(crate) fn assume(&self) -> Result<(), String> {
        match self.change() {
            Err(Errno::EPERM) if self.is_current() => {
                log::debug!("already running as {}; the supplementary groups stay", self.named);
                Ok(())
            }
            Err(error) => Err(format!(
                "cannot switch to {}: {error}; expected a start as root or as that user and group",
                self.named
            )),
            Ok(()) => {
                self.verify()?;
                log::debug!("switched to {}", self.named);
                Ok(())
            }
        }
    }

    fn change(&self) -> nix::Result<()> {
        setgroups(&[])?;
        setresgid(self.group, self.group, self.group)?;
        self.user.map_or(Ok(()), |user| setresuid(user, user, user))
    }

    fn is_process_user(&self) -> bool {
        let ours = getresuid();
        self.user.is_none_or(|user| {
            ours.is_ok_and(|ours| [ours.real, ours.effective, ours.saved].iter().all(|id| *id == user))
        })
    }

    fn is_process_group(&self) -> bool {
        getresgid()
            .is_ok_and(|ours| [ours.real, ours.effective, ours.saved].iter().all(|id| *id == self.group))
    }

    /// Whether the process has this user, and the group if one is named. Ignores supplementary groups.
    fn is_current(&self) -> bool {
        self.is_process_user() && (!self.group_named || self.is_process_group())
    }

    /// Checks that the switch happened and cannot be undone.
    fn verify(&self) -> Result<(), String> {
        let why = if !self.is_process_user() || !self.is_process_group() {
            "the process still has another user or group"
        } else if !getgroups().is_ok_and(|groups| groups.is_empty()) {
            "the process still has supplementary groups"
        } else if self.user.is_some_and(|user| !user.is_root()) && seteuid(Uid::from_raw(0)).is_ok() {
            "the process can still become root"
        } else {
            return Ok(());
        };
        Err(format!("cannot switch to {}: {why}; expected the kernel to drop all privileges", self.named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(user: Option<&str>, group: Option<&str>) -> RunAs {
        RunAs { user: user.map(str::to_owned), group: group.map(str::to_owned) }
    }

    #[test]
    fn refuses_unknown_names_without_changing_anything() {
        let before = (getresuid().unwrap(), getresgid().unwrap(), getgroups().unwrap());
        assert_eq!(
            look_up(&identity(Some("no-such-user"), Some("root"))).unwrap_err(),
            "--user: no user `no-such-user` on this host, expected an existing one"
        );
        assert_eq!(
            look_up(&identity(Some("root"), Some("no-such-group"))).unwrap_err(),
            "--group: no group `no-such-group` on this host, expected an existing one"
        );
        assert_eq!(before, (getresuid().unwrap(), getresgid().unwrap(), getgroups().unwrap()));
    }

    #[test]
    fn a_user_implies_its_group() {
        assert!(look_up(&identity(None, None)).unwrap().is_none());
        let user = look_up(&identity(Some("nobody"), None)).unwrap().unwrap();
        let nobody = User::from_name("nobody").unwrap().unwrap();
        assert_eq!(
            (user.named.as_str(), user.user, user.group),
            ("user `nobody`", Some(nobody.uid), nobody.gid)
        );
        assert!(!user.group_named);
        let group = look_up(&identity(None, Some("root"))).unwrap().unwrap();
        assert_eq!((group.named.as_str(), group.user, group.group), ("group `root`", None, Gid::from_raw(0)));
        let both = look_up(&identity(Some("nobody"), Some("root"))).unwrap().unwrap();
        assert_eq!((both.named.as_str(), both.group), ("user `nobody` of group `root`", Gid::from_raw(0)));
    }
}
