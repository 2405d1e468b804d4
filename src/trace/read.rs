//! Parses traces. Errors name the line and what was expected there.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::names::Names;
use super::{ALL, Answering, Effect, Header, LATER, ONCE_HEALTHY, Step, Trace, UID, UNTIL_EXIT};
use crate::engine::api_session::Parent;
use crate::engine::drain::{Lasts, Lift, Order};
use crate::engine::event::Event;
use crate::engine::hold::HoldOrder;
use crate::engine::moment::Moment;
use crate::outcome::{Cause, Class, Failure, Lost, Outcome};
use crate::text::period::{LONGEST, Period};

/// The peers on standard input that have a word in the header.
static PEERS: [(&str, Answering); 4] = [
    ("silent", Answering::Silent),
    ("recorded", Answering::Recorded(Parent::ExaBgp)),
    ("recorded-terminal", Answering::Recorded(Parent::Terminal)),
    ("terminal", Answering::Terminal),
];

/// A syntax error in a trace, with its line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TraceError {
    line: usize,
    message: String,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for TraceError {}

impl Header {
    /// Reads the header lines before the first event or outcome. The error is about the first line whose value is invalid.
    pub(crate) fn read(text: &str) -> Result<Self, TraceError> {
        let mut header = Self::default();
        let mut configuration = String::new();
        for (number, line) in (1..).zip(text.lines()) {
            let error = |message: String| TraceError { line: number, message };
            if let Some(toml) = line.strip_prefix('|') {
                configuration.push_str(toml.strip_prefix(' ').unwrap_or(toml));
                configuration.push('\n');
                continue;
            }
            let (word, rest) = split_word(line);
            match word {
                _ if word.is_empty() || word.starts_with('#') => {}
                "exabgp" => header.exabgp = answering(rest).map_err(error)?,
                "host" => header.host = Some(rest.to_owned()),
                "memory" => {
                    let (age, json) = split_word(rest);
                    let age: Period = age.parse().map_err(error)?;
                    let memory =
                        serde_json::from_str(json).map_err(|why| error(format!("bad memory: {why}")))?;
                    header.memory = Some((memory, age.0));
                }
                "seed" => header.seed = seed(rest).map_err(error)?,
                "engine" => header.engine = Some(rest.to_owned()),
                // A line for the reader.
                _ if matches!(split_word(rest).0, ">" | "!") => {}
                _ => break,
            }
        }
        header.configuration = (!configuration.is_empty()).then_some(configuration);
        Ok(header)
    }
}

impl fmt::Display for Header {
    /// Writes the header in the format that [`Header::read`] accepts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.configuration.iter().flat_map(|text| text.lines()) {
            writeln!(f, "{}", format!("| {line}").trim_end())?;
        }
        if let Some(host) = &self.host {
            writeln!(f, "host {host}")?;
        }
        if let Answering::Version(version) = &self.exabgp {
            writeln!(f, "exabgp {version}")?;
        }
        if let Some((word, _)) = PEERS.iter().find(|(_, peer)| *peer == self.exabgp) {
            writeln!(f, "exabgp {word}")?;
        }
        if self.seed != 0 {
            writeln!(f, "seed {}", self.seed)?;
        }
        if let Some((memory, age)) = &self.memory
            && let Ok(memory) = serde_json::to_string(memory)
        {
            writeln!(f, "memory {} {memory}", Period(*age).in_one_word())?;
        }
        match &self.engine {
            Some(engine) => writeln!(f, "engine {engine}"),
            None => Ok(()),
        }
    }
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`seed {text}` is unknown, expected a number from 0 to {}", u64::MAX))
}

fn answering(text: &str) -> Result<Answering, String> {
    match PEERS.iter().find(|(word, _)| *word == text) {
        Some((_, peer)) => Ok(peer.clone()),
        None if text.starts_with(|c: char| c.is_ascii_digit()) => Ok(Answering::Version(text.to_owned())),
        None => Err(format!(
            "`exabgp {text}` is unknown, expected a version that begins with a digit, silent, terminal, recorded or recorded-terminal"
        )),
    }
}

