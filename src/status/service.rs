//! A service, its prefixes, and its next event.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::time::Time;
use super::{CheckStatus, Dampening, Drain, Hold};
use crate::backend::served::lost_by;
use crate::engine::check::Severity;
use crate::engine::drain::{UNTOUCHED, ZoneAt};
use crate::engine::service::ServiceState;
use crate::text::{foreign, joined, ordered, sentence};

/// The next change of a service if nothing else happens.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Next {
    /// The change, in words; a time in them is written as in `at`.
    pub(crate) text: String,
    /// The earliest time, or where the text says so the latest; absent if it depends on an operator, or on the results of
    /// checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Time>,
    /// The time until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) in_seconds: Option<f64>,
}

/// The names of `warm-up` are asked.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct WarmUp {
    /// The time until its end at the latest.
    pub(crate) ends_in_seconds: f64,
    /// When that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ends_at: Option<Time>,
}

/// One service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Service {
    /// As configured.
    pub name: String,
    /// Whether it is probed and announced; one that is not enabled is `drained` in what follows.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The state.
    pub state: ServiceState,
    /// For how long it has had this state.
    pub(crate) for_seconds: f64,
    /// The reason.
    pub reason: String,
    /// Since when it has had this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Time>,
    /// The next change; absent if none is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<Next>,
    /// The DNS server behind it, if the configuration names one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) backend: Option<String>,
    /// The systemd unit of that server, if it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) unit: Option<String>,
    /// Why a reload of that server failed, or a reload or restart was refused; a later failure may add to it. Absent once a
    /// reload, a restart or a rollback of an operator has succeeded, or after a refusal once an operation has touched the server.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) failed_reload: Option<String>,
    /// The zones that this reload has lost, each with the address that answers queries for it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) lost_zones: Vec<ZoneAt>,
    /// The exits of its process within the last ten minutes and since it last served; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recent_exits: Option<u32>,
    /// Its prefixes.
    pub prefixes: Vec<Prefix>,
    /// Its checks.
    pub checks: Vec<CheckStatus>,
    /// Its record of falls.
    pub dampening: Dampening,
    /// Whether its disable-file exists.
    pub(crate) disabled: bool,
    /// Its drains.
    pub drains: Vec<Drain>,
    /// Its holds, which keep it announced against its checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// The state without the holds, if that is not `up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_hold: Option<ServiceState>,
    /// Its return waits until the names of `warm-up` are asked; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) warm_up: Option<WarmUp>,
}

/// The default of `enabled` in a document of an older helper, in which every service is enabled.
const fn yes() -> bool {
    true
}

impl Service {
    /// Whether a holder, the disable-file or the configuration drains it. After the drain its state stays `drained`
    /// until its checks have passed again.
    pub(crate) fn is_drained(&self) -> bool {
        !self.enabled || self.disabled || !self.drains.is_empty()
    }

    /// Whether it stays drained even if its checks pass.
    pub(crate) fn is_drained_for_good(&self) -> bool {
        !self.enabled || self.disabled || self.drains.iter().any(|drain| !drain.returning)
    }

    /// The time until the last of its drains ends; `None` if one has no end of its own.
    pub(crate) fn drains_end_in(&self) -> Option<f64> {
        let mut ends = self.drains.iter().map(|drain| drain.expires_in_seconds);
        ends.try_fold(0.0, |most: f64, left| Some(most.max(left?)))
    }

    /// The holds that announce it, whatever its checks say, once it is no longer drained: those that may outlast its drains.
    /// A drain that waits for the checks and has no end of its own ends only with them.
    pub(crate) fn holds_after_drains(&self) -> impl Iterator<Item = &Hold> {
        let ends_in = self.drains_end_in();
        let needs_checks = |drain: &Drain| drain.returning && drain.expires_in_seconds.is_none();
        let waits = self.drains.iter().any(needs_checks) || self.lacks_address();
        let outlasts = move |hold: &&Hold| !waits && ends_in.is_none_or(|end| hold.expires_in_seconds > end);
        self.holds.iter().filter(outlasts)
    }

    /// Whether it is up or degraded.
    #[must_use]
    pub const fn is_serving(&self) -> bool {
        matches!(self.state, ServiceState::Up | ServiceState::Degraded)
    }

    /// Whether it serves and a prefix of it is to be announced: `degraded` may withdraw. What `down` announces does not count.
    pub(crate) fn is_announced(&self) -> bool {
        self.is_serving() && self.prefixes.iter().any(Prefix::announces)
    }

    /// Why it does not serve, and the remedy, as the end of a sentence; `None` if it serves, or if only new verdicts of its
    /// checks are missing.
    pub(crate) fn why_not_announced(&self) -> Option<String> {
        self.why_withdrawn(None)
    }

