//! From root to somebody less powerful, for good.
//!
//! Both names are looked up before anything is changed. Then the supplementary groups go first and the user last, for
//! only root may change them; and what came of it is looked at, for a right that is thought to be gone is worse than
//! one that is known to be there.
//!
//! The original keeps the supplementary groups of root, and with a user alone its group as well. Here a user comes with
//! the groups that it is a member of, and with its own group unless another one is named; a group alone comes alone.

use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, getgrouplist, getgroups, getresgid, getresuid, seteuid, setgroups, setresgid,
    setresuid,
};

use super::options::Identity;

/// Whom to be, in numbers.
#[derive(Debug)]
struct Somebody {
    /// How errors call it.
    named: String,
    user: Option<Uid>,
    group: Gid,
    supplementary: Vec<Gid>,
    /// Whether the group was named.
    group_named: bool,
}

/// Becomes whoever is named, in all threads. Nothing happens if nobody is, or if the process is that already and may
/// not change its groups.
///
/// # Errors
/// The sentence that says which name is unknown, or what is not allowed. After the latter the process is not to go on.
pub fn drop_to(identity: &Identity) -> Result<(), String> {
    let Some(somebody) = look_up(identity)? else { return Ok(()) };
    match somebody.change() {
        Err(Errno::EPERM) if somebody.is_us() => {
            log::debug!("already {}, with the groups that this process was given", somebody.named);
            Ok(())
        }
        Err(error) => Err(format!(
            "cannot become {}: {error}; expected to be started as root, or as nobody else",
            somebody.named
        )),
        Ok(()) => {
            somebody.verify()?;
            log::debug!("became {}", somebody.named);
            Ok(())
        }
    }
}

fn look_up(identity: &Identity) -> Result<Option<Somebody>, String> {
    let user = identity.user.as_deref().map(user).transpose()?;
    let group = identity.group.as_deref().map(group).transpose()?;
    let group_named = group.is_some();
    let (named, gid) = match (&user, &group) {
        (None, None) => return Ok(None),
        (Some(user), None) => (format!("user `{}`", user.name), user.gid),
        (None, Some(group)) => (format!("group `{}`", group.name), group.gid),
        (Some(user), Some(group)) => (format!("user `{}` of group `{}`", user.name, group.name), group.gid),
    };
    let supplementary = match &user {
        None => vec![],
        Some(user) => CString::new(user.name.as_str())
            .map_err(|_| Errno::EINVAL)
            .and_then(|name| getgrouplist(&name, gid))
            .map_err(|error| format!("--user: cannot read the groups of `{}`: {error}", user.name))?,
    };
    let user = user.map(|user| user.uid);
    Ok(Some(Somebody { named, user, group: gid, supplementary, group_named }))
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
    fn change(&self) -> nix::Result<()> {
        setgroups(&self.supplementary)?;
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
        let known = |groups: &[Gid]| groups.iter().all(|group| self.supplementary.contains(group));
        let why = if !self.has_our_user() || !self.has_our_group() {
            "the process is still somebody else"
        } else if !getgroups().is_ok_and(|groups| known(&groups)) {
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
            drop_to(&identity(Some("no-such-user"), Some("root"))).unwrap_err(),
            "--user: `no-such-user` is no user of this host, expected the name of one"
        );
        assert_eq!(
            drop_to(&identity(Some("root"), Some("no-such-group"))).unwrap_err(),
            "--group: `no-such-group` is no group of this host, expected the name of one"
        );
        assert_eq!(before, (getresuid().unwrap(), getresgid().unwrap(), getgroups().unwrap()));
    }

    #[test]
    fn nobody_named_is_nobody_changed() {
        assert_eq!(drop_to(&identity(None, None)), Ok(()));
    }

    #[test]
    fn a_user_comes_with_its_groups_and_a_group_alone() {
        let user = look_up(&identity(Some("root"), None)).unwrap().unwrap();
        assert_eq!(
            (user.named.as_str(), user.user, user.group_named),
            ("user `root`", Some(Uid::from_raw(0)), false)
        );
        assert!(user.supplementary.contains(&user.group));
        let group = look_up(&identity(None, Some("root"))).unwrap().unwrap();
        assert_eq!((group.named.as_str(), group.user, group.supplementary.len()), ("group `root`", None, 0));
    }
}
