//! What the loop logs: notices of the engine and summaries of repeated messages.

use std::time::SystemTime;

use super::rate_limit::Summary;
use super::{Daemon, Supervisor};
use crate::engine::event::ServiceId;
use crate::engine::moment::Moment;
use crate::engine::notice::{Notice, Timed};
use crate::text::time_of_day;

impl Daemon<'_> {
    /// Called when the commands of a service are acknowledged, or sent to an ExaBGP that acknowledges nothing.
    pub(super) fn settled(&self, id: ServiceId, supervisor: &mut dyn Supervisor) {
        let Some(service) = self.engine.services().get(id.0) else { return };
        supervisor.on_acknowledged(service.name(), service.state());
    }

    /// Logs summaries of repeated messages: of each past minute, and with `all` the rest.
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
