//! The flight recorder of the loop: its recorder and the header of its traces.

use std::time::SystemTime;

use crate::config::Config;
use crate::engine::Engine;
use crate::engine::api_session::Parent;
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::trace::flight::{Excerpt, FlightRecorder};
use crate::trace::names::Names;
use crate::trace::{Answering, Header};

#[derive(Debug)]
pub(super) struct Flight {
    recorder: FlightRecorder,
    header: Header,
}

impl Flight {
    /// `None` if the configuration has no room for it.
    pub(super) fn new(config: &Config, parent: Parent) -> Option<Self> {
        if config.recorder == 0 {
            return None;
        }
        let header = Header {
            configuration: config.origin.as_ref().map(|origin| origin.text.clone()),
            host: Some(config.node.name.clone()),
            exabgp: Answering::Recorded(parent),
            memory: None,
            seed: 0,
            engine: None,
        };
        Some(Self { recorder: FlightRecorder::new(config.recorder, Names::new(config)), header })
    }

    /// Records an event before the engine handles it. Not inlined, so that `benches/measure` can count its instructions.
    #[inline(never)]
    pub(super) fn record(&mut self, now: Moment, event: &Event, engine: &Engine) {
        self.recorder.record(now, SystemTime::now, event, engine);
    }

    /// What is recorded; `None` before the first event.
    pub(super) fn excerpt(&self) -> Option<Excerpt> {
        self.recorder.excerpt(&self.header)
    }

    /// The last minute or two of it.
    pub(super) fn last_minute(&self) -> Option<Excerpt> {
        self.recorder.last_minute(&self.header)
    }
}
