//! Who asks: the holder of a drain or a hold that names none.

use std::env;

use nix::unistd::{Uid, User, getuid};

use crate::engine::drain::Holder;

/// The user behind `sudo`, else the user of this process.
#[must_use]
pub(super) fn caller() -> Holder {
    let name = |uid| User::from_uid(uid).ok().flatten().map(|user| user.name);
    holder(env::var("SUDO_USER").ok(), getuid(), name)
}

/// A name that cannot hold anything, such as one with a blank, is passed over; a user without a name goes by number.
fn holder(sudo_user: Option<String>, uid: Uid, name: impl Fn(Uid) -> Option<String>) -> Holder {
    let names = [sudo_user, name(uid), Some(format!("uid-{uid}"))];
    let mut holders = names.into_iter().flatten().filter_map(|name| name.parse().ok());
    holders.next().unwrap_or_else(Holder::operator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_who_asked() {
        let of = |sudo_user: Option<&str>, name: Option<&str>| {
            let name = |_| name.map(ToOwned::to_owned);
            holder(sudo_user.map(ToOwned::to_owned), Uid::from_raw(1004), name).to_string()
        };
        assert_eq!(of(Some("alice"), Some("root")), "alice");
        assert_eq!(of(None, Some("bob")), "bob");
        assert_eq!(of(Some(""), Some("bob")), "bob");
        assert_eq!(of(Some("two words"), None), "uid-1004");
    }
}
