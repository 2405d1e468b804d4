use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::facts::{
    Access, AddressFact, AnswerFact, BackendFact, ConfFile, Denied, Facts, HelperFact, ListenerFact,
    UnitFact, configuration_of,
};
use super::finding::{Id, Severity};
use super::*;
use crate::backend::rate_limit::{Limited, RateLimit};
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::api_session::Parent;
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::exabgp::NextHop;
use crate::exabgp_conf::Conf;
use crate::exabgp_conf::environment::Settings;
use crate::netlink::sockets::Protocol;
use crate::outcome::{Cause, Outcome};
use crate::status::time::Clock;
use crate::status::{BgpSession, Document, SessionState};

mod host;
mod running;
mod shipped;

const CONFIG: &str = "[node]\nmanagement = [\"10.1.0.2\", \"2001:db8:1::2\"]\n[exabgp]\n[[service]]\nname = \"dns\"\n\
                      role = \"resolver\"\nprefixes = [\"192.0.2.53/32\", \"2001:db8::53/128\"]\n";

const CONF: &str = "process dnsherald {\n run /usr/bin/dnsherald run -c /etc/d.toml;\n encoder text;\n}\nneighbor 10.1.0.1 {\n \
                    hold-time 9;\n family { ipv4 unicast; ipv6 unicast; }\n api { processes [ dnsherald ]; }\n}\n";

fn config(text: &str) -> Config {
    Config::parse(Path::new("/etc/d.toml"), text, "host").unwrap()
}

fn confs(text: &str) -> Vec<ConfFile> {
    vec![ConfFile { path: "/etc/exabgp/exabgp.conf".into(), conf: Ok(Conf::read(text)) }]
}

fn unit(name: &str) -> UnitFact {
    UnitFact {
        name: name.to_owned(),
        load_state: "loaded".to_owned(),
        drop_ins: format!("/usr/lib/systemd/system/{name}.d/dnsherald.conf"),
        ..UnitFact::default()
    }
}

fn exabgp_unit() -> UnitFact {
    UnitFact {
        exec_stop: "{ path=/usr/bin/dnsherald ; argv[]=/usr/bin/dnsherald drain --wait ; }".to_owned(),
        notify_access: "all".to_owned(),
        environment: "exabgp_daemon_daemonize=false DNSHERALD_WATCHDOG=30s".to_owned(),
        ..unit("exabgp.service")
    }
}

fn backend_unit() -> UnitFact {
    UnitFact {
        exec_stop: "{ argv[]=/usr/bin/dnsherald backend stopping unbound.service ; }".to_owned(),
        exec_start_post: "{ argv[]=/usr/bin/dnsherald backend started unbound.service ; }".to_owned(),
        ..unit("unbound.service")
    }
}

fn rate_limit(state: Limited, remedy: Option<&str>) -> RateLimit {
    RateLimit { state, why: "ip-ratelimit 100".to_owned(), remedy: remedy.map(str::to_owned) }
}

fn answer(outcome: Outcome) -> AnswerFact {
    AnswerFact {
        probe: "192.0.2.53:53 udp localhost. A".to_owned(),
        source: Some("10.1.0.2".parse().unwrap()),
        kind: "unbound",
        is_service: true,
        outcome,
    }
}

/// The status of a helper whose only session is up.
fn document() -> Document {
    let config = config(CONFIG);
    let engine = Engine::new(&config.plan(), Parent::ExaBgp, Memory::default(), Duration::ZERO);
    let clock = Clock::new(Moment::START, SystemTime::now());
    let mut document = Document::from_engine(&engine, &clock, "a", Path::new("/etc/d.toml"));
    let (neighbor, state) = ("10.1.0.1".to_owned(), SessionState::Up);
    let session = BgpSession { neighbor, state, since: None, for_seconds: None, reason: None };
    document.exabgp.bgp_sessions = vec![session];
    document
}

