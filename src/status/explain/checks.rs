//! The questions, the last finding and the counter of a check.

use super::{Stage, Step};
use crate::engine::check::Severity;
use crate::status::table::show_last;
use crate::status::view::{View, period, shown};
use crate::status::{CheckStatus, Last, Service};
use crate::text::period::Period;

/// The three steps of a check; of one that is not probed, since its service is not enabled, the first one.
pub(super) fn steps(service: &Service, check: &CheckStatus, view: &View) -> Vec<Step> {
    let step = |stage, text, at| Step::new(stage, Some(&check.name), text, at);
    let mut steps = vec![step(Stage::Asked, asked(check, service.enabled), None)];
    if service.enabled {
        steps.push(step(
            Stage::Answered,
            answered(check, view),
            check.last.as_ref().and_then(|last| last.at),
        ));
        steps.push(step(Stage::Counted, counted(check), None));
    }
    steps
}

fn asked(check: &CheckStatus, is_probed: bool) -> String {
    let every = check
        .interval_seconds
        .map_or_else(String::new, |seconds| format!(" every {}", Period(period(seconds))));
    let probes = if is_probed { format!("probes{every}") } else { "is not probed".to_owned() };
    match check.asks.as_slice() {
        [] => probes,
        asks => format!("{probes}: {}", asks.join("; ")),
    }
}

fn answered(check: &CheckStatus, view: &View) -> String {
    let Some(last) = &check.last else {
        return "has found nothing yet: its first round is out".to_owned();
    };
    let Last { ago_seconds, passed, cause, .. } = last;
    let (at, ago) = (view.time_before(*ago_seconds), shown(*ago_seconds));
    let cause = cause.as_ref().filter(|_| !passed).map_or_else(String::new, |cause| format!(" ({cause})"));
    format!("found at {at}, {ago} ago{cause}: {}", show_last(last))
}

/// The counter, and the effect of the check on the service.
fn counted(check: &CheckStatus) -> String {
    let CheckStatus { state, streak, rise, fall, .. } = check;
    if check.is_unseen() {
        return "is not counted: no probe of it has passed yet, and until one has, a failure does nothing"
            .to_owned();
    }
    let falls = format!("{fall} failures in a row make it down");
    let counter = match state.as_str() {
        "up" if check.on_fail == Some(Severity::Observe) => format!("is up: {falls}, which moves no route"),
        "up" => format!("is up: {falls}"),
        "falling" => format!("is falling: {streak} of {fall} failures in a row"),
        "down" if check.fails_milder => {
            format!("is down, and fails milder now: {rise} such results, or passes, in a row end its effect")
        }
        "down" => format!("is down: {rise} passes in a row make it up"),
        "rising" => format!("is rising: {streak} of {rise} passes in a row"),
        _ => format!("has no verdict yet: it takes {rise} passes or {fall} failures in a row"),
    };
    let effect = match check.severity {
        _ if check.unproven => "; its failures do nothing until it has been up",
        Some(Severity::Down) => "; it brings the service down",
        Some(Severity::Degraded) => "; it degrades the service",
        _ if check.on_fail == Some(Severity::Observe) => "; its failures are only observed",
        _ => "",
    };
    let unknown = if check.unknown_for_seconds.is_some() {
        "; its last outcome says nothing about the server and is not counted"
    } else {
        ""
    };
    format!("{counter}{effect}{unknown}")
}
