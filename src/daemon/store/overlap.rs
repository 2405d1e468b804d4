//! Two helpers with one state file, each with its engine: after both have exchanged their drains, both and the file have
//! those that the operator asked for last.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use tokio::sync::mpsc;

use super::Document;
use super::merge::Change;
use super::writer::{Job, Writer};
use crate::config::Config;
use crate::daemon::learned::{of_all, of_services};
use crate::engine::Engine;
use crate::engine::api_session::Parent;
use crate::engine::drain::{Holder, Lasts, Lift, Order};
use crate::engine::event::{CheckId, Event, ServiceId};
use crate::engine::memory::{ALL_SERVICES, Memory};
use crate::engine::moment::Moment;
use crate::engine::order::Orders;
use crate::outcome::Outcome;

use self::pair::{MINUTE, Pair};

mod last_one;
mod pair;

/// The drains of the operator by service, and of all services: true if one ends once the checks pass.
type Drains = BTreeMap<String, bool>;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Command {
    Drain(Option<usize>),
    Undrain(Option<usize>),
    OnceHealthy(Option<usize>),
    /// All checks pass at the helper.
    Pass,
}

/// What happens between a command and the next of the same helper.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// The helper saves. The other one does nothing.
    Save,
    /// The helper does not save before it receives the next command.
    NoSave,
    /// The helper saves, and the writer of the other one reads that, but its loop has not learned it.
    Read,
    /// The same, and the other one saves before it learns.
    ReadAndSave,
    /// The other one saves without having read.
    OtherSaves,
    /// Both exchange everything.
    Settle,
}

const COMMANDS: [Command; 7] = [
    Command::Drain(None),
    Command::Drain(Some(0)),
    Command::Undrain(None),
    Command::Undrain(Some(0)),
    Command::OnceHealthy(None),
    Command::OnceHealthy(Some(0)),
    Command::Pass,
];

const THEN: [Then; 6] =
    [Then::Save, Then::NoSave, Then::Read, Then::ReadAndSave, Then::OtherSaves, Then::Settle];

fn order(reason: &str, lasts: Lasts) -> Order {
    Order { holder: Holder::operator(), reason: reason.to_owned().into(), lasts, uid: None }
}

fn event(command: Command) -> Event {
    let lift = |once_healthy| Lift { holder: Some(Holder::operator()), once_healthy, checks: vec![] };
    match command {
        Command::Drain(None) => Event::DrainAll(order("x", Lasts::UntilLifted)),
        Command::Drain(Some(place)) => Event::Drain(ServiceId(place), order("x", Lasts::UntilLifted)),
        Command::Undrain(None) => Event::UndrainAll(lift(false)),
        Command::Undrain(Some(place)) => Event::Undrain(ServiceId(place), lift(false)),
        Command::OnceHealthy(None) => Event::UndrainAll(lift(true)),
        Command::OnceHealthy(Some(place)) => Event::Undrain(ServiceId(place), lift(true)),
        Command::Pass => Event::Tick,
    }
}

/// What the operator asked for.
fn asked(drains: &mut Drains, services: &[&str], command: Command) {
    let named: Vec<_> = match command {
        Command::Drain(Some(place)) | Command::Undrain(Some(place)) | Command::OnceHealthy(Some(place)) => {
            vec![services[place]]
        }
        _ => services.to_vec(),
    };
    let had_any = drains.keys().any(|name| name != ALL_SERVICES);
    for name in named {
        match command {
            Command::Drain(_) => drop(drains.insert(name.to_owned(), false)),
            Command::Undrain(_) => drop(drains.remove(name)),
            Command::OnceHealthy(_) => {
                drains.entry(name.to_owned()).and_modify(|returning| *returning = true);
            }
            Command::Pass => {
                drains.retain(|drained, returning| drained != name || !*returning);
            }
        }
    }
    match command {
        Command::Drain(None) => drop(drains.insert(ALL_SERVICES.to_owned(), false)),
        Command::Undrain(None) | Command::OnceHealthy(None) => drop(drains.remove(ALL_SERVICES)),
        _ if had_any && drains.keys().all(|name| name == ALL_SERVICES) => drains.clear(),
        _ => {}
    }
}

/// A new state file; in memory if possible, since each test writes it often.
fn state_file() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    place.join(format!("dnsherald-overlap-{}-{number}", std::process::id())).join("state.json")
}

fn removes(file: &Path) {
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
}

