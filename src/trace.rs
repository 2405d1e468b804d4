//! Traces: timed events as text. Tests, recordings and `simulate` share this format.
//!
//! ```text
//! # Two lost probes change nothing, because fall is 3.
//! | [node]                             configuration: each line starts with a bar
//! | management = ["127.0.0.1"]
//! seed 7                               of the random losses; default 0
//! exabgp 5.0.15                        what answers on stdin: a version, "silent" (only lines of the trace) or "terminal"
//! 0      start
//! 0      becomes answers pass 0.4ms    what the probes of a check find from now on
//! 10     becomes answers timeout       a cause, optionally with its detail: `timeout no answer within 500ms`
//! +1.5s  becomes answers pass          relative to the previous line
//! 15     becomes answers pass 251ms lost 1 of 4    one of four probes had to repeat its question
//! 16     becomes answers loses 5%      each packet of its probes is lost with this probability
//! 17     truth resolver fails          for the summary: the clients of this service, or of all (`*`), get no answer; `serves`
//! 20     fail answers servfail x3 every 1s
//! 22     gone alive process 4711 ended  an event between two probes: the watched process exited
//! 23     gone address address-missing   the same with another cause, here a missing service address
//! 25     disable resolver              its disable-file appears; `enable`: the file is removed
//! 25     drain resolver operator 2h new disk    holder, duration (`-`: until lifted; `exit`, `exit:2h`), reason
//! 25     drain * operator - move       all services, including services added later
//! 25     drain */later operator - move only services added later, as another helper with the file was told
//! 25     undrain resolver operator     holder of the drain to end (`all`: every holder), optionally `once healthy`, and the
//!                                      checks that must then pass although they only degrade
//! 25     hold resolver operator 2h check is wrong   holder, duration, reason
//! 25     unhold resolver operator      holder of the hold to end (`all`: every holder)
//! 25     undampen resolver             clears the penalty and the falls
//! 26     < neighbor 10.0.0.1 up        a line from ExaBGP
//! 60     end
//! ```
//!
//! Times are seconds, or periods with units, at most ten years after the start. A check is `service/check`, or just the
//! name of the check if it is unique. Readers skip the lines that `simulate --annotate` adds (`TIME > line to ExaBGP`
//! and `TIME ! log message`), so an annotated trace is a trace.
//!
//! Until the trace says otherwise, service addresses are present and their sockets are read; other checks have no outcome.

use std::fmt::Write as _;
use std::time::Duration;

use crate::engine::api_session::Parent;
use crate::engine::drain::{Holder, Lasts, Lift, Order};
use crate::engine::event::{CheckId, Event, ServiceId};
use crate::engine::hold::HoldOrder;
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::outcome::{Lost, Outcome};
use crate::text::period::Period;

use self::share::Share;

mod compact;
pub(crate) mod flight;
pub mod names;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod share;

/// Stands for all services, including services added later.
const ALL: &str = "*";

/// The services that are added later, where a name of a service is expected.
const LATER: &str = "*/later";

/// The duration of a drain that lasts until the helper exits.
const UNTIL_EXIT: &str = "exit";

/// A drain ends only once the checks pass.
const ONCE_HEALTHY: &str = "once healthy";

/// Stands between the end of an order and the user id of the process that asked for it.
const UID: char = '@';

/// A parsed trace.
#[derive(Debug)]
pub struct Trace {
    /// The header, before the first event.
    pub(crate) header: Header,
    /// The steps, in order of time.
    pub steps: Vec<Step>,
}

impl Trace {
    /// When it begins: with the start of the helper, or with its first step if it continues from the state of a running one.
    pub(crate) fn begin(&self) -> Moment {
        let first = self.steps.first().filter(|_| self.header.engine.is_some());
        first.map_or(Moment::START, |step| step.at)
    }
}

/// The header of a trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Header {
    /// The configuration, if the trace contains one.
    pub(crate) configuration: Option<String>,
    /// The host name, if the configuration sets none.
    pub(crate) host: Option<String>,
    /// The peer on standard input.
    pub(crate) exabgp: Answering,
    /// The memory of an earlier helper, and its age.
    pub(crate) memory: Option<(Memory, Duration)>,
    /// The seed of `becomes … loses`.
    pub(crate) seed: u64,
    /// The engine before the first event, if the trace begins in the middle of a run: a line of `Engine::snapshot`.
    pub(crate) engine: Option<String>,
}

/// The peer on standard input in a simulation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Answering {
    /// An ExaBGP 5 that executes and acknowledges every command.
    #[default]
    Ideal,
    /// The same with this version.
    Version(String),
    /// Nothing answers; only the lines of the trace arrive.
    Silent,
    /// A recording of a helper with this parent. The simulation adds neither answers nor ticks.
    Recorded(Parent),
    /// A terminal, which answers nothing.
    Terminal,
}

impl Answering {
    /// The parent of the helper.
    pub(crate) fn parent(&self) -> Parent {
        match self {
            Self::Recorded(parent) => *parent,
            Self::Terminal => Parent::Terminal,
            Self::Ideal | Self::Version(_) | Self::Silent => Parent::ExaBgp,
        }
    }
}

