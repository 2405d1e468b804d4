//! What the loop logs: notices of the engine, what is settled, and what the flood limit withheld.

use std::time::SystemTime;

use tokio::time::Instant;

use super::flood::Withheld;
use super::{Daemon, Observer};
use crate::engine::event::ServiceId;
use crate::engine::notice::Notice;
use crate::logging::time_of_day;

impl Daemon<'_> {
    /// What a service states is acknowledged, or said to an ExaBGP that acknowledges nothing. The log knows by a notice.
    pub(super) fn settled(&self, id: ServiceId, observer: &mut dyn Observer) {
        let Some(service) = self.engine.services().get(id.0) else { return };
        observer.settled(service.name(), service.state());
    }

    pub(super) fn say_what_was_withheld(&mut self, all: bool) {
        for withheld in self.flood.withheld(Instant::now(), all) {
            let Withheld { number, last } = withheld;
            last.urgency().log(format_args!("… and {number} more of the kind, the last: {last}"));
        }
    }
}

/// The engine knows no time of day: where one helps, it is added here.
pub(super) fn log_notice(notice: &Notice) {
    match notice.ends() {
        Some((preposition, period)) => {
            let at = time_of_day(SystemTime::now() + period);
            notice.urgency().log(format_args!("{notice} ({preposition} {at})"));
        }
        None => notice.urgency().log(format_args!("{notice}")),
    }
}
