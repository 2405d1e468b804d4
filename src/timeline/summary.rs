//! The figures of a simulation: how long each service was announced, how long a fault took to be seen, what was wrong.

use std::time::Duration;

use serde::Serialize;

use super::outcomes::Count;
use super::sign::Sign;
use super::track::Track;
use super::{ServiceTrack, Timeline};
use crate::engine::moment::Moment;
use crate::text::period::Shown;

/// The figures of all services.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Summary {
    /// The time from the begin to the end.
    pub(crate) seconds: f64,
    pub(crate) services: Vec<ServiceSummary>,
}

/// The figures of a service.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ServiceSummary {
    pub(crate) name: String,
    /// The share of the time in which a prefix was announced, from 0 to 1.
    pub(crate) announced: f64,
    /// How often the last announced prefix was withdrawn.
    pub(crate) withdrawals: usize,
    /// How long it was withdrawn after each; the last may go on at the end.
    pub(crate) withdrawn: Times,
    pub(crate) degraded_seconds: f64,
    /// Held down by dampening.
    pub(crate) held_seconds: f64,
    pub(crate) drained_seconds: f64,
    /// The highest penalty.
    pub(crate) penalty: f64,
    /// Rounds of its checks, each with all probes of a check.
    pub(crate) probes: u64,
    /// Those that failed.
    pub(crate) probes_failed: u64,
    /// Those without a result.
    pub(crate) probes_unknown: u64,
    /// From the first failure of the check that decided to the acknowledged withdraw.
    pub(crate) first_failure_to_withdraw: Times,
    /// The figures that need the truth; only where the trace tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) truth: Option<Truth>,
}

/// What the decisions were worth.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Truth {
    /// Times at which the server failed while it was announced.
    pub(crate) faults: usize,
    /// Faults without a withdraw before they ended, or before the trace ended.
    pub(crate) faults_not_withdrawn: usize,
    /// From the begin of a fault to the acknowledged withdraw.
    pub(crate) fault_to_withdraw: Times,
    /// From the end of a fault to the acknowledged announcement.
    pub(crate) repair_to_announce: Times,
    /// Withdraws, without those of a drain, that took effect while the server served.
    pub(crate) false_withdrawals: usize,
    pub(crate) announced_while_failing_seconds: f64,
    pub(crate) withdrawn_while_serving_seconds: f64,
}

/// Several durations.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Times {
    pub(crate) count: usize,
    pub(crate) median_seconds: Option<f64>,
    pub(crate) longest_seconds: Option<f64>,
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort_unstable();
        let seconds = |time: Option<&Duration>| time.map(Duration::as_secs_f64);
        Self {
            count: times.len(),
            median_seconds: seconds(times.get(times.len().saturating_sub(1) / 2)),
            longest_seconds: seconds(times.last()),
        }
    }
}

impl Times {
    fn shown(&self) -> String {
        match (self.median_seconds, self.longest_seconds) {
            (Some(median), Some(longest)) if median < longest => {
                format!("{} (at most {})", shown(median), shown(longest))
            }
            (Some(only), _) => shown(only),
            _ => "-".to_owned(),
        }
    }
}

fn shown(seconds: f64) -> String {
    Shown(Duration::from_secs_f64(seconds)).to_string()
}

impl Timeline {
    /// Computes the figures.
    pub(crate) fn summary(&self) -> Summary {
        let whole = self.end.since(self.begin);
        let services = self.services.iter().map(|service| ServiceSummary::new(service, whole, self.end));
        Summary { seconds: whole.as_secs_f64(), services: services.collect() }
    }
}

impl ServiceTrack {
    /// Whether any prefix is announced.
    pub(crate) fn announced(&self) -> Track<bool> {
        let changes = self.routes.iter().flat_map(|route| &route.states.changes);
        let mut times: Vec<_> = changes.map(|(at, _)| *at).collect();
        times.sort_unstable();
        times.dedup();
        let mut announced = Track::default();
        for at in times {
            announced.note(at, self.routes.iter().any(|route| route.states.at(at) == Some(Sign::Good)));
        }
        announced
    }

