//! The readable parts of a service.

use std::time::Duration;

use super::drained::Disabled;
use super::{Service, ServiceState};
use crate::engine::check::{Check, Severity};
use crate::engine::dampening::window::counted_in_window;
use crate::engine::hysteresis::CheckState;
use crate::engine::ladder::Stated;
use crate::engine::moment::Moment;
use crate::engine::notice::until::Until;
use crate::engine::order::{Kind, Orders};
use crate::exabgp::Advertisement;
use crate::text::joined;
use crate::text::period::Period;

impl Service {
    /// The name, as configured.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The state.
    pub(crate) const fn state(&self) -> ServiceState {
        self.state
    }

    /// Whether its disable-file existed when last looked for.
    pub(crate) const fn is_disabled(&self) -> bool {
        !matches!(self.disabled, Disabled::No)
    }

    /// Whether its checks bring it down and it is not drained.
    pub(crate) fn is_unwell(&self) -> bool {
        self.health == Some(Severity::Down) && !self.is_drained()
    }

    /// Its orders of one kind.
    pub(crate) const fn orders(&self, kind: Kind) -> &Orders {
        match kind {
            Kind::Drain => &self.drains,
            Kind::Hold => &self.holds,
        }
    }

    /// Its checks.
    pub(crate) fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The remaining time for which it stays withdrawn though its checks are up; `None` if it does not.
    pub(crate) fn returns_in(&self, now: Moment) -> Option<Duration> {
        self.dampening.returns_at().filter(|_| self.awaits_return).map(|until| until.since(now))
    }

    /// The desired advertisement of its route at this place; `None` as long as there is none.
    pub(crate) fn stated(&self, route: usize) -> Option<&Advertisement> {
        self.advertisement(self.stated?, route)
    }

    pub(super) fn advertisement(&self, stated: Stated, route: usize) -> Option<&Advertisement> {
        match stated {
            Stated::Withdraw => Some(&Advertisement::Withdraw),
            Stated::For(state) => self.ladders.get(route)?.at(state),
        }
    }

    /// The condition for its return, as long as it is withdrawn.
    pub(crate) fn until(&self, now: Moment) -> Until {
        match self.state {
            _ if !self.enabled => Until::Enabled,
            ServiceState::Drained if self.is_disabled() => Until::FileGone,
            // The reason names the condition.
            ServiceState::Drained if self.drains.is_empty() => Until::Open,
            ServiceState::Drained => {
                Until::drains_end(now, &self.drains, Until::undrained(&self.name, &self.drains))
            }
            ServiceState::Down if self.lacks_address() && !self.holds.is_empty() => Until::AddressBack,
            ServiceState::Down if self.health == Some(Severity::Down) => {
                match self.dampening.reused_at().filter(|_| self.dampening.enforced()) {
                    Some(at) => Until::ChecksPassAnd(at.since(now)),
                    None if self.return_takes() > self.rises_in => Until::ChecksPassFor(self.return_takes()),
                    None => Until::ChecksPass,
                }
            }
            ServiceState::Down => self.returns_in(now).map_or(Until::Open, Until::Over),
            ServiceState::Up | ServiceState::Degraded | ServiceState::Starting => Until::Open,
        }
    }

    /// The checks that are down or unknown though the service is up, in parentheses.
    fn ignored(&self) -> String {
        let is_ignored = |check: &&Check| matches!(check.state(), CheckState::Unknown | CheckState::Down);
        let ignored = self.checks.iter().filter(is_ignored);
        let word = |check: &Check| match check.is_unproven() && check.state() == CheckState::Down {
            true => "not counted before its first pass",
            false => "ignored",
        };
        let by = |check: &Check| check.cause().map_or_else(String::new, |cause| format!(" by {cause}"));
        let one =
            |check: &Check| format!("{}: {}{}, {}", check.name(), check.state(), by(check), word(check));
        let shown = joined(ignored.map(one), "; ");
        if shown.is_empty() { shown } else { format!(" ({shown})") }
    }

    /// "the disable-file /run/off".
    pub(super) fn named_disable_file(&self) -> String {
        let path = self.disable_file.as_ref().map(|path| format!(" {}", path.display()));
        format!("the disable-file{}", path.unwrap_or_default())
    }

    /// The reason of its state at the time of the transition, or since another check degrades it. Later outcomes may point
    /// to another state.
    pub(crate) fn reason(&self) -> String {
        let fails = |check: &Check| check.verdict() == Some(Severity::Down) && check.failure().is_some();
        if self.state == ServiceState::Down
            && self.health == Some(Severity::Down)
            && self.are_all_unknown()
            && !self.checks.iter().any(fails)
        {
            // The failure of then is over, and the checks that would have to pass have no result.
            return self.what_stands(self.state) + &self.unknown_suffix();
        }
        // Without a verdict another statement may stand than at the entry.
        let at_entry = self.entry_reason.clone().filter(|_| self.state != ServiceState::Starting);
        at_entry.unwrap_or_else(|| self.explain())
    }

    /// Says which announcement or withdraw stands until the checks pass.
    pub(super) fn what_stands(&self, state: ServiceState) -> String {
        let announces =
            (0..self.ladders.len()).any(|place| self.stated(place).is_some_and(Advertisement::announces));
        let stays = if announces { "stays announced as" } else { "stays withdrawn" };
        match (state, announces) {
            (ServiceState::Drained, _) if !self.drains.is_empty() => {
                let needs = self.drains.iter().any(|(_, drain)| !drain.needs.is_empty());
                format!("its drain ends {}", self.ends_once_healthy(needs))
            }
            (ServiceState::Drained, true) => format!("drain ended; {stays} drained until its checks pass"),
            (ServiceState::Drained, false) => {
                format!("drain ended; {stays} until its checks pass{}", self.and_reuse())
            }
            (_, true) => format!("{stays} {state} until its checks pass"),
            (_, false) => format!("{state}, and {stays} until its checks pass"),
        }
    }

