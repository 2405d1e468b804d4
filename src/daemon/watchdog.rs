//! What systemd is told: that the loop turns, and how the services are.
//!
//! The dead-man withdraws when the loop hangs; nobody in this process can when the process as a whole is frozen, or when
//! ExaBGP has given it up. Then systemd ends ExaBGP, the session closes, and with it the route is gone. ExaBGP hands
//! its environment down to its helpers, `NOTIFY_SOCKET` too, and a unit with `NotifyAccess=all` listens to all of them.
//!
//! With `WatchdogSec=` systemd would wait for a helper from the start, and end an ExaBGP that has none. So it is the
//! helper that asks to be watched (`WATCHDOG_USEC=` as a message), for the time that the environment variable
//! [`TIME`] gives, and asks to be no more when it ends in an orderly way. It asks with every beat: when ExaBGP replaces
//! a helper, the end of the old one overlaps with the successor. Of several helpers any one is sign of life enough.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::period::Period;
use crate::status::Trouble;
use crate::text::foreign_within;

/// How long systemd shall wait for a sign of life, such as `30s`.
pub(crate) const TIME: &str = "DNSHERALD_WATCHDOG";

/// Set by systemd where the unit has `WatchdogSec=`, in microseconds.
const SYSTEMD_TIME: &str = "WATCHDOG_USEC";

/// Set by systemd where the unit may say something.
const SOCKET: &str = "NOTIFY_SOCKET";

/// The status is as old at most.
const PERIOD: Duration = Duration::from_secs(1);

/// A longer status, in characters, is cut.
const LONGEST_STATUS: usize = 400;

/// Tells systemd, if it wants to hear. Nothing here can hold up the loop.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    systemd: Option<(UnixDatagram, SocketAddr)>,
    /// What is asked of systemd; `None` where it was told by its unit, or shall not watch.
    time: Option<Duration>,
    /// Between two signs of life; none are given without.
    period: Option<Duration>,
    /// When to look again at the status...
    due: Option<Instant>,
    /// ...and when to give a sign of life whatever it is.
    feed_at: Option<Instant>,
    said: String,
    complained: bool,
}

impl Watchdog {
    /// As the environment of this process has it.
    #[must_use]
    pub(crate) fn of_environment() -> Self {
        let Some(address) = env::var_os(SOCKET).as_deref().and_then(address) else { return Self::default() };
        let time = env::var(TIME).ok().and_then(|text| match text.parse::<Period>() {
            Ok(Period(time)) => Some(time).filter(|time| !time.is_zero()),
            Err(why) => {
                log::warn!(
                    "the environment variable {TIME} is not understood, and systemd does not watch: {why}"
                );
                None
            }
        });
        let of_unit =
            env::var(SYSTEMD_TIME).ok().and_then(|text| text.parse().ok()).map(Duration::from_micros);
        Self::telling(address, time, of_unit).unwrap_or_else(|error| {
            log::warn!("cannot speak to systemd: {error}");
            Self::default()
        })
    }

    /// Speaks to whoever listens at `address`: asks to be watched for `time`, and gives signs of life where that, or
    /// the unit, says so.
    ///
    /// # Errors
    /// When there is no descriptor left.
    fn telling(address: SocketAddr, time: Option<Duration>, of_unit: Option<Duration>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let period = time.or(of_unit).map(|time| time / 4);
        Ok(Self { systemd: Some((socket, address)), time, period, ..Self::default() })
    }

    /// The loop has turned.
    pub(crate) fn beat(&mut self, now: Instant, engine: &Engine, trouble: Option<&Trouble>) {
        if self.systemd.is_none() || self.due.is_some_and(|due| now < due) {
            return;
        }
        self.due = Some(now + self.period.unwrap_or(PERIOD).min(PERIOD));
        self.say(now, &status(engine, trouble));
    }

    /// This is an orderly end, for which ExaBGP is not to be blamed.
    pub(crate) fn rest(&mut self) {
        self.tell(if self.time.is_some() { "WATCHDOG_USEC=0\nSTATUS=" } else { "STATUS=" });
    }

