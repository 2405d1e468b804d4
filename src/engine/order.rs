//! Orders: requests of an operator, a unit or a restart by dnsherald for a service. Each has a holder, a reason and
//! usually an end. A [drain](super::drain) is one kind, a [hold](super::hold) the other.
//!
//! A holder has at most one order of each kind, so the end of a restart does not end an operator's maintenance. An
//! order ends when it is lifted or expires. If its holder has let the service return, it ends once the checks have passed
//! anew.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::moment::Moment;
use crate::text::period::Shown;
use crate::text::{joined, ordered};

pub(crate) use self::holder::RESTARTS;
pub use self::holder::{Holder, Reason};

mod holder;

/// When an order ends by itself. A hold is always [`Self::For`].
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lasts {
    /// When it is lifted.
    #[default]
    UntilLifted,
    /// When this helper exits; the next helper does not restore it. For a stop of ExaBGP or the host.
    UntilExit,
    /// After this time, regardless of restarts of the helper.
    For(Duration),
    /// After this time or when this helper exits, whichever is first.
    ForUntilExit(Duration),
}

impl fmt::Display for Lasts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UntilLifted => f.write_str("until `undrain`"),
            Self::UntilExit => f.write_str("until the helper exits"),
            Self::For(time) => write!(f, "for {}", Shown(*time)),
            Self::ForUntilExit(time) => write!(f, "for {} or until the helper exits", Shown(*time)),
        }
    }
}

/// The kinds of orders.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The service must not attract traffic.
    Drain,
    /// The service is announced against its checks.
    Hold,
}

impl Kind {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Drain, Self::Hold];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Drain => "drain",
            Self::Hold => "hold",
        })
    }
}

/// A new order, as a request asks for it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Order {
    /// The holder. A later order of the same holder replaces an earlier one.
    pub holder: Holder,
    /// The reason.
    pub reason: Reason,
    /// When it ends by itself.
    pub lasts: Lasts,
    /// The user id of the process that asked, as the kernel reports it (`SO_PEERCRED`). The helper sets it and ignores
    /// what a request claims; `None` where no process asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
}

/// The author of an order: the holder that the request names and the user id that the kernel reports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AskedBy<'a>(pub &'a Holder, pub(crate) Option<u32>);

impl fmt::Display for AskedBy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(uid) => write!(f, "{} (uid {uid})", self.0),
            None => self.0.fmt(f),
        }
    }
}

/// Ends orders.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lift {
    /// The holder of these orders; `None` for all holders.
    pub(crate) holder: Option<Holder>,
    /// Not before the checks have passed anew.
    pub(crate) once_healthy: bool,
    /// The checks that must then pass, too, although their failure only degrades the service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) checks: Vec<String>,
}

/// One active order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct ActiveOrder {
    /// The reason.
    pub(crate) reason: Reason,
    /// When it ends by itself.
    pub(crate) expires: Option<Moment>,
    /// Whether it ends with this helper, so that the next one does not restore it.
    pub(crate) until_exit: bool,
    /// Whether it ends as soon as the checks pass.
    pub(crate) returning: bool,
    /// The checks that must then pass, too, although their failure only degrades the service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) needs: Vec<String>,
    /// The user id of the process that asked for it, as the kernel reported it.
    pub(crate) uid: Option<u32>,
    /// When it began, or was recalled.
    since: Moment,
    /// Its age then.
    before: Duration,
}

impl ActiveOrder {
    /// Its age.
    pub(crate) fn age(&self, now: Moment) -> Duration {
        self.before.saturating_add(now.since(self.since))
    }
}

/// An order as it survives a restart.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RememberedOrder {
    /// The reason.
    pub(crate) reason: Reason,
    /// The time that was left when it was saved; `None` if it has no end of its own.
    pub(crate) remaining: Option<Duration>,
    /// Its age when it was saved.
    pub(crate) age: Duration,
    /// Whether it was to end as soon as the checks pass.
    pub(crate) returning: bool,
    /// As in [`ActiveOrder`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) needs: Vec<String>,
    /// Whether it was to end with the helper.
    #[serde(default)]
    pub(crate) until_exit: bool,
    /// The user id of the process that asked for it, as the kernel reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uid: Option<u32>,
}

/// When the last of these ends; `None` if one has no end of its own, or if there are none.
fn last_end<'a>(mut orders: impl Iterator<Item = &'a ActiveOrder>) -> Option<Moment> {
    let first = orders.next()?.expires?;
    orders.try_fold(first, |last, order| Some(last.max(order.expires?)))
}

/// The orders of one kind for one service, by holder.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Orders(BTreeMap<Holder, ActiveOrder>);

