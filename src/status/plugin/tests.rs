use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::api_session::Parent;
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::status::time::Clock;
use crate::status::{BgpSession, Hold, Last, SessionState};

const CONFIGURATION: &str = "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"resolver\"\nprefixes = \
    [\"192.0.2.53/32\"]\n[[service.check]]\nname = \"answers\"\ndns = { query = \"localhost. A\" }\n";

/// A service that is up and acknowledged, changed by this.
fn of(change: impl FnOnce(&mut Document)) -> (Exit, String) {
    let config = Config::parse(Path::new("test.toml"), CONFIGURATION, "host").unwrap();
    let engine = Engine::new(&config.plan(), Parent::ExaBgp, Memory::default(), Duration::ZERO);
    let mut document = Document::from_engine(
        &engine,
        &Clock::new(Moment::START, UNIX_EPOCH),
        "pop1",
        Path::new("test.toml"),
    );
    document.exabgp.answers = true;
    let service = &mut document.services[0];
    service.state = ServiceState::Up;
    service.for_seconds = 100.0;
    service.checks[0].severity = Some(Severity::Observe);
    service.checks[0].state = "up".to_owned();
    for prefix in &mut service.prefixes {
        prefix.desired = Some("announce next-hop self".to_owned());
        prefix.acknowledged.clone_from(&prefix.desired);
    }
    change(&mut document);
    line(&document, None)
}

fn service(change: impl FnOnce(&mut Service)) -> (Exit, String) {
    of(|document| change(&mut document.services[0]))
}

fn drain(expires_in_seconds: Option<f64>, returning: bool) -> Drain {
    Drain {
        holder: "alice".to_owned(),
        reason: "new disk".to_owned(),
        for_seconds: 60.0,
        since: None,
        expires_in_seconds,
        expires_at: None,
        returning,
        needs: vec![],
        until_exit: false,
        of_all: false,
        uid: None,
    }
}

fn drained_by(drain: Drain, fails: bool) -> (Exit, String) {
    service(|service| {
        service.state = ServiceState::Drained;
        service.drains = vec![drain];
        service.checks[0].severity = Some(if fails { Severity::Down } else { Severity::Observe });
    })
}

#[test]
fn all_is_well() {
    let (alert, line) = of(|_| ());
    assert_eq!(alert, Exit::Success);
    assert_eq!(
        line,
        "DNSHERALD OK - resolver up | 'resolver/serving'=1;;;0;1 'resolver/penalty'=0;;;0 'resolver/falls'=0;;;0"
    );
}

#[test]
fn the_end_of_a_drain_returns_no_service_that_is_not_enabled() {
    let said = |enabled| {
        let (alert, line) = service(|service| {
            service.state = ServiceState::Drained;
            service.enabled = enabled;
            service.drains = vec![drain(Some(600.0), false)];
        });
        assert_eq!(alert, Exit::Warning);
        line
    };
    assert!(said(true).contains(" for 10m more"), "{}", said(true));
    assert!(!said(false).contains(" more"), "{}", said(false));
}

#[test]
fn a_check_that_has_never_been_up_is_no_finding() {
    let never_up = |unproven| {
        service(|service| {
            service.checks[0].state = "down".to_owned();
            service.checks[0].unproven = unproven;
        })
    };
    assert_eq!(never_up(true).0, Exit::Success);
    assert_eq!(never_up(false).0, Exit::Warning);
}

#[test]
fn degraded_and_stale_states_are_warnings() {
    let cases = [
        service(|service| service.state = ServiceState::Degraded),
        drained_by(drain(Some(60.0), false), true),
        drained_by(drain(None, false), true),
        drained_by(drain(Some(60.0), true), false),
        service(|service| {
            service.state = ServiceState::Drained;
            service.disabled = true;
        }),
        of(|document| {
            document.trouble = Some("line 3".to_owned());
            document.last_good = Some("/var/lib/last-good.toml".into());
        }),
        of(|document| document.unwritten = Some("disk full".to_owned())),
        of(|document| document.unwritten_configuration = Some("disk full".to_owned())),
        service(|service| service.checks[0].unknown_for_seconds = Some(31.0)),
        service(|service| service.checks[0].state = "down".to_owned()),
        service(|service| {
            service.holds = vec![Hold {
                uid: None,
                holder: "alice".to_owned(),
                reason: "check is wrong".to_owned(),
                for_seconds: 1.0,
                since: None,
                expires_in_seconds: 60.0,
                expires_at: None,
            }];
        }),
    ];
    for (alert, line) in cases {
        assert_eq!(alert, Exit::Warning, "{line}");
        assert!(line.starts_with("DNSHERALD WARNING - "), "{line}");
    }
}