    fn say(&mut self, now: Instant, status: &str) {
        let mut message = String::new();
        let feeds = self.period.is_some() && self.feed_at.is_none_or(|feed_at| feed_at <= now);
        if feeds {
            if let Some(time) = self.time {
                message.push_str(&format!("WATCHDOG_USEC={}\n", time.as_micros()));
            }
            message.push_str("WATCHDOG=1\n");
        }
        if status != self.said {
            message.push_str(&format!("STATUS={status}\n"));
        }
        if !message.is_empty() && self.tell(&message) {
            status.clone_into(&mut self.said);
            if feeds {
                self.feed_at = self.period.map(|period| now + period);
            }
        }
    }

    /// A systemd that is busy is told the next time.
    fn tell(&mut self, message: &str) -> bool {
        let Some((socket, address)) = &self.systemd else { return false };
        match socket.send_to_addr(message.as_bytes(), address) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => {
                if !std::mem::replace(&mut self.complained, true) {
                    log::warn!("cannot tell systemd that the helper is alive: {error}");
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

/// One line for `systemctl status`: what is wrong with the configuration file, the state of each service, and why it is
/// not up.
fn status(engine: &Engine, trouble: Option<&Trouble>) -> String {
    use crate::engine::service::State;
    let service = |service: &crate::engine::service::Service| match service.state() {
        _ if !service.is_enabled() => format!("{} not enabled", service.name()),
        State::Up => format!("{} up", service.name()),
        state => format!("{} {state} ({})", service.name(), service.explain()),
    };
    let text = engine.services().iter().map(service).collect::<Vec<_>>().join("; ");
    let trouble = trouble.map_or_else(String::new, |trouble| format!("{trouble}; "));
    foreign_within(&format!("dnsherald: {trouble}{text}"), LONGEST_STATUS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The other side, and a watchdog that speaks to it.
    fn systemd(name: &str, time: Option<Duration>, of_unit: Option<Duration>) -> (UnixDatagram, Watchdog) {
        let address = address(OsStr::new(&format!("@dnsherald-{}-{name}", std::process::id()))).unwrap();
        let systemd = UnixDatagram::bind_addr(&address).unwrap();
        systemd.set_nonblocking(true).unwrap();
        (systemd, Watchdog::telling(address, time, of_unit).unwrap())
    }

    fn heard(systemd: &UnixDatagram) -> String {
        let mut bytes = [0; 4096];
        let length = systemd.recv(&mut bytes).unwrap_or(0);
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn it_asks_to_be_watched_until_it_rests() {
        let (systemd, mut watchdog) = systemd("asks", Some(Duration::from_secs(30)), None);
        let now = Instant::now();
        watchdog.say(now, "dnsherald: resolver up");
        let asked = "WATCHDOG_USEC=30000000\nWATCHDOG=1\n";
        assert_eq!(heard(&systemd), format!("{asked}STATUS=dnsherald: resolver up\n"));
        watchdog.say(now + Duration::from_secs(7), "dnsherald: resolver up");
        assert_eq!(heard(&systemd), "", "what is known is not said again");
        watchdog.say(now + Duration::from_millis(7500), "dnsherald: resolver up");
        assert_eq!(heard(&systemd), asked, "a quarter of the time has passed");
        watchdog.rest();
        assert_eq!(heard(&systemd), "WATCHDOG_USEC=0\nSTATUS=");
    }

    #[test]
    fn a_unit_that_watches_by_itself_is_fed_and_never_disarmed() {
        let (systemd, mut watchdog) = systemd("unit", None, Some(Duration::from_secs(3)));
        assert_eq!(watchdog.period, Some(Duration::from_millis(750)));
        watchdog.say(Instant::now(), "x");
        assert_eq!(heard(&systemd), "WATCHDOG=1\nSTATUS=x\n");
        watchdog.rest();
        assert_eq!(heard(&systemd), "STATUS=");
    }

    #[test]
    fn a_systemd_that_does_not_read_holds_up_nothing_and_is_told_again() {
        let (systemd, mut watchdog) = systemd("full", None, None);
        for number in 0..2000 {
            watchdog.say(Instant::now(), &number.to_string());
        }
        assert_ne!(watchdog.said, "1999", "more than a queue holds");
        while !heard(&systemd).is_empty() {}
        watchdog.say(Instant::now(), "1999");
        assert_eq!(heard(&systemd), "STATUS=1999\n");
    }

    #[test]
    fn a_systemd_that_is_gone_costs_one_complaint() {
        let (systemd, mut watchdog) = systemd("gone", Some(Duration::from_secs(30)), None);
        drop(systemd);
        watchdog.say(Instant::now(), "x");
        watchdog.rest();
        assert!(watchdog.complained);
    }
}
