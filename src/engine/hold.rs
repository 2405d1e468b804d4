//! Holds: an operator keeps a service announced against its checks, with a reason and an end.
//!
//! For the operator who knows that a check is wrong. A drain overrides a hold, and so does a service address that is
//! not on this host, since its traffic would surely not be answered. A hold overrides dampening and checks. It ends
//! after [`LONGEST`] at the latest, even if the saved end is later.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::moment::Moment;
use super::order::{Holder, Lasts, Order, Orders, Reason, RememberedOrder};
use crate::text::period::Period;

/// No hold lasts longer.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The duration of a hold: above zero, at most [`LONGEST`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Duration", into = "Duration")]
pub(crate) struct HoldTime(Duration);

impl TryFrom<Duration> for HoldTime {
    type Error = String;

    fn try_from(time: Duration) -> Result<Self, Self::Error> {
        if time.is_zero() || time > LONGEST {
            return Err(format!(
                "a hold cannot last {}, expected more than 0s and at most {}",
                Period(time),
                Period(LONGEST)
            ));
        }
        Ok(Self(time))
    }
}

impl FromStr for HoldTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.parse::<Period>()?.0)
    }
}

impl From<HoldTime> for Duration {
    fn from(time: HoldTime) -> Self {
        time.0
    }
}

impl fmt::Display for HoldTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Period(self.0).fmt(f)
    }
}

/// A new hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HoldOrder {
    /// The holder. A later hold of the same holder replaces an earlier one.
    pub(crate) holder: Holder,
    /// The reason.
    pub(crate) reason: Reason,
    /// The duration.
    pub(crate) lasts: HoldTime,
    /// The user id of the process that asked, as for an [`Order`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uid: Option<u32>,
}

impl From<HoldOrder> for Order {
    fn from(HoldOrder { holder, reason, lasts, uid }: HoldOrder) -> Self {
        Self { holder, reason, lasts: Lasts::For(lasts.0), uid }
    }
}

/// Restores holds that were saved `ago`. A missing or late end becomes [`LONGEST`] from now.
pub(crate) fn recall(now: Moment, remembered: &BTreeMap<Holder, RememberedOrder>, ago: Duration) -> Orders {
    let mut bounded = remembered.clone();
    for order in bounded.values_mut() {
        order.remaining = Some(order.remaining.unwrap_or(LONGEST).min(LONGEST));
    }
    Orders::recall(now, &bounded, ago)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_lasts_a_day_at_most() {
        for refused in ["0s", "24h1s", "2d", "7"] {
            assert!(refused.parse::<HoldTime>().is_err(), "{refused}");
        }
        assert_eq!("24h".parse::<HoldTime>().unwrap().0, LONGEST);
        assert!(serde_json::from_str::<HoldTime>("{\"secs\": 86401, \"nanos\": 0}").is_err());
    }

    #[test]
    fn a_saved_hold_without_an_end_gets_one() {
        let endless = RememberedOrder {
            reason: String::new().into(),
            remaining: None,
            age: Duration::ZERO,
            returning: false,
            needs: vec![],
            until_exit: false,
            uid: None,
        };
        let remembered = BTreeMap::from([(Holder::operator(), endless)]);
        let mut holds = recall(Moment::START, &remembered, Duration::from_secs(3600));
        assert_eq!(holds.deadline(), Some(Moment::START + 23 * Duration::from_secs(3600)));
        assert_eq!(holds.expire(Moment::START + LONGEST), [Holder::operator()]);
    }
}
