//! The urgency and the sentences of notices.

use std::time::Duration;

use super::prefixes::Prefixes;
use super::until::Until;
use super::{Desired, Fall, Notice, RouteState, Stated, Timed};
use crate::engine::drain::{DecidedBy, FailedRestart, RestartEnd};
use crate::engine::hysteresis;
use crate::engine::order::{Holder, Lasts, Reason};
use crate::engine::service::ServiceState;
use crate::logging::entry::Urgency;

fn stated(state: ServiceState, planned: bool) -> Notice {
    let is_up = matches!(state, ServiceState::Up | ServiceState::Degraded);
    Notice::Stated(Box::new(Stated {
        service: "resolver".to_owned(),
        state,
        route: if is_up { RouteState::Announced } else { RouteState::Withdrawn },
        prefixes: Prefixes::from_iter(["192.0.2.53/32".to_owned()]),
        moved: true,
        returns: false,
        silence: None,
        why: "process 11617 (unbound) ended".to_owned(),
        until: Until::Open,
        planned,
    }))
}

fn becomes(to: ServiceState, planned: bool) -> Notice {
    let (service, why) = ("resolver".to_owned(), "why".to_owned());
    Notice::Service { service, from: ServiceState::Up, to, why, asks: vec![], kept: vec![], planned }
}

fn passes(from: ServiceState, to: ServiceState) -> Notice {
    let (service, why) = ("resolver".to_owned(), "why".to_owned());
    Notice::Service { service, from, to, why, asks: vec![], kept: vec![], planned: false }
}

fn check(to: hysteresis::CheckState, expected: bool) -> Notice {
    let (service, check, why) = ("resolver".to_owned(), "answers".to_owned(), "timeout".to_owned());
    Notice::Check { service, check, from: hysteresis::CheckState::Falling(2), to, why, expected }
}

#[test]
fn falls_are_warnings_and_returns_notices() {
    for fall in [
        passes(ServiceState::Up, ServiceState::Degraded),
        passes(ServiceState::Drained, ServiceState::Down),
        becomes(ServiceState::Down, false),
        becomes(ServiceState::Drained, false),
        check(hysteresis::CheckState::Down, false),
        stated(ServiceState::Down, false),
        stated(ServiceState::Degraded, false),
    ] {
        assert_eq!(fall.urgency(), Urgency::Warning, "{fall}");
    }
    for back in [
        passes(ServiceState::Down, ServiceState::Degraded),
        passes(ServiceState::Drained, ServiceState::Degraded),
        becomes(ServiceState::Up, false),
        check(hysteresis::CheckState::Up, false),
        stated(ServiceState::Up, false),
    ] {
        assert_eq!(back.urgency(), Urgency::Notice, "{back}");
    }
}

/// An ordinary stop of ExaBGP ends the helper by a signal: a closed stream means that ExaBGP was killed or crashed.
#[test]
fn a_crash_of_exabgp_is_a_warning() {
    let at_exit = |withdrawn| {
        let prefixes = ["192.0.2.53/32".to_owned()].into_iter().collect();
        Notice::RoutesAtExit { service: "resolver".to_owned(), prefixes, withdrawn }.urgency()
    };
    assert_eq!((Notice::ParentGone.urgency(), at_exit(false)), (Urgency::Warning, Urgency::Warning));
    let stopped = Notice::Terminating { withdrawn: Prefixes::default() };
    assert_eq!((stopped.urgency(), at_exit(true)), (Urgency::Info, Urgency::Info));
}

#[test]
fn a_fall_in_a_restart_of_ours_is_information() {
    for fall in [
        becomes(ServiceState::Drained, true),
        check(hysteresis::CheckState::Down, true),
        stated(ServiceState::Down, true),
    ] {
        assert_eq!(fall.urgency(), Urgency::Info, "{fall}");
    }
}

