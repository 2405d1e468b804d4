//! Events in a few bytes each, for the flight recorder.
//!
//! ```text
//!   event = time tag …            time: microseconds since the previous event, as varint
//!   tag 0                         tick
//!   tag 1 service check latency   a round that passed without a lost question; varints, latency in microseconds
//!   tag 2 length text             any other event, as a line of a trace
//! ```
//!
//! A tick takes 4 bytes and a pass 8, where their lines take 18 and 40. A varint has seven bits in each byte, the lowest
//! first, and the highest bit of each byte but the last is set.

use std::fmt::Write as _;
use std::time::Duration;

use super::names::Names;
use super::write_event;
use crate::engine::event::{CheckId, Event, ServiceId};
use crate::engine::moment::Moment;
use crate::outcome::{Lost, Outcome};

const TICK: u8 = 0;
const PASS: u8 = 1;
const TEXT: u8 = 2;

/// Events in order of time.
#[derive(Clone, Debug)]
pub(super) struct Events {
    began: Moment,
    last: Moment,
    bytes: Vec<u8>,
}

impl Events {
    /// None yet; the first one is not before `began`.
    pub(super) const fn new(began: Moment) -> Self {
        Self { began, last: began, bytes: vec![] }
    }

    /// When the first event came.
    pub(super) const fn began(&self) -> Moment {
        self.began
    }

    /// The size in bytes.
    pub(super) const fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn push(&mut self, now: Moment, event: &Event, names: &Names) {
        self.put(micros(now.since(self.last)));
        self.last = now.max(self.last);
        match event {
            Event::Tick => self.bytes.push(TICK),
            Event::Outcome(id, Outcome::Pass { latency, lost: Lost { lost: 0, .. } }) => {
                self.bytes.push(PASS);
                self.put(id.service.0 as u64);
                self.put(id.check as u64);
                self.put(micros(*latency));
            }
            event => {
                let text = write_event(event, names);
                self.bytes.push(TEXT);
                self.put(text.len() as u64);
                self.bytes.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// Appends the lines of a trace.
    pub(super) fn write(&self, names: &Names, text: &mut String) {
        let (mut bytes, mut now) = (self.bytes.as_slice(), self.began);
        // Only `push` has written, so nothing is cut.
        while let Some((at, line)) = next_line(&mut bytes, now, names) {
            now = at;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{at:>12} {line}");
        }
    }

    fn put(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }
}

fn micros(period: Duration) -> u64 {
    u64::try_from(period.as_micros()).unwrap_or(u64::MAX)
}

/// Takes the next event off `bytes`; `before` is the time of the previous one.
fn next_line(bytes: &mut &[u8], before: Moment, names: &Names) -> Option<(Moment, String)> {
    let at = before + Duration::from_micros(number(bytes)?);
    let (tag, rest) = bytes.split_first()?;
    *bytes = rest;
    let line = match *tag {
        TICK => write_event(&Event::Tick, names),
        PASS => {
            let service = ServiceId(usize::try_from(number(bytes)?).ok()?);
            let id = CheckId { service, check: usize::try_from(number(bytes)?).ok()? };
            let latency = Duration::from_micros(number(bytes)?);
            write_event(&Event::Outcome(id, Outcome::pass(latency)), names)
        }
        _ => {
            let length = usize::try_from(number(bytes)?).ok()?;
            let (text, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            String::from_utf8_lossy(text).into_owned()
        }
    };
    Some((at, line))
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length_survive() {
        let mut events = Events::new(Moment::START);
        let numbers = [0, 1, 127, 128, 300, 1 << 21, u64::from(u32::MAX), u64::MAX];
        numbers.iter().for_each(|number| events.put(*number));
        let mut bytes = events.bytes.as_slice();
        for expected in numbers {
            assert_eq!(number(&mut bytes), Some(expected));
        }
        assert_eq!(number(&mut bytes), None);
        assert_eq!(number(&mut [0x80].as_slice()), None, "cut");
    }
}