    /// What the end of its holds did, as the end of a sentence: the prefixes that it announced `before` and withdraws now,
    /// and why; else as [`why_not_announced`](Self::why_not_announced).
    pub(crate) fn after_holds(&self, before: Option<&Self>) -> Option<String> {
        let former = before.map_or(&[][..], |before| &before.prefixes);
        let is_lost = |prefix: &&Prefix| {
            !prefix.announces()
                && former.iter().any(|other| other.prefix == prefix.prefix && other.announces())
        };
        // A prefix with an announcement for each uplink is there several times.
        let lost: BTreeSet<_> =
            ordered(self.prefixes.iter().filter(is_lost).map(|prefix| foreign(&prefix.prefix)));
        let lost = joined(lost, ", ");
        if lost.is_empty() {
            return self.why_not_announced();
        }
        let withdrawn = format!("is withdrawn now ({lost})");
        let why = self.why_withdrawn(Some(&withdrawn));
        why.or_else(|| Some(format!("{withdrawn}: it is {}: {}", self.state, sentence(&self.reason))))
    }

    /// As [`why_not_announced`](Self::why_not_announced); `withdrawn` says that this has just begun.
    fn why_withdrawn(&self, withdrawn: Option<&str>) -> Option<String> {
        // A table `down` may announce.
        let stays = match self.prefixes.iter().any(Prefix::announces) {
            _ if withdrawn.is_some() => withdrawn.unwrap_or_default().to_owned(),
            true => format!("stays announced as `{}` says", self.state),
            false => "stays withdrawn".to_owned(),
        };
        if self.is_serving() {
            return None;
        }
        if self.is_drained() {
            return Some(format!("is still drained: {}; {}", sentence(&self.reason), self.ends_its_drains()));
        }
        if let Some(missing) = self.missing_address() {
            return Some(format!(
                "{stays}: {}; no hold overrides a missing address: add it to an interface of this host",
                foreign(missing)
            ));
        }
        if let Some(held) = self.dampening.why_withdrawn() {
            let begins = withdrawn.map_or_else(String::new, |withdrawn| format!("{withdrawn}: it "));
            return Some(format!("{begins}is {held}; {}", self.dampening.remedy(&foreign(&self.name))));
        }
        let failing = self.checks.iter().find(|check| check.severity == Some(Severity::Down));
        let reason = match failing {
            _ if self.state == ServiceState::Down => self.reason.clone(),
            Some(check) => {
                let detail = check.last.as_ref().and_then(|last| last.detail.as_deref()).unwrap_or("failed");
                format!("check {}: {detail}", check.name)
            }
            None => return None,
        };
        Some(format!("{stays} until its checks pass: {}", sentence(&reason)))
    }

    /// What the operator does to end its drains.
    fn ends_its_drains(&self) -> String {
        let name = foreign(&self.name);
        match &self.drains[..] {
            _ if !self.enabled => "to end that: `enabled = true` and `dnsherald reload`".to_owned(),
            [] => "to end that: remove the file".to_owned(),
            _ if self.disabled => format!("to end that: remove the file, and dnsherald undrain {name}"),
            drains if drains.iter().all(|drain| drain.returning) => {
                "it returns once its checks pass".to_owned()
            }
            [drain] => format!("to end that: {}", drain.undrain(&self.name)),
            _ => format!("to end them all: dnsherald undrain {name}"),
        }
    }

    /// The reason of the check that finds an address missing on this host.
    pub(super) fn missing_address(&self) -> Option<&str> {
        let failing = self.checks.iter().filter(|check| check.severity == Some(Severity::Down));
        let mut last = failing.filter_map(|check| check.last.as_ref());
        let last = last.find(|last| last.cause.as_deref() == Some("address-missing"))?;
        last.detail.as_deref()
    }

    /// Whether a missing address keeps it withdrawn, whatever holds it.
    pub(crate) fn lacks_address(&self) -> bool {
        !self.is_serving() && self.missing_address().is_some()
    }

    /// Why the last reload of its server failed, and what ends this warning; `None` if it did not.
    pub(super) fn reload_failure(&self) -> Option<String> {
        let why = self.failed_reload.as_ref()?;
        let decide = if self.is_decided_by_checks() { "; the checks decide what is announced" } else { "" };
        Some(format!("{why}{decide}; until `backend reload` or `backend restart` succeeds"))
    }

    /// Whether neither the configuration, a drain, a hold nor dampening decides what is announced.
    fn is_decided_by_checks(&self) -> bool {
        let is_held = !self.holds.is_empty() && !self.lacks_address();
        let is_damped = self.dampening.why_withdrawn().is_some();
        self.enabled && self.state != ServiceState::Drained && !is_held && !is_damped
    }

    /// The zones that the last reload of its server has lost, if it failed. An older helper tells them in its text alone.
    pub(crate) fn lost_by_reload(&self) -> impl Iterator<Item = ZoneAt> {
        let told = self.failed_reload.iter().flat_map(|why| lost_by(why));
        told.chain(self.lost_zones.iter().cloned())
    }

    /// Why the last reload of its server failed, unless it has not touched the server, so that nothing is to repair.
    pub(crate) fn reload_to_repair(&self) -> Option<&str> {
        self.failed_reload.as_deref().filter(|why| !why.contains(UNTOUCHED))
    }

