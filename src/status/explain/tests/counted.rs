//! The counter of a check in words.

use super::advice::ANNOUNCED;
use super::*;
use crate::status::CheckStatus;

/// What explain says of the counter of the check after this change.
fn counted(change: impl FnOnce(&mut CheckStatus)) -> String {
    let mut document: Document = serde_json::from_str(ANNOUNCED).unwrap();
    change(&mut document.services[0].checks[0]);
    let view = View::new(&document, 100, Zone::default());
    let steps = explain(&document, None, None, &view).unwrap().remove(0).steps;
    steps.into_iter().find(|step| step.stage == Stage::Counted).unwrap().text
}

#[test]
fn failures_that_are_not_counted_make_nothing_down() {
    assert_eq!(counted(|_| ()), "is up: 3 failures in a row make it down");
    let unseen = counted(|check| {
        let last = check.last.as_mut().unwrap();
        last.latency_seconds = Some(0.0);
        last.tell_unseen();
    });
    let expected = "is not counted: no probe of it has passed yet, and until one has, a failure does nothing";
    assert_eq!(unseen, expected);
    let observed = counted(|check| check.on_fail = Some(Severity::Observe));
    let expected =
        "is up: 3 failures in a row make it down, which moves no route; its failures are only observed";
    assert_eq!(observed, expected);
    let unproven = counted(|check| {
        (check.on_fail, check.unproven, check.state) = (Some(Severity::Observe), true, "down".to_owned());
    });
    let expected = "is down: 3 passes in a row make it up; its failures do nothing until it has been up";
    assert_eq!(unproven, expected);
}

#[test]
fn a_milder_failure_ends_the_effect_of_a_worse_one() {
    let milder = counted(|check| {
        (check.severity, check.fails_milder, check.state) = (Some(Severity::Down), true, "down".to_owned());
    });
    let expected = "is down, and fails milder now: 3 such results, or passes, in a row end its effect; it brings the service down";
    assert_eq!(milder, expected);
}