/// A host where all is well.
fn healthy() -> Facts {
    Facts {
        config_path: "/etc/d.toml".into(),
        config: Ok(config(CONFIG)),
        config_is_faulty: false,
        version: Ok("4.2.21".to_owned()),
        confs: Ok(confs(CONF)),
        settings: Ok(Settings { ack: Some(true), respawn: None, has_api_version: false }),
        is_exabgp_running: true,
        exabgp_twice: None,
        helper: Ok(HelperFact::Answers(Box::new(document()))),
        network: Ok(()),
        elsewhere: vec![],
        has_bfd: false,
        links: vec!["10.1.0.0/24".parse().unwrap(), "2001:db8:1::/64".parse().unwrap()],
        access: Ok(Access { user: "exabgp".to_owned(), may_read_config: true, denied: vec![] }),
        addresses: vec![AddressFact { service: Some("dns".to_owned()), missing: Ok(None) }],
        listeners: vec![listener(Ok(true))],
        answers: vec![answer(Outcome::pass(Duration::from_millis(1)))],
        shared: Ok(vec![]),
        ways: vec![],
        reverse_path: Ok(None),
        exabgp_unit: Ok(exabgp_unit()),
        backends: vec![BackendFact {
            name: "unbound".to_owned(),
            rate_limit: rate_limit(Limited::NotLimited, None),
            broken: Ok(None),
            longest_drain: Duration::from_secs(50),
            unit: Some(Ok(backend_unit())),
        }],
        clock: Ok(true),
    }
}

fn listener(is_there: Result<bool, String>) -> ListenerFact {
    ListenerFact {
        service: "dns".to_owned(),
        at: "192.0.2.53:53".parse().unwrap(),
        protocol: Protocol::Tcp,
        is_there,
    }
}

/// The words of the findings after a change of the healthy host.
fn found(change: impl FnOnce(&mut Facts)) -> Vec<&'static str> {
    let mut facts = healthy();
    change(&mut facts);
    Report::from_facts(&facts).findings.iter().map(|finding| finding.id.word()).collect()
}

/// The same after a change of the file of ExaBGP.
fn found_in_conf(from: &str, to: &str) -> Vec<&'static str> {
    assert!(CONF.contains(from), "{from}");
    found(|facts| facts.confs = Ok(confs(&CONF.replace(from, to))))
}

/// The same after a change of the configuration.
fn found_in_config(from: &str, to: &str) -> Vec<&'static str> {
    assert!(CONFIG.contains(from), "{from}");
    found(|facts| facts.config = Ok(config(&CONFIG.replace(from, to))))
}

#[test]
fn a_healthy_host_has_no_finding_and_every_check_is_made() {
    let report = Report::from_facts(&healthy());
    assert_eq!((&report.findings, &report.not_checked), (&vec![], &vec![]));
    assert_eq!((report.checked, report.worst()), (CHECKS.len(), None));
}

#[test]
fn the_configuration() {
    let refused = |is_faulty| {
        found(move |facts| {
            facts.config = Err("/etc/d.toml:1:1: refused".to_owned());
            facts.config_is_faulty = is_faulty;
        })
    };
    assert_eq!(refused(true), ["configuration"]);
    assert_eq!(refused(false), [""; 0], "a missing permission is no fault");
    let denied = || Access { user: "exabgp".to_owned(), may_read_config: false, denied: vec![] };
    assert_eq!(found(|facts| facts.access = Ok(denied())), ["configuration"], "but one of the helper is");
    assert_eq!(found_in_config("name = \"dns\"\n", "name = \"dns\"\nenabled = false\n"), ["nothing-enabled"]);
}

#[test]
fn the_version_and_the_dialect() {
    let version = |version: &str| found(|facts| facts.version = Ok(version.to_owned()));
    assert_eq!(version("3.4.28"), ["exabgp-version"]);
    assert_eq!(version("4.1.2"), ["exabgp-version"]);
    assert_eq!(version("5.0.0"), ["exabgp-version"]);
    assert_eq!(version("5.0.15"), [""; 0]);
    assert_eq!(version("6.0.0-4460078e"), [""; 0]);
    let pinned = |api: &str, version: &str| {
        found(|facts| {
            let text = CONFIG.replace("[exabgp]\n", &format!("[exabgp]\napi = {api}\n"));
            facts.config = Ok(config(&text));
            facts.version = Ok(version.to_owned());
        })
    };
    assert_eq!(pinned("6", "4.2.21"), ["dialect"]);
    assert_eq!(pinned("5", "4.2.21"), ["dialect"]);
    assert_eq!(pinned("4", "6.0.0"), ["dialect"]);
    assert_eq!(pinned("4", "5.0.15"), [""; 0], "every ExaBGP but 6 understands it");
    assert_eq!(pinned("5", "4.2.25"), [""; 0]);
    let told = found(|facts| {
        facts.config = Ok(config(&CONFIG.replace("[exabgp]\n", "[exabgp]\napi = 4\n")));
        facts.version = Ok("6.0.0".to_owned());
        facts.settings = Ok(Settings { has_api_version: true, ..Settings::default() });
    });
    assert_eq!(told, [""; 0], "ExaBGP 6 was told to understand the commands of 4");
}