#[test]
fn lost_or_unknown_traffic_is_critical() {
    let down = |service: &mut Service| service.state = ServiceState::Down;
    let unsettled = |service: &mut Service| service.prefixes[0].acknowledged = None;
    let cases = [
        service(down),
        service(|service| {
            down(service);
            service.checks[0].severity = Some(Severity::Observe);
            service.dampening.reuse_in_seconds = Some(900.0);
        }),
        service(unsettled),
        drained_by(drain(Some(0.0), false), false),
        drained_by(drain(Some(60.0), true), true),
        of(|document| document.exabgp.answers = false),
        of(|document| document.trouble = Some("line 3".to_owned())),
        service(|service| {
            service.state = ServiceState::Starting;
            service.prefixes[0].desired = None;
        }),
    ];
    for (alert, line) in cases {
        assert_eq!(alert, Exit::Critical, "{line}");
        assert!(line.starts_with("DNSHERALD CRITICAL - "), "{line}");
    }
    let (alert, line) = service(|service| {
        unsettled(service);
        service.for_seconds = 29.0;
    });
    assert_eq!(alert, Exit::Success, "{line}");
}

/// A reload changes the MED of a service that has been up for long: its command is as young as the reload.
#[test]
fn an_acknowledgment_is_overdue_by_the_age_of_the_command() {
    let unacknowledged_for = |seconds| {
        service(|service| {
            service.prefixes[0].acknowledged = None;
            service.prefixes[0].unacknowledged_for_seconds = Some(seconds);
        })
    };
    assert_eq!(unacknowledged_for(0.1).0, Exit::Success);
    let (alert, line) = unacknowledged_for(31.0);
    assert_eq!(alert, Exit::Critical, "{line}");
    assert!(line.contains("192.0.2.53/32: `announce next-hop self` not acknowledged"), "{line}");
}

/// A failed repair must not lower the alarm. While a restart runs, its drain has an end.
#[test]
fn a_drain_that_a_failed_restart_left_is_critical() {
    let of_restart = |expires_in_seconds, returning, fails| {
        let drain = Drain { holder: "backend/unbound".to_owned(), ..drain(expires_in_seconds, returning) };
        drained_by(drain, fails)
    };
    let (alert, line) = of_restart(None, false, false);
    assert_eq!(alert, Exit::Critical, "{line}");
    let expected = "DNSHERALD CRITICAL - resolver drained by a failed operation on its server, until `dnsherald undrain resolver --as backend/unbound`: ";
    assert!(line.starts_with(expected), "{line}");
    let (alert, line) = of_restart(None, true, true);
    assert_eq!(alert, Exit::Critical, "it was to return, and cannot");
    assert!(
        line.contains("resolver drained until its checks pass, and they fail: ") && !line.contains("undrain"),
        "{line}"
    );
    assert_eq!(of_restart(None, true, false).0, Exit::Warning, "it returns by itself");
    let (alert, line) = of_restart(Some(300.0), true, true);
    assert_eq!(alert, Exit::Critical, "healing has failed");
    assert!(!line.contains("past its end"), "{line}");
    assert!(of_restart(Some(0.0), true, true).1.contains("resolver drained past its end: "));
    assert_eq!(of_restart(Some(300.0), false, true).0, Exit::Warning, "the restart runs");
    assert_eq!(of_restart(Some(300.0), true, false).0, Exit::Warning, "it returns");
}

#[test]
fn the_worst_stands_first_and_nothing_breaks_the_line() {
    let (alert, line) = of(|document| {
        document.unwritten = Some("disk | full\n".to_owned());
        document.services[0].state = ServiceState::Down;
        document.services[0].reason = "check answers: a|b".to_owned();
        document.services[0].checks[0].last = Some(Last {
            ago_seconds: 1.0,
            at: None,
            passed: true,
            latency_seconds: Some(0.0125),
            cause: None,
            detail: None,
        });
    });
    assert_eq!(alert, Exit::Critical);
    assert!(line.starts_with(
        "DNSHERALD CRITICAL - resolver down: check answers: a/b; state not on disk: disk / full"
    ));
    assert_eq!((line.matches('|').count(), line.lines().count()), (1, 1), "{line}");
    assert!(line.ends_with(" 'resolver/answers'=0.012500s;;;0"), "{line}");
}

fn session(neighbor: &str, state: SessionState, seconds: f64) -> BgpSession {
    BgpSession {
        neighbor: neighbor.to_owned(),
        state,
        since: None,
        for_seconds: (state != SessionState::Unknown).then_some(seconds),
        reason: Some("peer reset".to_owned()).filter(|_| state == SessionState::Down),
    }
}

