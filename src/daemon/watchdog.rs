//! Reports to systemd that the loop runs, and the state of the services.
//!
//! The dead-man withdraws if the loop stalls. It cannot if the whole process is frozen or ExaBGP no longer starts it.
//! Then systemd ends ExaBGP, the BGP session closes, and the route disappears. ExaBGP passes its environment with
//! `NOTIFY_SOCKET` to its helpers, and a unit with `NotifyAccess=all` accepts messages from all of them.
//!
//! With `WatchdogSec=` systemd would expect messages from the start and end an ExaBGP without a helper. So the helper
//! asks systemd to watch it (`WATCHDOG_USEC=` in a message) for the time in the environment variable [`TIME`], and ends
//! that on a regular exit. It repeats the request with every message, because the exit of an old helper overlaps with
//! the start of its successor. Messages of any one of several helpers suffice.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::status::Trouble;
use crate::text::foreign_within;
use crate::text::period::Period;

/// Time after which systemd acts without a message, such as `30s`.
pub(crate) const TIME: &str = "DNSHERALD_WATCHDOG";

/// Set by systemd if the unit has `WatchdogSec=`, in microseconds.
const SYSTEMD_TIME: &str = "WATCHDOG_USEC";

/// Set by systemd if the unit may send messages.
const SOCKET: &str = "NOTIFY_SOCKET";

/// Maximum age of the status.
const PERIOD: Duration = Duration::from_secs(1);

/// Maximum length of the status, in characters.
const LONGEST_STATUS: usize = 400;

/// Sends messages to systemd if it listens. Never blocks the loop.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    systemd: Option<(UnixDatagram, SocketAddr)>,
    /// The watchdog time requested from systemd; `None` if the unit sets it or systemd does not watch.
    time: Option<Duration>,
    /// Interval between keep-alive messages; `None` for no messages.
    period: Option<Duration>,
    /// When to compute the status again...
    due: Option<Instant>,
    /// ...and when to send the next keep-alive message.
    keep_alive_at: Option<Instant>,
    last_status: String,
    warned: bool,
}

impl Watchdog {
    /// Configures it from the environment of this process.
    pub(crate) fn from_environment() -> Self {
        let Some(address) = env::var_os(SOCKET).as_deref().and_then(address) else { return Self::default() };
        let time = env::var(TIME).ok().and_then(|text| match text.parse::<Period>() {
            Ok(Period(time)) => Some(time).filter(|time| !time.is_zero()),
            Err(why) => {
                log::warn!("the environment variable {TIME} is invalid, so systemd does not watch: {why}");
                None
            }
        });
        let of_unit =
            env::var(SYSTEMD_TIME).ok().and_then(|text| text.parse().ok()).map(Duration::from_micros);
        Self::with_socket(address, time, of_unit).unwrap_or_else(|error| {
            log::warn!("cannot send to systemd: {error}");
            Self::default()
        })
    }

    /// Sends to `address`, requests a watchdog of `time`, and sends keep-alive messages if `time` or the unit sets a
    /// period.
    ///
    /// # Errors
    /// Returns an error if no descriptor is left.
    fn with_socket(
        address: SocketAddr,
        time: Option<Duration>,
        of_unit: Option<Duration>,
    ) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let period = time.or(of_unit).map(|time| time / 4);
        Ok(Self { systemd: Some((socket, address)), time, period, ..Self::default() })
    }

    /// Called at every turn of the loop.
    pub(crate) fn beat(&mut self, now: Instant, engine: &Engine, trouble: Option<&Trouble>) {
        if self.systemd.is_none() || self.due.is_some_and(|due| now < due) {
            return;
        }
        self.due = Some(now + self.period.unwrap_or(PERIOD).min(PERIOD));
        self.update(now, &status(engine, trouble));
    }

    /// The time since the last keep-alive message; `None` before the first, and if none are sent.
    pub(super) fn age(&self, now: Instant) -> Option<Duration> {
        let sent_at = self.keep_alive_at?.checked_sub(self.period?)?;
        Some(now.saturating_duration_since(sent_at))
    }

    /// Ends the watchdog on a regular exit.
    pub(crate) fn stop(&mut self) {
        self.send(if self.time.is_some() { "WATCHDOG_USEC=0\nSTATUS=" } else { "STATUS=" });
    }

    fn update(&mut self, now: Instant, status: &str) {
        let mut message = String::new();
        let keeps_alive =
            self.period.is_some() && self.keep_alive_at.is_none_or(|keep_alive_at| keep_alive_at <= now);
        if keeps_alive {
            if let Some(time) = self.time {
                message.push_str(&format!("WATCHDOG_USEC={}\n", time.as_micros()));
            }
            message.push_str("WATCHDOG=1\n");
        }
        if status != self.last_status {
            message.push_str(&format!("STATUS={status}\n"));
        }
        if !message.is_empty() && self.send(&message) {
            status.clone_into(&mut self.last_status);
            if keeps_alive {
                self.keep_alive_at = self.period.map(|period| now + period);
            }
        }
    }

    /// Sends a message. A busy systemd gets it the next time.
    fn send(&mut self, message: &str) -> bool {
        let Some((socket, address)) = &self.systemd else { return false };
        match socket.send_to_addr(message.as_bytes(), address) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => {
                if !std::mem::replace(&mut self.warned, true) {
                    log::warn!("cannot send keep-alive messages to systemd: {error}");
                }
                false
            }
        }
    }
}

