//! The DNS probes of a check, asked together and folded into one outcome.
//!
//! A set with few probes sends all at once. One with more than [`Pace::max_in_flight`] starts them one after the other,
//! spread over the interval less the timeout, so that the last ends within the interval: a burst could exhaust the
//! descriptors of this process or the receive buffer of the server ([`flight`]). All probes are polled in the task that
//! asks; dropping it leaves nothing behind. [`tally`] folds the outcomes, in whatever order they come, and stops as soon as
//! none can change the verdict. A server that answers nothing holds back the starts, so that a large set would take minutes:
//! a round that fails ends soon after the time for all starts, whatever has not been asked by then.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use self::seen::Seen;
use self::split::Split;
use self::tally::Tally;
use super::dns::{DnsProbe, Finding};
use crate::outcome::{Cause, Outcome};

mod flight;
mod seen;
mod split;
mod tally;

pub(super) use self::flight::Flight;
pub(crate) use self::flight::Pace;
pub(crate) use self::tally::is_unknown;

/// The DNS probes of a check, of which some or all have to pass.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProbeSet {
    probes: Vec<DnsProbe>,
    need: usize,
    pace: Pace,
    /// Whether servers that fail only some queries have a cause of their own.
    partial: bool,
    /// Which probes have passed, where only these can fail.
    seen: Option<Seen>,
}

impl ProbeSet {
    /// A set that passes if `need` of `probes` do.
    ///
    /// # Errors
    /// A sentence, if `need` is not in `1..=probes.len()`.
    pub(crate) fn new(probes: Vec<DnsProbe>, need: usize, pace: Pace) -> Result<Self, String> {
        match probes.len() {
            0 => Err("no probes, expected at least one".to_owned()),
            count if !(1..=count).contains(&need) => {
                Err(format!("{need} of {count} probes are to pass, expected a number from 1 to {count}"))
            }
            count => {
                // The same set has the same pace, whatever the interval of its check.
                let spread = if pace.gap(count).is_zero() { Duration::ZERO } else { pace.spread };
                let pace = Pace { spread, ..pace };
                Ok(Self { probes, need, pace, partial: false, seen: None })
            }
        }
    }

    /// With the cause [`Cause::Partial`] for a failure in which every server that fails a query also passes one. Unknown
    /// outcomes do not count.
    #[must_use]
    pub(crate) fn partial(self, partial: bool) -> Self {
        Self { partial, ..self }
    }

    /// A probe that has not passed since this set was made cannot fail: it counts as passed.
    #[must_use]
    pub(crate) fn once_seen(self, once_seen: bool) -> Self {
        let seen = once_seen.then(|| Seen::none_of(self.probes.len()));
        Self { seen, ..self }
    }

    /// Whether partial failures have their own cause.
    pub(crate) const fn reports_partial(&self) -> bool {
        self.partial
    }

    /// The set without the probes to servers for which `is_asked` is false. These count as passed, so fewer of the others
    /// have to pass; `None` if none has to. What was seen to pass is forgotten.
    pub(crate) fn at(&self, is_asked: impl Fn(SocketAddr) -> bool) -> Option<Self> {
        let probes: Vec<_> = self.probes.iter().filter(|probe| is_asked(probe.server)).cloned().collect();
        let need = self.need.saturating_sub(self.probes.len() - probes.len());
        let seen = self.seen.as_ref().map(|_| Seen::none_of(probes.len()));
        (need > 0).then_some(Self { probes, need, seen, ..*self })
    }

    /// Whether these outcomes, in the order of the probes, are a partial failure. `Some(true)` is a pass, `None` is
    /// unknown.
    pub(crate) fn fails_in_part(&self, passed: impl Iterator<Item = Option<bool>>) -> bool {
        let mut split = Split::default();
        for (probe, passed) in self.probes.iter().zip(passed) {
            if let Some(passed) = passed {
                split.count(probe.server, passed);
            }
        }
        self.partial && split.is_partial()
    }

