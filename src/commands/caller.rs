//! The default holder of a drain or hold: the user who runs the command.

use std::env;

use nix::unistd::{Uid, User, getuid};

use crate::engine::drain::Holder;

/// Returns the user behind `sudo`, else the user of this process.
pub(super) fn caller() -> Holder {
    let name = |uid| User::from_uid(uid).ok().flatten().map(|user| user.name);
    holder(env::var("SUDO_USER").ok(), getuid(), name)
}

/// Skips names that are invalid for a holder, such as one with a space. A user without a name gets its number.
fn holder(sudo_user: Option<String>, uid: Uid, name: impl Fn(Uid) -> Option<String>) -> Holder {
    let names = [sudo_user, name(uid), Some(format!("uid-{uid}"))];
    let mut holders = names.into_iter().flatten().filter_map(|name| name.parse().ok());
    holders.next().unwrap_or_else(Holder::operator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_the_calling_user() {
        let named = |sudo_user: Option<&str>, name: Option<&str>| {
            let name = |_| name.map(ToOwned::to_owned);
            holder(sudo_user.map(ToOwned::to_owned), Uid::from_raw(1004), name).to_string()
        };
        assert_eq!(named(Some("alice"), Some("root")), "alice");
        assert_eq!(named(None, Some("bob")), "bob");
        assert_eq!(named(Some(""), Some("bob")), "bob");
        assert_eq!(named(Some("two words"), None), "uid-1004");
    }
}
