use super::*;
use crate::engine::hysteresis::CheckState;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u32) -> Moment {
    Moment::START + SECOND * seconds
}

fn down() -> Notice {
    Notice::SessionDown { neighbor: "10.1.0.1".to_owned(), reason: "peer reset".to_owned(), lost: true }
}

fn attempt() -> Notice {
    Notice::SessionDown {
        neighbor: "10.1.0.1".to_owned(),
        reason: "closing connection".to_owned(),
        lost: false,
    }
}

fn up() -> Notice {
    Notice::SessionUp { neighbor: "10.1.0.1".to_owned(), first: false, decided: true }
}

fn odd(nth: u32) -> Notice {
    Notice::OddLine { line: nth.to_string() }
}

fn refused(nth: u32, retry: Duration) -> Notice {
    Notice::Refused { line: format!("announce route 192.0.2.{nth}/32 next-hop self"), why: None, retry }
}

fn check(from: CheckState, to: CheckState) -> Notice {
    let (service, check, why) = ("resolver".to_owned(), "answers".to_owned(), "timeout".to_owned());
    Notice::Check { service, check, from, to, why, expected: false }
}

fn lines(summaries: Vec<Summary>) -> Vec<String> {
    summaries.into_iter().map(|summary| summary.line).collect()
}

#[test]
fn a_session_that_is_down_again_and_again_is_logged_once_and_summed_up_each_minute() {
    let mut limit = RateLimit::default();
    let admitted: Vec<_> = (0..6).filter(|nth| limit.admits(at(nth * 2), &down())).collect();
    assert_eq!(admitted, [0]);
    assert_eq!(limit.summaries(at(59), false), []);
    let line = "BGP session with 10.1.0.1: 5 more lines withheld in the last minute (down)".to_owned();
    assert_eq!(limit.summaries(at(60), false), [Summary { urgency: Urgency::Warning, line }]);
    assert!(!limit.admits(at(70), &down()), "the state has not changed; the next summary counts it");
    let line = "BGP session with 10.1.0.1: 1 more line withheld in the last minute (down)";
    assert_eq!(lines(limit.summaries(at(120), false)), [line]);
    assert_eq!(limit.summaries(at(180), false), [], "a minute without any");
    assert!(limit.admits(at(181), &down()), "it is news again");
}

#[test]
fn a_change_of_state_is_logged_at_once_unless_there_are_many() {
    let mut limit = RateLimit::default();
    assert!(limit.admits(at(0), &down()) && limit.admits(at(1), &up()) && limit.admits(at(2), &down()));
    assert!(limit.admits(at(3), &up()));
    let flaps = [down(), up()];
    let admitted = (4..24).filter(|nth| limit.admits(at(*nth), &flaps[*nth as usize % 2])).count();
    assert_eq!(admitted, 0);
    let line =
        "BGP session with 10.1.0.1: 20 more lines withheld in the last minute (10 down, 10 up); now up";
    let summary = Summary { urgency: Urgency::Info, line: line.to_owned() };
    assert_eq!(limit.summaries(at(60), false), [summary], "the session is back");
    assert!(limit.admits(at(61), &down()), "each minute has room for a few");
}

#[test]
fn failed_attempts_to_connect_are_counted_apart_from_lost_sessions() {
    let mut limit = RateLimit::default();
    let minute = [down(), attempt(), attempt(), up(), down(), attempt(), up(), down(), attempt()];
    let admitted: Vec<_> = (0u32..).zip(&minute).map(|(nth, it)| limit.admits(at(nth), it)).collect();
    assert_eq!(admitted, [true, false, false, true, true, false, true, false, false]);
    let line = "BGP session with 10.1.0.1: 5 more lines withheld in the last minute (4 failed attempts, 1 down); now down";
    let summary = Summary { urgency: Urgency::Warning, line: line.to_owned() };
    assert_eq!(limit.summaries(at(60), false), [summary], "the session is down");
    assert!(!limit.admits(at(70), &attempt()));
    let line =
        "BGP session with 10.1.0.1: 1 more line withheld in the last minute (1 failed attempt); now down";
    assert_eq!(lines(limit.summaries(at(120), false)), [line]);
}

