//! One route of the API session: its desired and acknowledged states, and when to send it next.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use ipnet::IpNet;

use super::Parent;
use super::change::take_over;
use crate::engine::moment::Moment;
use crate::engine::notice::RouteState;
use crate::exabgp::attributes::Attributes;
use crate::exabgp::{Advertisement, NextHop, Route};
use crate::text::fnv::fnv64;
use crate::text::joined;

/// A route with its desired and acknowledged states.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct RouteEntry {
    /// The route.
    pub(crate) route: Route,
    /// The route of the present configuration if its command differs: what is announced stands until the service has a verdict.
    #[serde(default)]
    pub(super) next_route: Option<Route>,
    /// The advertisement that the service wants; `None` until its first decision.
    pub(crate) desired: Option<Advertisement>,
    /// The last advertisement that was sent to ExaBGP and not refused.
    #[serde(rename = "said")]
    pub(crate) sent: Option<Advertisement>,
    /// The last advertisement that ExaBGP answered with `done`; `None` if unknown.
    pub(crate) acknowledged: Option<Advertisement>,
    /// When ExaBGP answered so.
    acknowledged_at: Moment,
    /// Since when the desired advertisement is not the acknowledged one; `None` if it is, or before the first one.
    #[serde(default)]
    pub(crate) unsettled_since: Option<Moment>,
    /// An announcement was sent since the last acknowledged withdraw, so ExaBGP may announce the route.
    pub(crate) perhaps_announced: bool,
    /// The same, before the last command.
    #[serde(default)]
    perhaps_announced_before: bool,
    /// What was sent is not acknowledged until so many replies in a row were `done`.
    #[serde(default)]
    pub(super) dones_needed: Option<u32>,
    /// When to send the desired advertisement; `None` if there is nothing to send.
    pub(crate) due: Option<Moment>,
    /// No service has the route: a reload removed it, or an earlier helper announced it. It is withdrawn, and then never sent
    /// again.
    #[serde(rename = "left_behind")]
    pub(crate) stale: bool,
    /// A fingerprint of the last log line about the route. Not the line: there may be many entries.
    reported: Option<u64>,
    /// Whether any command for the route has been answered or given up.
    pub(crate) answered: bool,
    /// The result of the last command for the route, and its time; `None` before the first.
    pub(crate) answer: Option<(Moment, Answer)>,
    pub(super) backoff: Backoff,
    /// ExaBGP has refused what is desired, and was not asked anything else since.
    pub(crate) refused: bool,
    /// ExaBGP has refused the withdraw of a stale route for long: it is tried only when all routes are stated again.
    #[serde(default)]
    pub(crate) given_up: bool,
}

fn fingerprint(advertisement: &Advertisement) -> u64 {
    match advertisement {
        Advertisement::Announce(attributes) => fnv64(format!("announce{attributes}").as_bytes()),
        Advertisement::Withdraw => fnv64(b"withdraw"),
    }
}

/// The result of a command.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Answer {
    /// ExaBGP said `done`.
    Done,
    /// ExaBGP said `error`, and why, if it said that.
    Refused(Option<String>),
    /// No answer came in time.
    Missing,
}

/// The routes in their order, and after them what is left of those that an earlier helper `announced` and no service has
/// now.
pub(super) fn inherited(routes: Vec<Route>, announced: Vec<Route>) -> Vec<RouteEntry> {
    let mut by_prefix: HashMap<IpNet, Vec<Route>> = HashMap::new();
    for route in announced {
        by_prefix.entry(route.prefix).or_default().push(route);
    }
    let of_earlier = |route: Route| {
        let beside = by_prefix.entry(route.prefix).or_default();
        let before = beside.len();
        let announced = beside.iter().find(|announced| announced.is_the_same_as(&route)).cloned();
        beside.retain(|announced| !announced.is_the_same_as(&route));
        let perhaps_announced = beside.len() < before;
        // A next hop that another configuration had stands, too. A helper without a configuration has remembered `self`.
        match announced.filter(|was| *was != route && was.next_hop != NextHop::Itself) {
            Some(was) => RouteEntry { perhaps_announced, next_route: Some(route), ..RouteEntry::new(was) },
            None => RouteEntry { perhaps_announced, ..RouteEntry::new(route) },
        }
    };
    let mut entries: Vec<_> = routes.into_iter().map(of_earlier).collect();
    let mut stale: Vec<_> = by_prefix.into_values().flatten().collect();
    stale.sort_by_key(|route| route.prefix);
    let stale = stale.into_iter().map(RouteEntry::stale).collect();
    let remain = take_over(Moment::START, &mut entries, stale);
    entries.extend(remain);
    entries
}

