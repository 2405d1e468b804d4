//! The kinds of servers and their roles.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::bind::Bind;
use super::dnsdist::Dnsdist;
use super::dnsmasq::Dnsmasq;
use super::generic::Generic;
use super::knot::Knot;
use super::knot_resolver::KnotResolver;
use super::nsd::Nsd;
use super::powerdns::PowerDns;
use super::powerdns_recursor::PowerDnsRecursor;
use super::unbound::Unbound;
use super::{Driver, Facts};

/// The role of a server.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// It answers for its own zones.
    Authoritative,
    /// It resolves names by asking other servers.
    Resolver,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authoritative => "authoritative",
            Self::Resolver => "resolver",
        })
    }
}

/// Declares [`Kind`]: for each variant its word and its driver.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $word:literal by $driver:expr,)+) => {
        /// The known servers, and `generic` for any other.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
        pub(crate) enum Kind {
            $($(#[doc = $doc])+ #[serde(rename = $word)] $variant,)+
        }

        impl Kind {
            /// Every kind, in the order of this list.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word by which a configuration names it.
            #[must_use]
            pub(crate) const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The driver of this server.
            #[must_use]
            pub(crate) fn driver(self) -> &'static dyn Driver {
                match self { $(Self::$variant => &$driver),+ }
            }
        }
    };
}

kinds! {
    /// Unbound.
    Unbound = "unbound" by Unbound,
    /// BIND 9.
    Bind = "bind" by Bind,
    /// NSD.
    Nsd = "nsd" by Nsd,
    /// Knot DNS.
    Knot = "knot" by Knot,
    /// Knot Resolver 5.
    KnotResolver = "knot-resolver" by KnotResolver,
    /// PowerDNS Authoritative Server.
    PowerDns = "powerdns" by PowerDns,
    /// PowerDNS Recursor.
    PowerDnsRecursor = "powerdns-recursor" by PowerDnsRecursor,
    /// dnsdist.
    Dnsdist = "dnsdist" by Dnsdist,
    /// dnsmasq.
    Dnsmasq = "dnsmasq" by Dnsmasq,
    /// Any other server, described by the configuration.
    Generic = "generic" by Generic,
}

impl Kind {
    /// The facts that are known without asking the server.
    #[must_use]
    pub(crate) fn facts(self) -> &'static Facts {
        self.driver().facts()
    }

    /// Its role, if it can have only one.
    #[must_use]
    pub(crate) fn only_role(self) -> Option<Role> {
        match self.facts().roles {
            [role] => Some(*role),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|kind| kind.word()).collect();
            format!("`{word}` is no kind of server, expected one of {}", known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_from_its_own_word() {
        for kind in Kind::ALL {
            assert_eq!(kind.word().parse(), Ok(*kind));
        }
        assert!("pdns".parse::<Kind>().unwrap_err().contains("powerdns-recursor"));
    }

    #[test]
    fn a_server_with_both_roles_has_no_default_role() {
        let only = |role| {
            let kinds = Kind::ALL.iter().filter(move |kind| kind.only_role() == role);
            kinds.map(|kind| kind.word()).collect::<Vec<_>>()
        };
        assert_eq!(only(None), ["bind", "generic"]);
        assert_eq!(only(Some(Role::Authoritative)), ["nsd", "knot", "powerdns"]);
        assert_eq!(
            only(Some(Role::Resolver)),
            ["unbound", "knot-resolver", "powerdns-recursor", "dnsdist", "dnsmasq"]
        );
    }
}
