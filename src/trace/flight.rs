//! The flight recorder: the last minutes of events, in memory, as a trace that replays to the same lines.
//!
//! A replay has to begin from a state. Each segment begins with a copy of the engine; a dump has the last two segments,
//! so that it reaches back over at least half of the room.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::SystemTime;

use super::names::Names;
use super::{Header, write_event};
use crate::engine::Engine;
use crate::engine::event::Event;
use crate::engine::moment::Moment;

const ORIGIN: &str = "# the flight recorder of `dnsherald run`; replay it with `dnsherald simulate --trace`";

/// Segments that are kept.
const SEGMENTS: usize = 2;

/// The recorder.
#[derive(Debug)]
pub(crate) struct FlightRecorder {
    /// Bytes of events.
    room: usize,
    names: Names,
    segments: VecDeque<Segment>,
}

#[derive(Debug)]
struct Segment {
    /// Before the first event.
    engine: Engine,
    /// When the first event came, by both clocks.
    began: (Moment, SystemTime),
    lines: String,
}

impl FlightRecorder {
    /// With room for this many bytes of events.
    #[must_use]
    pub(crate) const fn new(room: usize, names: Names) -> Self {
        Self { room, names, segments: VecDeque::new() }
    }

    /// Records an event before the engine handles it.
    pub(crate) fn record(&mut self, now: Moment, wall: SystemTime, event: &Event, engine: &Engine) {
        let is_full = |segment: &Segment| segment.lines.len() >= self.room / SEGMENTS;
        if self.segments.back().is_none_or(is_full) {
            self.segments.push_back(Segment {
                engine: engine.clone(),
                began: (now, wall),
                lines: String::new(),
            });
            if self.segments.len() > SEGMENTS {
                self.segments.pop_front();
            }
        }
        if let Some(segment) = self.segments.back_mut() {
            // Writing to a string cannot fail.
            let _ = writeln!(segment.lines, "{now:>12} {}", write_event(event, &self.names));
        }
    }

    /// The trace; `None` before the first event. The header is that of the helper; the engine is added.
    #[must_use]
    pub(crate) fn dump(&self, header: Header) -> Option<String> {
        let first = self.segments.front()?;
        let header = Header { engine: Some(first.engine.snapshot()), memory: None, ..header };
        let mut text = format!("{ORIGIN}\n{header}");
        for Segment { began: (at, wall), lines, .. } in &self.segments {
            let wall = humantime::format_rfc3339_millis(*wall);
            let _ = writeln!(text, "# at {at} the wall clock showed {wall}");
            text.push_str(lines);
        }
        Some(text)
    }
}
