//! What a single value must keep to: the shortest sensible periods, names that fit into a line, absolute paths.
//!
//! A period may be legal and still make no sense: a probe every microsecond is nothing but load. Each bound says what
//! would become of the helper below it. The longest period, ten years, is a matter of [`Period`] itself.

use std::fmt;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;

use super::file::{self, Placed};
use super::resolve::{Resolver, Result};
use super::value::{Address, Text};
use crate::engine::check::Severity;
use crate::engine::dampening::window::WINDOW;
use crate::engine::drain::{Holder, RESTARTS};
use crate::period::Period;
use crate::text::is_doubtful;

/// The shortest period that a key takes, and what a shorter one would do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Least {
    pub(super) key: &'static str,
    pub(super) least: Duration,
    pub(super) why: &'static str,
}

impl Least {
    pub(super) const fn new(key: &'static str, least: Duration, why: &'static str) -> Self {
        Self { key, least, why }
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

pub(super) const INTERVAL: Least =
    Least::new("interval", MILLISECOND, "more probes would be load and prove nothing more");
pub(super) const FAST_INTERVAL: Least =
    Least::new("fast-interval", MILLISECOND, "more probes would be load and prove nothing more");
pub(super) const TIMEOUT: Least = Least::new("timeout", MILLISECOND, "a healthy server would be called dead");
pub(super) const ACK_TIMEOUT: Least =
    Least::new("ack-timeout", Duration::from_millis(100), "exabgp answers no sooner when it is busy");
pub(super) const REFRESH: Least =
    Least::new("refresh", SECOND, "exabgp would have nothing else to do; \"0s\" means never");
pub(super) const ADOPT_MAX_AGE: Least =
    Least::new("adopt-max-age", SECOND, "exabgp takes that long to start a helper anew");
pub(super) const UNKNOWN_AFTER: Least =
    Least::new("unknown-after", SECOND, "a moment without descriptors would degrade the service");
pub(super) const HALF_LIFE: Least =
    Least::new("half-life", SECOND, "a penalty would be gone before the next fall");
pub(super) const MAX_SUPPRESS: Least =
    Least::new("max-suppress", SECOND, "a suppression would be over before it calms anything");

/// The longest period that a key takes, and what a longer one would do. Zero switches it off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    pub(super) key: &'static str,
    pub(super) most: Duration,
    pub(super) why: &'static str,
}

pub(super) const MAX_RISE_TIME: Most = Most {
    key: "max-rise-time",
    most: WINDOW,
    why: "falls are counted for that long; \"0s\" switches the doubling off",
};
pub(super) const RESTART_GRACE: Most = Most {
    key: "restart-grace",
    most: Duration::from_secs(60),
    why: "a server that is away for longer has fallen; \"0s\" counts every end of its process",
};

/// `backend/NAME` holds a drain, and a holder has at most 64 characters.
const LONGEST_BACKEND: usize = 56;

impl Resolver<'_> {
    /// The period written, if it is long enough, else the default.
    pub(super) fn period(
        &self,
        written: &Placed<Period>,
        bound: Least,
        default: Duration,
    ) -> Result<Duration> {
        let Some(period) = written else { return Ok(default) };
        let Least { key, least, why } = bound;
        if period.get_ref().0 < least {
            let message =
                format!("{key} is {}, expected at least {}: {why}", period.get_ref(), Period(least));
            return Err(self.error(&period.span(), message));
        }
        Ok(period.get_ref().0)
    }

    /// The period written, if it is short enough, else the default.
    pub(super) fn at_most(
        &self,
        written: &Placed<Period>,
        bound: Most,
        default: Duration,
    ) -> Result<Duration> {
        let Some(period) = written else { return Ok(default) };
        let Most { key, most, why } = bound;
        if period.get_ref().0 > most {
            let message = format!("{key} is {}, expected at most {}: {why}", period.get_ref(), Period(most));
            return Err(self.error(&period.span(), message));
        }
        Ok(period.get_ref().0)
    }

