//! A thread that reports at once when an address is no longer on this host, when a route to clients is lost, and when
//! either returns.
//!
//! It looks up the addresses and routes after every change that the kernel reports, and every second. An address is
//! missing if two look-ups, [`APART`], do not find it. A router that loads its table causes hundreds of thousands of
//! changes, so the pause between two look-ups is a multiple of their duration.
//!
//! ```text
//!            here             missing               missing, 20 ms later
//!   Unseen ───────► Here ◄───────────────► Suspect ──────────────────────► Missing
//!      │              ▲       here                       (report)              │ ▲
//!      │              └─────────────── here (report) ────────────────────────┘ │
//!      └──────────────────────────── missing ───────────────────────────────────┘
//! ```
//!
//! A failed look-up changes nothing.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::{APART, AddressProbe, Presence};
use crate::netlink::changes::Changes;
use crate::probe::route::RouteProbe;
use crate::sys::lock;
use crate::sys::wake::{self, Sleeper, Waker};

/// The interval of look-ups without a change.
const EACH: Duration = Duration::from_secs(1);

/// The minimum pause between two look-ups.
const PAUSE: Duration = Duration::from_millis(2);

/// The pause is at least this many times as long as the last look-up.
const TIME_MULTIPLE: u32 = 20;

/// The addresses or routes to look up.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Subject {
    Address(AddressProbe),
    Route(RouteProbe),
}

impl Subject {
    fn look(&self) -> Presence {
        match self {
            Self::Address(probe) => probe.look(),
            Self::Route(probe) => probe.look(),
        }
    }
}

/// The state of the addresses or routes of a probe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum AddressState {
    Unseen,
    Here,
    /// Missing since this time, perhaps only for a moment.
    Suspect(Instant),
    Missing,
}

impl AddressState {
    /// The state after a look-up, and what to report.
    fn after(self, now: Instant, presence: Presence) -> (Self, Option<Report>) {
        match (self, presence) {
            (Self::Missing, Presence::Here) => (Self::Here, Some(Report::Returned)),
            (_, Presence::Here) => (Self::Here, None),
            (Self::Here, Presence::Missing(_)) => (Self::Suspect(now), None),
            (Self::Suspect(since), Presence::Missing(why)) if now >= since + APART => {
                (Self::Missing, Some(Report::Gone(why)))
            }
            (Self::Unseen, Presence::Missing(_)) => (Self::Missing, None),
            (state, Presence::Missing(_) | Presence::Unknown(_)) => (state, None),
        }
    }
}

/// What has happened to the addresses or routes of a probe.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Report {
    /// They have gone, with the sentence that says so.
    Gone(String),
    /// All of them are there again.
    Returned,
}

type Callback = Box<dyn Fn(Report) + Send>;

struct Watched {
    probe: Subject,
    state: AddressState,
    report: Callback,
}

/// Watches addresses until it is dropped.
pub(crate) struct Watch {
    watched: Arc<Mutex<Vec<Watched>>>,
    waker: Waker,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("watched", &lock(&self.watched).len()).finish_non_exhaustive()
    }
}

impl Watch {
    /// Starts the thread without any addresses.
    ///
    /// # Errors
    /// When the system has no thread or descriptor left.
    pub(crate) fn start() -> io::Result<Self> {
        let (waker, sleeper) = wake::pair()?;
        let watched = Arc::<Mutex<Vec<Watched>>>::default();
        let attended = Arc::clone(&watched);
        thread::Builder::new().name("addresses".into()).spawn(move || run(&sleeper, &attended))?;
        Ok(Self { watched, waker })
    }

    /// Replaces the watched probes. The thread calls the function of a probe once when its addresses have gone, and
    /// once when they return. A probe that was watched before keeps its state.
    pub(crate) fn assign(&self, probes: impl IntoIterator<Item = (Subject, Callback)>) {
        let mut watched = lock(&self.watched);
        let known: Vec<_> = std::mem::take(&mut *watched);
        let state = |probe: &Subject| {
            known
                .iter()
                .find(|watched| watched.probe == *probe)
                .map_or(AddressState::Unseen, |watched| watched.state)
        };
        let probes = probes.into_iter();
        *watched = probes.map(|(probe, report)| Watched { state: state(&probe), probe, report }).collect();
        drop(watched);
        self.waker.wake();
    }
}

