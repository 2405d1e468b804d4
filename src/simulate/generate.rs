//! Writes traces of servers that flap, fail at random or lose packets.
//!
//! Faults concern the checks that ask the server (`dns`, `command`). The others keep passing: their process runs, and
//! addresses, sockets and routes are there. The trace tells the truth, so that the summary can tell false withdrawals.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::random::{LATENCY, Random};
use crate::config::Config;
use crate::engine::event::CheckId;
use crate::engine::moment::Moment;
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::text::period::Period;
use crate::trace::names::Names;
use crate::trace::share::Share;

/// Changes of the server in one trace.
const MOST: usize = 1_000_000;

/// The server serves at least so long before the first fault, unless the trace is short.
const SETTLES: Duration = Duration::from_secs(60);

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    pub(crate) kind: Kind,
    /// The loss of packets while the server serves.
    pub(crate) loss: Option<Share>,
    /// What a probe finds during a fault.
    pub(crate) cause: Cause,
    /// The length of the trace.
    pub(crate) length: Duration,
    pub(crate) seed: u64,
}

/// When the server fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Never.
    Never,
    /// It serves for this time, fails for this time, and so on.
    Flaps(Duration),
    /// It fails at random: the mean time between a repair and the next fault, and that of a fault.
    Fails {
        /// Until a fault.
        between: Duration,
        /// Until the repair.
        repair: Duration,
    },
}

impl Faults {
    /// Writes the trace for the checks of a configuration. An error says that no check asks a server, or that the trace
    /// is too long.
    pub(crate) fn trace(&self, config: &Config) -> Result<String, String> {
        let names = Names::new(config);
        let asks = |id: &CheckId| matches!(config.check(*id).probe, Probe::Dns(_) | Probe::Command(_));
        let (asked, others): (Vec<_>, Vec<_>) = names.checks().partition(asks);
        if asked.is_empty() {
            return Err("no check asks a server, expected a `dns` or `command` check to generate faults for"
                .to_owned());
        }
        let passes = format!("pass {}", Period(LATENCY).in_one_word());
        let serves = self.loss.map_or_else(|| passes.clone(), |share| format!("loses {share}"));
        let fails = format!("{} the server fails", self.cause);
        // The start: everything passes.
        let mut text = format!("# generated\nseed {}\n", self.seed);
        for check in &others {
            let _ = writeln!(text, "0 becomes {} {passes}", names.check(*check));
        }
        // Writing to a string cannot fail.
        let mut turn = |at: Moment, word: &str, what: &str| {
            for check in &asked {
                let _ = writeln!(text, "{at} becomes {} {what}", names.check(*check));
            }
            let _ = writeln!(text, "{at} truth * {word}");
            if at == Moment::START {
                text.push_str("0 start\n");
            }
        };
        turn(Moment::START, "serves", &serves);
        for (fault, repair) in self.faults()? {
            turn(fault, "fails", &fails);
            turn(repair, "serves", &serves);
        }
        let _ = writeln!(text, "{} end", Moment::START + self.length);
        Ok(text)
    }

    /// Each fault: its begin and its end.
    fn faults(&self) -> Result<Vec<(Moment, Moment)>, String> {
        let end = Moment::START + self.length;
        let mut random = Random::new(self.seed, "faults");
        let mut times = |kind| match kind {
            Kind::Never => None,
            Kind::Flaps(period) => Some((period, period)),
            Kind::Fails { between, repair } => Some((random.gap(between), random.gap(repair))),
        };
        let mut found = vec![];
        let mut now = Moment::START + SETTLES.min(self.length / 10);
        while let Some((serves, fails)) = times(self.kind) {
            // A server that flaps begins with a fault.
            let fault = if matches!(self.kind, Kind::Flaps(_)) { now } else { now + serves };
            let repair = fault + fails;
            if repair >= end {
                break;
            }
            if found.len() >= MOST / 2 {
                return Err(format!(
                    "the server would change more than {MOST} times, expected a shorter `--for` or longer times between the faults"
                ));
            }
            found.push((fault, repair));
            now = if matches!(self.kind, Kind::Flaps(_)) { repair + serves } else { repair };
        }
        Ok(found)
    }
}

/// "flap 2s, loss 5%".
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Never => {}
            Kind::Flaps(period) => write!(f, "flap {}", Period(period))?,
            Kind::Fails { between, repair } => {
                write!(f, "mtbf {}, mttr {}", Period(between), Period(repair))?;
            }
        }
        let between = if matches!(self.kind, Kind::Never) { "" } else { ", " };
        self.loss.map_or(Ok(()), |share| write!(f, "{between}loss {share}"))
    }
}