impl Trace {
    /// Reads a trace for the services and checks in `names`.
    ///
    /// # Errors
    /// Returns the first line that is invalid.
    pub fn read(text: &str, names: &Names) -> Result<Self, TraceError> {
        let header = Header::read(text)?;
        let mut reader =
            Reader { names, recorded: matches!(header.exabgp, Answering::Recorded(_)), steps: vec![] };
        for (number, line) in (1..).zip(text.lines()) {
            reader.line(number, line).map_err(|message| TraceError { line: number, message })?;
        }
        Ok(Self { header, steps: reader.steps })
    }

    /// Checks that a line starts the engine. An engine does nothing before it is started.
    pub(crate) fn require_start(&self) -> Result<(), String> {
        let start = |step: &Step| step.what == Effect::Event(Event::Start);
        let found = self.header.engine.is_some() || self.steps.iter().any(start);
        match found {
            true => Ok(()),
            false => Err("the trace has no line `start`, expected one that starts the engine".to_owned()),
        }
    }
}

/// The steps read so far.
struct Reader<'a> {
    names: &'a Names,
    /// Recordings contain no repetitions. Text that looks like one is part of a message.
    recorded: bool,
    steps: Vec<Step>,
}

impl Reader<'_> {
    /// Parses one line. Comments and header lines add no step.
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        let (time, rest) = split_word(line.trim());
        if time.is_empty() || time.starts_with('#') {
            return Ok(());
        }
        if time.starts_with('|') || matches!(time, "exabgp" | "host" | "memory" | "seed" | "engine") {
            // Header::read stops at the first event and would ignore this line.
            return self.steps.first().map_or(Ok(()), |first| {
                let line = first.line;
                Err(format!(
                    "`{time}` belongs to the header, expected it before the first event, line {line}"
                ))
            });
        }
        let last = self.steps.last().map_or(Moment::START, |step| step.at);
        let at = read_time(time, last)?;
        let (verb, object) = split_word(rest);
        if matches!(verb, ">" | "!") {
            return Ok(());
        }
        let once = self.recorded || verb == "<";
        let (object, count, every) = if once { (object, 1, Duration::ZERO) } else { repetition(object)? };
        let step = Step { at, what: read_effect(verb, object, self.names)?, count, every, line: number };
        if at < last {
            return Err(format!("{at} is before the previous line, {last}, expected times in order"));
        }
        if step.end().since_start() > LONGEST {
            return Err(format!(
                "the step lasts until {}, expected at most ten years from the start",
                step.end()
            ));
        }
        self.steps.push(step);
        Ok(())
    }
}

fn read_time(word: &str, last: Moment) -> Result<Moment, String> {
    let (base, span) = word.strip_prefix('+').map_or((Moment::START, word), |span| (last, span));
    let period = match f64::from_str(span) {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok().map(round_to_micros),
        Err(_) => span.parse::<Period>().ok().map(|period| period.0),
    };
    let period = period.ok_or_else(|| {
        format!("`{word}` is not a time, expected seconds or a period such as `12.5`, `1h30m` or `+200ms`")
    })?;
    Ok(base + period)
}

fn round_to_micros(period: Duration) -> Duration {
    Duration::from_micros(u64::try_from((period.as_nanos() + 500) / 1_000).unwrap_or(u64::MAX))
}

/// Splits a trailing `x5 every 100ms` off. Other text after "every" is part of a message.
fn repetition(object: &str) -> Result<(&str, u64, Duration), String> {
    let once = Ok((object, 1, Duration::ZERO));
    let Some((before, every)) = object.rsplit_once(" every ") else { return once };
    let (what, times) = before.rsplit_once(' ').unwrap_or(("", before));
    let (Some(digits), Ok(Period(every))) = (times.strip_prefix('x'), every.trim().parse()) else {
        return once;
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
        return once;
    }
    let count = digits.parse().ok().filter(|count| *count > 0);
    let count = count
        .ok_or_else(|| format!("`{times}` is not a number of repetitions, expected x1 to x{}", u64::MAX))?;
    // Moments are whole microseconds. Round up, so that the series advances.
    let every = (Moment::START + every).since_start();
    if every.is_zero() && count > 1 {
        return Err(format!(
            "`{times}` repeats without an interval, expected a period of at least 1us after `every`"
        ));
    }
    Ok((what, count, every))
}