    /// Whether only probes that have passed can fail.
    pub(crate) const fn needs_seen(&self) -> bool {
        self.seen.is_some()
    }

    /// The labels of the probes that cannot fail, as they have not passed; `None` if every probe can.
    pub(crate) fn unseen(&self) -> Option<Vec<String>> {
        let seen = self.seen.as_ref()?;
        let unseen = self.probes.iter().enumerate().filter(|(place, _)| !seen.has(*place));
        Some(unseen.map(|(_, probe)| probe.to_string()).collect())
    }

    /// The probes, in the order of the configuration.
    pub(crate) fn probes(&self) -> &[DnsProbe] {
        &self.probes
    }

    /// Number of probes that have to pass.
    pub(crate) const fn need(&self) -> usize {
        self.need
    }

    /// Limit of probes in flight, and how their starts are spread.
    pub(crate) const fn pace(&self) -> Pace {
        self.pace
    }

    /// Sends the probes at the set's pace and returns once the verdict is certain.
    ///
    /// A pass has the latency of the slowest probe that counted. A set that has already failed goes on until a probe fails
    /// for a cause of the highest rank, or all probes are done. Of the failures until then, the one with the cause that
    /// `severity` ranks highest gives the cause of the set; of equals, the first in the order of the probes. With `partial` it
    /// waits for every probe, and the cause is [`Cause::Partial`] if each server that failed a question passed another. Neither
    /// waits longer than [`Self::longest_round`].
    ///
    /// A set that does not pass fails if too many probes failed, or if at least one failed and none passed: one probe that
    /// cannot be sent must not hide a dead server. Otherwise it is unknown.
    ///
    /// `weigh` is called with each finding, and returns the outcome that counts.
    pub(crate) async fn ask<K: Ord>(
        &self,
        severity: impl Fn(Cause) -> K,
        weigh: impl Fn(&DnsProbe, Finding) -> Outcome,
    ) -> Outcome {
        if let [probe] = &self.probes[..] {
            return self.record_pass(0, weigh(probe, probe.ask().await));
        }
        let mut tally = Tally::new(self.probes.len(), self.need, severity);
        let mut split = Split::default();
        let began = Instant::now();
        let mut flight = Flight::new(&self.probes, self.pace);
        while let Some((place, finding)) = flight.next(DnsProbe::ask).await {
            let outcome = self.record_pass(place, weigh(&self.probes[place], finding));
            // An unknown outcome says nothing.
            if !matches!(outcome, Outcome::Unknown(_)) {
                split.count(self.probes[place].server, outcome.passed());
            }
            // A partial failure shows only with every outcome.
            match tally.count(place, outcome) {
                Some(verdict) if verdict.passed() || !self.partial => return verdict,
                _ => {}
            }
            let is_late = self.enough_time().is_some_and(|enough| began.elapsed() >= enough);
            if is_late && tally.fails_so_far(self.pace.max_in_flight.get()) {
                break;
            }
        }
        match tally.without_a_pass() {
            Outcome::Fail(failure) if self.partial && split.is_partial() => {
                Outcome::from_cause(Cause::Partial, failure.detail)
            }
            verdict => verdict,
        }
    }

    /// The longest time of a round against a server that answers nothing.
    pub(crate) fn longest_round(&self) -> Duration {
        // The next outcome ends it, which takes a timeout at most.
        self.enough_time().unwrap_or_default() + self.timeout()
    }

    /// Time after which the next outcome ends a round that fails so far. It suffices for all starts, and for a second batch of
    /// probes after a first one without any answer. `None` if all probes are in flight at once.
    fn enough_time(&self) -> Option<Duration> {
        let timeout = self.timeout();
        let is_large = self.probes.len() > self.pace.max_in_flight.get();
        is_large.then(|| timeout + self.pace.spread.max(timeout))
    }