#[test]
fn acknowledgments_and_respawn() {
    let settings = |ack, respawn| {
        found(move |facts| {
            facts.settings = Ok(Settings { ack, respawn, ..Settings::default() });
        })
    };
    assert_eq!(settings(Some(false), None), ["acks-off"]);
    assert_eq!(settings(None, Some(false)), ["respawn-off"]);
    assert_eq!(settings(None, None), [""; 0]);
    assert_eq!(found_in_conf("encoder text;", "encoder text;\n respawn false;"), ["respawn-off"]);
}

#[test]
fn the_process() {
    let without_process = CONF.split_once("neighbor").unwrap().1;
    let none = found(|facts| facts.confs = Ok(confs(&format!("neighbor{without_process}"))));
    assert_eq!(none, ["process-missing"]);
    assert_eq!(found_in_conf("/usr/bin/dnsherald", "/usr/bin/script"), [""; 0], "it may start dnsherald");
    assert_eq!(found_in_conf("/usr/bin/dnsherald", "/opt/dnsherald-0.1"), [""; 0]);
    assert_eq!(found_in_conf("/etc/d.toml", "/etc/other.toml"), ["process-missing"]);
    assert_eq!(found_in_conf("encoder text;", ""), ["encoder-missing"]);
    let without = |version: &str| {
        found(|facts| {
            facts.confs = Ok(confs(&CONF.replace("encoder text;", "")));
            facts.version = Ok(version.to_owned());
        })
    };
    assert_eq!(without("6.0.0"), [""; 0]);
}

#[test]
fn a_process_names_its_configuration() {
    let of = |run: &str| {
        let conf = Conf::read(&format!("process p {{ run {run}; }}"));
        configuration_of(&conf.processes[0]).map(|path| path.display().to_string())
    };
    assert_eq!(of("/usr/bin/dnsherald run -c /a.toml").unwrap(), "/a.toml");
    assert_eq!(of("/usr/bin/env A=b /opt/dnsherald run --config=/b.toml").unwrap(), "/b.toml");
    assert_eq!(of("dnsherald run -c etc/c.toml").unwrap(), "/etc/c.toml", "ExaBGP works in /");
    assert_eq!(of("dnsherald run").unwrap(), "/etc/dnsherald/dnsherald.toml");
    assert_eq!(of("dnsherald healthcheck --ip 192.0.2.1/32"), None);
}

#[test]
fn the_neighbors() {
    assert_eq!(found_in_conf("api { processes [ dnsherald ]; }", ""), ["no-neighbor"]);
    let unlisted = format!("{CONF}neighbor 10.1.0.9 {{ hold-time 9; }}\n");
    assert_eq!(found(|facts| facts.confs = Ok(confs(&unlisted))), ["process-not-listed"]);
    assert_eq!(found_in_conf("ipv6 unicast;", ""), ["family-missing"]);
    assert_eq!(found_in_conf("hold-time 9;", ""), ["hold-time"]);
    assert_eq!(found_in_conf("hold-time 9;", "hold-time 0;"), ["hold-time"]);
    assert_eq!(found_in_conf("hold-time 9;", "hold-time 30;"), [""; 0]);
    assert_eq!(found_in_conf("hold-time 9;", "hold-time 9; adj-rib-out;"), ["adj-rib-out"]);
    let restart = "hold-time 9; capability { graceful-restart 30; }";
    assert_eq!(found_in_conf("hold-time 9;", restart), ["graceful-restart"]);
    assert_eq!(found_in_conf("hold-time 9;", "hold-time 9; manual-eor true;"), ["end-of-rib"]);
    let with_bfd = found(|facts| {
        facts.confs = Ok(confs(&CONF.replace("hold-time 9;", "")));
        facts.has_bfd = true;
    });
    assert_eq!(with_bfd, [""; 0]);
    let other =
        "process other { run /bin/x; encoder text; }\nneighbor 10.9.0.1 { api { processes [ other ]; } }\n";
    let of_another = found(|facts| facts.confs = Ok(confs(&format!("{CONF}{other}"))));
    assert_eq!(of_another, [""; 0], "a neighbor of another helper is none of ours");
}