/// Plays commands at helpers with the same services. Before the other helper gets one, both exchange everything: else
/// neither knows which came last.
fn ends_as_asked(first: Option<Command>, steps: &[(usize, Command, Then)]) {
    let services = ["a", "b"];
    let file = state_file();
    let mut pair = Pair::start(&file, &services, &services, first);
    let mut expected = Drains::new();
    first.into_iter().for_each(|command| asked(&mut expected, &services, command));
    let mut last = None;
    for (side, command, then) in steps {
        if last.is_some_and(|last| last != *side) {
            pair.ends();
        }
        last = Some(*side);
        pair.plays(*side, *command, *then);
        asked(&mut expected, &services, *command);
    }
    pair.ends();
    for helper in &mut pair.0 {
        assert_eq!(
            (helper.drains(), helper.stored()),
            (expected.clone(), expected.clone()),
            "{first:?} {steps:?}"
        );
    }
    removes(&file);
}

#[test]
fn both_end_with_what_the_operator_asked_for_last() {
    for first in [None, Some(Command::Drain(None))] {
        for (side, one, then) in all_steps() {
            for last in COMMANDS {
                ends_as_asked(first, &[(side, one, then), (side, last, Then::Save)]);
            }
        }
    }
    for side in [0, 1] {
        for (one, other) in COMMANDS.iter().flat_map(|one| COMMANDS.map(|other| (*one, other))) {
            ends_as_asked(
                Some(Command::Drain(None)),
                &[(side, one, Then::Save), (1 - side, other, Then::Save)],
            );
        }
    }
}

fn all_steps() -> impl Iterator<Item = (usize, Command, Then)> {
    let of = |side| COMMANDS.into_iter().flat_map(move |command| THEN.map(|then| (side, command, then)));
    [0, 1].into_iter().flat_map(of)
}

/// Plays commands at an older and a newer helper with other services. After each both exchange everything.
fn ends_with(older: &[&str], newer: &[&str], steps: &[(usize, Command)], expected: [&[&str]; 2]) {
    let file = state_file();
    let mut pair = Pair::start(&file, older, newer, None);
    for (side, command) in steps {
        pair.plays(*side, *command, Then::Save);
        pair.ends();
    }
    let told = pair.0.each_mut().map(|helper| helper.drains().into_keys().collect::<Vec<_>>());
    assert_eq!(told.each_ref().map(Vec::as_slice), expected, "{older:?} {newer:?} {steps:?}");
    removes(&file);
}

#[test]
fn a_drain_of_all_concerns_services_that_only_one_helper_has() {
    use Command::{Drain, Undrain};
    let (older, newer) = (["a", "old"], ["a", "new"]);
    let all = ALL_SERVICES;
    for side in [0, 1] {
        let begins = (side, Drain(None));
        ends_with(&older, &newer, &[begins], [&[all, "a", "old"], &[all, "a", "new"]]);
        ends_with(&older, &newer, &[begins, (side, Undrain(Some(0)))], [&[all, "old"], &[all, "new"]]);
        ends_with(&["a"], &newer, &[begins, (1, Undrain(Some(0)))], [&[], &[all, "new"]]);
        ends_with(&["a"], &["a", "new"], &[begins, (1, Undrain(None))], [&[], &[]]);
        ends_with(&older, &["a"], &[begins, (1, Undrain(None))], [&["old"], &[]]);
        // A renamed service.
        let renamed = ["other=a", "b"];
        ends_with(&["a", "b"], &renamed, &[begins], [&[all, "a", "b"], &[all, "b", "other"]]);
        for last in [0, 1] {
            ends_with(&["a", "b"], &renamed, &[begins, (last, Undrain(Some(0)))], [&[all, "b"], &[all, "b"]]);
            ends_with(&["a", "b"], &renamed, &[begins, (last, Undrain(None))], [&[], &[]]);
            ends_with(&["a"], &renamed, &[(side, Drain(Some(0))), (last, Undrain(Some(0)))], [&[], &[]]);
        }
    }
}

/// Either helper learns that a drain lasts longer, and neither writes again and again.
#[test]
fn a_drain_with_another_end_is_learned() {
    let file = state_file();
    let mut pair = Pair::start(&file, &["a"], &["a"], None);
    for (side, hours) in [(0, 1), (0, 2), (1, 1), (1, 3)] {
        let lasts = Duration::from_secs(3600 * hours);
        pair.0[side].handle(Event::DrainAll(order("x", Lasts::For(lasts))));
        pair.0[side].save();
        pair.ends();
        for helper in &pair.0 {
            let ends =
                [helper.engine.drains_of_all(), &helper.engine.services()[0].drains].map(Orders::deadline);
            let left = ends.map(|end| end.map(|end| end.since(helper.now)));
            let is_right = |left: &Option<Duration>| left.is_some_and(|left| left.abs_diff(lasts) < MINUTE);
            assert!(left.iter().all(is_right), "{side} {hours} {left:?}");
        }
    }
    removes(&file);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn both_agree_after_any_commands(
        steps in proptest::collection::vec(
            (0..2_usize, proptest::sample::select(&COMMANDS[..]), proptest::sample::select(&THEN[..])), 3..8
        )
    ) {
        ends_as_asked(None, &steps);
    }
}
