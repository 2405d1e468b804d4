//! Tests the default checks of a role: their addresses, sources, transports and the effect of a failure.

use std::path::Path;

use crate::config::Config;
use crate::config::describe::Description;
use crate::engine::check::Severity;
use crate::outcome::Cause;
use crate::probe::Probe;

fn config(management: &str, service: &str) -> Config {
    let text = format!("[node]\nmanagement = {management}\n[[service]]\nname = \"dns\"\n{service}\n");
    Config::parse(Path::new("roles.toml"), &text, "host").unwrap_or_else(|error| panic!("{error}"))
}

/// Each check that counts from the start as `NAME SEVERITY`, followed by its probes as `SERVER TRANSPORT SOURCE`.
fn asked(config: &Config) -> Vec<(String, Vec<String>)> {
    let (address, checks) = config.services[0].checks.split_last().unwrap();
    assert!(matches!(address.probe, Probe::Address(_)), "{address:?}");
    checks
        .iter()
        .filter(|check| !check.on_fail.once_up && !matches!(check.probe, Probe::Listener(_)))
        .map(|check| {
            let Probe::Dns(set) = &check.probe else { panic!("{check:?}") };
            assert_eq!(set.need(), set.probes().len(), "all must pass");
            let probes = set
                .probes()
                .iter()
                .map(|probe| format!("{} {} {}", probe.server.ip(), probe.transport, probe.source.unwrap()));
            (format!("{} {}", check.name, check.on_fail.otherwise.word()), probes.collect())
        })
        .collect()
}

fn expected(checks: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let owned = |probes: &&[&str]| probes.iter().map(|probe| (*probe).to_owned()).collect();
    checks.iter().map(|(name, probes)| ((*name).to_owned(), owned(probes))).collect()
}

const BOTH: &str = "[\"10.1.0.2\", \"2001:db8:1::2\"]";

#[test]
fn probes_every_service_address_of_both_families() {
    let config = config(BOTH, "role = \"resolver\"\nprefixes = [\"192.0.2.53/32\", \"2001:db8:53::53/128\"]");
    let want: &[(&str, &[&str])] = &[
        ("answers down", &["192.0.2.53 udp 10.1.0.2", "2001:db8:53::53 udp 2001:db8:1::2"]),
        ("answers-tcp degraded", &["192.0.2.53 tcp 10.1.0.2", "2001:db8:53::53 tcp 2001:db8:1::2"]),
        (
            "management observe",
            &[
                "10.1.0.2 udp 10.1.0.2",
                "10.1.0.2 tcp 10.1.0.2",
                "2001:db8:1::2 udp 2001:db8:1::2",
                "2001:db8:1::2 tcp 2001:db8:1::2",
            ],
        ),
    ];
    assert_eq!(asked(&config), expected(want));
    assert!(!Description(&config).to_string().contains("warning"), "{}", Description(&config));
}

#[test]
fn probes_every_zone_at_every_service_address() {
    let config = config(
        "[\"10.1.0.2\"]",
        "role = \"authoritative\"\nzones = [\"example.org\", \"example.net\"]\n\
         prefixes = [\"192.0.2.53/32\", \"192.0.2.54/32\"]",
    );
    let asked = asked(&config);
    let names: Vec<_> = asked.iter().map(|(name, probes)| (name.as_str(), probes.len())).collect();
    assert_eq!(names, [("zones down", 4), ("zones-tcp degraded", 4), ("management observe", 4)]);
}

#[test]
fn the_management_address_decides_without_a_service_address() {
    let config = config(
        BOTH,
        "role = \"resolver\"\nprefixes = [\"198.51.100.0/24\", \"192.0.2.53/32\", \"2001:db8:5300::/48\"]",
    );
    let want: &[(&str, &[&str])] = &[
        ("answers down", &["192.0.2.53 udp 10.1.0.2", "2001:db8:1::2 udp 2001:db8:1::2"]),
        ("answers-tcp degraded", &["192.0.2.53 tcp 10.1.0.2", "2001:db8:1::2 tcp 2001:db8:1::2"]),
        ("management observe", &["10.1.0.2 udp 10.1.0.2", "10.1.0.2 tcp 10.1.0.2"]),
    ];
    assert_eq!(asked(&config), expected(want));
    let told = Description(&config).to_string();
    for prefix in ["198.51.100.0/24", "2001:db8:5300::/48"] {
        assert!(told.contains(&format!("warning: no check probes an address of {prefix}")), "{told}");
    }
    assert!(!told.contains("an address of 192.0.2.53/32"), "{told}");
}

