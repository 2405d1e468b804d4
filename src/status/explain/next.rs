//! The possible changes of a service, their earliest time, and the commands that cause them.

use super::rule::Rule;
use super::{Stage, Step, advice};
use crate::engine::check::Severity;
use crate::status::view::View;
use crate::status::{CheckStatus, Service};

/// The next change, then the remedies.
pub(super) fn steps(service: &Service, rule: Rule, view: &View) -> Vec<Step> {
    let mut steps = vec![];
    match &service.next {
        Some(next) => steps.push(Step::new(Stage::Next, None, view.next(next), next.at)),
        None => steps.extend(earliest_fall(service, view)),
    }
    steps.extend(remedies(service, rule).into_iter().map(|text| Step::new(Stage::Remedy, None, text, None)));
    steps
}

/// The fall of a service with nothing ahead that could come first.
fn earliest_fall(service: &Service, view: &View) -> Option<Step> {
    let falls = |check: &CheckStatus| {
        let further = f64::from(check.fall.saturating_sub(check.streak).saturating_sub(1));
        Some(check.due_in_seconds.unwrap_or(0.0) + further * check.fast_interval_seconds?)
    };
    let can = service.checks.iter().filter(|check| check.on_fail == Some(Severity::Down));
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

fn remedies(service: &Service, rule: Rule) -> Vec<String> {
    let name = &service.name;
    let mut remedies = match rule {
        Rule::NotEnabled => vec!["set `enabled = true`, then `dnsherald reload`".to_owned()],
        Rule::DisableFile => vec!["remove the disable-file".to_owned()],
        Rule::Drain => {
            let ends = service.drains.iter().map(|drain| match (&drain.holder, drain.left_by()) {
                (holder, Some(backend)) => format!(
                    "repair the server (`dnsherald backend status {backend}`), then `dnsherald undrain {name} --as {holder} \
                     --once-healthy`"
                ),
                (holder, None) => format!("to end it: `dnsherald undrain {name} --as {holder}`"),
            });
            ends.collect()
        }
        Rule::Address | Rule::AfterDrain => advice::of(service),
        Rule::Hold => vec![format!("to end it: `dnsherald unhold {name}`")],
        Rule::Dampening => vec![format!("to end it: `dnsherald undampen {name}`")],
        Rule::WorstCheck if !service.is_serving() => {
            let hold = format!(
                "last, and only if the server answers clients and the check is wrong: `dnsherald hold {name} --for 1h \
                 --reason '…'`"
            );
            advice::of(service).into_iter().chain([hold]).collect()
        }
        Rule::WorstCheck | Rule::NoVerdict => advice::of(service),
        Rule::WarmUp => vec![],
    };
    if service.prefixes.iter().any(|prefix| prefix.refused) {
        remedies.push(
            "ExaBGP refuses a route: `dnsherald doctor` compares the neighbors with exabgp.conf".to_owned(),
        );
    }
    if rule != Rule::Dampening && service.dampening.suppressed {
        remedies.push(format!("dampening suppresses it, too; to end that: `dnsherald undampen {name}`"));
    }
    remedies
}