    /// A name stands in log lines, in states and in traces, where a blank or a `/` would end it.
    pub(super) fn name(&self, written: &Spanned<String>, of: &str) -> Result<()> {
        let name = written.get_ref();
        let fits = |c: char| !(c == '/' || c.is_whitespace() || is_doubtful(c));
        if !name.is_empty() && name.chars().all(fits) {
            return Ok(());
        }
        let shown = name.escape_debug();
        let message = format!(
            "`{shown}` is no name of a {of}, expected one word without `/`, blanks, control or invisible characters"
        );
        Err(self.error(&written.span(), message))
    }

    /// In whose name the backend of this name is drained. The name also stands in a path, where `..` is no name.
    pub(super) fn holder_of_backend(&self, written: &Spanned<String>) -> Result<Holder> {
        let name = written.get_ref();
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fits = name.len() <= LONGEST_BACKEND
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(inner);
        let holder = format!("{RESTARTS}{name}").parse();
        holder.ok().filter(|_| fits).ok_or_else(|| {
            let message = format!(
                "`{}` is no name of a backend, expected at most {LONGEST_BACKEND} of a-z, A-Z, 0-9, `.`, `_` and `-`, \
                 a letter or digit first",
                name.escape_debug()
            );
            self.error(&written.span(), message)
        })
    }

    /// A zero character ends an argument, so that no program can be started with one.
    pub(super) fn without_zero<'w>(
        &self,
        place: &Range<usize>,
        words: impl IntoIterator<Item = &'w String>,
    ) -> Result<()> {
        if words.into_iter().any(|word| word.contains('\0')) {
            return Err(
                self.error(place, "found a zero character, expected none: no program can be given one")
            );
        }
        Ok(())
    }

    /// ExaBGP's helpers run in `/`, an operator's shell elsewhere: a relative path would mean two files.
    pub(super) fn absolute(&self, written: &Placed<PathBuf>) -> Result<Option<PathBuf>> {
        match written {
            Some(path) if path.get_ref().is_relative() => {
                let shown = path.get_ref().display();
                let message = format!(
                    "`{shown}` is a relative path, expected an absolute one: exabgp starts its helpers in /"
                );
                Err(self.error(&path.span(), message))
            }
            written => Ok(written.as_ref().map(|path| path.get_ref().clone())),
        }
    }

    /// The neighbors of a list, each once.
    pub(super) fn each_once(&self, written: &[Spanned<Text<Address>>]) -> Result<Vec<IpAddr>> {
        let mut seen = vec![];
        for neighbor in written {
            let address = neighbor.get_ref().0.0;
            if seen.contains(&address) {
                return Err(self.error(&neighbor.span(), twice(address)));
            }
            seen.push(address);
        }
        Ok(seen)
    }

    /// A list that was written must not be empty.
    pub(super) fn some<T>(
        &self,
        written: &Placed<T>,
        length: impl Fn(&T) -> usize,
        what: &str,
    ) -> Result<()> {
        match written {
            Some(list) if length(list.get_ref()) == 0 => {
                Err(self.error(&list.span(), format!("no {what}, expected at least one")))
            }
            _ => Ok(()),
        }
    }

    /// With nothing but observed checks a service would be announced for ever.
    pub(super) fn decides(&self, written: &file::Service, checks: &[super::Check]) -> Result<()> {
        if checks.iter().any(|check| check.on_fail.worst() > Severity::Observe) {
            return Ok(());
        }
        let message = format!(
            "every check of service `{}` has on-fail = \"observe\", expected one that counts: nothing would ever \
             withdraw its prefixes",
            written.name.get_ref()
        );
        Err(self.error(&written.name.span(), message))
    }
}

/// What is said of a value that stands in its list already.
pub(super) fn twice(value: impl fmt::Display) -> String {
    format!("`{value}` stands in this list already, expected each once")
}