impl Orders {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each with its holder.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Holder, &ActiveOrder)> + Clone {
        self.0.iter()
    }

    /// Each holder, what it does, and why: "operator drains it: new disk".
    pub(crate) fn reasons(&self, does: &str) -> String {
        joined(self.iter().map(|(holder, order)| format!("{holder} {does}: {}", order.reason)), "; ")
    }

    /// Whether all of them are held by restarts of ours.
    pub(crate) fn are_for_restarts(&self) -> bool {
        !self.is_empty() && self.0.keys().all(Holder::is_restart)
    }

    /// When the last of them ends; `None` if one has no end of its own, or if there are none.
    pub(crate) fn all_over_at(&self) -> Option<Moment> {
        last_end(self.0.values())
    }

    /// Those that do not wait for the checks, each with its holder.
    pub(crate) fn lasting(&self) -> impl Iterator<Item = (&Holder, &ActiveOrder)> + Clone {
        self.iter().filter(|(_, order)| !order.returning)
    }

    /// When the last of these ends; `None` if one has no end of its own, or if there are none.
    pub(crate) fn lasting_over_at(&self) -> Option<Moment> {
        last_end(self.lasting().map(|(_, order)| order))
    }

    /// The holder of the only order that ends neither by itself nor with the checks, if others stand beside it: without
    /// its name a command would end all.
    pub(crate) fn only_endless(&self) -> Option<&Holder> {
        let mut endless = self.lasting().filter(|(_, order)| order.expires.is_none());
        let (only, _) = endless.next()?;
        (endless.next().is_none() && self.0.len() > 1).then_some(only)
    }

    /// Begins an order, or replaces the reason and the end of the one of this holder.
    pub(crate) fn begin(&mut self, now: Moment, order: Order) {
        let (since, before) =
            self.0.get(&order.holder).map_or((now, Duration::ZERO), |held| (held.since, held.before));
        let expires = match order.lasts {
            Lasts::For(time) | Lasts::ForUntilExit(time) => Some(now + time),
            Lasts::UntilLifted | Lasts::UntilExit => None,
        };
        let until_exit = matches!(order.lasts, Lasts::UntilExit | Lasts::ForUntilExit(_));
        let Order { holder, reason, uid, .. } = order;
        self.0.insert(
            holder,
            ActiveOrder { reason, expires, until_exit, returning: false, needs: vec![], uid, since, before },
        );
    }

    /// Whether it has an order of this holder, or of any if none is named.
    pub(crate) fn has(&self, whose: Option<&Holder>) -> bool {
        self.0.keys().any(|holder| is_of(holder, whose))
    }

    /// Ends the order of this holder, or all if none is named, and returns their holders.
    pub(crate) fn lift(&mut self, whose: Option<&Holder>) -> Vec<Holder> {
        self.remove_where(|holder, _| is_of(holder, whose))
    }

    /// Lets these orders end once the checks pass. False if there are none.
    pub(crate) fn let_return(&mut self, lift: &Lift) -> bool {
        let mut any = false;
        for (_, order) in self.0.iter_mut().filter(|(holder, _)| is_of(holder, lift.holder.as_ref())) {
            order.returning = true;
            order.needs.clone_from(&lift.checks);
            any = true;
        }
        any
    }

    /// No check takes the service down: ends the orders that waited for it, except those that need a check that `fails`.
    /// Returns their holders.
    pub(crate) fn lift_returning(&mut self, fails: impl Fn(&str) -> bool) -> Vec<Holder> {
        self.remove_where(|_, order| order.returning && !order.needs.iter().any(|check| fails(check)))
    }

    /// Ends the orders that have expired, and returns their holders.
    pub(crate) fn expire(&mut self, now: Moment) -> Vec<Holder> {
        self.remove_where(|_, order| order.expires.is_some_and(|at| at <= now))
    }

    /// When the next order ends by itself.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.0.values().filter_map(|order| order.expires).min()
    }

    fn remove_where(&mut self, ends: impl Fn(&Holder, &ActiveOrder) -> bool) -> Vec<Holder> {
        let over = self.0.iter().filter(|(holder, order)| ends(holder, order));
        let over: Vec<_> = over.map(|(holder, _)| holder.clone()).collect();
        self.0.retain(|holder, _| !over.contains(holder));
        over
    }

    /// The orders to save.
    pub(crate) fn remember(&self, now: Moment) -> BTreeMap<Holder, RememberedOrder> {
        let remembered = |order: &ActiveOrder| RememberedOrder {
            reason: order.reason.clone(),
            remaining: order.expires.map(|expires| expires.since(now)),
            age: order.age(now),
            returning: order.returning,
            needs: order.needs.clone(),
            until_exit: order.until_exit,
            uid: order.uid,
        };
        ordered(self.0.iter().map(|(holder, order)| (holder.clone(), remembered(order))))
    }

    /// Restores orders that were saved `ago`. An order that has expired since ends at once. Orders until exit are restored,
    /// too, because a reload needs them; the store removes those of an earlier helper.
    pub(crate) fn recall(now: Moment, remembered: &BTreeMap<Holder, RememberedOrder>, ago: Duration) -> Self {
        let recalled = |order: &RememberedOrder| ActiveOrder {
            reason: order.reason.clone(),
            expires: order.remaining.map(|remaining| now + remaining.saturating_sub(ago)),
            until_exit: order.until_exit,
            returning: order.returning,
            needs: order.needs.clone(),
            uid: order.uid,
            since: now,
            before: order.age.saturating_add(ago),
        };
        Self(ordered(remembered.iter().map(|(holder, order)| (holder.clone(), recalled(order)))))
    }
}