fn read_effect(verb: &str, object: &str, names: &Names) -> Result<Effect, String> {
    let (name, rest) = split_word(object);
    let event = match (verb, object) {
        ("start", "") => Event::Start,
        ("tick", "") => Event::Tick,
        ("pass", _) => Event::Outcome(names.find_check(name)?, read_pass(rest)?),
        ("fail", _) => Event::Outcome(names.find_check(name)?, read_failure(rest)?),
        ("gone", _) => Event::SuddenFailure(names.find_check(name)?, read_gone(rest)),
        ("warmed-up", service) => Event::WarmedUp(names.find_service(service)?),
        ("doubt", check) => Event::ProbeNow(names.find_check(check)?),
        ("returned", check) => Event::Returned(names.find_check(check)?),
        ("becomes", _) => {
            let outcome = match split_word(rest) {
                ("loses", share) => return Ok(Effect::Loses(names.find_check(name)?, share.parse()?)),
                ("pass", latency) => read_pass(latency)?,
                _ => read_failure(rest)?,
            };
            return Ok(Effect::Becomes(names.find_check(name)?, outcome));
        }
        ("truth", _) => {
            let service = if name == ALL { None } else { Some(names.find_service(name)?) };
            let serves = match rest {
                "serves" => true,
                "fails" => false,
                _ => {
                    return Err(format!(
                        "`truth {object}` is unknown, expected `truth SERVICE serves` or `fails`"
                    ));
                }
            };
            return Ok(Effect::Truth(service, serves));
        }
        ("disable", service) => Event::DisableFile(names.find_service(service)?, true),
        ("enable", service) => Event::DisableFile(names.find_service(service)?, false),
        ("drain", _) if name == ALL => Event::DrainAll(read_drain(rest)?),
        ("drain", _) if name == LATER => Event::DrainLater(read_drain(rest)?),
        ("drain", _) => Event::Drain(names.find_service(name)?, read_drain(rest)?),
        ("undrain", _) if name == ALL => Event::UndrainAll(read_undrain(rest)?),
        ("undrain", _) if name == LATER => Event::UndrainLater(rest.parse()?),
        ("undrain", _) => Event::Undrain(names.find_service(name)?, read_undrain(rest)?),
        ("hold", _) => Event::Hold(names.find_service(name)?, read_hold(rest)?),
        ("unhold", _) => Event::Unhold(names.find_service(name)?, read_undrain(rest)?.holder),
        ("undampen", service) => Event::Undampen(names.find_service(service)?),
        ("<", line) => Event::Received(line.to_owned()),
        ("stdout", "blocked") => Event::OutputBlocked,
        ("stdout", "free") => Event::OutputUnblocked,
        ("stdin", "closed") => Event::ParentGone,
        ("terminate", "") => Event::Terminate,
        ("end", "") => return Ok(Effect::End),
        _ => {
            return Err(format!(
                "`{verb} {object}` is unknown, expected start, pass, fail, gone, doubt, returned, warmed-up, becomes, truth, disable, enable, drain, undrain, hold, unhold, undampen, \
                 `<`, stdout blocked, stdout free, stdin closed, terminate, tick or end"
            ));
        }
    };
    Ok(Effect::Event(event))
}

fn read_drain(text: &str) -> Result<Order, String> {
    let (holder, lasts, uid, reason) = split_order(text)?;
    let lasts = match lasts {
        "-" => Lasts::UntilLifted,
        UNTIL_EXIT => Lasts::UntilExit,
        text => match text.strip_prefix(UNTIL_EXIT).and_then(|rest| rest.strip_prefix(':')) {
            Some(time) => Lasts::ForUntilExit(time.parse::<Period>()?.0),
            None => Lasts::For(text.parse::<Period>()?.0),
        },
    };
    Ok(Order { holder: holder.parse()?, reason: reason.to_owned().into(), lasts, uid })
}

