//! From root to somebody less powerful, for good.
//!
//! Names are looked up before anything is changed. Then the supplementary groups go first and the user last, for only
//! root may change them; and what came of it is looked at, for a right that is thought to be gone is worse than one
//! that is known to be there.
//!
//! No supplementary group is left: neither those of root, which the original keeps, nor those that the user is a member
//! of. A user comes with its own group unless another one is named, where the original keeps that of root.

use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, getgroups, getresgid, getresuid, seteuid, setgroups, setresgid, setresuid,
};

use super::options::Identity;

/// Whom to be, in numbers.
#[derive(Debug)]
pub(crate) struct Somebody {
    /// How errors call it.
    named: String,
    user: Option<Uid>,
    group: Gid,
    /// Whether the group was named.
    group_named: bool,
}

/// Whoever is named; `None` if nobody is.
///
/// # Errors
/// The sentence that says which name is unknown.
pub(crate) fn look_up(identity: &Identity) -> Result<Option<Somebody>, String> {
    let user = identity.user.as_deref().map(user).transpose()?;
    let group = identity.group.as_deref().map(group).transpose()?;
    let group_named = group.is_some();
    let (named, gid) = match (&user, &group) {
        (None, None) => return Ok(None),
        (Some(user), None) => (format!("user `{}`", user.name), user.gid),
        (None, Some(group)) => (format!("group `{}`", group.name), group.gid),
        (Some(user), Some(group)) => (format!("user `{}` of group `{}`", user.name, group.name), group.gid),
    };
    Ok(Some(Somebody { named, user: user.map(|user| user.uid), group: gid, group_named }))
}

fn user(name: &str) -> Result<User, String> {
    User::from_name(name)
        .map_err(|error| format!("--user: cannot look up `{name}`: {error}"))?
        .ok_or_else(|| format!("--user: `{name}` is no user of this host, expected the name of one"))
}

fn group(name: &str) -> Result<Group, String> {
    Group::from_name(name)
        .map_err(|error| format!("--group: cannot look up `{name}`: {error}"))?
        .ok_or_else(|| format!("--group: `{name}` is no group of this host, expected the name of one"))
}

impl Somebody {
    /// Becomes it, in all threads. Nothing happens if the process is that already and may not change its groups.
    ///
    /// # Errors
    /// The sentence that says what is not allowed. After that the process is not to go on.
    pub(crate) fn take_over(&self) -> Result<(), String> {
        match self.change() {
            Err(Errno::EPERM) if self.is_us() => {
                log::debug!("already {}, with the groups that this process was given", self.named);
                Ok(())
            }
            Err(error) => Err(format!(
                "cannot become {}: {error}; expected to be started as root, or as nobody else",
                self.named
            )),
            Ok(()) => {
                self.verify()?;
                log::debug!("became {}", self.named);
                Ok(())
            }
        }
    }

    fn change(&self) -> nix::Result<()> {
        setgroups(&[])?;
        setresgid(self.group, self.group, self.group)?;
        self.user.map_or(Ok(()), |user| setresuid(user, user, user))
    }

    fn has_our_user(&self) -> bool {
        let ours = getresuid();
        self.user.is_none_or(|user| {
            ours.is_ok_and(|ours| [ours.real, ours.effective, ours.saved].iter().all(|id| *id == user))
        })
    }

    fn has_our_group(&self) -> bool {
        getresgid()
            .is_ok_and(|ours| [ours.real, ours.effective, ours.saved].iter().all(|id| *id == self.group))
    }

    /// Whether the process is what was asked for, whatever its supplementary groups.
    fn is_us(&self) -> bool {
        self.has_our_user() && (!self.group_named || self.has_our_group())
    }

    /// Whether the change has come to pass, and cannot be undone.
    fn verify(&self) -> Result<(), String> {
        let why = if !self.has_our_user() || !self.has_our_group() {
            "the process is still somebody else"
        } else if !getgroups().is_ok_and(|groups| groups.is_empty()) {
            "the process still has other groups"
        } else if self.user.is_some_and(|user| !user.is_root()) && seteuid(Uid::from_raw(0)).is_ok() {
            "the process can still become root"
        } else {
            return Ok(());
        };
        Err(format!("cannot become {}: {why}; expected the system to let go of it", self.named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(user: Option<&str>, group: Option<&str>) -> Identity {
        Identity { user: user.map(str::to_owned), group: group.map(str::to_owned) }
    }

    #[test]
    fn unknown_names_are_refused_before_anything_happens() {
        let before = (getresuid().unwrap(), getresgid().unwrap(), getgroups().unwrap());
        assert_eq!(
            look_up(&identity(Some("no-such-user"), Some("root"))).unwrap_err(),
            "--user: `no-such-user` is no user of this host, expected the name of one"
        );
        assert_eq!(
            look_up(&identity(Some("root"), Some("no-such-group"))).unwrap_err(),
            "--group: `no-such-group` is no group of this host, expected the name of one"
        );
        assert_eq!(before, (getresuid().unwrap(), getresgid().unwrap(), getgroups().unwrap()));
    }

    #[test]
    fn a_user_comes_with_its_group_and_a_group_alone() {
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
