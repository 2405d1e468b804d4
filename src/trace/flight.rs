//! The flight recorder: the last minutes of events, in memory, as a trace that replays to the same lines.
//!
//! A replay has to begin from a state. Each segment begins with a copy of the engine, so a trace can begin with any
//! segment. The two newest have a minute each, for [`FlightRecorder::last_minute`]; older ones are joined.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Header;
use super::compact::Events;
use super::names::Names;
use crate::engine::Engine;
use crate::engine::event::Event;
use crate::engine::moment::Moment;

const ORIGIN: &str = "# the flight recorder of `dnsherald run`; replay it with `dnsherald simulate --trace`";

/// A joined segment has at most this share of the room. Each segment has a copy of the engine, and the oldest is forgotten
/// at once.
const SHARE: usize = 4;

/// How long the newest segment grows.
const MINUTE: Duration = Duration::from_secs(60);

/// Segments that are not joined.
const NEWEST: usize = 2;

/// The recorder.
#[derive(Debug)]
pub(crate) struct FlightRecorder {
    /// Bytes of events.
    room: usize,
    names: Arc<Names>,
    segments: VecDeque<Segment>,
}

#[derive(Debug)]
struct Segment {
    /// Before the first event.
    engine: Engine,
    /// The events; those of joined segments apart, each with the wall clock at its first event.
    parts: Vec<(SystemTime, Events)>,
}

impl Segment {
    fn size(&self) -> usize {
        self.parts.iter().map(|(_, events)| events.size()).sum()
    }

    fn began(&self) -> Option<Moment> {
        self.parts.first().map(|(_, events)| events.began())
    }
}

impl FlightRecorder {
    /// With room for this many bytes of events.
    pub(crate) fn new(room: usize, names: Names) -> Self {
        Self { room, names: Arc::new(names), segments: VecDeque::new() }
    }

    /// Records an event before the engine handles it. `wall` is asked about once a minute.
    pub(crate) fn record(
        &mut self,
        now: Moment,
        wall: impl FnOnce() -> SystemTime,
        event: &Event,
        engine: &Engine,
    ) {
        let most = self.room / SHARE;
        let is_over = |segment: &Segment| {
            segment.size() >= most || segment.began().is_none_or(|began| now.since(began) >= MINUTE)
        };
        if self.segments.back().is_none_or(is_over) {
            let parts = vec![(wall(), Events::new(now))];
            self.segments.push_back(Segment { engine: engine.clone(), parts });
            self.join();
        }
        if let Some((_, events)) = self.segments.back_mut().and_then(|segment| segment.parts.last_mut()) {
            events.push(now, event, &self.names);
        }
    }

    /// Joins older segments that are small, and forgets the oldest ones beyond the room.
    fn join(&mut self) {
        let most = self.room / SHARE;
        let mut place = 0;
        while place + 1 + NEWEST < self.segments.len() {
            if self.segments[place].size() + self.segments[place + 1].size() <= most {
                let next = self.segments.remove(place + 1);
                self.segments[place].parts.extend(next.into_iter().flat_map(|next| next.parts));
            } else {
                place += 1;
            }
        }
        while self.segments.iter().map(Segment::size).sum::<usize>() > self.room - most {
            self.segments.pop_front();
        }
    }

    /// All that is recorded; `None` before the first event. The header is that of the helper; the engine is added.
    pub(crate) fn excerpt(&self, header: &Header) -> Option<Excerpt> {
        self.since(0, header)
    }

    /// At least the last minute, unless more than half of the room was needed for it; at most the last two.
    pub(crate) fn last_minute(&self, header: &Header) -> Option<Excerpt> {
        self.since(self.segments.len().saturating_sub(NEWEST), header)
    }

    fn since(&self, first: usize, header: &Header) -> Option<Excerpt> {
        let engine = self.segments.get(first)?.engine.clone();
        let parts = self.segments.range(first..).flat_map(|segment| segment.parts.clone()).collect();
        Some(Excerpt { header: header.clone(), engine, names: Arc::clone(&self.names), parts })
    }
}

/// Recorded events, taken out of the recorder, so that a thread can write them down.
#[derive(Debug)]
pub(crate) struct Excerpt {
    header: Header,
    engine: Engine,
    names: Arc<Names>,
    parts: Vec<(SystemTime, Events)>,
}

impl Excerpt {
    /// The bytes of the events.
    pub(crate) fn size(&self) -> usize {
        self.parts.iter().map(|(_, events)| events.size()).sum()
    }

    /// The trace.
    pub(crate) fn text(self) -> String {
        let Self { header, engine, names, parts } = self;
        let header = Header { engine: Some(engine.snapshot()), memory: None, ..header };
        let mut text = format!("{ORIGIN}\n{header}");
        for (wall, events) in &parts {
            let (at, wall) = (events.began(), humantime::format_rfc3339_millis(*wall));
            let _ = writeln!(text, "# at {at} the wall clock showed {wall}");
            events.write(&names, &mut text);
        }
        text
    }
}

#[cfg(test)]
mod tests;