impl RouteEntry {
    /// A route that an earlier helper announced and no service has now.
    pub(super) fn stale(route: Route) -> Self {
        Self { perhaps_announced: true, stale: true, ..Self::new(route) }
    }

    pub(super) const fn new(route: Route) -> Self {
        Self {
            route,
            next_route: None,
            desired: None,
            sent: None,
            acknowledged: None,
            acknowledged_at: Moment::START,
            unsettled_since: None,
            perhaps_announced: false,
            perhaps_announced_before: false,
            dones_needed: None,
            due: None,
            stale: false,
            reported: None,
            answered: false,
            answer: None,
            backoff: Backoff::new(),
            refused: false,
            given_up: false,
        }
    }

    /// Its command is another one now: what was sent and acknowledged says nothing about it, and its next statement is news.
    pub(super) fn state_anew(&mut self, now: Moment) {
        self.reported = None;
        self.forget_sent();
        self.forget_acknowledgment(now);
        self.restate(now);
    }

    /// Another configuration does not have the route: withdraws it.
    pub(super) fn become_stale(mut self, now: Moment) -> Self {
        self.stale = true;
        // If it is configured again later, its next announcement is news.
        self.reported = None;
        self.next_route = None;
        self.desire(now, &Advertisement::Withdraw);
        self
    }

    /// Replaces the desired advertisement; an unchanged one sends nothing. True if it is new.
    pub(super) fn desire(&mut self, now: Moment, advertisement: &Advertisement) -> bool {
        let new = self.desired.as_ref() != Some(advertisement);
        if new {
            self.desired = Some(advertisement.clone());
            self.refused = false;
            if self.sent != self.acknowledged {
                // ExaBGP may have replaced the acknowledged advertisement by one sent since.
                self.acknowledged =
                    self.acknowledged.take().filter(|acknowledged| acknowledged != advertisement);
            }
            self.note_settlement(now);
            self.backoff = Backoff::new();
            self.due = Some(self.due.map_or(now, |due| due.min(now)));
        }
        new
    }

    /// Whether the desired advertisement announces or withdraws, without its attributes.
    pub(crate) fn route_state(&self) -> Option<RouteState> {
        self.desired.as_ref().map(RouteState::new)
    }

    /// Whether the desired state differs from the last log line about the route.
    pub(crate) fn is_unreported(&self) -> bool {
        self.reported.is_none() || self.reported != self.desired.as_ref().map(fingerprint)
    }

    /// Notes that the desired state was logged.
    pub(super) fn report(&mut self) {
        self.reported = self.desired.as_ref().map(fingerprint);
    }

    /// The prefix, with the MED if it has one and the neighbors if they are not all.
    pub(crate) fn shown(&self) -> String {
        let Route { prefix, med_offset, .. } = &self.route;
        let med = match &self.desired {
            Some(Advertisement::Announce(Attributes { med: Some(med), .. })) => {
                format!(" med {}", med.saturating_add(*med_offset))
            }
            Some(_) | None => String::new(),
        };
        self.with_neighbors().replacen(&prefix.to_string(), &format!("{prefix}{med}"), 1)
    }

    /// Its prefix, and its neighbors if not all.
    pub(crate) fn with_neighbors(&self) -> String {
        let to = if self.route.neighbors.is_empty() { "" } else { " to " };
        format!("{}{to}{}", self.route.prefix, joined(&self.route.neighbors, "+"))
    }

    /// Whether another next hop waits for a verdict of the service.
    pub(crate) const fn awaits_verdict(&self) -> bool {
        self.next_route.is_some()
    }

    /// Whether there is a desired advertisement and ExaBGP has acknowledged exactly that one.
    pub(crate) fn is_settled(&self) -> bool {
        self.desired.is_some() && self.desired == self.acknowledged
    }

    /// What ExaBGP has acknowledged is unknown from now on.
    pub(super) fn forget_acknowledgment(&mut self, now: Moment) {
        self.acknowledged = None;
        self.note_settlement(now);
    }

    /// Notes since when it is not settled, or that it is.
    fn note_settlement(&mut self, now: Moment) {
        let is_unsettled = self.desired.is_some() && !self.is_settled();
        self.unsettled_since = is_unsettled.then(|| self.unsettled_since.unwrap_or(now));
    }

