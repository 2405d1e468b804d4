//! The next change of a service, and its time: the earliest, or where the words say so the latest.

use std::fmt::Write as _;

use super::{Service, ServiceState};
use crate::engine::check::forecast::Forecast;
use crate::engine::check::{Check, Severity};
use crate::engine::dampening::window::counted_in_window;
use crate::engine::moment::Moment;
use crate::engine::notice::until::Until;
use crate::exabgp::Advertisement;
use crate::text::joined;

/// The next change, as words around one point in time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Next {
    /// The words before the time; the whole sentence if there is none.
    before: String,
    /// The earliest time, or where the words say so the latest; `None` if it depends on an operator, or on the outcomes of the
    /// checks.
    at: Option<Moment>,
    /// The words after the time, with punctuation.
    after: String,
}

impl Next {
    /// A change without a time.
    fn open(text: String) -> Self {
        Self { before: text, at: None, after: String::new() }
    }

    fn timed(before: impl Into<String>, at: Moment, after: impl Into<String>) -> Self {
        Self { before: before.into(), at: Some(at), after: after.into() }
    }

    /// Its time, if there is one.
    pub(crate) const fn at(&self) -> Option<Moment> {
        self.at
    }

    /// The sentence, with the time as `shown` writes it.
    pub(crate) fn text(&self, shown: impl Fn(Moment) -> String) -> String {
        match self.at {
            None => self.before.clone(),
            Some(at) => format!("{} {}{}", self.before, shown(at), self.after),
        }
    }
}

impl Service {
    /// The next change if every check repeats its last outcome and no operator acts; `until` is the condition for its
    /// return. `None` for a service that serves and expects no change.
    pub(crate) fn next(&self, now: Moment, until: &Until) -> Option<Next> {
        match self.state {
            _ if !self.enabled => {
                Some(Next::open("withdrawn until `enabled = true` and `dnsherald reload`".to_owned()))
            }
            ServiceState::Drained | ServiceState::Down if self.warms_until.is_some() => self.after_warm_up(),
            ServiceState::Drained => Some(self.after_drain(now, until)),
            ServiceState::Up if self.is_pinned() => self.after_hold(),
            ServiceState::Down => Some(self.after_down(now, until)),
            ServiceState::Starting => self.first_verdict(now),
            ServiceState::Degraded => self.falling(now).or_else(|| self.after_degraded(now)),
            ServiceState::Up => self.falling(now),
        }
    }

    fn after_drain(&self, now: Moment, until: &Until) -> Next {
        let is_held_at =
            |end| self.holds.all_over_at().is_some_and(|over| over > end) && !self.lacks_address();
        // A hold announces it only once no drain is left.
        let then = |ends_last: bool| match ends_last && is_held_at(now) {
            true => "; its hold then announces it",
            false => "",
        };
        let command = |until: &Until| until.to_string().trim_start_matches("; until ").to_owned();
        match until {
            Until::FileGone => {
                let then = then(self.drains.is_empty());
                Next::open(format!("drained until {} is removed{then}", self.named_disable_file()))
            }
            Until::Over(time) if is_held_at(now + *time) => {
                Next::timed("drain ends", now + *time, ", then its hold announces it")
            }
            Until::Over(time) | Until::ChecksPassAfter(time) => {
                Next::timed("drain ends", now + *time, ", then the checks must pass")
            }
            Until::Exit => {
                let undrain = command(&Until::undrained(&self.name, &self.drains));
                let ends_last = self.drains.only_endless().is_none()
                    && self.drains.iter().all(|(_, drain)| drain.until_exit);
                Next::open(format!("drained until the helper exits, or {undrain}{}", then(ends_last)))
            }
            Until::Undrained(..) | Until::UndrainedAll(_) => {
                let then = then(self.drains.only_endless().is_none());
                Next::open(format!("drained until {}{}{then}", command(until), self.drains_beside_endless()))
            }
            // Only the checks remain to wait for.
            _ if self.drains.is_empty() => self.after_checks_pass(now, ""),
            _ => match self.drains.all_over_at().filter(|end| is_held_at(*end)) {
                Some(end) => Next::timed(
                    "drain ends at the latest",
                    end,
                    ", or once its checks pass; its hold then announces it",
                ),
                None => self.after_checks_pass(now, ", then the drain ends"),
            },
        }
    }