#[test]
fn probes_from_the_service_address_without_a_management_address() {
    let config =
        config("[\"10.1.0.2\"]", "prefixes = [\"2001:db8:53::53/128\"]\nnext-hop = \"2001:db8:1::2\"");
    let want: &[(&str, &[&str])] = &[
        ("alive down", &["2001:db8:53::53 udp 2001:db8:53::53"]),
        ("alive-tcp degraded", &["2001:db8:53::53 tcp 2001:db8:53::53"]),
        ("management observe", &["10.1.0.2 udp 10.1.0.2", "10.1.0.2 tcp 10.1.0.2"]),
    ];
    assert_eq!(asked(&config), expected(want));
    let told = Description(&config).to_string();
    assert!(told.contains("2001:db8:53::53 is probed from 2001:db8:53::53, because"), "{told}");
}

#[test]
fn only_udp_checks_bring_the_service_down() {
    for service in ["role = \"resolver\"", "role = \"authoritative\"\nzones = [\"example.org\"]", ""] {
        let config = config(BOTH, &format!("prefixes = [\"192.0.2.53/32\"]\n{service}"));
        let down: Vec<_> = config.services[0]
            .checks
            .iter()
            .filter(|check| check.on_fail.worst() == Severity::Down)
            .map(|check| check.name.as_str())
            .collect();
        let others: &[_] = if service.is_empty() { &["address"] } else { &["listener", "address"] };
        assert_eq!(&down[1..], others, "{down:?}");
    }
}

/// Withdrawing because of load would move the load to the next PoP.
#[test]
fn causes_of_load_are_observed_by_default() {
    let severities = |on_fail: &str| {
        let check = format!(
            "prefixes = [\"192.0.2.53/32\"]\n[[service.check]]\nname = \"a\"\n{on_fail}\n\
             dns = {{ query = \"localhost. A\", expect = {{ max-latency = \"50ms\" }} }}\n\
             [[service.check]]\nname = \"b\"\ndns = {{ query = \"localhost. A\" }}"
        );
        let on_fail = config(BOTH, &check).services[0].checks[0].on_fail.clone();
        [Cause::Slow, Cause::RateLimited, Cause::Timeout].map(|cause| on_fail.severity(cause))
    };
    use Severity::{Degraded, Down, Observe};
    assert_eq!(severities(""), [Observe, Observe, Down]);
    assert_eq!(severities("on-fail = \"down\""), [Down, Observe, Down]);
    assert_eq!(severities("on-fail = \"degraded\""), [Degraded, Observe, Degraded]);
    assert_eq!(severities("on-fail = { timeout = \"degraded\" }"), [Observe, Observe, Degraded]);
    let named = "on-fail = { slow = \"degraded\", rate-limited = \"down\" }";
    assert_eq!(severities(named), [Degraded, Down, Down]);
}

#[test]
fn own_checks_stand_beside_those_of_a_named_role() {
    let own = "[[service.check]]\nname = \"answers\"\ndns = { query = \"example.org A\" }\n\
               [[service.check]]\nname = \"script\"\ncommand = \"true\"\n[backend.unbound]";
    let names = |keys: &str| -> Vec<String> {
        let checks =
            &config(BOTH, &format!("prefixes = [\"192.0.2.53/32\"]\n{keys}\n{own}")).services[0].checks;
        checks.iter().map(|check| check.name.clone()).collect()
    };
    let (alone, both) = (names(""), names("role = \"resolver\""));
    assert_eq!(alone, ["answers", "script", "address"]);
    assert!(
        ["answers-tcp", "recursion", "script"].iter().all(|name| both.contains(&(*name).to_owned())),
        "{both:?}"
    );
    assert_eq!(both.iter().filter(|name| *name == "answers").count(), 1, "{both:?}");
    // A backend gives its role to no service that lists checks.
    assert!(!names("backend = \"unbound\"\n").contains(&"answers-tcp".to_owned()));
}