    /// The urgency: an unacknowledged withdraw comes first, a mere repetition last.
    pub(super) fn urgency(&self) -> Urgency {
        match &self.desired {
            desired if *desired == self.acknowledged => Urgency::Repetition,
            Some(Advertisement::Announce(_)) | None => Urgency::Announce,
            Some(Advertisement::Withdraw) => Urgency::Withdraw,
        }
    }

    /// Sends the desired advertisement again as soon as possible.
    pub(super) fn restate(&mut self, now: Moment) {
        let forgotten = self.stale && !self.perhaps_announced;
        if self.desired.is_some() && !forgotten {
            // An entry that is due already keeps its place in the queue.
            self.due = Some(self.due.map_or(now, |due| due.min(now)));
        }
    }

    /// Recent replies may have belonged to other commands: a route acknowledged within `lately` counts as not
    /// acknowledged and perhaps announced, one refused as perhaps announced. True if the memory of the helper has to be saved.
    pub(super) fn distrust_acknowledgment(&mut self, now: Moment, lately: Duration) -> bool {
        let is_refused = matches!(&self.answer, Some((at, Answer::Refused(_))) if now.since(*at) <= lately);
        let is_acknowledged = self.acknowledged.is_some() && now.since(self.acknowledged_at) <= lately;
        if is_acknowledged {
            self.forget_acknowledgment(now);
        }
        self.perhaps_announced |= is_refused || is_acknowledged;
        is_refused || is_acknowledged
    }

    /// Whether the last acknowledgment came at `moment` or later.
    pub(super) fn was_acknowledged_since(&self, moment: Moment) -> bool {
        self.acknowledged.is_some() && self.acknowledged_at >= moment
    }

    /// Notes that the desired advertisement was sent.
    pub(super) fn mark_sent(&mut self, advertisement: &Advertisement) {
        self.due = None;
        // The last log line does not tell what ExaBGP may do now: the next statement is news, also if it is as before.
        if self.reported != Some(fingerprint(advertisement)) {
            self.reported = None;
        }
        self.perhaps_announced_before = self.perhaps_announced;
        self.perhaps_announced |= advertisement.announces();
        if self.sent.as_ref() != Some(advertisement) {
            self.dones_needed = None;
            self.sent = Some(advertisement.clone());
        }
    }

    /// Notes that the withdraw was sent out of turn. Its reply cannot be distinguished from others, so it is sent again in
    /// turn.
    pub(super) fn mark_sent_out_of_turn(&mut self, now: Moment) {
        self.mark_sent(&Advertisement::Withdraw);
        self.due = Some(now + self.backoff.pause());
    }

    /// Notes that the desired advertisement was sent to an ExaBGP that answers no commands, so its effect is
    /// unknown.
    pub(super) fn settle_unanswered(&mut self, now: Moment, parent: Parent) {
        self.forget_acknowledgment(now);
        self.answered = true;
        if self.stale && self.sent == Some(Advertisement::Withdraw) {
            // ExaBGP reads its pipe in order. One repetition, since no reply can tell that it was carried out.
            let pause = self.backoff.pause();
            self.perhaps_announced = pause == Backoff::FIRST;
            self.due = self.perhaps_announced.then(|| now + pause);
        }
        if parent == Parent::Terminal {
            // A person reads standard output: nothing is announced that is not on the screen.
            self.perhaps_announced = self.sent.as_ref().is_some_and(Advertisement::announces);
        }
    }

    /// ExaBGP has refused `advertisement`: it knows none of the neighbors, or does not understand the command. If the
    /// reply surely belongs to it (`is_sure`), a first announcement was not made, and an earlier acknowledgment no longer holds.
    pub(super) fn refuse(&mut self, now: Moment, advertisement: &Advertisement, is_sure: bool) {
        self.refused = self.desired.as_ref() == Some(advertisement);
        if is_sure && advertisement.announces() {
            self.perhaps_announced = self.perhaps_announced_before;
        }
        if is_sure && self.acknowledged.as_ref() == Some(advertisement) {
            self.forget_acknowledgment(now);
        }
        self.forget_sent();
    }

    /// Gives up to withdraw a route that no service has now, until all routes are stated again. True if that is news.
    pub(super) const fn give_up(&mut self) -> bool {
        self.due = None;
        !std::mem::replace(&mut self.given_up, true)
    }

    /// What was sent no longer counts: ExaBGP refused or did not understand the command, or words it differently now.
    pub(super) fn forget_sent(&mut self) {
        self.sent = None;
        self.dones_needed = None;
    }