fn run(sleeper: &Sleeper, watched: &Mutex<Vec<Watched>>) {
    let mut changes = None;
    let mut is_reported = false;
    let (mut look_at, mut not_before) = (Instant::now(), Instant::now());
    loop {
        // Subscribes before the look-up: no change between them is lost.
        if changes.is_none() {
            changes = match Changes::subscribe() {
                Ok(changes) => Some(changes),
                Err(error) => {
                    if !std::mem::replace(&mut is_reported, true) {
                        log::warn!(
                            "cannot receive changes of addresses and routes: {error}; one that disappears is noticed \
                             within {EACH:?} only; AF_NETLINK in RestrictAddressFamilies= permits it"
                        );
                    }
                    None
                }
            };
        }
        let now = Instant::now();
        let pausing = now < not_before;
        let subscribed = changes.as_ref().filter(|_| !pausing).map(AsFd::as_fd);
        let wake = if pausing { not_before } else { look_at };
        match sleeper.sleep(subscribed, wake.saturating_duration_since(now)) {
            Ok(true) => look_at = now,
            Ok(false) => {}
            Err(_) => return,
        }
        if !pausing {
            match changes.as_ref().map(Changes::receive) {
                Some(Ok(true)) => look_at = now,
                Some(Err(_)) => changes = None,
                Some(Ok(false)) | None => {}
            }
        }
        let began = Instant::now();
        if began >= look_at && began >= not_before {
            let is_suspect = look(began, &mut lock(watched));
            look_at = began + if is_suspect { APART } else { EACH };
            not_before = Instant::now() + (began.elapsed() * TIME_MULTIPLE).max(PAUSE);
        }
    }
}

/// Looks up all addresses and reports those that have gone or returned. Returns whether another look-up is due soon.
fn look(now: Instant, watched: &mut [Watched]) -> bool {
    for watched in &mut *watched {
        let (state, report) = watched.state.after(now, watched.probe.look());
        watched.state = state;
        if let Some(report) = report {
            (watched.report)(report);
        }
    }
    watched.iter().any(|watched| matches!(watched.state, AddressState::Suspect(_)))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::netlink::namespace::{in_namespace, shell};

    const DEADLINE: Duration = Duration::from_secs(20);

    #[test]
    fn an_address_is_gone_if_it_was_here_and_stays_missing() {
        let (now, missing) = (Instant::now(), || Presence::Missing("gone".into()));
        let unknown = || Presence::Unknown("no netlink".into());
        let suspect = AddressState::Suspect(now);
        assert_eq!(
            AddressState::Unseen.after(now, missing()),
            (AddressState::Missing, None),
            "the round says so"
        );
        assert_eq!(AddressState::Here.after(now, missing()), (suspect, None));
        assert_eq!(suspect.after(now + APART / 2, missing()), (suspect, None));
        assert_eq!(suspect.after(now + APART / 2, Presence::Here), (AddressState::Here, None), "moved");
        assert_eq!(
            suspect.after(now + APART, missing()),
            (AddressState::Missing, Some(Report::Gone("gone".into())))
        );
        assert_eq!(AddressState::Missing.after(now, missing()), (AddressState::Missing, None), "told once");
        assert_eq!(
            AddressState::Missing.after(now, Presence::Here),
            (AddressState::Here, Some(Report::Returned))
        );
        assert_eq!(AddressState::Here.after(now, Presence::Here), (AddressState::Here, None), "told once");
        for state in [AddressState::Unseen, AddressState::Here, suspect, AddressState::Missing] {
            assert_eq!(state.after(now + APART, unknown()), (state, None));
        }
    }

    fn watching(addresses: &[&str]) -> (Watch, Receiver<Report>) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let (told, events) = channel();
        let report: Callback = Box::new(move |report| told.send(report).unwrap());
        let watch = Watch::start().unwrap();
        watch.assign([(Subject::Address(AddressProbe { addresses, device: None }), report)]);
        (watch, events)
    }

    /// The thread has made its first look-up.
    fn comes_to_be(watch: &Watch, state: AddressState) {
        let began = Instant::now();
        while lock(&watch.watched)[0].state != state {
            assert!(began.elapsed() < DEADLINE, "{:?}", lock(&watch.watched)[0].state);
            thread::yield_now();
        }
    }

    #[test]
    fn an_address_of_either_family_is_reported_once_when_it_goes_and_when_it_returns() {
        let name = "probe::address::watch::tests::an_address_of_either_family_is_reported_once_when_it_goes_and_when_it_returns";
        in_namespace(name, "", || {
            for (address, length) in [("192.0.2.53", 32), ("2001:db8::53", 128)] {
                shell(&format!("ip addr add {address}/{length} dev lo"));
                let (watch, events) = watching(&[address]);
                comes_to_be(&watch, AddressState::Here);
                // The kernel adds an IPv6 address a moment after the command; the first look may come before.
                assert!(matches!(events.try_recv(), Err(_) | Ok(Report::Returned)));
                shell(&format!("ip addr del {address}/{length} dev lo"));
                let Report::Gone(why) = events.recv_timeout(DEADLINE).unwrap() else { panic!() };
                assert!(why.starts_with(&format!("{address} is not on this host")), "{why}");
                shell(&format!("ip addr add {address}/{length} dev lo"));
                assert_eq!(events.recv_timeout(DEADLINE), Ok(Report::Returned));
                assert!(events.try_recv().is_err());
            }
        });
    }

    #[test]
    fn a_local_route_is_as_good_as_an_address() {
        let setup = "ip route add local 192.0.2.0/24 dev lo";
        let name = "probe::address::watch::tests::a_local_route_is_as_good_as_an_address";
        in_namespace(name, setup, || {
            let (watch, events) = watching(&["192.0.2.53"]);
            comes_to_be(&watch, AddressState::Here);
            shell("ip route del local 192.0.2.0/24 dev lo");
            events.recv_timeout(DEADLINE).unwrap();
        });
    }
}