fn address(of: &OsStr) -> Option<SocketAddr> {
    match of.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        _ => SocketAddr::from_pathname(of).ok(),
    }
}

/// A line for `systemctl status`: the error of the configuration file and the state of each service with its reason.
fn status(engine: &Engine, trouble: Option<&Trouble>) -> String {
    use crate::engine::service::ServiceState;
    let service = |service: &crate::engine::service::Service| match service.state() {
        _ if !service.enabled => format!("{} not enabled", service.name()),
        ServiceState::Up => format!("{} up", service.name()),
        state => format!("{} {state} ({})", service.name(), service.explain()),
    };
    let text = engine.services().iter().map(service).collect::<Vec<_>>().join("; ");
    let trouble = trouble.map_or_else(String::new, |trouble| format!("{trouble}; "));
    foreign_within(&format!("dnsherald: {trouble}{text}"), LONGEST_STATUS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The receiver, and a watchdog that sends to it.
    fn systemd(name: &str, time: Option<Duration>, of_unit: Option<Duration>) -> (UnixDatagram, Watchdog) {
        let address = address(OsStr::new(&format!("@dnsherald-{}-{name}", std::process::id()))).unwrap();
        let systemd = UnixDatagram::bind_addr(&address).unwrap();
        systemd.set_nonblocking(true).unwrap();
        (systemd, Watchdog::with_socket(address, time, of_unit).unwrap())
    }

    fn received(systemd: &UnixDatagram) -> String {
        let mut bytes = [0; 4096];
        let length = systemd.recv(&mut bytes).unwrap_or(0);
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn requests_a_watchdog_until_it_stops() {
        let (systemd, mut watchdog) = systemd("asks", Some(Duration::from_secs(30)), None);
        let now = Instant::now();
        watchdog.update(now, "dnsherald: resolver up");
        let asked = "WATCHDOG_USEC=30000000\nWATCHDOG=1\n";
        assert_eq!(received(&systemd), format!("{asked}STATUS=dnsherald: resolver up\n"));
        watchdog.update(now + Duration::from_secs(7), "dnsherald: resolver up");
        assert_eq!(received(&systemd), "", "an unchanged status is not sent again");
        assert_eq!(watchdog.age(now + Duration::from_secs(7)), Some(Duration::from_secs(7)));
        watchdog.update(now + Duration::from_millis(7500), "dnsherald: resolver up");
        assert_eq!(received(&systemd), asked, "a quarter of the time has passed");
        watchdog.stop();
        assert_eq!(received(&systemd), "WATCHDOG_USEC=0\nSTATUS=");
    }

    #[test]
    fn keeps_the_watchdog_of_the_unit() {
        let (systemd, mut watchdog) = systemd("unit", None, Some(Duration::from_secs(3)));
        assert_eq!(watchdog.period, Some(Duration::from_millis(750)));
        watchdog.update(Instant::now(), "x");
        assert_eq!(received(&systemd), "WATCHDOG=1\nSTATUS=x\n");
        watchdog.stop();
        assert_eq!(received(&systemd), "STATUS=");
    }

    #[test]
    fn does_not_block_on_a_busy_systemd() {
        let (systemd, mut watchdog) = systemd("full", None, None);
        for number in 0..2000 {
            watchdog.update(Instant::now(), &number.to_string());
        }
        assert_ne!(watchdog.last_status, "1999", "more than the queue can hold");
        while !received(&systemd).is_empty() {}
        watchdog.update(Instant::now(), "1999");
        assert_eq!(received(&systemd), "STATUS=1999\n");
    }

    #[test]
    fn warns_once_if_systemd_is_gone() {
        let (systemd, mut watchdog) = systemd("gone", Some(Duration::from_secs(30)), None);
        drop(systemd);
        watchdog.update(Instant::now(), "x");
        watchdog.stop();
        assert!(watchdog.warned);
    }
}