fn read_hold(text: &str) -> Result<HoldOrder, String> {
    let (holder, lasts, uid, reason) = split_order(text)?;
    Ok(HoldOrder { holder: holder.parse()?, reason: reason.to_owned().into(), lasts: lasts.parse()?, uid })
}

/// The holder of an order, the time that it lasts, the user id behind that time if there is one, and the reason.
fn split_order(text: &str) -> Result<(&str, &str, Option<u32>, &str), String> {
    let (holder, rest) = split_word(text);
    let (lasts, reason) = split_word(rest);
    let Some((lasts, uid)) = lasts.split_once(UID) else { return Ok((holder, lasts, None, reason)) };
    let uid = uid.parse().map_err(|_| format!("`{uid}` is not a user id, expected a number"))?;
    Ok((holder, lasts, Some(uid), reason))
}

fn read_undrain(text: &str) -> Result<Lift, String> {
    let (whose, when) = split_word(text);
    let holder = if whose == "all" { None } else { Some(whose.parse()?) };
    let Some(checks) = when.strip_prefix(ONCE_HEALTHY) else {
        return match when {
            "" => Ok(Lift { holder, once_healthy: false, checks: vec![] }),
            _ => Err(format!("`{when}` is unknown, expected `{ONCE_HEALTHY}` or nothing")),
        };
    };
    Ok(Lift { holder, once_healthy: true, checks: checks.split_whitespace().map(str::to_owned).collect() })
}

/// A latency and the loss, both optional: `0.4ms lost 1 of 4`.
fn read_pass(text: &str) -> Result<Outcome, String> {
    let (latency, lost) = match text.split_once("lost ") {
        Some((latency, lost)) => (latency.trim_end(), read_lost(lost)?),
        None => (text, Lost::NONE),
    };
    let latency = if latency.is_empty() { Duration::ZERO } else { latency.parse::<Period>()?.0 };
    Ok(Outcome::pass(latency).with(lost))
}

fn read_lost(text: &str) -> Result<Lost, String> {
    let counts = text.split_once(" of ").and_then(|(lost, of)| Some((lost.parse().ok()?, of.parse().ok()?)));
    match counts {
        Some((lost, of)) if lost <= of => Ok(Lost { lost, of }),
        _ => Err(format!(
            "`lost {text}` is unknown, expected `lost 1 of 4`: probes that had to repeat their question, and all"
        )),
    }
}

fn read_failure(text: &str) -> Result<Outcome, String> {
    let (cause, detail) = split_word(text);
    Ok(Outcome::from_cause(cause.parse::<Cause>()?, detail))
}

/// Without a cause, the watched process exited.
fn read_gone(text: &str) -> Failure {
    let (word, detail) = split_word(text);
    match word.parse::<Cause>() {
        Ok(cause) if cause.class() != Class::Unknown => Failure::new(cause, detail),
        _ => Failure::new(Cause::ProcessGone, text),
    }
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::memory::Memory;

    #[test]
    fn reads_back_a_written_header() {
        let all = [
            Answering::Ideal,
            Answering::Version("5.0.15".to_owned()),
            Answering::Silent,
            Answering::Recorded(Parent::ExaBgp),
            Answering::Recorded(Parent::Terminal),
            Answering::Terminal,
        ];
        for exabgp in all {
            let header = Header {
                configuration: Some("[node]\n\n  # indented\n".to_owned()),
                host: Some("pop1".to_owned()),
                exabgp,
                memory: Some((Memory::default(), Duration::from_millis(90_500))),
                seed: 7,
                engine: Some("{}".to_owned()),
            };
            assert_eq!(Header::read(&header.to_string()), Ok(header));
        }
        assert_eq!(Header::default().to_string(), "");
    }

    /// A line for the reader is no event, so header lines may follow it.
    #[test]
    fn a_remark_does_not_end_the_header() {
        let header = Header::read("0 ! a note\n0 > a command\nseed 7\n0 start\nhost late\n").unwrap();
        assert_eq!((header.seed, header.host), (7, None));
    }
}
