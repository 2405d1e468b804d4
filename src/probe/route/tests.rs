//! Hosts that can answer their clients, and hosts that cannot, each in a network namespace.

use std::time::{Duration, Instant};

use super::RouteProbe;
use crate::netlink::namespace::{in_namespace, shell};
use crate::outcome::{Cause, Outcome};

/// A host with a service address of each family, an uplink v0 with the default routes, and another interface w0.
const HOST: &str = "
    sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
    ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up
    ip link add w0 type veth peer name w1; ip link set w0 up; ip link set w1 up
    ip addr add 10.0.0.2/24 dev v0; ip addr add 2001:db8:a::2/64 dev v0 nodad
    ip addr add 10.9.0.2/24 dev w0
    ip addr add 192.0.2.53/32 dev lo; ip addr add 2001:db8::53/128 dev lo
    ip route add default via 10.0.0.1; ip -6 route add default via 2001:db8:a::1";

fn probe() -> RouteProbe {
    let addresses = |list: &[&str]| list.iter().map(|address| address.parse().unwrap()).collect();
    RouteProbe {
        from: addresses(&["192.0.2.53", "2001:db8::53"]),
        to: addresses(&["198.51.100.1", "2001:db8:c::1"]),
        neighbors: addresses(&["10.0.0.1"]),
        interfaces: vec![],
        device: None,
    }
}

/// The kernel needs a moment to take up a carrier or an IPv6 address.
fn comes_to(probe: &RouteProbe, expected: Option<Cause>) -> String {
    let began = Instant::now();
    loop {
        let outcome = probe.ask(|_| 0);
        assert!(!matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
        if outcome.failure().map(|failure| failure.cause) == expected {
            return outcome.failure().map(ToString::to_string).unwrap_or_default();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{outcome:?}, expected {expected:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn on_host(test: &str, body: impl FnOnce()) {
    in_namespace(&format!("probe::route::tests::{test}"), HOST, || {
        comes_to(&probe(), None);
        body();
    });
}

#[test]
fn a_missing_default_route_of_either_family_is_no_route() {
    on_host("a_missing_default_route_of_either_family_is_no_route", || {
        for (family, client) in [("-4", "198.51.100.1"), ("-6", "2001:db8:c::1")] {
            let gateway = if family == "-4" { "10.0.0.1" } else { "2001:db8:a::1" };
            shell(&format!("ip {family} route del default"));
            let why = comes_to(&probe(), Some(Cause::NoRoute));
            assert!(why.contains(&format!("to clients such as {client}: ")), "{why}");
            shell(&format!("ip {family} route add default via {gateway}"));
            comes_to(&probe(), None);
        }
    });
}

#[test]
fn a_route_that_discards_is_no_route() {
    on_host("a_route_that_discards_is_no_route", || {
        for (kind, why) in [
            ("blackhole", "a blackhole route"),
            ("unreachable", "an unreachable route"),
            ("prohibit", "a prohibit route"),
        ] {
            for network in ["198.51.100.0/24", "2001:db8:c::/48"] {
                shell(&format!("ip route add {kind} {network}"));
                let said = comes_to(&probe(), Some(Cause::NoRoute));
                assert!(said.contains(why), "{said}");
                shell(&format!("ip route del {kind} {network}"));
                comes_to(&probe(), None);
            }
        }
    });
}

#[test]
fn an_interface_without_carrier_or_disabled_or_missing_is_named() {
    on_host("an_interface_without_carrier_or_disabled_or_missing_is_named", || {
        shell("ip link set v1 down");
        let why = comes_to(&probe(), Some(Cause::LinkDown));
        assert!(
            why.starts_with("interface v0 of the route to BGP neighbor 10.0.0.1 has no carrier"),
            "{why}"
        );
        shell("ip link set v1 up");
        comes_to(&probe(), None);
        let with = RouteProbe { interfaces: vec!["w0".into(), "x0".into()], ..probe() };
        assert_eq!(comes_to(&with, Some(Cause::LinkDown)), "no interface x0");
        let with = RouteProbe { interfaces: vec!["w0".into()], ..probe() };
        comes_to(&with, None);
        shell("ip link set w0 down");
        assert_eq!(comes_to(&with, Some(Cause::LinkDown)), "interface w0 where queries arrive is down");
        // The routes of a disabled interface are gone.
        shell("ip link set v0 down");
        comes_to(&probe(), Some(Cause::NoRoute));
    });
}

#[test]
fn a_filter_that_drops_arriving_packets_is_named() {
    on_host("a_filter_that_drops_arriving_packets_is_named", || {
        let with = RouteProbe { interfaces: vec!["w0".into()], ..probe() };
        let filter = |value| {
            for interface in ["all", "v0", "w0"] {
                shell(&format!("sysctl -qw net.ipv4.conf.{interface}.rp_filter={value}"));
            }
        };
        filter(0);
        comes_to(&with, None);
        filter(1);
        let why = comes_to(&with, Some(Cause::RpFilter));
        assert!(
            why.starts_with(
                "rp_filter drops packets from clients such as 198.51.100.1 to 192.0.2.53 that arrive on w0"
            ),
            "{why}"
        );
        // They arrive where the route leads.
        comes_to(&probe(), None);
        filter(2);
        comes_to(&with, None);
    });
}

#[test]
fn a_missing_service_address_is_named() {
    on_host("a_missing_service_address_is_named", || {
        shell("ip addr del 2001:db8::53/128 dev lo");
        assert_eq!(comes_to(&probe(), Some(Cause::AddressMissing)), "2001:db8::53 is not on this host");
    });
}

#[test]
fn the_worst_cause_is_reported() {
    on_host("the_worst_cause_is_reported", || {
        shell("ip -6 route del default; ip link set v1 down");
        let outcome = || probe().ask(|cause| u8::from(cause == Cause::NoRoute));
        let began = Instant::now();
        while !outcome().failure().is_some_and(|failure| failure.detail.contains("more fault")) {
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", outcome());
        }
        assert_eq!(outcome().failure().unwrap().cause, Cause::NoRoute);
    });
}