/// One line of a trace: an event, optionally repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The time of the first occurrence.
    pub(crate) at: Moment,
    /// The effect.
    pub what: Effect,
    /// The number of occurrences, at least 1.
    pub count: u64,
    /// The interval between occurrences, in whole microseconds; at least one if there are several.
    pub every: Duration,
    /// The line number, from 1.
    pub(crate) line: usize,
}

impl Step {
    /// The time of the last occurrence.
    #[must_use]
    pub fn end(&self) -> Moment {
        let every = u64::try_from(self.every.as_micros()).unwrap_or(u64::MAX);
        self.at + Duration::from_micros(every.saturating_mul(self.count.saturating_sub(1)))
    }
}

/// The effect of one line of a trace.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The engine receives this event.
    Event(Event),
    /// From now on the probes of this check find this outcome.
    Becomes(CheckId, Outcome),
    /// From now on each packet of the probes of this check is lost with this probability.
    Loses(CheckId, Share),
    /// Whether the clients of a service, or of all services, are served from now on. Only the summary reads it.
    Truth(Option<ServiceId>, bool),
    /// The simulation runs until this time.
    End,
}

/// Formats an event as a line of a trace, without its time.
#[must_use]
pub fn write_event(event: &Event, names: &names::Names) -> String {
    match event {
        Event::Start => "start".to_owned(),
        Event::Tick => "tick".to_owned(),
        Event::Outcome(id, Outcome::Pass { latency, lost }) => {
            let latency =
                if latency.as_micros() == 0 { String::new() } else { format!(" {}", write_period(*latency)) };
            let lost = match lost {
                Lost { lost: 0, .. } => String::new(),
                Lost { lost, of } => format!(" lost {lost} of {of}"),
            };
            format!("pass {}{latency}{lost}", names.check(*id))
        }
        Event::Outcome(id, Outcome::Fail(failure) | Outcome::Unknown(failure)) => {
            let mut text = format!("fail {} {}", names.check(*id), failure.cause);
            if !failure.detail.is_empty() {
                let _ = write!(text, " {}", failure.detail.replace('\n', " "));
            }
            text
        }
        Event::SuddenFailure(id, why) => {
            let text = format!("gone {} {} {}", names.check(*id), why.cause, why.detail.replace('\n', " "));
            text.trim_end().to_owned()
        }
        Event::WarmedUp(id) => format!("warmed-up {}", names.service(*id)),
        Event::ProbeNow(id) => format!("doubt {}", names.check(*id)),
        Event::Returned(id) => format!("returned {}", names.check(*id)),
        Event::DisableFile(id, true) => format!("disable {}", names.service(*id)),
        Event::DisableFile(id, false) => format!("enable {}", names.service(*id)),
        Event::Drain(id, order) => write_drain(names.service(*id), order),
        Event::DrainAll(order) => write_drain(ALL, order),
        Event::Undrain(id, lift) => write_undrain(names.service(*id), lift),
        Event::UndrainAll(lift) => write_undrain(ALL, lift),
        Event::DrainLater(order) => write_drain(LATER, order),
        Event::UndrainLater(holder) => format!("undrain {LATER} {holder}"),
        Event::Hold(id, HoldOrder { holder, reason, lasts, uid }) => {
            let (service, lasts, uid) =
                (names.service(*id), write_period((*lasts).into()), written_uid(*uid));
            format!("hold {service} {holder} {lasts}{uid} {reason}")
        }
        Event::Unhold(id, whose) => {
            format!("unhold {} {}", names.service(*id), whose.as_ref().map_or("all", Holder::as_str))
        }
        Event::Undampen(id) => format!("undampen {}", names.service(*id)),
        Event::Received(line) => format!("< {line}"),
        Event::OutputBlocked => "stdout blocked".to_owned(),
        Event::OutputUnblocked => "stdout free".to_owned(),
        Event::ParentGone => "stdin closed".to_owned(),
        Event::Terminate => "terminate".to_owned(),
    }
}

fn write_drain(service: &str, order: &Order) -> String {
    let lasts = match order.lasts {
        Lasts::UntilLifted => "-".to_owned(),
        Lasts::UntilExit => UNTIL_EXIT.to_owned(),
        Lasts::For(time) => write_period(time),
        Lasts::ForUntilExit(time) => format!("{UNTIL_EXIT}:{}", write_period(time)),
    };
    format!("drain {service} {} {lasts}{} {}", order.holder, written_uid(order.uid), order.reason)
}

/// The user id behind the time that an order lasts.
fn written_uid(uid: Option<u32>) -> String {
    uid.map_or_else(String::new, |uid| format!("{UID}{uid}"))
}

fn write_undrain(service: &str, lift: &Lift) -> String {
    let whose = lift.holder.as_ref().map_or("all".to_owned(), ToString::to_string);
    let when = if lift.once_healthy { format!(" {ONCE_HEALTHY}") } else { String::new() };
    let checks: String = lift.checks.iter().map(|check| format!(" {check}")).collect();
    format!("undrain {service} {whose}{when}{checks}")
}

/// Formats a period in whole microseconds and without spaces: "1m30s".
fn write_period(period: Duration) -> String {
    let micros = Duration::from_micros(u64::try_from(period.as_micros()).unwrap_or(u64::MAX));
    Period(micros).in_one_word()
}