    /// When the check that decided at `at` had failed first.
    fn first_failure(&self, at: Moment) -> Option<Moment> {
        let falls = self.checks.iter().filter_map(|check| {
            let changes = &check.states.changes;
            let place = changes.partition_point(|(since, _)| *since <= at).checked_sub(1)?;
            let (down, sign) = changes[place];
            let before = place.checked_sub(1).map(|before| changes[before]);
            let first = before.filter(|(_, sign)| *sign == Sign::Falling).map_or(down, |(first, _)| first);
            (sign == Sign::Down).then_some((down, first))
        });
        falls.max().map(|(_, first)| first)
    }

    /// Whether the service is drained at `at`, by an operator, a restart or a disable-file.
    fn is_drained(&self, at: Moment) -> bool {
        self.states.at(at) == Some(Sign::Drained)
    }
}

impl ServiceSummary {
    /// The figures of the time `whole` until `end`.
    fn new(service: &ServiceTrack, whole: Duration, end: Moment) -> Self {
        let announced = service.announced();
        let whole = whole.as_secs_f64();
        let share = announced.lasted(end, |is| is).as_secs_f64() / whole;
        let mut rounds = Count::default();
        service.checks.iter().for_each(|check| rounds.add(check.outcomes.total()));
        let withdraws = withdraws(&announced);
        let seconds = |sign| service.states.lasted(end, |is| is == sign).as_secs_f64();
        let by_checks = withdraws.iter().filter(|at| !service.is_drained(**at));
        let known = |at: &Moment| service.first_failure(*at).map(|first| at.since(first));
        Self {
            name: service.name.clone(),
            announced: if whole > 0.0 { share } else { 0.0 },
            withdrawals: withdraws.len(),
            withdrawn: withdraws
                .iter()
                .map(|at| announced.first(*at, |is| is).unwrap_or(end).since(*at))
                .collect(),
            degraded_seconds: seconds(Sign::Degraded),
            held_seconds: seconds(Sign::Held),
            drained_seconds: seconds(Sign::Drained),
            penalty: service.penalty.peak(),
            probes: rounds.passed + rounds.failed + rounds.unknown,
            probes_failed: rounds.failed,
            probes_unknown: rounds.unknown,
            first_failure_to_withdraw: by_checks.filter_map(known).collect(),
            truth: (!service.truth.changes.is_empty()).then(|| Truth::new(service, &announced, end)),
        }
    }

    /// The figures as rows of a table: name and value.
    fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("announced", percent(self.announced)),
            ("withdrawals", self.withdrawals.to_string()),
            ("withdrawn for", self.withdrawn.shown()),
            ("first failure to withdraw", self.first_failure_to_withdraw.shown()),
            ("degraded", shown(self.degraded_seconds)),
            ("held by dampening", shown(self.held_seconds)),
            ("drained", shown(self.drained_seconds)),
            ("highest penalty", format!("{:.0}", self.penalty)),
            ("rounds that failed", format!("{} of {}", self.probes_failed, self.probes)),
            ("rounds without a result", self.probes_unknown.to_string()),
        ];
        if let Some(truth) = &self.truth {
            rows.extend([
                ("faults while announced", truth.faults.to_string()),
                ("faults without a withdraw", truth.faults_not_withdrawn.to_string()),
                ("fault to withdraw", truth.fault_to_withdraw.shown()),
                ("repair to announcement", truth.repair_to_announce.shown()),
                ("false withdrawals", truth.false_withdrawals.to_string()),
                ("announced while it failed", shown(truth.announced_while_failing_seconds)),
                ("withdrawn while it served", shown(truth.withdrawn_while_serving_seconds)),
            ]);
        }
        rows
    }
}

impl Truth {
    fn new(service: &ServiceTrack, announced: &Track<bool>, end: Moment) -> Self {
        let is_announced = |at| announced.at(at) == Some(true);
        let faults = service.truth.spans(end).filter(|(from, _, serves)| !serves && is_announced(*from));
        let found: Vec<_> =
            faults.map(|(from, until, _)| (from, until, announced.first(from, |is| !is))).collect();
        let noticed = found.iter().filter_map(|(from, until, seen)| {
            seen.filter(|seen| seen <= until).map(|seen| seen.since(*from))
        });
        let repairs =
            service.truth.spans(end).skip(1).filter(|(from, _, serves)| *serves && !is_announced(*from));
        let returned = repairs.filter_map(|(from, until, _)| {
            announced.first(from, |is| is).filter(|at| *at <= until).map(|at| at.since(from))
        });
        let fault_to_withdraw: Times = noticed.collect();
        let served = |at: &Moment| service.truth.at(*at) == Some(true) && !service.is_drained(*at);
        Self {
            faults: found.len(),
            faults_not_withdrawn: found.len() - fault_to_withdraw.count,
            fault_to_withdraw,
            repair_to_announce: returned.collect(),
            false_withdrawals: withdraws(announced).iter().filter(|at| served(at)).count(),
            announced_while_failing_seconds: both(announced, true, &service.truth, false, end),
            withdrawn_while_serving_seconds: both(announced, false, &service.truth, true, end),
        }
    }
}

