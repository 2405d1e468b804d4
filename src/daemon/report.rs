//! What the loop logs: notices of the engine, what is settled, and what the flood limit withheld.

use std::time::SystemTime;

use tokio::time::Instant;

use super::{Daemon, Observer};
use crate::engine::event::ServiceId;
use crate::engine::notice::Notice;
use crate::exabgp::link::Parent;
use crate::logging::time_of_day;

impl Daemon<'_> {
    /// What a service states is acknowledged, or said to an ExaBGP that acknowledges nothing.
    pub(super) fn settled(&self, id: ServiceId, acknowledged: bool, observer: &mut dyn Observer) {
        let Some(service) = self.engine.services().get(id.0) else { return };
        let (name, state) = (service.name(), service.state());
        let prefixes = match self.engine.entries_of(id.0).count() {
            1 => "its prefix".to_owned(),
            several => format!("all {several} prefixes"),
        };
        if self.surroundings.parent == Parent::Terminal {
            // Shown to a person, whom nothing is asked; there is no ExaBGP.
        } else if acknowledged {
            log::info!("service {name}: exabgp has acknowledged {state} for {prefixes}");
        } else {
            let why = self.engine.link().silence().unwrap_or("exabgp answers no commands");
            log::info!("service {name}: {state} for {prefixes} said, not acknowledged: {why}");
        }
        observer.settled(name, state);
    }

    pub(super) fn say_what_was_withheld(&mut self, all: bool) {
        for withheld in self.flood.withheld(Instant::now(), all) {
            log::log!(
                withheld.last.level(),
                "… and {} more of the kind, the last: {}",
                withheld.number,
                withheld.last
            );
        }
    }
}

/// The engine knows no time of day: where one helps, it is added here.
pub(super) fn log_notice(notice: &Notice) {
    match notice.ends() {
        Some((preposition, period)) => {
            log::log!(notice.level(), "{notice} ({preposition} {})", time_of_day(SystemTime::now() + period));
        }
        None => log::log!(notice.level(), "{notice}"),
    }
}