    /// Whether the desired advertisement has been sent.
    pub(crate) fn is_sent(&self) -> bool {
        self.desired.is_some() && self.desired == self.sent
    }

    /// Notes that ExaBGP has answered `advertisement` with `done`. True if the memory of the helper has to be saved.
    pub(super) fn acknowledge(&mut self, now: Moment, advertisement: Advertisement) -> bool {
        self.acknowledged_at = now;
        self.answer = Some((now, Answer::Done));
        self.backoff = Backoff::new();
        self.answered = true;
        self.refused = false;
        self.given_up = false;
        self.dones_needed = None;
        let was_announced = std::mem::replace(&mut self.perhaps_announced, advertisement.announces());
        let news =
            self.acknowledged.as_ref() != Some(&advertisement) || was_announced != self.perhaps_announced;
        self.acknowledged = Some(advertisement);
        self.note_settlement(now);
        news
    }

    /// It was refused, not answered, or its `done` proves nothing: to be said again after a pause, unless it is due already.
    /// Returns the pause.
    pub(super) fn retry(&mut self, now: Moment, answer: Answer) -> Duration {
        self.answer = Some((now, answer));
        self.answered = true;
        let pause = self.backoff.pause();
        // A newer desired advertisement is due already and does not wait.
        self.due.get_or_insert(now + pause);
        pause
    }
}

/// The order of routes in the queue.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Urgency {
    Withdraw,
    Announce,
    Repetition,
}

/// Pauses that double from one second to 30 seconds.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) const FIRST: Duration = Duration::from_secs(1);
    pub(super) const LONGEST: Duration = Duration::from_secs(30);

    pub(super) const fn new() -> Self {
        Self(Self::FIRST)
    }

    /// The next pause; the one after it is longer.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(Self::LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exabgp::NextHop;

    fn entry() -> RouteEntry {
        RouteEntry::new(Route {
            prefix: "192.0.2.53/32".parse().unwrap(),
            next_hop: NextHop::Itself,
            path_information: None,
            neighbors: vec![],
            med_offset: 0,
        })
    }

    /// `status --plugin` alerts by this time, so neither a second try nor a newer wish may restart it.
    #[test]
    fn an_entry_is_unsettled_from_its_first_command_without_acknowledgment() {
        let at = |seconds| Moment::START + Duration::from_secs(seconds);
        let announce = Advertisement::Announce(Attributes::default());
        let mut entry = entry();
        assert_eq!(entry.unsettled_since, None, "no decision yet");
        entry.desire(at(1), &announce);
        entry.refuse(at(1), &announce, true);
        entry.desire(at(2), &Advertisement::Withdraw);
        assert_eq!(entry.unsettled_since, Some(at(1)));
        entry.acknowledge(at(3), Advertisement::Withdraw);
        assert_eq!(entry.unsettled_since, None);
        assert!(entry.distrust_acknowledgment(at(4), Duration::from_secs(60)));
        assert_eq!(entry.unsettled_since, Some(at(4)));
        entry.acknowledge(at(5), announce);
        assert_eq!(entry.unsettled_since, Some(at(4)), "another advertisement is desired");
    }

    /// The neighbor may have been removed from exabgp.conf since.
    #[test]
    fn a_refused_repetition_ends_the_acknowledgment() {
        let at = |seconds| Moment::START + Duration::from_secs(seconds);
        let announce = Advertisement::Announce(Attributes::default());
        let mut entry = entry();
        entry.desire(at(1), &announce);
        entry.mark_sent(&announce);
        entry.acknowledge(at(1), announce.clone());
        entry.mark_sent(&announce);
        entry.refuse(at(61), &announce, false);
        assert!(entry.is_settled(), "the reply may belong to another command");
        entry.refuse(at(62), &announce, true);
        assert_eq!(
            (entry.unsettled_since, entry.refused, entry.perhaps_announced),
            (Some(at(62)), true, true)
        );
    }

    /// The state that is saved and the dead-man's withdraws name the routes that are perhaps announced.
    #[test]
    fn a_refusal_that_may_belong_to_another_command_is_saved() {
        let announce = Advertisement::Announce(Attributes::default());
        let mut entry = entry();
        entry.desire(Moment::START, &announce);
        entry.mark_sent(&announce);
        entry.refuse(Moment::START, &announce, true);
        entry.retry(Moment::START, Answer::Refused(None));
        assert!(!entry.perhaps_announced);
        assert!(entry.distrust_acknowledgment(Moment::START, Duration::from_secs(60)));
        assert!(entry.perhaps_announced);
    }
}
