//! How urgent notices are, and what they say.

use std::time::Duration;

use super::prefixes::Prefixes;
use super::until::Until;
use super::{Asks, Notice, Stands, Stated};
use crate::engine::hysteresis;
use crate::engine::service::State;
use crate::logging::entry::Urgency;

fn stated(state: State, planned: bool) -> Notice {
    let is_up = matches!(state, State::Up | State::Degraded);
    Notice::Stated(Box::new(Stated {
        service: "resolver".to_owned(),
        state,
        route: if is_up { Stands::Announced } else { Stands::Withdrawn },
        prefixes: Prefixes::from_iter(["192.0.2.53/32".to_owned()]),
        moved: true,
        silence: None,
        why: "process 11617 (unbound) ended".to_owned(),
        until: Until::Open,
        planned,
    }))
}

fn becomes(to: State, planned: bool) -> Notice {
    let (service, why) = ("resolver".to_owned(), "why".to_owned());
    Notice::Service { service, from: State::Up, to, why, asks: vec![], planned }
}

fn check(to: hysteresis::State, planned: bool) -> Notice {
    let (service, check, why) = ("resolver".to_owned(), "answers".to_owned(), "timeout".to_owned());
    Notice::Check { service, check, from: hysteresis::State::Falling(2), to, why, planned }
}

#[test]
fn falls_are_warnings_and_returns_notices() {
    for fall in [
        becomes(State::Down, false),
        becomes(State::Drained, false),
        check(hysteresis::State::Down, false),
        stated(State::Down, false),
        stated(State::Degraded, false),
    ] {
        assert_eq!(fall.urgency(), Urgency::Warning, "{fall}");
    }
    for back in [becomes(State::Up, false), check(hysteresis::State::Up, false), stated(State::Up, false)] {
        assert_eq!(back.urgency(), Urgency::Notice, "{back}");
    }
}

#[test]
fn a_fall_in_a_restart_of_ours_is_information() {
    for fall in
        [becomes(State::Drained, true), check(hysteresis::State::Down, true), stated(State::Down, true)]
    {
        assert_eq!(fall.urgency(), Urgency::Info, "{fall}");
    }
}

#[test]
fn a_line_that_moves_a_route_names_the_prefix_and_what_ends_it() {
    let withdrawn = "resolver: WITHDRAWN 192.0.2.53/32 (acknowledged): process 11617 (unbound) ended";
    assert_eq!(stated(State::Down, false).to_string(), withdrawn);
    let mut notice = stated(State::Down, false);
    if let Notice::Stated(stated) = &mut notice {
        stated.until = Until::Over(Duration::from_secs(90));
    }
    assert_eq!(notice.to_string(), format!("{withdrawn}; for 1m 30s more"));
    assert_eq!(notice.ends(), Some(("until", Duration::from_secs(90))));
    let prefixes = (0..20).map(|nth| format!("198.18.0.{nth}/32")).collect();
    let mut notice = becomes(State::Down, false);
    if let Notice::Service { asks, .. } = &mut notice {
        asks.push(Asks { route: Stands::Withdrawn, prefixes });
    }
    let asked = "; withdrawing 198.18.0.0/32, 198.18.0.1/32, 198.18.0.2/32 and 17 more";
    assert_eq!(notice.to_string(), format!("service resolver: up -> down: why{asked}"));
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