/// The times at which the last announced prefix was withdrawn.
fn withdraws(announced: &Track<bool>) -> Vec<Moment> {
    let pairs = announced.changes.windows(2);
    pairs.filter(|pair| pair[0].1 && !pair[1].1).map(|pair| pair[1].0).collect()
}

/// How many seconds `one` and `other` had these values at once, until `end`.
fn both(one: &Track<bool>, is: bool, other: &Track<bool>, other_is: bool, end: Moment) -> f64 {
    let mut spans = other.spans(end).filter(|(.., value)| *value == other_is).peekable();
    let mut sum = Duration::ZERO;
    for (from, until, _) in one.spans(end).filter(|(.., value)| *value == is) {
        while let Some((begin, finish, _)) = spans.peek().copied() {
            if begin >= until {
                break;
            }
            sum += until.min(finish).since(from.max(begin));
            if finish > until {
                break;
            }
            spans.next();
        }
    }
    sum.as_secs_f64()
}

fn percent(share: f64) -> String {
    // Not rounded to 100 % if it was withdrawn.
    format!("{:.3} %", (share * 100_000.0).floor() / 1000.0)
}

impl Summary {
    /// The summary as lines of text.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("Summary of {}\n", shown(self.seconds));
        for service in &self.services {
            text += &format!("{}\n", service.name);
            for (name, value) in service.rows() {
                text += &format!("  {name:<26}{value}\n");
            }
        }
        text
    }

    /// Both summaries side by side, under these titles. Services that only one has are shown, too.
    pub(crate) fn beside(&self, titles: [&str; 2], other: &Self) -> String {
        let mut text = format!("  {:<26}{:<26} {}\n", "", titles[0], titles[1]);
        let only_other = other.services.iter().filter(|service| self.find(&service.name).is_none());
        for name in self.services.iter().chain(only_other).map(|service| &service.name) {
            text += &format!("{name}\n");
            let rows =
                [self, other].map(|summary| summary.find(name).map_or_else(Vec::new, ServiceSummary::rows));
            let longest = if rows[0].len() < rows[1].len() { &rows[1] } else { &rows[0] };
            for (label, _) in longest {
                let value = |rows: &[(&str, String)]| {
                    rows.iter()
                        .find(|(name, _)| name == label)
                        .map_or_else(|| "-".to_owned(), |(_, value)| value.clone())
                };
                text += &format!("  {label:<26}{:<26} {}\n", value(&rows[0]), value(&rows[1]));
            }
        }
        text
    }

    fn find(&self, name: &str) -> Option<&ServiceSummary> {
        self.services.iter().find(|service| service.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    fn track(changes: &[(u64, bool)]) -> Track<bool> {
        Track { changes: changes.iter().map(|(seconds, value)| (at(*seconds), *value)).collect() }
    }

    #[test]
    fn the_time_of_both_is_that_of_the_intersection() {
        let announced = track(&[(0, true), (10, false), (20, true), (30, false)]);
        let serves = track(&[(0, true), (8, false), (12, true), (28, false), (29, true)]);
        assert_eq!(both(&announced, true, &serves, false, at(40)), 3.0);
        assert_eq!(both(&announced, false, &serves, true, at(40)), 18.0);
        assert_eq!(both(&announced, true, &serves, true, at(40)), 17.0);
    }

    #[test]
    fn times_have_a_median_and_the_longest() {
        let times: Times = [3, 1, 2, 9].map(Duration::from_secs).into_iter().collect();
        assert_eq!((times.count, times.median_seconds, times.longest_seconds), (4, Some(2.0), Some(9.0)));
        assert_eq!(Times::default().shown(), "-");
    }

    #[test]
    fn a_share_is_never_rounded_up() {
        assert_eq!(percent(1.0), "100.000 %");
        assert_eq!(percent(0.999_999_9), "99.999 %");
    }
}
