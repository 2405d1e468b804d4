//! Reading traces. An error says the line and what was expected there.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::names::Names;
use super::{Answering, Header, Step, Trace, What};
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::period::Period;
use crate::probe::{Cause, Outcome};

/// What is wrong with a trace, and in which line.
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
    /// Reads what stands before the first moment.
    ///
    /// # Errors
    /// When a line is neither part of a header nor begins with a time.
    pub fn read(text: &str) -> Result<Self, TraceError> {
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
                "" | "#" => {}
                _ if word.starts_with('#') => {}
                "exabgp" => header.exabgp = answering(rest),
                "host" => header.host = Some(rest.to_owned()),
                "memory" => {
                    let (age, json) = split_word(rest);
                    let age: Period = age.parse().map_err(error)?;
                    let memory =
                        serde_json::from_str(json).map_err(|why| error(format!("bad memory: {why}")))?;
                    header.memory = Some((memory, age.0));
                }
                _ => break,
            }
        }
        header.configuration = (!configuration.is_empty()).then_some(configuration);
        Ok(header)
    }
}

fn answering(text: &str) -> Answering {
    match text {
        "silent" => Answering::Silent,
        "recorded" => Answering::Recorded,
        "terminal" => Answering::Terminal,
        version => Answering::Version(version.to_owned()),
    }
}

impl Trace {
    /// Reads a trace about the services and checks of `names`.
    ///
    /// # Errors
    /// With the first line that makes no sense.
    pub fn read(text: &str, names: &Names) -> Result<Self, TraceError> {
        let header = Header::read(text)?;
        let mut steps: Vec<Step> = vec![];
        for (number, line) in (1..).zip(text.lines()) {
            let last = steps.last().map_or(Moment::START, |step| step.at);
            let step =
                read_step(line, last, names).map_err(|message| TraceError { line: number, message })?;
            if let Some(step) = step {
                if step.at < last {
                    let message = format!("{} is before the line above, {last}", step.at);
                    return Err(TraceError { line: number, message });
                }
                steps.push(Step { line: number, ..step });
            }
        }
        Ok(Self { header, steps })
    }
}

/// One line; `None` where nothing happens in it.
fn read_step(line: &str, last: Moment, names: &Names) -> Result<Option<Step>, String> {
    let line = line.trim();
    let (time, rest) = split_word(line);
    if time.is_empty() || time.starts_with(['#', '|']) || matches!(time, "exabgp" | "host" | "memory") {
        return Ok(None);
    }
    let at = read_time(time, last)?;
    let (verb, object) = split_word(rest);
    if matches!(verb, ">" | "!") {
        return Ok(None);
    }
    let (object, count, every) = if verb == "<" { (object, 1, Duration::ZERO) } else { repetition(object)? };
    Ok(Some(Step { at, what: read_what(verb, object, names)?, count, every, line: 0 }))
}

fn read_time(word: &str, last: Moment) -> Result<Moment, String> {
    let (base, span) = word.strip_prefix('+').map_or((Moment::START, word), |span| (last, span));
    let period = match f64::from_str(span) {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok().map(round_to_micros),
        Err(_) => span.parse::<Period>().ok().map(|period| period.0),
    };
    let period = period.ok_or_else(|| {
        format!("`{word}` is no time, expected seconds or a period such as `12.5`, `1h30m` or `+200ms`")
    })?;
    Ok(base + period)
}

fn round_to_micros(period: Duration) -> Duration {
    Duration::from_micros(u64::try_from((period.as_nanos() + 500) / 1_000).unwrap_or(u64::MAX))
}

/// Takes `x5 every 100ms` off the end.
fn repetition(object: &str) -> Result<(&str, u64, Duration), String> {
    let Some((before, every)) = object.rsplit_once(" every ") else {
        return Ok((object, 1, Duration::ZERO));
    };
    let (what, times) = before.rsplit_once(' ').unwrap_or(("", before));
    let Some(count) = times.strip_prefix('x').and_then(|count| count.parse().ok()).filter(|count| *count > 0)
    else {
        return Ok((object, 1, Duration::ZERO));
    };
    Ok((what, count, every.trim().parse::<Period>()?.0))
}

fn read_what(verb: &str, object: &str, names: &Names) -> Result<What, String> {
    let event = match (verb, object) {
        ("start", "") => Event::Start,
        ("tick", "") => Event::Tick,
        ("pass", _) => {
            let (check, latency) = split_word(object);
            Event::Outcome(names.find_check(check)?, passing(latency)?)
        }
        ("fail", _) => {
            let (check, failure) = split_word(object);
            Event::Outcome(names.find_check(check)?, failing(failure)?)
        }
        ("becomes", _) => {
            let (check, found) = split_word(object);
            let outcome = match split_word(found) {
                ("pass", latency) => passing(latency)?,
                _ => failing(found)?,
            };
            return Ok(What::Becomes(names.find_check(check)?, outcome));
        }
        ("disable", service) => Event::DisableFile(names.find_service(service)?, true),
        ("enable", service) => Event::DisableFile(names.find_service(service)?, false),
        ("<", line) => Event::Heard(line.to_owned()),
        ("stdout", "blocked") => Event::OutputBlocked,
        ("stdout", "free") => Event::OutputUnblocked,
        ("stdin", "closed") => Event::ParentGone,
        ("terminate", "") => Event::Terminate,
        ("end", "") => return Ok(What::End),
        _ => {
            return Err(format!(
                "`{verb} {object}` is not understood, expected start, pass, fail, becomes, disable, enable, `<`, \
                 stdout blocked, stdout free, stdin closed, terminate, tick or end"
            ));
        }
    };
    Ok(What::Event(event))
}

fn passing(latency: &str) -> Result<Outcome, String> {
    let latency =
        if latency.is_empty() { Ok(Duration::ZERO) } else { latency.parse().map(|period: Period| period.0) };
    latency.map(Outcome::pass)
}

fn failing(text: &str) -> Result<Outcome, String> {
    let (cause, detail) = split_word(text);
    Ok(Outcome::fail(cause.parse::<Cause>()?, detail))
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim()))
}
