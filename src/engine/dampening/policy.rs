//! The rules of dampening, checked once: a policy can suppress, and can release.

use std::ops::Deref;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is done with the penalty.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// A suppressed service is withdrawn.
    Enforce,
    /// The penalty is computed, shown and logged, and holds nothing.
    #[default]
    Observe,
    /// Not even computed.
    Off,
}

/// The numbers of a dampening policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Values {
    /// What is done with the penalty.
    pub(crate) mode: Mode,
    /// Added by each fall.
    pub(crate) penalty: u32,
    /// At this penalty a service is suppressed.
    pub(crate) suppress: u32,
    /// At this penalty it is let go.
    pub(crate) reuse: u32,
    /// In this time half of the penalty is gone.
    pub(crate) half_life: Duration,
    /// Nothing is held longer than this after its last fall.
    pub(crate) max_suppress: Duration,
    /// The longest that a return takes after repeated falls; zero switches the doubling off.
    pub(crate) max_rise_time: Duration,
    /// A process that is back within this time after its end has not made its service fall; zero: it always has.
    pub(crate) restart_grace: Duration,
}

/// Values that work together. Made by [`Policy::new`], which refuses what could never suppress, or never release.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Policy(Values);

impl Deref for Policy {
    type Target = Values;

    fn deref(&self) -> &Values {
        &self.0
    }
}

/// Why a policy was refused. The variants name the value at fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PolicyError {
    /// `reuse` is not below `suppress`.
    ReuseNotBelowSuppress,
    /// `suppress` lies above the ceiling, so that it could never be reached.
    SuppressAboveCeiling {
        /// The highest penalty there can be.
        ceiling: u32,
    },
    /// The value of this key is zero, which it must not be.
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
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below a u32")]
            let ceiling = policy.ceiling() as u32;
            return Err(PolicyError::SuppressAboveCeiling { ceiling });
        }
        Ok(policy)
    }

    /// No dampening.
    #[must_use]
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

    /// The highest penalty there can be (RFC 2439, section 4.8.2).
    #[must_use]
    pub(crate) fn ceiling(&self) -> f64 {
        f64::from(self.reuse) * (self.max_suppress.as_secs_f64() / self.half_life.as_secs_f64()).exp2()
    }
}
