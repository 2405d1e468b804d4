use std::path::Path;

use crate::config::{Check, Config};
use crate::engine::check::Severity;
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::set::ProbeSet;

const NODE: &str = "[node]\nmanagement = [\"10.1.0.2\", \"2001:db8:1::2\"]\n";
const SERVICE: &str = "[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.53/32\", \"2001:db8:53::53/128\"]\n";

fn read(of_service: &str) -> Result<Vec<Check>, String> {
    let kinds = ["unbound", "bind", "nsd", "dnsdist"]
        .map(|kind| format!("[backend.{kind}]\npid-file = \"/run/{kind}\"\n"));
    let text = format!("{NODE}{SERVICE}{of_service}{}", kinds.concat());
    let config = Config::parse(Path::new("a.toml"), &text, "host").map_err(|error| error.to_string())?;
    Ok(config.services.into_iter().next().map(|service| service.checks).unwrap_or_default())
}

fn checks(of_service: &str) -> Vec<Check> {
    read(of_service).unwrap_or_else(|error| panic!("{error}\n{of_service}"))
}

fn named<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no check {name}"))
}

fn set(check: &Check) -> &ProbeSet {
    let Probe::Dns(set) = &check.probe else { panic!("{} is no dns check", check.name) };
    set
}

fn sources(check: &Check) -> Vec<String> {
    set(check).probes().iter().filter_map(|probe| probe.source).map(|source| source.to_string()).collect()
}

#[test]
fn a_resolver_gets_local_and_recursive_queries() {
    let checks = checks("backend = \"unbound\"\n");
    let answers = named(&checks, "answers");
    assert!(set(answers).probes().iter().all(|probe| probe.to_string().contains("127.in-addr.arpa. PTR")));
    // A server that answers at least something keeps the service up, as before in existing configurations.
    assert_eq!(answers.on_fail.severity(Cause::Flags), Severity::Degraded);
    assert_eq!(answers.on_fail.severity(Cause::Slow), Severity::Observe);
    assert_eq!(answers.on_fail.severity(Cause::Refused), Severity::Down);
    for name in ["recursion", "validation"] {
        let check = named(&checks, name);
        assert!(check.on_fail.once_up && check.on_fail.worst() == Severity::Degraded, "{name}");
        assert_eq!((set(check).need(), set(check).probes().len()), (1, 2), "{name}");
    }
}

#[test]
fn names_of_recursion_are_replaced_or_left_out() {
    let of = |written: &str| checks(&format!("backend = \"unbound\"\n{written}"));
    let own = of("recursion = { names = \"{nonce}.example.net. A\" }\nvalidation = \"off\"\n");
    assert!(set(named(&own, "recursion")).probes()[0].to_string().ends_with("<random>.example.net. A"));
    assert!(own.iter().all(|check| check.name != "validation"));
    let refused = |written: &str| read(written).unwrap_err();
    assert!(refused("backend = \"unbound\"\nrecursion = { names = [] }\n").contains("no names"));
    assert!(refused("backend = \"unbound\"\nrecursion = \"no\"\n").contains("expected \"off\""));
    let authoritative = "backend = \"nsd\"\nzones = [\"example.org\"]\nrecursion = \"off\"\n";
    assert!(refused(authoritative).contains("recursion needs a resolver"));
}

#[test]
fn one_zone_of_several_degrades_unless_it_is_critical() {
    let several = "backend = \"nsd\"\nzones = [\"example.org\", \"example.net\"]\n";
    let found = checks(several);
    let zones = named(&found, "zones");
    assert!(set(zones).reports_partial());
    assert_eq!(zones.on_fail.severity(Cause::Partial), Severity::Degraded);
    assert_eq!(zones.on_fail.severity(Cause::Refused), Severity::Down);
    let found = checks(&format!("{several}critical = [\"example.net\"]\n"));
    let critical = named(&found, "critical");
    assert!(set(critical).probes().iter().all(|probe| probe.to_string().contains("example.net. SOA")));
    assert_eq!(critical.on_fail.severity(Cause::Servfail), Severity::Down);
    // With one zone, or only critical ones, a fault of each brings the service down.
    let all = checks(&format!("{several}critical = [\"example.net\", \"example.org\"]\n"));
    for found in [all, checks("backend = \"nsd\"\nzones = [\"example.org\"]\n")] {
        assert!(!set(named(&found, "zones")).reports_partial());
        assert!(found.iter().all(|check| check.name != "critical"));
    }
    let other = format!("{several}critical = [\"example.com\"]\n");
    assert!(read(&other).unwrap_err().contains("critical zone `example.com.` is none of `zones`"));
}