    /// The drains beside the only one that an operator has to end, as the end of a sentence.
    fn drains_beside_endless(&self) -> String {
        let Some(endless) = self.drains.only_endless() else { return String::new() };
        let others = self.drains.iter().map(|(holder, _)| holder).filter(|holder| *holder != endless);
        match joined(others, ", ") {
            none if none.is_empty() => none,
            others => format!(", and until the drain by {others} ends"),
        }
    }

    fn after_warm_up(&self) -> Option<Next> {
        let before = format!("{} at the latest", self.returns());
        Some(Next::timed(before, self.warms_until?, ", once the names of `warm-up` are asked"))
    }

    fn after_hold(&self) -> Option<Next> {
        let at = self.holds.all_over_at()?;
        let then = match self.without_hold() {
            None => ", then the checks decide".to_owned(),
            Some(state) => format!(", then {}", self.becomes(state)),
        };
        Some(Next::timed("held until", at, format!(" by {}{then}", self.hold_holders())))
    }

    fn hold_holders(&self) -> String {
        joined(self.holds.iter().map(|(holder, _)| holder), ", ")
    }

    fn after_down(&self, now: Moment, until: &Until) -> Next {
        if *until == Until::AddressBack {
            return Next::open(format!(
                "{} at once when its address is back, whatever its checks say: held by {}",
                self.becomes(ServiceState::Up),
                self.hold_holders()
            ));
        }
        if self.health == Some(Severity::Down) {
            return self.after_checks_pass(now, "");
        }
        // Its checks are up, and its falls hold it down.
        let undampen = format!(", or `dnsherald undampen {}`", self.name);
        match self.dampening.returns_at() {
            Some(at) if self.dampening.enforced() => Next::timed("suppressed until", at, undampen),
            Some(at) => {
                let falls = counted_in_window(self.dampening.return_time.withdrawn_by(), "fall");
                let why = format!(" (waits after {falls}){undampen}");
                Next::timed(format!("{} at", self.returns()), at, why)
            }
            None => Next::open(format!("{} at once", self.returns())),
        }
    }

    /// The return of a service whose checks have to pass first.
    fn after_checks_pass(&self, now: Moment, then: &str) -> Next {
        if self.are_all_unknown() {
            let returns = self.returns();
            return Next::open(format!("{returns} once the checks pass{then}"));
        }
        // The end of a drain may need a check that only degrades the service.
        let needed = |check: &Check| {
            let is_needed =
                self.drains.iter().any(|(_, drain)| drain.needs.iter().any(|name| name == check.name()));
            if is_needed { Severity::Degraded } else { Severity::Down }
        };
        let counts = |check: &Check| self.drains.is_empty() || self.keeps_drains(check);
        let rises = |check: &Check| {
            check.rises(now, needed(check), self.shortest_interval()).filter(|_| counts(check))
        };
        let Some((last, text)) = self.ahead(rises, "passes") else {
            return Next::open(format!("{} once the checks decide{then}", self.returns()));
        };
        let undampen = || format!(", or `dnsherald undampen {}`", self.name);
        if let Some(reuse) = self.dampening.reused_at().filter(|at| self.dampening.enforced() && *at > last) {
            let after = format!("{then}, if the checks pass by then ({text}){}", undampen());
            return Next::timed("suppressed until", reuse, after);
        }
        // The delay that its falls add to the time of the checks.
        let waits = self.return_takes().saturating_sub(self.rises_in);
        let earliest = if self.drains.is_empty() && !self.revalidating { last + waits } else { last };
        Next::timed(format!("{} at the earliest", self.returns()), earliest, format!(" ({text}){then}"))
    }