#[test]
fn a_session_that_stays_down_warns_and_all_of_them_are_critical() {
    use SessionState::{Down, Unknown, Up};
    let with = |sessions: &[(SessionState, f64)]| {
        let sessions = (1..)
            .zip(sessions)
            .map(|(nth, (state, seconds))| session(&format!("10.1.0.{nth}"), *state, *seconds));
        of(|document| document.exabgp.bgp_sessions = sessions.collect())
    };
    for sessions in [&[(Up, 100.0), (Up, 1.0)][..], &[(Up, 100.0), (Unknown, 0.0)], &[(Down, 29.0)], &[]] {
        assert_eq!(with(sessions).0, Exit::Success, "{sessions:?}");
    }
    let (alert, line) = with(&[(Up, 100.0), (Down, 61.0)]);
    assert_eq!(alert, Exit::Warning);
    assert!(line.contains("WARNING - BGP session with 10.1.0.2 down for 1m 1s: peer reset |"), "{line}");
    assert!(line.contains("'exabgp/sessions-up'=1;;;0;2"), "{line}");
    assert_eq!(with(&[(Down, 61.0), (Unknown, 0.0)]).0, Exit::Warning, "the other may be up");
    // The one that went down last decides.
    let (alert, line) = with(&[(Down, 61.0), (Down, 29.0)]);
    assert_eq!(alert, Exit::Warning);
    assert!(line.contains("WARNING - BGP session with 10.1.0.1 down for 1m 1s: peer reset |"), "{line}");
    let (alert, line) = with(&[(Down, 31.0), (Down, 61.0)]);
    assert_eq!(alert, Exit::Critical);
    let expected = "CRITICAL - every BGP session that ExaBGP has reported is down (10.1.0.1, 10.1.0.2), the last for 31s: peer reset |";
    assert!(line.contains(expected), "{line}");
}

#[test]
fn the_notification_that_ended_a_session_has_its_name() {
    let reason = "notification received (6,2); last attempt: closing connection".to_owned();
    let session = BgpSession { reason: Some(reason), ..session("10.1.0.1", SessionState::Down, 61.0) };
    let (_, line) = of(|document| document.exabgp.bgp_sessions = vec![session]);
    let expected = "the last for 1m 1s: notification received (6,2), administrative shutdown; last attempt: closing connection";
    assert!(line.contains(expected), "{line}");
}

#[test]
fn without_a_configuration_only_known_prefixes_count_as_withdrawn() {
    let broken = |document: &mut Document| document.trouble = Some("line 3".to_owned());
    let known = of(broken);
    assert!(known.1.contains("unusable, every prefix that is known is withdrawn: line 3"), "{}", known.1);
    let unknown = of(|document| {
        broken(document);
        document.services[0].prefixes.clear();
    });
    assert_eq!(unknown.0, Exit::Critical);
    assert!(
        unknown.1.contains("no prefix is known to be announced, so none is withdrawn: line 3"),
        "{}",
        unknown.1
    );
}

/// A suppressed service may fail, so that it does not return at once.
#[test]
fn a_service_that_dampening_holds_down_has_its_remedy() {
    let held = |change: fn(&mut Service)| {
        let (exit, line) = service(|service| {
            service.state = ServiceState::Down;
            change(service);
        });
        assert_eq!(exit, Exit::Critical, "{line}");
        line.split(" | ").next().unwrap().to_owned()
    };
    let suppressed = held(|service| service.dampening.reuse_in_seconds = Some(900.0));
    assert_eq!(
        suppressed,
        "DNSHERALD CRITICAL - resolver down: suppressed for 15m more (to end it: dnsherald undampen resolver)"
    );
    let unwell = held(|service| {
        service.dampening.reuse_in_seconds = Some(900.0);
        service.checks[0].severity = Some(Severity::Down);
        service.reason = "process 7 (unbound) has ended".to_owned();
    });
    assert_eq!(
        unwell,
        "DNSHERALD CRITICAL - resolver down: process 7 (unbound) has ended; beside that suppressed for 15m more"
    );
    // The first of the two falls was more than ten minutes ago.
    let returning = held(|service| {
        (service.dampening.returns_in_seconds, service.dampening.falls) = (Some(9.0), 1);
        service.dampening.returns_after_falls = Some(2);
    });
    assert_eq!(
        returning,
        "DNSHERALD CRITICAL - resolver down: passing again, and returns in 9s after 2 falls within 10m (to return at \
         once: dnsherald undampen resolver)"
    );
}
