//! Bounds of single values: minimum periods, names that fit into a line, absolute paths.
//!
//! A valid period can still be harmful: a probe every microsecond only adds load. Each bound says what would go wrong
//! beyond it. [`Period`] itself limits the longest period to ten years.

use std::fmt;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;

use super::file::{self, Placed};
use super::resolve::{Resolver, Result};
use super::value::{Address, OneOrMany, Text};
use crate::engine::check::Severity;
use crate::engine::dampening::window::WINDOW;
use crate::engine::drain::{Holder, RESTARTS};
use crate::text::is_doubtful;
use crate::text::period::{LONGEST, Period};

/// The shortest or the longest period of a key, and what a period beyond it would cause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    key: &'static str,
    least: Duration,
    most: Duration,
    why: &'static str,
}

impl Bound {
    pub(super) const fn least(key: &'static str, least: Duration, why: &'static str) -> Self {
        Self { key, least, most: LONGEST, why }
    }

    /// Zero disables the feature.
    const fn most(key: &'static str, most: Duration, why: &'static str) -> Self {
        Self { key, least: Duration::ZERO, most, why }
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) const INTERVAL: Bound =
    Bound::least("interval", MILLISECOND, "more probes would add load and no information");
pub(super) const FAST_INTERVAL: Bound =
    Bound::least("fast-interval", MILLISECOND, "more probes would add load and no information");
pub(super) const TIMEOUT: Bound = Bound::least("timeout", MILLISECOND, "a healthy server would fail");
pub(super) const STALL: Bound = Bound::least(
    "stall",
    Duration::from_millis(200),
    "a server that reads again after a short reload would fail",
);
pub(super) const ACK_TIMEOUT: Bound =
    Bound::least("ack-timeout", Duration::from_millis(100), "a busy ExaBGP does not answer sooner");
pub(super) const REFRESH: Bound =
    Bound::least("refresh", SECOND, "ExaBGP would have no time for anything else; \"0s\" means never");
pub(super) const ADOPT_MAX_AGE: Bound =
    Bound::least("adopt-max-age", SECOND, "ExaBGP takes that long to restart a helper");
pub(super) const UNKNOWN_AFTER: Bound =
    Bound::least("unknown-after", SECOND, "a short lack of descriptors would degrade the service");
pub(super) const HALF_LIFE: Bound =
    Bound::least("half-life", SECOND, "the penalty would decay before the next fall");
pub(super) const MAX_SUPPRESS: Bound =
    Bound::least("max-suppress", SECOND, "the suppression would end before it has an effect");

pub(super) const MAX_RISE_TIME: Bound =
    Bound::most("max-rise-time", WINDOW, "falls count for that long; \"0s\" disables the doubling");
pub(super) const RECOVERY: Bound =
    Bound::most("after", HOUR, "a cache is warm within minutes; \"0s\" returns at once");
pub(super) const RESTART_GRACE: Bound = Bound::most(
    "restart-grace",
    Duration::from_secs(60),
    "a longer outage is a fall; \"0s\" counts every exit of the process as a fall",
);

/// Longest name of a backend. `backend/NAME` is the holder of a drain, which has at most 64 characters.
const LONGEST_BACKEND: usize = 56;

impl Resolver<'_> {
    /// Reads a period and checks its bound. Returns the default if the key is absent.
    pub(super) fn period(
        &self,
        written: &Placed<Period>,
        bound: Bound,
        default: Duration,
    ) -> Result<Duration> {
        let Some(written) = written else { return Ok(default) };
        let Bound { key, least, most, why } = bound;
        let period = *written.get_ref();
        let expected = match period.0 {
            short if short < least => format!("at least {}", Period(least)),
            long if long > most => format!("at most {}", Period(most)),
            fits => return Ok(fits),
        };
        Err(self.value_error(&written.span(), format!("{key} is {period}, expected {expected}: {why}")))
    }

    /// Checks a name. Names occur in log lines, states and traces, where a space or a `/` would end them.
    pub(super) fn name(&self, written: &Spanned<String>, of: &str) -> Result<()> {
        let name = written.get_ref();
        let fits = |c: char| !(c == '/' || c.is_whitespace() || is_doubtful(c));
        if !name.is_empty() && name.chars().all(fits) {
            return Ok(());
        }
        let shown = name.escape_debug();
        let message = format!(
            "`{shown}` is not a valid name of a {of}, expected one word without `/`, spaces, control or invisible characters"
        );
        Err(self.value_error(&written.span(), message))
    }