#[test]
fn a_session_for_each_family_is_as_good_as_one_for_both() {
    let two = CONF.replace(" ipv6 unicast;", "")
        + "neighbor 2001:db8:1::1 { hold-time 9; family { ipv6 unicast; } api { processes [ dnsherald ]; } }\n";
    assert_eq!(found(|facts| facts.confs = Ok(confs(&two))), [""; 0]);
    let by_name = |neighbor: &str| {
        found(|facts| {
            facts.config = Ok(config(&format!("{}neighbors = [\"{neighbor}\"]\n", CONFIG)));
            facts.confs = Ok(confs(&two));
        })
    };
    assert_eq!(by_name("10.1.0.1"), ["family-missing"], "the route names the neighbor");
    assert!(by_name("10.1.0.9").contains(&"neighbor-unknown"));
}

/// The file of dnsherald refuses such a route; the options of `dnsherald healthcheck` do not, and `self` is their default.
#[test]
fn next_hop_self_of_ipv6_on_ipv4() {
    let own = |facts: &mut Facts| {
        let mut config = config(CONFIG);
        for route in &mut config.services[0].routes {
            route.next_hop = NextHop::Itself;
        }
        facts.config = Ok(Config { origin: None, ..config });
    };
    assert_eq!(found(own), ["next-hop-self"]);
    let over_v6 = found(|facts| {
        own(facts);
        facts.confs = Ok(confs(&CONF.replace("10.1.0.1", "2001:db8:1::1")));
    });
    assert_eq!(over_v6, [""; 0]);
}

/// A router of another AS on a link of this host; it compares the next hop with the network of that link.
#[test]
fn next_hop_of_another_link() {
    let with = |settings: &str, link: &str| {
        let neighbor = format!("neighbor 10.2.0.1 {{ {settings} ");
        found(|facts| {
            facts.confs = Ok(confs(&CONF.replace("neighbor 10.1.0.1 {", &neighbor)));
            facts.links.push(link.parse().unwrap());
        })
    };
    let external = "local-as 64512; peer-as 64514;";
    assert_eq!(with(external, "10.2.0.0/24"), ["next-hop-off-link"]);
    assert_eq!(with("local-as 64512; peer-as 64512;", "10.2.0.0/24"), [""; 0], "a router of our AS");
    assert_eq!(with("", "10.2.0.0/24"), [""; 0], "the AS is not known");
    assert_eq!(with(external, "10.3.0.0/24"), [""; 0], "the router is not on a link of this host");
    assert_eq!(with(external, "10.0.0.0/8"), [""; 0], "a link with both");
}

#[test]
fn what_is_not_known_gives_no_finding() {
    let why = || "no permission".to_owned();
    let unknown = Facts {
        config_path: "/etc/d.toml".into(),
        config: Err(why()),
        config_is_faulty: false,
        version: Err(why()),
        confs: Err(why()),
        settings: Err(why()),
        is_exabgp_running: false,
        exabgp_twice: None,
        helper: Err(why()),
        network: Err(why()),
        elsewhere: vec![],
        has_bfd: false,
        links: vec![],
        access: Err(why()),
        addresses: vec![],
        listeners: vec![],
        answers: vec![],
        shared: Err(why()),
        ways: vec![],
        reverse_path: Err(why()),
        exabgp_unit: Err(why()),
        backends: vec![],
        clock: Err(why()),
    };
    let report = Report::from_facts(&unknown);
    assert_eq!(report.findings, []);
    assert_eq!(report.checked, 0, "{:?}", report.not_checked);
    // A file that is not understood, or cannot be read, says nothing, either.
    for conf in ["group x { }", "neighbor 10.1.0.1 {", "process p { run x }"] {
        assert_eq!(found(|facts| facts.confs = Ok(confs(conf))), [""; 0], "{conf}");
    }
    let unreadable = found(|facts| {
        facts.confs = Ok(vec![ConfFile { path: "/x".into(), conf: Err(why()) }]);
    });
    assert_eq!(unreadable, [""; 0]);
    let unclear = "hold-time soon; adj-rib-out maybe; manual-eor perhaps; inherit nothing;";
    assert_eq!(found_in_conf("hold-time 9;", unclear), [""; 0]);
    assert_eq!(
        found_in_conf("api { processes [ dnsherald ]; }", "api { processes-match [ d.* ]; }"),
        [""; 0]
    );
    assert_eq!(found_in_conf("ipv6 unicast;", "inet6 unicast;"), [""; 0]);
}