/// Whether this is the holder that was named, if one was.
fn is_of(holder: &Holder, whose: Option<&Holder>) -> bool {
    whose.is_none_or(|whose| whose == holder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn order(holder: &str, lasts: Lasts) -> Order {
        Order { holder: holder.parse().unwrap(), reason: String::new().into(), lasts, uid: None }
    }

    #[test]
    fn each_holder_lifts_its_own() {
        let mut drains = Orders::default();
        drains.begin(Moment::START, order("operator", Lasts::UntilLifted));
        drains.begin(Moment::START, order("unbound.service", Lasts::For(MINUTE)));
        let unit: Holder = "unbound.service".parse().unwrap();
        let returns =
            Lift { holder: Some(unit.clone()), once_healthy: true, checks: vec!["recursion".to_owned()] };
        assert!(drains.let_return(&returns));
        assert_eq!(drains.lift_returning(|check| check == "recursion"), []);
        assert_eq!(drains.lift_returning(|check| check == "answers"), [unit]);
        assert!(!drains.let_return(&returns), "it has none any more");
        assert_eq!(drains.lift(None), [Holder::operator()]);
        assert!(drains.is_empty());
    }

    #[test]
    fn a_restart_of_the_helper_neither_prolongs_nor_ends_one() {
        let mut drains = Orders::default();
        drains.begin(Moment::START, order("operator", Lasts::For(10 * MINUTE)));
        let later = Moment::START + 4 * MINUTE;
        let mut recalled = Orders::recall(Moment::START, &drains.remember(later), MINUTE);
        assert_eq!(recalled.deadline(), Some(Moment::START + 5 * MINUTE));
        assert_eq!(recalled.iter().map(|(_, drain)| drain.age(Moment::START)).max(), Some(5 * MINUTE));
        assert_eq!(recalled.expire(Moment::START), []);
        let mut outlived = Orders::recall(Moment::START, &drains.remember(later), 7 * MINUTE);
        assert_eq!(outlived.expire(Moment::START), [Holder::operator()]);
        assert_eq!(recalled.expire(Moment::START + 5 * MINUTE), [Holder::operator()]);
    }

    #[test]
    fn no_length_of_time_is_too_long() {
        let mut drains = Orders::default();
        drains.begin(Moment::START, order("operator", Lasts::For(Duration::MAX)));
        let mut remembered = drains.remember(Moment::START);
        remembered.values_mut().for_each(|drain| drain.age = Duration::MAX);
        let recalled = Orders::recall(Moment::START, &remembered, MINUTE);
        let ages = recalled.iter().map(|(_, drain)| drain.age(Moment::START + MINUTE));
        assert_eq!(ages.collect::<Vec<_>>(), [Duration::MAX]);
    }

    #[test]
    fn a_holder_is_a_word_and_a_reason_a_line() {
        for refused in ["", "two words", "ünit", "a\nb", &"x".repeat(65)] {
            assert!(refused.parse::<Holder>().is_err(), "{refused}");
        }
        assert_eq!(Reason::from(" new\n disk\u{7} ".to_owned()).to_string(), "new disk");
        assert_eq!(Reason::from("\n".to_owned()).to_string(), "no reason given");
        let cut = Reason::from("x".repeat(1000)).to_string();
        assert_eq!((cut.chars().count(), cut.ends_with("x…")), (Reason::LONGEST, true));
        assert_eq!(Reason::from("x".repeat(Reason::LONGEST)).to_string(), "x".repeat(Reason::LONGEST));
    }
}