    /// Whether the last reload of its server failed, and the text of that names this check, or is cut and may name it.
    pub(crate) fn is_in_reload_failure(&self, check: &str) -> bool {
        let named = format!("check {check} of {} ", self.name);
        self.reload_to_repair().is_some_and(|why| why.contains(&named) || why.ends_with('…'))
    }

    /// Whether ExaBGP has acknowledged the desired state of every prefix.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.prefixes.iter().all(Prefix::is_settled)
    }
}

/// One prefix.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Prefix {
    /// The network.
    pub(crate) prefix: String,
    /// `announce …` or `withdraw`; `None` before the first decision.
    pub(crate) desired: Option<String>,
    /// The last state that ExaBGP has acknowledged; `None`, written `unknown`, if it has acknowledged or answered
    /// nothing.
    #[serde(with = "unknown")]
    pub acknowledged: Option<String>,
    /// For how long ExaBGP has not acknowledged the desired state; absent if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unacknowledged_for_seconds: Option<f64>,
    /// Whether ExaBGP has refused what is desired.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) refused: bool,
    /// Of the neighbors that it names, those without a report of ExaBGP, though it reports others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) without_session: Vec<String>,
    /// The last advertisement that was sent to ExaBGP and not refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) said: Option<String>,
    /// The result of the last command for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<Answered>,
    /// The time until the next command for it; absent if none is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) due_in_seconds: Option<f64>,
}

/// The result of a command.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Answered {
    /// How long ago.
    pub(crate) ago_seconds: f64,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Time>,
    /// The answer of ExaBGP.
    pub(crate) result: AnswerResult,
    /// Why it refused, if it said that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

/// The answer of ExaBGP to a command.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AnswerResult {
    /// `done`.
    Done,
    /// `error`.
    Refused,
    /// Nothing in time.
    Unanswered,
}

impl Prefix {
    /// Whether the desired state is an announcement.
    pub(crate) fn announces(&self) -> bool {
        self.desired.as_deref().is_some_and(announces)
    }

    /// That neighbors of an announcement may not get it, as a clause; empty if nothing points to that.
    pub(crate) fn not_known(&self) -> String {
        if self.without_session.is_empty() || !self.announces() {
            return String::new();
        }
        format!("not known: ExaBGP has told of no session with {}", self.without_session.join(", "))
    }

    /// Whether ExaBGP has acknowledged the desired state.
    pub(crate) fn is_settled(&self) -> bool {
        self.desired.is_some() && self.desired == self.acknowledged
    }
}

/// Whether a `desired` or `acknowledged` is an announcement. Toward named neighbors these words precede it, each with an
/// address.
pub(crate) fn announces(text: &str) -> bool {
    let mut words = text.split_whitespace();
    words.find(|word| matches!(*word, "announce" | "withdraw")) == Some("announce")
}

/// A value that may be unknown; then it is written `unknown`.
mod unknown {
    use serde::{Deserialize, Deserializer, Serializer};

    const UNKNOWN: &str = "unknown";

    pub(super) fn serialize<S: Serializer>(value: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.as_deref().unwrap_or(UNKNOWN))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<String>, D::Error> {
        let value: Option<String> = Deserialize::deserialize(deserializer)?;
        Ok(value.filter(|value| value != UNKNOWN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An announced service after a failed operation.
    fn after(why: &str) -> Service {
        let json = serde_json::json!({
            "name": "a", "state": "up", "for-seconds": 1.0, "reason": "", "prefixes": [], "checks": [], "drains": [],
            "disabled": false, "dampening": {"penalty": 0, "suppressed": false, "reuse-in-seconds": null},
            "failed-reload": why,
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_warning_says_that_the_checks_decide_only_where_they_do() {
        let mut service = after("reload srv failed: x");
        let warning = |service: &Service| service.reload_failure().unwrap();
        assert!(warning(&service).contains("; the checks decide what is announced; until"));
        service.state = ServiceState::Drained;
        assert_eq!(
            warning(&service),
            "reload srv failed: x; until `backend reload` or `backend restart` succeeds"
        );
        let disabled = Service { enabled: false, ..after("reload srv failed: x") };
        assert!(!warning(&disabled).contains("decide"));
    }

    #[test]
    fn a_refused_operation_leaves_nothing_to_repair() {
        for (why, is_to_repair, is_named) in [
            ("reload srv done, but check c of a is down: x".to_owned(), true, true),
            ("reload srv failed: exited with status 1".to_owned(), true, false),
            ("reload srv failed: exited with …".to_owned(), true, true),
            (format!("restart srv {UNTOUCHED}line 7 …"), false, false),
        ] {
            let service = after(&why);
            assert_eq!(service.reload_to_repair().is_some(), is_to_repair, "{why}");
            assert_eq!(service.is_in_reload_failure("c"), is_named, "{why}");
        }
    }
}