#[test]
fn a_line_that_moves_a_route_names_the_prefix_and_its_end() {
    let withdrawn = "resolver: WITHDRAWN 192.0.2.53/32 (acknowledged): process 11617 (unbound) ended";
    assert_eq!(stated(ServiceState::Down, false).to_string(), withdrawn);
    let mut notice = stated(ServiceState::Down, false);
    if let Notice::Stated(stated) = &mut notice {
        stated.until = Until::Over(Duration::from_secs(90));
    }
    assert_eq!(notice.to_string(), format!("{withdrawn}; for 1m 30s more"));
    let timed = Timed(&notice, &|period| format!("noon + {}", period.as_secs())).to_string();
    assert_eq!(timed, format!("{withdrawn}; for 1m 30s more (until noon + 90)"));
    let prefixes = (0..20).map(|nth| format!("198.18.0.{nth}/32")).collect();
    let mut notice = becomes(ServiceState::Down, false);
    if let Notice::Service { asks, .. } = &mut notice {
        asks.push(Desired { route: RouteState::Withdrawn, prefixes });
    }
    let asked = "; withdrawing 198.18.0.0/32, 198.18.0.1/32, 198.18.0.2/32 and 17 more";
    assert_eq!(notice.to_string(), format!("service resolver: up -> down: why{asked}"));
}

/// Without the holder the command would end the holds of others, too.
#[test]
fn the_begin_of_a_hold_names_the_command_that_ends_it_alone() {
    let begun = Notice::HoldBegun {
        service: "resolver".to_owned(),
        holder: "carol".parse().unwrap(),
        reason: "check is wrong".to_owned().into(),
        lasts: Duration::from_secs(60),
        uid: Some(1000),
        withdrawn: None,
    };
    let end = ": check is wrong; to end it: dnsherald unhold resolver --as carol";
    assert!(begun.to_string().ends_with(end), "{begun}");
}

#[test]
fn a_suppression_says_until_when_and_how_to_end_it() {
    let fall = Fall { penalty: 2828, enforced: true, falls: 3, return_takes: None, grace_used_up: false };
    let suppressed =
        Notice::Suppressed { service: "resolver".to_owned(), reuse_in: Duration::from_secs(1800), fall };
    let timed = Timed(&suppressed, &|_| "22:04:31 UTC".to_owned()).to_string();
    assert_eq!(
        timed,
        "service resolver: 3 falls, penalty 2828: held down for 30m (until 22:04:31 UTC) even if its checks pass; to end it: \
         dnsherald undampen resolver"
    );
    let mut notice = stated(ServiceState::Down, false);
    if let Notice::Stated(stated) = &mut notice {
        stated.until = Until::ChecksPassAnd(Duration::from_secs(1800));
    }
    let timed = Timed(&notice, &|_| "22:04:31 UTC".to_owned()).to_string();
    assert!(
        timed.ends_with("; until its checks pass, held down for 30m at least (until 22:04:31 UTC)"),
        "{timed}"
    );
}

#[test]
fn a_reload_names_the_changes_and_omits_zero_counts() {
    let changed = vec!["resolver (dampening; route unchanged)".to_owned()];
    let reloaded =
        |unchanged| Notice::Reloaded { unchanged, changed: changed.clone(), added: vec![], removed: vec![] };
    assert_eq!(
        reloaded(0).to_string(),
        "configuration reloaded: changed: resolver (dampening; route unchanged)"
    );
    assert_eq!(
        reloaded(2).to_string(),
        "configuration reloaded: 2 services unchanged, changed: resolver (dampening; route unchanged)"
    );
}

fn failed(end: RestartEnd) -> Notice {
    let failed = FailedRestart {
        holder: "backend/unbound".parse().unwrap(),
        end,
        why: "restart unbound failed: process: no process within 10s".to_owned().into(),
        lost: None,
        unattended: false,
    };
    let prefixes = std::iter::once("192.0.2.53/32".to_owned()).collect();
    Notice::RestartFailed {
        service: "resolver".to_owned(),
        prefixes,
        failed,
        decided_by: DecidedBy::Checks,
        until: Until::Over(Duration::from_secs(240)),
    }
}

