//! Traces: what happened and when, as text. One format for tests, for recordings and for `simulate`.
//!
//! ```text
//! # Two probes are lost; nothing happens, for fall is 3.
//! | [node]                             the configuration, each line behind a bar
//! | management = ["127.0.0.1"]
//! exabgp 5.0.15                        who answers: a version, "silent" (only what the trace says) or "terminal"
//! 0      start
//! 0      becomes answers pass 0.4ms    what the probes of a check find from now on
//! 10     becomes answers timeout
//! +1.5s  becomes answers pass          relative to the line before
//! 20     fail answers servfail x3 every 1s
//! 22     gone alive process 4711 ended  between two rounds: the process that the check holds on to
//! 23     gone address address-missing   the same of what the cause names, here a service address
//! 25     disable resolver              its disable-file appears; `enable`: it is gone
//! 25     drain resolver operator 2h new disk    whose wish, for how long (`-`: until it is lifted; `exit`, `exit:2h`), and why
//! 25     drain resolver alice 2h@1000 new disk    the same, asked for by a process of the user id 1000; so for `hold`
//! 25     drain * operator - move      all services, and those that are added while it lasts
//! 25     undrain resolver operator    whose drain ends (`all`: everybody's), perhaps `once healthy`
//! 25     hold resolver operator 2h check is wrong   whose wish, for how long, and why
//! 25     unhold resolver operator     whose hold ends (`all`: every holder's)
//! 25     undampen resolver             its penalty and its falls are forgotten
//! 26     < neighbor 10.0.0.1 up        a line from ExaBGP
//! 60     end
//! ```
//!
//! Times are seconds, or periods with units, and no further than ten years from the start. Checks are `service/check`, or just the check where its name is
//! unique. What `simulate --annotate` adds, `TIME > line said` and `TIME ! sentence logged`, is passed over when read, so that
//! an annotated trace is a trace.

use std::fmt::Write as _;
use std::time::Duration;

use crate::engine::drain::{Holder, Lasts, Lift, Order};
use crate::engine::event::{CheckId, Event};
use crate::engine::hold::HoldOrder;
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::exabgp::link::Parent;
use crate::outcome::Outcome;
use crate::period::Period;

pub mod names;
pub(crate) mod read;
pub(crate) mod record;

/// In place of a service, where all are drained, those added later included.
const ALL: &str = "*";

/// In place of the time that a drain lasts.
const UNTIL_EXIT: &str = "exit";

/// Between the time that an order lasts and the user id of the process that asked for it.
const UID: char = '@';

/// A whole trace.
#[derive(Debug)]
pub struct Trace {
    /// What stands before the first moment.
    pub(crate) header: Header,
    /// In order of time.
    pub steps: Vec<Step>,
}

/// The circumstances of a trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Header {
    /// The configuration, where the trace carries one.
    pub(crate) configuration: Option<String>,
    /// The name of the host, where the configuration gives none.
    pub(crate) host: Option<String>,
    /// Who answers on standard input.
    pub(crate) exabgp: Answering,
    /// What an earlier helper left, and how long ago.
    pub(crate) memory: Option<(Memory, Duration)>,
}

/// Who stands for ExaBGP.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Answering {
    /// Every command is carried out and answered; the version is 5.
    #[default]
    Ideal,
    /// The same, with this answer to the question for the version.
    Version(String),
    /// Nobody, but for the lines of the trace.
    Silent,
    /// A recording of a helper with this parent: neither answers nor the passing of time are made up.
    Recorded(Parent),
    /// A person at a terminal, who answers nothing and is asked nothing.
    Terminal,
}

impl Answering {
    /// To whom the helper speaks.
    #[must_use]
    pub(crate) fn parent(&self) -> Parent {
        match self {
            Self::Recorded(parent) => *parent,
            Self::Terminal => Parent::Terminal,
            Self::Ideal | Self::Version(_) | Self::Silent => Parent::ExaBgp,
        }
    }
}

