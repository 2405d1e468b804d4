//! The rules of dampening, checked once: a policy can suppress, and can release.

use std::ops::Deref;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::whole;

/// The effect of the penalty.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// A suppressed service is withdrawn.
    Enforce,
    /// The penalty is computed, shown and logged; it withdraws nothing.
    #[default]
    Observe,
    /// Not even computed.
    Off,
}

/// The values of a dampening policy.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Values {
    /// The effect of the penalty.
    pub(crate) mode: Mode,
    /// Added by each fall.
    pub(crate) penalty: u32,
    /// At this penalty a service is suppressed.
    pub(crate) suppress: u32,
    /// At this penalty a suppression ends.
    pub(crate) reuse: u32,
    /// The half-life of the penalty.
    pub(crate) half_life: Duration,
    /// The longest time for which a service is held down after its last fall.
    pub(crate) max_suppress: Duration,
    /// The longest return after repeated falls; zero switches the doubling off.
    pub(crate) max_rise_time: Duration,
    /// A process that is back within this time after its exit causes no fall; if zero, every exit is a fall.
    pub(crate) restart_grace: Duration,
}

/// Values that work together. Made by [`Policy::new`], which refuses a policy that could never suppress, or never
/// release.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Policy(Values);

impl Deref for Policy {
    type Target = Values;

    fn deref(&self) -> &Values {
        &self.0
    }
}

/// Why a policy was refused. The variants name the wrong value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PolicyError {
    /// `reuse` is not below `suppress`.
    ReuseNotBelowSuppress,
    /// `suppress` lies above the ceiling, the highest possible penalty.
    SuppressAboveCeiling { ceiling: u32 },
    /// The value of this key is zero.
    Zero(&'static str),
}

impl Policy {
    /// A policy that can suppress and can release.
    ///
    /// # Errors
    /// When a value is zero, `reuse` is not below `suppress`, or `suppress` is above the ceiling.
    pub(crate) fn new(values: Values) -> Result<Self, PolicyError> {
        let policy = Self(values);
        let Values { penalty, suppress, reuse, half_life, max_suppress, .. } = values;
        let zeros = [
            ("penalty", penalty == 0),
            ("reuse", reuse == 0),
            ("half-life", half_life.is_zero()),
            ("max-suppress", max_suppress.is_zero()),
        ];
        if let Some((key, _)) = zeros.into_iter().find(|(_, is_zero)| *is_zero) {
            return Err(PolicyError::Zero(key));
        }
        if reuse >= suppress {
            return Err(PolicyError::ReuseNotBelowSuppress);
        }
        if f64::from(suppress) > policy.ceiling() {
            return Err(PolicyError::SuppressAboveCeiling { ceiling: whole(policy.ceiling()) });
        }
        Ok(policy)
    }

    /// No dampening.
    pub(crate) const fn off() -> Self {
        Self(Values {
            mode: Mode::Off,
            penalty: 1,
            suppress: 2,
            reuse: 1,
            half_life: Duration::from_secs(1),
            max_suppress: Duration::from_secs(1),
            max_rise_time: Duration::ZERO,
            restart_grace: Duration::ZERO,
        })
    }

    /// A penalty after this time.
    pub(crate) fn decayed(&self, penalty: f64, time: Duration) -> f64 {
        penalty * libm::exp2(-(time.as_secs_f64() / self.half_life.as_secs_f64()))
    }

    /// The highest possible penalty (RFC 2439, section 4.8.2).
    pub(crate) fn ceiling(&self) -> f64 {
        f64::from(self.reuse) * libm::exp2(self.max_suppress.as_secs_f64() / self.half_life.as_secs_f64())
    }
}