#[test]
fn a_failed_restart_is_a_warning_that_names_the_prefix_the_reason_and_the_command_that_ends_it() {
    let left = failed(RestartEnd::LeftDrained);
    assert_eq!(left.urgency(), Urgency::Warning);
    assert_eq!(
        Timed(&left, &|_| "22:04:31 UTC".to_owned()).to_string(),
        "service resolver: restart unbound failed: process: no process within 10s; 192.0.2.53/32 stays withdrawn; for \
         4m more (until 22:04:31 UTC); to end it once the server is repaired: dnsherald undrain resolver --as \
         backend/unbound --once-healthy"
    );
    let mut endless = failed(RestartEnd::LeftDrained);
    if let Notice::RestartFailed { until, .. } = &mut endless {
        *until = Until::Undrained("resolver".to_owned(), None);
    }
    let end = "192.0.2.53/32 stays withdrawn; to end it once the server is repaired: dnsherald undrain resolver --as \
               backend/unbound --once-healthy";
    assert!(endless.to_string().ends_with(end), "{endless}");
    let reloaded = failed(RestartEnd::ReloadFailed);
    assert_eq!(reloaded.urgency(), Urgency::Warning);
    assert!(reloaded.to_string().ends_with("; not drained: the checks decide what is announced"));
    for (decider, words) in [
        (
            DecidedBy::Dampening,
            "; not drained: the checks decide what is announced, once dampening releases it",
        ),
        (DecidedBy::Drain, "; it stays drained; for 4m more"),
        (DecidedBy::Hold, "; it is held, whatever its checks say"),
    ] {
        let mut beside = failed(RestartEnd::ReloadFailed);
        if let Notice::RestartFailed { decided_by, .. } = &mut beside {
            *decided_by = decider;
        }
        assert!(beside.to_string().ends_with(words), "{beside}");
    }
    let back = failed(RestartEnd::RolledBack);
    assert_eq!(back.urgency(), Urgency::Warning);
    assert_eq!(
        back.to_string(),
        "service resolver: restart unbound failed: process: no process within 10s; rolled back: the server runs with \
         the configuration before"
    );
}

#[test]
fn a_refusal_without_a_reason_says_where_to_look() {
    let line = "announce route 192.0.2.53/32 next-hop self".to_owned();
    let refused = Notice::Refused { line, why: None, retry: Duration::from_secs(1) }.to_string();
    for words in [
        "usual causes: exabgp.conf has no such neighbor",
        "`exabgp-cli show neighbor summary`",
        "; again in 1s",
    ] {
        assert!(refused.contains(words), "{words} is not in {refused}");
    }
}

/// A sentence of each kind that dnsherald(8) names, and the words that other parts of the helper log.
fn sentences() -> Vec<String> {
    let (service, check) = ("resolver".to_owned(), "answers".to_owned());
    let (holder, reason): (Holder, Reason) = ("alice".parse().unwrap(), "new disk".to_owned().into());
    let time = Duration::from_secs(60);
    let line = "announce route 192.0.2.53/32 next-hop self".to_owned();
    let fall = Fall { penalty: 2828, enforced: true, falls: 3, return_takes: None, grace_used_up: false };
    let mut unacknowledged = stated(ServiceState::Up, false);
    if let Notice::Stated(stated) = &mut unacknowledged {
        stated.silence = Some("exabgp.api.ack is off".to_owned());
    }
    let notices = [
        stated(ServiceState::Up, false),
        stated(ServiceState::Down, false),
        unacknowledged,
        becomes(ServiceState::Down, false),
        self::check(hysteresis::CheckState::Down, false),
        Notice::CheckUnknown { service: service.clone(), check, why: "out of descriptors".to_owned() },
        Notice::Suppressed { service: service.clone(), reuse_in: time, fall },
        Notice::Enforced {
            service: service.clone(),
            penalty: 900,
            suppress: 2000,
            suppresses: None,
            max_suppress: time,
        },
        Notice::RoutesAtExit { service: service.clone(), prefixes: Prefixes::default(), withdrawn: false },
        Notice::Exited {
            service: service.clone(),
            why: "process 7 (unbound) has ended".to_owned(),
            exits: 2,
        },
        Notice::Drained {
            service: service.clone(),
            holder: holder.clone(),
            reason: reason.clone(),
            lasts: Lasts::UntilLifted,
            uid: Some(1000),
        },
        Notice::HoldBegun {
            service: service.clone(),
            holder,
            reason,
            lasts: time,
            uid: Some(1000),
            withdrawn: None,
        },
        Notice::Removed {
            service: service.clone(),
            drained: Some(("alice drains it: new disk".to_owned(), Until::Over(time))),
            held: false,
        },
        failed(RestartEnd::LeftDrained),
        failed(RestartEnd::ReloadFailed),
        failed(RestartEnd::RolledBack),
        Notice::Refused { line: line.clone(), why: None, retry: time },
        Notice::NoSession { neighbors: "10.1.0.9".to_owned() },
        Notice::Unanswered { line, after: time },
        Notice::Overtaken { withdraws: 2, is_silent: true },
        Notice::Overtaken { withdraws: 2, is_silent: false },
        Notice::ReloadRefused { why: "f.toml:1:1: unknown key".to_owned() },
        Notice::SessionDown { neighbor: "10.1.0.1".to_owned(), reason: "peer reset".to_owned(), lost: true },
    ];
    // Tests of the control socket, of a hanging disk, of the last good configuration, of a stopped helper, of one that was killed, of two helpers, of
    // supplied checks and of the rate limit expect these.
    let others = [
        "f.toml cannot be used: running the LAST GOOD CONFIGURATION in g.toml",
        "this process did not run for 28s (stopped, or the machine paused): the outcomes of that time are discarded",
        "the helper before (process 7, which last saved its state at 02:04:31 UTC) did not end in order: it was killed or crashed, or could not",
        "the state is not on disk: the disk of f.json has not answered for 1s; the next start may not know the last drains",
        "a: the file system of the disable-file /srv/drain has not answered within 1s; assuming it is absent until it does",
        "1550 last commands did not reach ExaBGP, which has not read them within 500ms",
        "takes over the sockets in /run/dnsherald from the helper (process 7)",
        "another helper (process 7 with f.toml) still runs 10s after the start of this one (process 8): this one has",
        "resolver: newer than `since` in [defaults] and only observed: address",
        "uid 0 asks: reload",
        "service resolver: restart unbound done; which zones the server served before is not known, so a lost one is not noticed",
        "BGP session with 10.1.0.1: 5 more lines withheld in the last minute (down)",
    ];
    notices.iter().map(ToString::to_string).chain(others.map(ToOwned::to_owned)).collect()
}