    /// The end of a sentence if no witness has a result ([`Self::are_all_unknown`]).
    fn unknown_suffix(&self) -> String {
        if self.are_all_unknown() { format!("; {}", self.explain_unknown()) } else { String::new() }
    }

    /// Says that no witness has a result, and why.
    fn explain_unknown(&self) -> String {
        format!("all {}s unknown: {}", self.unknown_kind(), self.why_unknown())
    }

    /// Of the checks with the worst verdict, the one whose failure is nearest to the root, or if all pass again, the one that
    /// needs the longest to rise; of equals the last. With its place.
    fn blamed(&self) -> Option<(usize, &Check)> {
        let key = |check: &Check| (check.verdict(), check.nearness_to_root(), check.time_to_rise());
        self.checks.iter().enumerate().max_by_key(|(_, check)| key(check))
    }

    /// The check that degrades it, by its place, and whether its window does; `None` if no check does.
    pub(super) fn degraded_by(&self) -> Option<(usize, bool)> {
        let by_checks = self.state == ServiceState::Degraded
            && self.health == Some(Severity::Degraded)
            && !self.unknown_checks.all_unknown;
        self.blamed().filter(|_| by_checks).map(|(place, check)| (place, check.is_lossy()))
    }

    /// The reason of its state.
    pub(crate) fn explain(&self) -> String {
        if self.state == ServiceState::Up && self.is_pinned() {
            return self.explain_holds();
        }
        self.explain_state(self.state)
    }

    /// The reason of this state, or of the one without a hold.
    pub(super) fn explain_state(&self, state: ServiceState) -> String {
        match state {
            _ if !self.enabled => "`enabled = false` in the configuration".to_owned(),
            ServiceState::Down | ServiceState::Drained if self.warms_until.is_some() => {
                "asks for the names of `warm-up` before it returns".to_owned()
            }
            ServiceState::Drained if self.is_disabled() => {
                let remembered = self.disabled == Disabled::Remembered;
                let exists = if remembered { "existed when last seen" } else { "exists" };
                format!("{} {exists}", self.named_disable_file())
            }
            ServiceState::Drained if self.drains.is_empty() => {
                self.what_stands(state) + &self.unknown_suffix()
            }
            ServiceState::Drained => {
                let drains = self.drains.reasons("drains it");
                let unknown = if self.waits_for_checks() { self.unknown_suffix() } else { String::new() };
                drains + &unknown
            }
            ServiceState::Down if self.health != Some(Severity::Down) && self.dampening.enforced() => {
                "suppressed by dampening".to_owned()
            }
            ServiceState::Down if self.health != Some(Severity::Down) => {
                let falls = self.dampening.return_time.withdrawn_by();
                format!("passes again, and waits after {}", counted_in_window(falls, "fall"))
            }
            ServiceState::Degraded if self.recovers.is_some() && self.health == Some(Severity::Observe) => {
                format!("returns with the attributes of `degraded` for {}", Period(self.recovery))
            }
            ServiceState::Degraded if self.unknown_checks.all_unknown => self.explain_unknown(),
            ServiceState::Down | ServiceState::Degraded => {
                let worst = self.blamed().map(|(_, check)| check);
                let why = worst.map_or_else(String::new, |check| match check.failure() {
                    // The reason names its subject.
                    Some(failure) if check.names_an_ended_process() => failure.to_owned(),
                    Some(failure) if check.fails_milder() => format!(
                        "check {} fails milder now, but not yet {} times in a row: {failure}",
                        check.name(),
                        check.timing.thresholds.rise
                    ),
                    Some(failure) => format!("check {}: {failure}{}", check.name(), check.end_of_loss()),
                    None => format!(
                        "check {} passes again, but not yet {} times in a row",
                        check.name(),
                        check.timing.thresholds.rise
                    ),
                });
                let is_stale = worst.is_some_and(|check| check.unknown.is_some());
                if is_stale { why + &self.unknown_suffix() } else { why }
            }
            ServiceState::Up => format!("required checks pass{}", self.ignored()),
            ServiceState::Starting if self.unknown_checks.stated_without_verdict => {
                let stands = match self.stands_without_verdict {
                    None => "no earlier state stands, so its prefixes are withdrawn",
                    Some(_) if self.lost_verdict => "what was decided before the reload stands",
                    Some(_) => "what was acknowledged last stands",
                };
                format!("no verdict: {}; {stands}", self.why_unknown())
            }
            ServiceState::Starting if self.lost_verdict => {
                "no verdict since a reload changed its checks; its last announcement or withdraw stands"
                    .to_owned()
            }
            ServiceState::Starting if self.checks.is_empty() && self.prefixes.is_empty() => {
                "no usable configuration; no prefix is known to be announced".to_owned()
            }
            ServiceState::Starting if self.checks.is_empty() => {
                "no usable configuration; its known prefixes are withdrawn until there is one".to_owned()
            }
            ServiceState::Starting if self.stated == Some(Stated::Withdraw) => {
                "no verdict yet; its prefixes are withdrawn until there is one".to_owned()
            }
            ServiceState::Starting if self.stated.is_some() => {
                "no verdict yet; its last announcement or withdraw stands".to_owned()
            }
            ServiceState::Starting => "no verdict yet".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