    /// The holder of drains of this backend. The name also occurs in paths, so `..` is invalid.
    pub(super) fn holder_of_backend(&self, written: &Spanned<String>) -> Result<Holder> {
        let name = written.get_ref();
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fits = name.len() <= LONGEST_BACKEND
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(inner);
        let holder = format!("{RESTARTS}{name}").parse();
        holder.ok().filter(|_| fits).ok_or_else(|| {
            let message = format!(
                "`{}` is not a valid name of a backend, expected at most {LONGEST_BACKEND} of a-z, A-Z, 0-9, `.`, `_` and `-`, \
                 a letter or digit first",
                name.escape_debug()
            );
            self.value_error(&written.span(), message)
        })
    }

    /// Refuses NUL characters, which cannot occur in the arguments of a program.
    pub(super) fn without_nul<'w>(
        &self,
        place: &Range<usize>,
        words: impl IntoIterator<Item = &'w String>,
    ) -> Result<()> {
        if words.into_iter().any(|word| word.contains('\0')) {
            let message = "found a NUL character, expected none: arguments of programs cannot contain one";
            return Err(self.value_error(place, message));
        }
        Ok(())
    }

    /// Reads a path and refuses a relative one: ExaBGP starts helpers in `/`, an operator's shell runs elsewhere.
    pub(super) fn absolute(&self, written: &Placed<PathBuf>) -> Result<Option<PathBuf>> {
        match written {
            Some(path) if path.get_ref().is_relative() => {
                let shown = path.get_ref().display();
                let message = format!(
                    "`{shown}` is a relative path, expected an absolute one: ExaBGP starts its helpers in /"
                );
                Err(self.value_error(&path.span(), message))
            }
            written => Ok(written.as_ref().map(|path| path.get_ref().clone())),
        }
    }

    /// Reads a list of neighbors and refuses duplicates.
    pub(super) fn unique_neighbors(&self, written: &[Spanned<Text<Address>>]) -> Result<Vec<IpAddr>> {
        let mut seen = vec![];
        let mut unique = Ok(());
        for neighbor in written {
            let address = neighbor.get_ref().0.0;
            if seen.contains(&address) {
                unique = Err(self.value_error(&neighbor.span(), duplicate(address)));
            }
            seen.push(address);
        }
        unique.map(|()| seen)
    }

    /// Refuses an empty list.
    pub(super) fn require_nonempty<T>(&self, written: &Placed<OneOrMany<T>>, what: &str) -> Result<()> {
        match written {
            Some(list) if list.get_ref().0.is_empty() => {
                Err(self.value_error(&list.span(), format!("no {what}, expected at least one")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a service with only observed checks, which would be announced for ever, and one whose others have `once-up` or
    /// `once-seen`: until one has passed it would have no verdict, or be announced without an answer of its server.
    pub(super) fn require_deciding_check(
        &self,
        written: &file::Service,
        checks: &[super::Check],
    ) -> Result<()> {
        let mut deciding = checks.iter().filter(|check| check.on_fail.worst() > Severity::Observe).peekable();
        let (has, expected) = if deciding.peek().is_none() {
            ("on-fail = \"observe\"", "one that decides: nothing would ever withdraw its prefixes")
        } else if deciding.all(|check| check.on_fail.once_up || check.counts_once_seen()) {
            (
                "once-up = true, once-seen = true or on-fail = \"observe\"",
                "one with none of them: before its first pass a check with `once-up` gives no verdict, and one with \
                 `once-seen` announces a server that does not answer",
            )
        } else {
            return Ok(());
        };
        let message =
            format!("every check of service `{}` has {has}, expected {expected}", written.name.get_ref());
        let keys = &["on-fail", "on-unknown", "once-up", "check", "name"];
        Err(self.rule_error(keys, &written.name.span(), message))
    }
}

/// The message about a duplicate in a list.
pub(super) fn duplicate(value: impl fmt::Display) -> String {
    format!("`{value}` occurs twice in this list, expected each value once")
}