#[test]
fn the_manual_names_the_words_that_the_log_uses() {
    let manual = include_str!("../../../packaging/man/dnsherald.8");
    let section = manual.split("\n.Sh ").find(|section| section.starts_with("LOG\n")).unwrap();
    let named: Vec<_> = section.lines().filter_map(|line| line.strip_prefix(".It Li ")).collect();
    let sentences = sentences();
    for words in &named {
        assert!(sentences.iter().any(|sentence| sentence.contains(words)), "`{words}` is logged nowhere");
    }
    for sentence in &sentences {
        assert!(named.iter().any(|words| sentence.contains(words)), "the manual does not name: {sentence}");
    }
    for stands in [RouteState::Announced, RouteState::Withdrawn] {
        assert!(named.contains(&stands.to_string().as_str()));
    }
    let runbook = include_str!("../../../docs/runbook.md");
    let (_, index) = runbook.split_once("\n## Index of log messages\n").unwrap();
    let rows: Vec<_> = index.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(rows, named, "the index of the runbook names the words of the manual, in its order");
    for urgency in [Urgency::Error, Urgency::Warning, Urgency::Notice, Urgency::Info] {
        assert!(section.contains(urgency.word()), "{urgency:?}");
    }
}

#[test]
fn the_alarm_of_a_start_says_which_state_stands_or_why_none_does() {
    let alarm = |reloaded, stands, suppressed| {
        let (service, which, why) = ("a".to_owned(), "dns check", "check x: no ports".to_owned());
        let after = Duration::from_secs(30);
        Notice::StartsUnknown { service, after, reloaded, stands, suppressed, which, why }.to_string()
    };
    for (reloaded, stands, suppressed, words) in [
        (false, Some(ServiceState::Up), false, "the start; up, acknowledged before the start, stands:"),
        (true, Some(ServiceState::Up), false, "the reload; up, decided before the reload, stands:"),
        (true, None, true, "the reload, and dampening suppresses it; withdrawing:"),
        (false, None, false, "the start, and no earlier state is known; withdrawing:"),
    ] {
        let said = alarm(reloaded, stands, suppressed);
        assert!(said.contains(&format!("within 30s of {words} check x")), "{said}");
    }
}
