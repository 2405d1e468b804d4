//! Rules between values: the timing of a check, and the thresholds of dampening.

use std::num::NonZeroU32;
use std::time::Duration;

use toml::Spanned;

use super::file::{self, Placed, place, value};
use super::resolve::{Refused, Resolver, Result, Scope};
use super::value::Fall;
use super::{bounds, defaults};
use crate::engine::check::Timing;
use crate::engine::dampening::{Policy, PolicyError, Values};
use crate::engine::hysteresis::{Thresholds, WindowRule};
use crate::text::period::Period;

/// Rounds. At the default interval of 1 s a longer window would take over a quarter of an hour to fill.
const LONGEST_WINDOW: NonZeroU32 = NonZeroU32::new(1000).expect("not zero");

impl Resolver<'_> {
    pub(super) fn dampening(&self, written: &file::Dampening) -> Result<Policy> {
        use defaults::dampening as default;
        let number = |placed, default| value(placed).map_or(default, NonZeroU32::get);
        let suppress = number(&written.suppress, default::SUPPRESS);
        let reuse = number(&written.reuse, default::REUSE);
        let half_life = self.period(&written.half_life, bounds::HALF_LIFE, default::HALF_LIFE);
        let max_suppress = self.period(&written.max_suppress, bounds::MAX_SUPPRESS, default::MAX_SUPPRESS);
        let max_rise_time =
            self.period(&written.max_rise_time, bounds::MAX_RISE_TIME, default::MAX_RISE_TIME);
        let restart_grace =
            self.period(&written.restart_grace, bounds::RESTART_GRACE, default::RESTART_GRACE);
        // The rule between the thresholds is checked even if a period was refused.
        let policy = Policy::new(Values {
            mode: written.mode,
            penalty: number(&written.penalty, default::PENALTY),
            suppress,
            reuse,
            half_life: half_life.unwrap_or(default::HALF_LIFE),
            max_suppress: max_suppress.unwrap_or(default::MAX_SUPPRESS),
            max_rise_time: max_rise_time.unwrap_or(default::MAX_RISE_TIME),
            restart_grace: restart_grace.unwrap_or(default::RESTART_GRACE),
        });
        let is_known = half_life.is_ok() && max_suppress.is_ok();
        let policy = policy.map_err(|error| {
            let (span, message) = match error {
                // The ceiling follows from periods of which one was refused.
                PolicyError::SuppressAboveCeiling { .. } if !is_known => return Refused,
                PolicyError::ReuseNotBelowSuppress => (
                    place(&written.reuse).or_else(|| place(&written.suppress)),
                    format!(
                        "reuse {reuse} is not below suppress {suppress}, expected a smaller reuse: what is suppressed \
                         would be let go at once"
                    ),
                ),
                PolicyError::SuppressAboveCeiling { ceiling } => (
                    place(&written.suppress)
                        .or_else(|| place(&written.reuse))
                        .or_else(|| place(&written.half_life))
                        .or_else(|| place(&written.max_suppress)),
                    format!(
                        "suppress {suppress} can never be reached: the ceiling of the penalty, \
                         reuse × 2^(max-suppress / half-life), is {ceiling}"
                    ),
                ),
                PolicyError::Zero(key) => (None, format!("{key} is zero, expected more")),
            };
            self.rule_error(&["dampening"], &span.unwrap_or(0..0), message)
        });
        half_life.and(max_suppress).and(max_rise_time).and(restart_grace)?;
        policy
    }

    /// The timing of a check that sets none itself.
    pub(super) fn default_timing(&self, of: Scope<'_>) -> Result<Timing> {
        self.timing(&file::Timing::default(), of.defaults)
    }

    /// Each value of the check, else that of `[defaults]`, else the built-in one.
    pub(super) fn timing(&self, check: &file::Timing, defaults: &file::Timing) -> Result<Timing> {
        let built_in = defaults::TIMING;
        let pick =
            |check: &Placed<Period>, defaults: &Placed<Period>| check.clone().or_else(|| defaults.clone());
        let interval = pick(&check.interval, &defaults.interval);
        let timeout = pick(&check.timeout, &defaults.timeout);
        let fast_interval = pick(&check.fast_interval, &defaults.fast_interval);
        let interval_read = self.period(&interval, bounds::INTERVAL, built_in.interval);
        // The default of a period that is not written is at most the interval that is written.
        let within_interval = |written: &Placed<Period>, bound, default: Duration| match (written, &interval)
        {
            (None, Some(interval)) => Ok(default.min(interval.get_ref().0)),
            _ => self.period(written, bound, default),
        };
        let fast_interval_read =
            within_interval(&fast_interval, bounds::FAST_INTERVAL, built_in.fast_interval);
        let timeout_read = within_interval(&timeout, bounds::TIMEOUT, built_in.timeout);
        // If [defaults] has an error, a comparison with its values may be wrong.
        let mut compared = Ok(());
        if !self.survey.has_invalid(&["defaults"]) {
            for (name, read, placed) in [
                ("timeout", timeout_read, timeout.as_ref()),
                ("fast-interval", fast_interval_read, fast_interval.as_ref()),
            ] {
                let (Ok(interval_read), Ok(read)) = (interval_read, read) else { continue };
                if read > interval_read {
                    let place = placed.or(interval.as_ref()).map(Spanned::span);
                    let (read, most) = (Period(read), Period(interval_read));
                    let message =
                        format!("{name} {read} is longer than the interval {most}, expected at most that");
                    let keys = &["interval", "timeout", "fast-interval"];
                    compared = Err(self.rule_error(keys, &place.unwrap_or(0..0), message));
                }
            }
        }
        let has_window = |fall: &&Spanned<Fall>| fall.get_ref().has_window();
        let of_check = check.fall.as_ref().filter(has_window);
        let window = match of_check.or_else(|| defaults.fall.as_ref().filter(has_window)) {
            Some(fall) => self.window(fall),
            None => Ok(built_in.thresholds.window),
        };
        let in_a_row = |fall: &Placed<Fall>| fall.as_ref().and_then(|fall| fall.get_ref().consecutive);
        let timing = Timing {
            interval: interval_read?,
            fast_interval: fast_interval_read?,
            timeout: timeout_read?,
            thresholds: Thresholds {
                rise: check.rise.or(defaults.rise).unwrap_or(built_in.thresholds.rise),
                fall: in_a_row(&check.fall)
                    .or_else(|| in_a_row(&defaults.fall))
                    .unwrap_or(built_in.thresholds.fall),
                relapse: built_in.thresholds.relapse,
                window: window?,
            },
        };
        compared.map(|()| timing)
    }

    /// The window of a table `fall`; `None` if `of = 0` turns it off.
    fn window(&self, fall: &Spanned<Fall>) -> Result<Option<WindowRule>> {
        let Fall { failures, of, .. } = *fall.get_ref();
        if of == Some(0) {
            return Ok(None);
        }
        let (failures, of) = (failures.and_then(NonZeroU32::new), of.and_then(NonZeroU32::new));
        match (failures, of) {
            (Some(failures), Some(of)) if failures <= of && of <= LONGEST_WINDOW => {
                Ok(Some(WindowRule { failures, of }))
            }
            _ => {
                let shown = |count: Option<NonZeroU32>| {
                    count.map_or_else(|| "none".to_owned(), |count| count.to_string())
                };
                let message = format!(
                    "found failures {} of {} rounds, expected for example fall = {{ failures = 30, of = 60 }}: at least 1 failure, not more than \
                     `of` rounds, and at most {LONGEST_WINDOW} of these; `of = 0` turns the window off",
                    shown(failures),
                    shown(of)
                );
                Err(self.value_error(&fall.span(), message))
            }
        }
    }
}
