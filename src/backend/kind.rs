//! The kinds of servers and their roles.

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
use crate::text::words::words;

words! {
    /// The role of a server.
    #[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
    pub(crate) enum Role {
        /// It answers for its own zones.
        Authoritative = "authoritative",
        /// It resolves names by asking other servers.
        Resolver = "resolver",
    }
}

words! {
    /// The known servers, and `generic` for any other.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub(crate) enum Kind {
        /// Unbound.
        Unbound = "unbound" (&Unbound),
        /// BIND 9.
        Bind = "bind" (&Bind),
        /// NSD.
        Nsd = "nsd" (&Nsd),
        /// Knot DNS.
        Knot = "knot" (&Knot),
        /// Knot Resolver 5.
        KnotResolver = "knot-resolver" (&KnotResolver),
        /// PowerDNS Authoritative Server.
        PowerDns = "powerdns" (&PowerDns),
        /// PowerDNS Recursor.
        PowerDnsRecursor = "powerdns-recursor" (&PowerDnsRecursor),
        /// dnsdist.
        Dnsdist = "dnsdist" (&Dnsdist),
        /// dnsmasq.
        Dnsmasq = "dnsmasq" (&Dnsmasq),
        /// Any other server, described by the configuration.
        Generic = "generic" (&Generic),
    }
    /// The driver of this server.
    fn driver -> &'static dyn Driver;
    "`{}` is no kind of server"
}

impl Kind {
    /// The facts that are known without asking the server.
    pub(crate) fn facts(self) -> &'static Facts {
        self.driver().facts()
    }

    /// Its role, if it can have only one.
    pub(crate) fn only_role(self) -> Option<Role> {
        match self.facts().roles {
            [role] => Some(*role),
            _ => None,
        }
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
