//! Random loss between the helper and the server: how rarely a little of it brings down, and how soon much of it does.
//!
//! A question is lost with a probability that stands for the way there and back. At the defaults a probe asks three times,
//! a round fails if any address has not answered, and three failed rounds in a row, or a window of 30 in 60, bring down.

use std::time::Duration;

use crate::config::defaults::TIMING;
use crate::config::describe::loss::{degrades_within, falls_in_ten_years, falls_within};
use crate::engine::check::{Check, OnFail, Severity};
use crate::engine::hysteresis::CheckState;
use crate::engine::moment::Moment;
use crate::outcome::{Cause, Lost, Outcome};

/// With four addresses 0.04 falls in ten years, of which all are failures in a row.
#[test]
fn a_loss_of_5_percent_brings_nothing_down_in_ten_years() {
    for addresses in [1, 2, 4, 8] {
        let (in_a_row, window) = falls_in_ten_years(&TIMING, 0.05, addresses);
        assert!(in_a_row + window < 1.0, "{addresses} addresses: {in_a_row} and {window}");
    }
    let (in_a_row, window) = falls_in_ten_years(&TIMING, 0.05, 4);
    assert!((0.03..0.05).contains(&in_a_row) && window < 1e-12, "{in_a_row} {window}");
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn happens(&mut self, probability: f64) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64) < probability
    }
}

/// What a round finds, and how long it takes.
fn round(random: &mut Random, loss: f64, addresses: u32) -> (Outcome, Duration) {
    let repeats = (0..addresses).map(|_| (0..3).take_while(|_| random.happens(loss)).count() as u32);
    let repeats: Vec<_> = repeats.collect();
    let took = TIMING.timeout / 3 * repeats.iter().max().copied().unwrap_or_default();
    if repeats.contains(&3) {
        return (Outcome::from_cause(Cause::Timeout, "no answer"), took);
    }
    let lost = repeats.iter().filter(|repeats| **repeats > 0).count() as u32;
    (Outcome::pass(took).with(Lost { lost, of: addresses }), took)
}

/// How long it takes from the beginning of the loss to a verdict that bad; `None` if it takes longer than `limit`.
fn time_to(
    bad: Severity,
    random: &mut Random,
    loss: f64,
    addresses: u32,
    limit: Duration,
) -> Option<Duration> {
    let mut check = Check::new("answers".to_owned(), TIMING, OnFail::always(Severity::Down));
    let (mut began, mut now) = (None, Moment::START);
    loop {
        check.start_round(now);
        let present = if began.is_some() { loss } else { 0.0 };
        let (outcome, took) = round(random, present, addresses);
        check.on_outcome(now + took, &outcome);
        let since = *began.get_or_insert(now);
        if check.verdict().is_none() {
            began = None;
        } else if check.verdict() >= Some(bad) {
            return Some((now + took).since(since));
        } else if now.since(since) > limit {
            return None;
        }
        now = check.due.unwrap();
    }
}

/// The time within which 99 of 100 reach a verdict that bad.
fn p99(bad: Severity, loss: f64, addresses: u32) -> Duration {
    let mut random = Random(u64::from(addresses));
    let never = Duration::MAX;
    let limit = Duration::from_secs(3600);
    let run = |_| time_to(bad, &mut random, loss, addresses, limit).unwrap_or(never);
    let mut times: Vec<_> = (0..2000).map(run).collect();
    times.sort();
    times[1979]
}

/// The times that the manual states.
#[test]
fn a_loss_of_30_percent_degrades_and_one_of_60_percent_brings_down_in_time() {
    for addresses in [1, 2, 4, 8] {
        let degraded = p99(Severity::Degraded, 0.3, addresses);
        let down = p99(Severity::Down, 0.6, addresses);
        assert!(degraded < Duration::from_secs(150), "{addresses} addresses: {degraded:?}");
        assert!(down < Duration::from_secs(90), "{addresses} addresses: {down:?}");
        // What `check-config` states is a bound, and not a loose one.
        let stated = [degrades_within(&TIMING, 0.3, addresses), falls_within(&TIMING, 0.6, addresses)];
        for (stated, found) in stated.into_iter().flatten().zip([degraded, down]) {
            assert!(found <= stated && stated <= 2 * found, "{addresses} addresses: {stated:?}, {found:?}");
        }
        assert!(stated.iter().all(Option::is_some), "{addresses} addresses: {stated:?}");
    }
}

/// For ten simulated days.
#[test]
fn a_loss_of_5_percent_moves_nothing() {
    let mut random = Random(5);
    assert_eq!(time_to(Severity::Down, &mut random, 0.05, 4, Duration::from_secs(864_000)), None);
}

