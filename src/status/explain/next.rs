//! The possible changes of a service, their earliest time, and the commands that cause them.

use super::{Stage, Step};
use crate::engine::check::Severity;
use crate::status::view::View;
use crate::status::{CheckStatus, Service};

/// The next change, then the remedies.
pub(super) fn steps(service: &Service, remedies: Vec<String>, view: &View) -> Vec<Step> {
    let mut steps = vec![];
    match &service.next {
        Some(next) => steps.push(Step::new(Stage::Next, None, view.next(next), next.at)),
        None => steps.extend(earliest_fall(service, view)),
    }
    steps.extend(remedies.into_iter().map(|text| Step::new(Stage::Remedy, None, text, None)));
    steps
}

/// The fall of a service with nothing ahead that could come first.
fn earliest_fall(service: &Service, view: &View) -> Option<Step> {
    let falls = |check: &CheckStatus| {
        let further = f64::from(check.fall.saturating_sub(check.streak).saturating_sub(1));
        Some(check.due_in_seconds.unwrap_or(0.0) + further * check.fast_interval_seconds?)
    };
    let can =
        service.checks.iter().filter(|check| check.on_fail == Some(Severity::Down) && !check.is_unseen());
    let (check, seconds) = can
        .filter_map(|check| Some((check, falls(check)?)))
        .min_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let text = format!(
        "nothing is ahead; by counted failures it can go down at {} at the earliest: {} in a row of check {}",
        view.time_after(seconds),
        check.fall,
        check.name
    );
    Some(Step::new(Stage::Next, None, text, None))
}