#[test]
fn the_records_of_a_zone_count_once_they_were_seen() {
    let found = checks("backend = \"nsd\"\nzones = [\"example.org\"]\n");
    let records = named(&found, "records");
    assert!(set(records).needs_seen() && records.on_fail.worst() == Severity::Degraded);
    let asked: Vec<_> = set(records).probes().iter().map(ToString::to_string).collect();
    assert_eq!(asked, ["192.0.2.53:53 udp example.org. NS", "192.0.2.53:53 udp example.org. DNSKEY"]);
    let signatures = named(&found, "signatures");
    assert!(set(signatures).needs_seen() && signatures.on_fail.worst() == Severity::Degraded);
    let expect = set(signatures).probes()[0].question.expect();
    assert_eq!(expect.signature_left, Some(std::time::Duration::ZERO));
}

#[test]
fn large_answers_and_tls_count_once_they_were_seen() {
    let asked = |checks: &[Check], name: &str| {
        let check = named(checks, name);
        assert!(set(check).needs_seen() && check.on_fail.once_up, "{name}");
        assert_eq!(check.on_fail.worst(), Severity::Degraded, "{name}");
        set(check).probes().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let resolver = checks("backend = \"unbound\"\n");
    assert_eq!(asked(&resolver, "large"), ["192.0.2.53:53 udp . DNSKEY"]);
    assert_eq!(asked(&resolver, "tls"), ["192.0.2.53:853 tls 1.0.0.127.in-addr.arpa. PTR"]);
    let nsd = "backend = \"nsd\"\nzones = [\"example.org\"]\n";
    let found = checks(&format!("{nsd}large = {{ names = \"big.example.org TXT\" }}\n"));
    assert_eq!(asked(&found, "large"), ["192.0.2.53:53 udp big.example.org. TXT"]);
    assert_eq!(asked(&checks(nsd), "large"), ["192.0.2.53:53 udp example.org. DNSKEY"]);
    assert_eq!(asked(&found, "tls"), ["192.0.2.53:853 tls example.org. SOA"]);
    let found = checks(&format!("{nsd}large = \"off\"\n"));
    assert!(found.iter().all(|check| check.name != "large"));
    let dnsdist = "backend = \"dnsdist\"\nlarge = \"off\"\n[[service.check]]\nname = \"own\"\ndns = { query = \"localhost. A\" }\n";
    assert!(read(dnsdist).unwrap_err().contains("large belongs to the checks of a role"));
    assert!(read("large = \"off\"\n").unwrap_err().contains("large needs a role"));
}

#[test]
fn some_sentinels_degrade_and_all_bring_down() {
    let nsd = "backend = \"nsd\"\nzones = [\"example.org\", \"example.net\"]\n";
    let found = checks(&format!("{nsd}sentinel = [\"www.example.org A\", \"x.w.example.net A\"]\n"));
    let sentinel = named(&found, "sentinel");
    assert!(set(sentinel).reports_partial() && set(sentinel).probes().len() == 4);
    assert_eq!(sentinel.on_fail.severity(Cause::Partial), Severity::Degraded);
    assert_eq!(sentinel.on_fail.severity(Cause::TooFewAnswers), Severity::Down);
    assert!(set(sentinel).probes().iter().all(|probe| probe.question.expect().not_empty));
    let found = checks(&format!("{nsd}sentinel = \"www.example.org A\"\n"));
    assert!(!set(named(&found, "sentinel")).reports_partial());
    let refused = |more: &str| read(&format!("{nsd}{more}")).unwrap_err();
    let message = refused("sentinel = \"www.example.com A\"\n");
    assert!(message.contains("sentinel `www.example.com. A` is in none of `zones`"), "{message}");
    assert!(refused("sentinel = []\n").contains("no sentinel"));
    assert!(read("backend = \"unbound\"\nsentinel = \"a.b A\"\n").unwrap_err().contains("sentinel needs"));
}

#[test]
fn the_identifier_is_the_name_of_the_node_and_moves_no_route() {
    for role in ["backend = \"unbound\"\n", "backend = \"nsd\"\nzones = [\"example.org\"]\n"] {
        let found = checks(role);
        let identity = named(&found, "identity");
        assert!(set(identity).needs_seen() && identity.on_fail.worst() == Severity::Observe);
        assert_eq!(set(identity).probes()[0].question.expect().nsid.as_deref(), Some("host"));
    }
}

#[test]
fn client_sources_decide_and_the_management_address_is_observed() {
    let found = checks("backend = \"unbound\"\nclient-source = [\"198.51.100.7\", \"198.51.100.8\"]\n");
    // The other family has none.
    assert_eq!(sources(named(&found, "answers")), ["198.51.100.7", "198.51.100.8", "2001:db8:1::2"]);
    assert_eq!(sources(named(&found, "recursion"))[0], "198.51.100.7");
    let observed = named(&found, "from-management");
    assert_eq!(
        (sources(observed), observed.on_fail.worst()),
        (vec!["10.1.0.2".to_owned()], Severity::Observe)
    );
    assert!(checks("backend = \"unbound\"\n").iter().all(|check| check.name != "from-management"));
    let refused =
        |source: &str| read(&format!("backend = \"unbound\"\nclient-source = {source}\n")).unwrap_err();
    assert!(refused("\"10.1.0.2\"").contains("is a management address"));
    assert!(refused("[]").contains("client-source"));
}

#[test]
fn bind_needs_a_role() {
    let message = read("backend = \"bind\"\n").unwrap_err();
    assert!(message.contains("bind can be a resolver or an authoritative server"), "{message}");
    assert!(message.contains("role = \"resolver\""), "{message}");
    assert!(!checks("backend = \"bind\"\nrole = \"resolver\"\n").is_empty());
    assert!(
        !checks(
            "backend = \"bind\"\n[[service.check]]\nname = \"own\"\ndns = { query = \"localhost. A\" }\n"
        )
        .is_empty()
    );
}

#[test]
fn a_role_watches_the_route_to_clients_of_each_family() {
    let routes = |of_service: &str| {
        let checks = checks(of_service);
        let route = |check: &Check| match &check.probe {
            Probe::Route(probe) => {
                Some((check.name.clone(), probe.clone(), check.on_fail.clone(), check.timing))
            }
            _ => None,
        };
        checks.iter().filter_map(route).collect::<Vec<_>>()
    };
    for role in ["role = \"resolver\"\n", "role = \"authoritative\"\nzones = [\"example.org\"]\n"] {
        let supplied = routes(role);
        let to: Vec<_> = supplied.iter().map(|(name, probe, ..)| (name.as_str(), probe.to.clone())).collect();
        let address = |text: &str| vec![text.parse().unwrap()];
        let expected =
            [("way-back", address("198.41.0.4")), ("way-back-ipv6", address("2001:503:ba3e::2:30"))];
        assert_eq!(to, expected);
        for (name, probe, on_fail, timing) in supplied {
            assert!(probe.neighbors.is_empty() && probe.from.len() == 2, "{name}");
            assert!(on_fail.once_up && on_fail.worst() == Severity::Degraded, "{name}");
            assert_eq!((timing.fast_interval.as_secs(), timing.thresholds.window), (1, None), "{name}");
        }
    }
    let own = "role = \"resolver\"\n[[service.check]]\nname = \"own\"\nroute = {}\n";
    assert_eq!(routes(own).iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), ["own"]);
    assert_eq!(routes("").len(), 0, "no role");
    assert_eq!(routes("role = \"resolver\"\naddress = false\n").len(), 0, "no address on this host");
}