#[test]
fn a_route_that_is_refused_at_every_attempt_is_logged_once() {
    let mut limit = RateLimit::default();
    let admitted = (0..5).filter(|nth| limit.admits(at(1 << nth), &refused(1, SECOND * (1 << nth)))).count();
    assert_eq!(admitted, 1);
    let line = "`announce route 192.0.2.1/32 next-hop self`: 4 more lines withheld in the last minute (refused by ExaBGP)";
    assert_eq!(lines(limit.summaries(at(61), false)), [line]);
}

#[test]
fn of_many_topics_of_a_kind_a_few_are_logged_and_the_others_counted() {
    let mut limit = RateLimit::default();
    assert_eq!((0..1000).filter(|nth| limit.admits(at(0), &odd(*nth))).count() as u32, TOPICS);
    assert!(limit.admits(at(0), &Notice::AnswerTooMany), "another kind");
    assert_eq!((0..1000).filter(|nth| limit.admits(at(0), &refused(*nth, SECOND))).count() as u32, TOPICS);
    let summaries = limit.summaries(at(60), false);
    let line = format!("… and 990 more of the kind, the last: {}", odd(999));
    assert!(summaries.contains(&Summary { urgency: Urgency::Warning, line }), "{summaries:?}");
    assert_eq!(summaries.len(), 2);
    assert!(limit.admits(at(60), &odd(1000)), "the next minute");
}

#[test]
fn at_the_end_all_is_summed_up() {
    let mut limit = RateLimit::default();
    assert!(limit.admits(at(0), &odd(0)) && !limit.admits(at(1), &odd(0)));
    let line = "ExaBGP said something unexpected: 0: 1 more line withheld in the last 20s";
    assert_eq!(lines(limit.summaries(at(20), true)), [line]);
}

#[test]
fn a_check_that_flaps_is_summed_up_and_its_verdicts_are_logged() {
    let mut limit = RateLimit::default();
    let (dips, recovers) =
        (check(CheckState::Up, CheckState::Falling(1)), check(CheckState::Falling(1), CheckState::Up));
    let admitted = (0..40).filter(|nth| limit.admits(at(*nth), if nth % 2 == 0 { &dips } else { &recovers }));
    assert_eq!(admitted.count() as u32, CHANGES);
    assert!(limit.admits(at(40), &check(CheckState::Falling(2), CheckState::Down)), "the verdict");
    let line =
        "check resolver/answers: 36 more lines withheld in the last minute (18 falling, 18 up); now down";
    assert_eq!(lines(limit.summaries(at(60), false)), [line]);
}

#[test]
fn the_summary_says_what_is_true_now_if_it_is_other_than_what_was_withheld() {
    let mut limit = RateLimit::default();
    let (dips, recovers) =
        (check(CheckState::Up, CheckState::Falling(1)), check(CheckState::Falling(1), CheckState::Up));
    assert!([&dips, &recovers, &dips].into_iter().all(|notice| limit.admits(at(0), notice)));
    assert!(!limit.admits(at(1), &dips));
    assert!(limit.admits(at(2), &check(CheckState::Rising(2), CheckState::Up)), "the verdict");
    let line = "check resolver/answers: 1 more line withheld in the last minute (falling); now up";
    assert_eq!(lines(limit.summaries(at(60), false)), [line]);
}

#[test]
fn decisions_of_this_helper_are_always_logged() {
    let mut limit = RateLimit::default();
    assert!((0..1000).all(|_| limit.admits(at(0), &Notice::ParentGone)));
    let (falls, returns) = (check(CheckState::Up, CheckState::Down), check(CheckState::Down, CheckState::Up));
    assert!((0..1000).all(|_| limit.admits(at(0), &falls) && limit.admits(at(0), &returns)));
}