/// One line of a trace: something that happens, perhaps repeatedly.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When, for the first time.
    pub(crate) at: Moment,
    /// What.
    pub what: What,
    /// How often; at least once.
    pub count: u64,
    /// The time between, in whole microseconds; at least one where there are several.
    pub every: Duration,
    /// The place in the trace, from 1.
    pub(crate) line: usize,
}

impl Step {
    /// When it happens for the last time.
    #[must_use]
    pub fn end(&self) -> Moment {
        let every = u64::try_from(self.every.as_micros()).unwrap_or(u64::MAX);
        self.at + Duration::from_micros(every.saturating_mul(self.count.saturating_sub(1)))
    }
}

/// What a line of a trace makes happen.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The engine is told.
    Event(Event),
    /// The world changes: this is what the probes of a check find from now on.
    Becomes(CheckId, Outcome),
    /// Time passes up to here.
    End,
}

/// An event as a line of a trace, without its time.
#[must_use]
pub fn write_event(event: &Event, names: &names::Names) -> String {
    match event {
        Event::Start => "start".to_owned(),
        Event::Tick => "tick".to_owned(),
        Event::Outcome(id, Outcome::Pass { latency }) => {
            let latency =
                if latency.as_micros() == 0 { String::new() } else { format!(" {}", written(*latency)) };
            format!("pass {}{latency}", names.check(*id))
        }
        Event::Outcome(id, Outcome::Fail(failure) | Outcome::Unknown(failure)) => {
            let mut text = format!("fail {} {}", names.check(*id), failure.cause);
            if !failure.detail.is_empty() {
                let _ = write!(text, " {}", failure.detail.replace('\n', " "));
            }
            text
        }
        Event::Gone(id, why) => {
            let text = format!("gone {} {} {}", names.check(*id), why.cause, why.detail.replace('\n', " "));
            text.trim_end().to_owned()
        }
        Event::DisableFile(id, true) => format!("disable {}", names.service(*id)),
        Event::DisableFile(id, false) => format!("enable {}", names.service(*id)),
        Event::Drain(id, order) => draining(names.service(*id), order),
        Event::DrainAll(order) => draining(ALL, order),
        Event::Undrain(id, lift) => lifting(names.service(*id), lift),
        Event::UndrainAll(lift) => lifting(ALL, lift),
        Event::Hold(id, HoldOrder { holder, reason, lasts, uid }) => {
            let (service, lasts, uid) = (names.service(*id), written((*lasts).into()), written_uid(*uid));
            format!("hold {service} {holder} {lasts}{uid} {reason}")
        }
        Event::Unhold(id, whose) => {
            format!("unhold {} {}", names.service(*id), whose.as_ref().map_or("all", Holder::as_str))
        }
        Event::Undampen(id) => format!("undampen {}", names.service(*id)),
        Event::Heard(line) => format!("< {line}"),
        Event::OutputBlocked => "stdout blocked".to_owned(),
        Event::OutputUnblocked => "stdout free".to_owned(),
        Event::ParentGone => "stdin closed".to_owned(),
        Event::Terminate => "terminate".to_owned(),
    }
}

fn draining(service: &str, order: &Order) -> String {
    let lasts = match order.lasts {
        Lasts::UntilLifted => "-".to_owned(),
        Lasts::UntilExit => UNTIL_EXIT.to_owned(),
        Lasts::For(time) => written(time),
        Lasts::ForUntilExit(time) => format!("{UNTIL_EXIT}:{}", written(time)),
    };
    format!("drain {service} {} {lasts}{} {}", order.holder, written_uid(order.uid), order.reason)
}

/// The user id behind the time that an order lasts.
fn written_uid(uid: Option<u32>) -> String {
    uid.map_or_else(String::new, |uid| format!("{UID}{uid}"))
}

fn lifting(service: &str, lift: &Lift) -> String {
    let whose = lift.holder.as_ref().map_or("all".to_owned(), ToString::to_string);
    let when = if lift.once_healthy { " once healthy" } else { "" };
    format!("undrain {service} {whose}{when}")
}

/// In whole microseconds and without blanks: "1m30s".
fn written(period: Duration) -> String {
    let micros = Duration::from_micros(u64::try_from(period.as_micros()).unwrap_or(u64::MAX));
    Period(micros).in_one_word()
}