/// The whole way: up, lossy, and back once the loss is over. An unknown round forgets what was lost before.
#[test]
fn alternating_loss_brings_down_until_the_window_has_room() {
    let mut check = Check::new("answers".to_owned(), TIMING, OnFail::always(Severity::Down));
    let lossy = Outcome::pass(Duration::ZERO).with(Lost { lost: 1, of: 1 });
    let feed = |check: &mut Check, outcome: &Outcome, rounds: u32| {
        (0..rounds).for_each(|_| drop(check.on_outcome(Moment::START, outcome)));
        check.verdict()
    };
    let whole = Outcome::pass(Duration::ZERO);
    assert_eq!(feed(&mut check, &whole, 5), Some(Severity::Observe));
    assert_eq!(feed(&mut check, &lossy, 14), Some(Severity::Observe));
    let unknown = Outcome::from_cause(Cause::LostInOverload, "");
    assert_eq!(feed(&mut check, &unknown, 1), Some(Severity::Observe));
    assert_eq!(feed(&mut check, &lossy, 14), Some(Severity::Observe), "counted before the unknown round");
    assert_eq!(feed(&mut check, &lossy, 1), Some(Severity::Degraded));
    assert_eq!(check.failure(), Some("15 of the last 15 rounds failed or were lost"));
    assert_eq!(feed(&mut check, &lossy, 14), Some(Severity::Degraded));
    assert_eq!(feed(&mut check, &lossy, 1), Some(Severity::Down));
    // 15 of 30 lost rounds have to leave the window, which is half full.
    assert_eq!(feed(&mut check, &whole, 44), Some(Severity::Down));
    assert_eq!(feed(&mut check, &whole, 1), Some(Severity::Degraded));
    assert_eq!(feed(&mut check, &whole, 8), Some(Severity::Observe));
    assert_eq!(check.failure(), None);
}

/// A failure that is only observed ends the window of the state shown by a row, and is a pass for the window that degrades.
#[test]
fn a_check_shows_the_window_that_degrades() {
    let mut check = Check::new("answers".to_owned(), TIMING, OnFail::always(Severity::Down));
    let feed = |check: &mut Check, outcome: &Outcome, rounds: u32| {
        (0..rounds).for_each(|_| drop(check.on_outcome(Moment::START, outcome)));
        check.verdict()
    };
    let (pass, observed) = (Outcome::pass(Duration::ZERO), Outcome::from_cause(Cause::ProbeOnly, "observed"));
    feed(&mut check, &pass, 5);
    for _ in 0..7 {
        feed(&mut check, &Outcome::from_cause(Cause::Timeout, ""), 2);
        assert_eq!(feed(&mut check, &observed, 1), Some(Severity::Observe));
    }
    assert_eq!(
        feed(&mut check, &Outcome::from_cause(Cause::Timeout, "no answer"), 1),
        Some(Severity::Degraded)
    );
    let window = "15 of the last 22 rounds failed or were lost";
    assert_eq!(check.failure(), Some(&*format!("{window}; last: no answer")));
    // Five passes end the row, and leave the window.
    assert_eq!(feed(&mut check, &pass, 5), Some(Severity::Degraded));
    assert_eq!(check.state(), CheckState::Rising(5));
    assert_eq!(check.failure(), Some("15 of the last 27 rounds failed or were lost"));
    feed(&mut check, &observed, 1);
    assert_eq!(check.state(), CheckState::Down);
    assert_eq!(check.failure(), Some("15 of the last 28 rounds failed or were lost; last: observed"));
    assert_eq!(check.end_of_loss(), "; needs 43 more passes");
    assert_eq!(feed(&mut check, &pass, 42), Some(Severity::Degraded));
    assert_eq!(check.end_of_loss(), "; needs 1 more pass");
    assert_eq!(feed(&mut check, &pass, 1), Some(Severity::Observe));
    assert_eq!((check.state(), check.end_of_loss()), (CheckState::Up, String::new()));
}

/// A row of failures has its own way back.
#[test]
fn a_hang_that_is_over_does_not_wait_for_the_window() {
    let mut check = Check::new("answers".to_owned(), TIMING, OnFail::always(Severity::Down));
    let feed = |check: &mut Check, outcome: &Outcome, rounds: u32| {
        (0..rounds).for_each(|_| drop(check.on_outcome(Moment::START, outcome)));
        check.verdict()
    };
    let pass = Outcome::pass(Duration::ZERO);
    feed(&mut check, &pass, 5);
    assert_eq!(feed(&mut check, &Outcome::from_cause(Cause::Timeout, ""), 100), Some(Severity::Down));
    assert_eq!(feed(&mut check, &pass, 5), Some(Severity::Observe));
}