    fn after_degraded(&self, now: Moment) -> Option<Next> {
        if let Some(until) = self.recovers.filter(|_| self.health == Some(Severity::Observe)) {
            return Some(Next::timed("up at", until, ", at the end of its recovery"));
        }
        if self.unknown_checks.all_unknown {
            return Some(Next::open("up once the checks have results again".to_owned()));
        }
        let (at, text) =
            self.ahead(|check| check.rises(now, Severity::Degraded, self.shortest_interval()), "passes")?;
        Some(Next::timed("up at the earliest", at, format!(" ({text})")))
    }

    fn first_verdict(&self, now: Moment) -> Option<Next> {
        if self.checks.iter().any(|check| check.decides() && check.unknown.is_some()) {
            let text = "decided once the checks have a result";
            return Some(match self.unknown_deadline() {
                Some(at) => Next::timed(format!("{text}, without them at"), at, ""),
                None => Next::open(text.to_owned()),
            });
        }
        if let Some(next) = self.falling(now) {
            return Some(next);
        }
        let (at, text) =
            self.ahead(|check| check.rises(now, Severity::Down, self.shortest_interval()), "passes")?;
        Some(Next::timed(
            format!("{} at the earliest", self.becomes(ServiceState::Up)),
            at,
            format!(" ({text})"),
        ))
    }

    /// The fall that failing checks lead to, the worst first.
    fn falling(&self, now: Moment) -> Option<Next> {
        let soonest = |severity| {
            let falls =
                self.checks.iter().filter(|check| check.decides()).filter_map(move |check| {
                    check.falls(now, severity).map(|forecast| (forecast, check.name()))
                });
            falls.min_by_key(|(forecast, _)| forecast.at)
        };
        let degrades = || soonest(Severity::Degraded).filter(|_| self.state != ServiceState::Degraded);
        let down = soonest(Severity::Down).map(|falls| (falls, ServiceState::Down));
        let ((Forecast { have, need, at }, name), state) =
            down.or_else(|| degrades().map(|falls| (falls, ServiceState::Degraded)))?;
        let before = format!("{} at the earliest", self.becomes(state));
        Some(Next::timed(before, at, format!(" if check {name} keeps failing ({have} of {need})")))
    }

    /// The last of the pending verdicts of the checks, and the progress of each in words.
    fn ahead(
        &self,
        forecast: impl Fn(&Check) -> Option<Forecast>,
        results: &str,
    ) -> Option<(Moment, String)> {
        let mut last = None;
        let mut text = String::new();
        for check in self.checks.iter().filter(|check| check.decides()) {
            let Some(Forecast { have, need, at }) = forecast(check) else { continue };
            last = last.max(Some(at));
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let results = if check.fails_milder() { "milder results" } else { results };
            let _ = write!(text, "{comma}{}: {have} of {need} {results}", check.name());
        }
        last.map(|last| (last, text))
    }

    /// The effect of its return on its routes. With `recovery` it is degraded first.
    fn returns(&self) -> String {
        match if self.recovery.is_zero() { ServiceState::Up } else { ServiceState::Degraded } {
            state if self.announces_in(state) => "announced".to_owned(),
            ServiceState::Up => "withdrawn".to_owned(),
            state => format!("{state}, still withdrawn,"),
        }
    }

    /// The effect of this state on its routes, after the name of the state if the effect does not imply it.
    fn becomes(&self, state: ServiceState) -> String {
        match self.announces_in(state) {
            false => "withdrawn".to_owned(),
            true if state == ServiceState::Up => "announced".to_owned(),
            true if self.state == ServiceState::Starting => format!("{state}, announced,"),
            true => format!("{state}, still announced,"),
        }
    }

    fn announces_in(&self, state: ServiceState) -> bool {
        self.ladders.iter().any(|ladder| ladder.at(state).is_some_and(Advertisement::announces))
    }
}

#[cfg(test)]
mod tests;
