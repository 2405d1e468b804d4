//! The log of the loop: notices of the engine and summaries of repeated messages.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use super::rate_limit::Summary;
use super::{Daemon, Supervisor};
use crate::engine::event::ServiceId;
use crate::engine::notice::{Notice, Timed};
use crate::logging::fields::Fields;
use crate::sys::local_time::Zone;

impl Daemon<'_> {
    /// Called when the commands of a service are acknowledged, or sent to an ExaBGP that acknowledges nothing.
    pub(super) fn settled(&self, id: ServiceId, supervisor: &mut dyn Supervisor) {
        let Some(service) = self.engine.services().get(id.0) else { return };
        supervisor.on_settled(service.name(), service.state());
    }

    /// Logs summaries of repeated messages: of each past minute, and with `all` the rest.
    pub(super) fn log_summaries(&mut self, all: bool) {
        for Summary { urgency, line } in self.rate_limit.summaries(self.now(), all) {
            urgency.log(format_args!("{line}"));
        }
    }
}

/// The zone of times in the log, the same as in `dnsherald status`. Read once, so that the loop reads no file.
static ZONE: LazyLock<Zone> = LazyLock::new(Zone::from_this_host);

/// Logs a notice, with times of day.
pub(super) fn log_notice(notice: &Notice) {
    let fields = Fields::from_event(notice);
    notice.urgency().log_with(&fields, format_args!("{}", sentence(notice)));
}

/// A notice in words, with times of day.
pub(super) fn sentence(notice: &Notice) -> String {
    let clock = |period| time_after(&ZONE, SystemTime::now(), period);
    Timed(notice, &clock).to_string()
}

/// The local time `period` after `now`, as [`shown`].
fn time_after(zone: &Zone, now: SystemTime, period: Duration) -> String {
    match now.checked_add(period) {
        Some(time) => shown(zone, now, time),
        None => "a time beyond every calendar".to_owned(),
    }
}

/// A local time with its zone, as the log names it now.
pub(super) fn time_of_day(time: SystemTime) -> String {
    shown(&ZONE, SystemTime::now(), time)
}

/// A local time with its zone: "23:04:31 CET", on another day than `now` "2026-11-27 23:04:31 CET".
fn shown(zone: &Zone, now: SystemTime, time: SystemTime) -> String {
    let (local, today) = (zone.at(time), zone.at(now));
    let date = if local.is_on_day_of(&today) { String::new() } else { format!("{} ", local.date()) };
    format!("{date}{} {}", local.time(), local.zone_word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_local_time_with_its_zone_and_a_date_on_another_day() {
        let zone = |rule| Zone::named(rule).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_745_071);
        let shown = |zone: &Zone, seconds| time_after(zone, now, Duration::from_secs(seconds));
        let berlin = zone("CET-1CEST,M3.5.0,M10.5.0/3");
        assert_eq!(shown(&berlin, 5), "03:04:36 CET");
        assert_eq!(shown(&berlin, 86_400), "2026-11-28 03:04:31 CET");
        assert_eq!(shown(&zone("<+0530>-5:30"), 0), "07:34:31 UTC+05:30");
        assert_eq!(shown(&Zone::default(), 0), "02:04:31 UTC");
    }
}
