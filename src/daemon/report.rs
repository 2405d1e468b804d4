//! What the loop logs: notices of the engine, what is settled, and summaries of what the log did not get.

use std::time::SystemTime;

use super::rate_limit::Summary;
use super::{Daemon, Observer};
use crate::engine::event::ServiceId;
use crate::engine::moment::Moment;
use crate::engine::notice::{Notice, Timed};
use crate::logging::time_of_day;

impl Daemon<'_> {
    /// What a service states is acknowledged, or said to an ExaBGP that acknowledges nothing. The log knows by a notice.
    pub(super) fn settled(&self, id: ServiceId, observer: &mut dyn Observer) {
        let Some(service) = self.engine.services().get(id.0) else { return };
        observer.settled(service.name(), service.state());
    }

    /// Sums up repeated messages: of each minute that is over, and at the end (`all`) the rest.
    pub(super) fn log_summaries(&mut self, all: bool) {
        let now = Moment::after_start(self.began.elapsed());
        for Summary { urgency, line } in self.rate_limit.summaries(now, all) {
            urgency.log(format_args!("{line}"));
        }
    }
}

/// Logs a notice, with times of day.
pub(super) fn log_notice(notice: &Notice) {
    let clock = |period| time_of_day(SystemTime::now() + period);
    notice.urgency().log(format_args!("{}", Timed(notice, &clock)));
}