    fn timeout(&self) -> Duration {
        self.probes.iter().map(|probe| probe.timeout).max().unwrap_or_default()
    }

    /// Records a pass of the probe at `place`. With `once_seen`, the failure of a probe that has not passed yet becomes a pass.
    fn record_pass(&self, place: usize, outcome: Outcome) -> Outcome {
        match &self.seen {
            Some(seen) => seen.judge(place, outcome),
            None => outcome,
        }
    }

    /// Sends all probes at once up to the limit, waits for all, and returns each finding with the label of its probe, in
    /// the order of the probes. Asks nothing from the service address itself, so no finding says whether it `passes_from_itself`.
    pub(crate) async fn ask_all(&self) -> Vec<(String, Finding)> {
        let mut flight = Flight::new(&self.probes, Pace { spread: Duration::ZERO, ..self.pace });
        let mut findings = Vec::with_capacity(self.probes.len());
        while let Some((place, finding)) = flight.next(DnsProbe::ask_from_its_source).await {
            let outcome = self.record_pass(place, finding.outcome);
            findings.push((place, Finding { outcome, ..finding }));
        }
        findings.sort_unstable_by_key(|(place, _)| *place);
        findings.into_iter().map(|(place, finding)| (self.probes[place].to_string(), finding)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use super::*;
    use crate::probe::dns::{Expectation, Question, Transport};
    use crate::responder::{Fault, Responder};

    /// Longer than the test takes: a dripping answer takes longer than half of it.
    const PATIENT: Duration = Duration::from_secs(5);

    const EQUAL: fn(Cause) -> u8 = |_| 1;

    const AS_IT_IS: fn(&DnsProbe, Finding) -> Outcome = |_, finding| finding.outcome;

    #[test]
    fn a_set_can_be_asked_on_a_task_of_its_own() {
        fn assert_send(_: impl Send) {}
        let set = ProbeSet { probes: Vec::new(), need: 1, pace: Pace::BURST, partial: false, seen: None };
        assert_send(set.ask(EQUAL, AS_IT_IS));
    }

    #[test]
    fn a_set_needs_one_to_all_of_its_probes() {
        assert!(ProbeSet::new(Vec::new(), 1, Pace::BURST).unwrap_err().contains("no probes"));
    }

    async fn both_transports(fault: Fault, need: usize) -> (Responder, ProbeSet) {
        let responder = Responder::bind(Ipv4Addr::LOCALHOST.into()).await.unwrap();
        responder.set(fault).await;
        let query = "localhost. A".parse().unwrap();
        let question = Arc::new(Question::new(query, true, Expectation::default()).unwrap());
        let probes = [Transport::Tcp, Transport::Udp].map(|transport| DnsProbe {
            question: question.clone(),
            server: responder.address(),
            source: None,
            transport,
            timeout: PATIENT,
            locality: Arc::default(),
        });
        (responder, ProbeSet::new(probes.into(), need, Pace::BURST).unwrap())
    }

    #[tokio::test]
    async fn probes_to_other_servers_count_as_passed() {
        let (responder, set) = both_transports(Fault::None, 2).await;
        let elsewhere = DnsProbe { server: "192.0.2.9:53".parse().unwrap(), ..set.probes()[0].clone() };
        let probes = [set.probes().to_vec(), vec![elsewhere]].concat();
        let is_own = |server| server == responder.address();
        let of = |need| ProbeSet::new(probes.clone(), need, Pace::BURST).unwrap().at(is_own);
        let needs = |need| of(need).map(|set| (set.probes().len(), set.need()));
        assert_eq!([needs(3), needs(2), needs(1)], [Some((2, 2)), Some((2, 1)), None]);
    }

    #[test]
    fn an_unknown_outcome_is_no_part_of_a_partial_failure() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (_responder, set) = runtime.block_on(both_transports(Fault::None, 2));
        let set = set.partial(true);
        assert!(set.fails_in_part([Some(true), Some(false)].into_iter()));
        assert!(!set.fails_in_part([None, Some(false)].into_iter()));
        assert!(!set.fails_in_part([Some(true), None].into_iter()), "no failure");
        assert!(!set.fails_in_part([None, None].into_iter()), "no verdict");
    }

    #[tokio::test]
    async fn a_set_does_not_wait_for_probes_that_it_does_not_need() {
        let (_responder, set) = both_transports(Fault::Drip, 1).await;
        let asked = Instant::now();
        assert!(set.ask(EQUAL, AS_IT_IS).await.passed());
        assert!(asked.elapsed() < PATIENT / 2);
    }

    #[tokio::test]
    async fn a_server_that_passes_some_queries_fails_in_part() {
        let (_responder, set) = both_transports(Fault::UdpOnly, 2).await;
        let Outcome::Fail(failure) = set.clone().partial(true).ask(EQUAL, AS_IT_IS).await else {
            panic!("TCP is closed")
        };
        assert_eq!(failure.cause, Cause::Partial);
        let (_responder, set) = both_transports(Fault::Refuse, 2).await;
        let Outcome::Fail(failure) = set.partial(true).ask(EQUAL, AS_IT_IS).await else {
            panic!("all are refused")
        };
        assert_eq!(failure.cause, Cause::Refused);
    }

    #[tokio::test]
    async fn a_round_does_not_ask_a_silent_server_everything() {
        for partial in [false, true] {
            let (_responder, set) = both_transports(Fault::Silent, 1).await;
            let timeout = Duration::from_millis(30);
            let probes = vec![DnsProbe { timeout, ..set.probes()[1].clone() }; 120];
            let pace = Pace { max_in_flight: 4.try_into().unwrap(), spread: Duration::ZERO };
            for need in [1, 120] {
                let set = ProbeSet::new(probes.clone(), need, pace).unwrap().partial(partial);
                // Of two causes one ranks above the timeout, and could still come.
                let Outcome::Fail(failure) = set.ask(|cause| cause == Cause::Refused, AS_IT_IS).await else {
                    panic!("nothing is answered")
                };
                assert_eq!(failure.cause, Cause::Timeout);
                let (_, more) = failure.detail.rsplit_once("; and ").unwrap();
                let more: usize = more.split_whitespace().next().unwrap().parse().unwrap();
                assert!((3..60).contains(&more), "{}", failure.detail);
            }
        }
    }

    #[tokio::test]
    async fn a_probe_that_has_not_passed_yet_cannot_fail() {
        let (responder, set) = both_transports(Fault::UdpOnly, 2).await;
        let set = set.once_seen(true);
        assert!(set.ask(EQUAL, AS_IT_IS).await.passed(), "TCP was never seen to be open");
        responder.set(Fault::Refuse).await;
        let Outcome::Fail(failure) = set.ask(EQUAL, AS_IT_IS).await else {
            panic!("UDP was answered before")
        };
        assert_eq!(failure.cause, Cause::Refused);
    }

    #[tokio::test]
    async fn all_findings_come_in_probe_order_with_labels() {
        let (responder, set) = both_transports(Fault::UdpOnly, 2).await;
        assert!(ProbeSet::new(set.probes().to_vec(), 3, Pace::BURST).unwrap_err().contains("from 1 to 2"));
        let found = set.ask_all().await;
        let server = responder.address();
        assert_eq!(found[0].0, format!("{server} tcp localhost. A"));
        assert_eq!(found[1].0, format!("{server} udp localhost. A"));
        assert!(!found[0].1.outcome.passed() && found[1].1.outcome.passed());

        let Outcome::Fail(failure) = set.ask(EQUAL, AS_IT_IS).await else {
            panic!("tcp is closed and both are needed");
        };
        assert_eq!(failure.cause, Cause::PortClosed);
        assert_eq!(failure.detail, format!("{server} tcp localhost. A: port closed (connection refused)"));
    }
}
