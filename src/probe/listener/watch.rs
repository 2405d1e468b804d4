//! The thread that samples the receive queues of listening sockets.
//!
//! It samples every [`IDLE`], and every [`STEP`] while a queue is not empty or sockets are missing. A probe without an
//! immediate answer [triggers a sample](Watch::sample_now). The CPU time is bounded, whatever the number of sockets. The
//! [state machine](crate::engine::listener) judges.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::weigh::Failures;
use super::{ListenerProbe, Place, folded, receivers};
use crate::engine::listener::{Listener, Pace, STEP, Sample, Seen, SocketId, Verdict, Work};
use crate::engine::moment::Moment;
use crate::engine::probe_only::Sockets;
use crate::netlink::queues::Reader;
use crate::netlink::sockets::{Protocol, Socket};
use crate::outcome::{Cause, Failure, Outcome};
use crate::sys::lock;
use crate::sys::wake::{self, Sleeper, Waker};

/// Sampling interval without a suspicion. A queue that begins to grow is seen after this time at most; from then on
/// [`STEP`] applies.
const IDLE: Duration = Duration::from_millis(60);

/// Sampling interval with `/proc/self/net`, which costs far more than netlink.
const WITHOUT_NETLINK: Duration = Duration::from_millis(250);

/// The time between two samples is at least this multiple of the CPU time of the last one.
const CPU_MULTIPLE: u32 = 20;

/// A report of the thread.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Report {
    /// Probe the server now: its answer decides.
    ProbeNow,
    /// The sockets are gone or not read.
    Failed(Failure),
}

/// Called on the thread.
pub(crate) type Callback = Box<dyn Fn(Report) + Send>;

/// Returns the work of the server's processes.
pub(crate) type WorkOf = Box<dyn Fn() -> Option<Work> + Send>;

struct Watched {
    probe: ListenerProbe,
    listeners: Vec<(Place, Listener)>,
    /// Whether the thread has looked. Before, no socket means nothing.
    is_sampled: bool,
    /// Why the sockets cannot be read at present.
    unreadable: Option<String>,
    /// The cause of the last report; `None` once the sockets are read again.
    reported: Option<Cause>,
    report: Callback,
    work: WorkOf,
}

/// Watches sockets as long as it lives.
pub(crate) struct Watch {
    began: Instant,
    watched: Arc<Mutex<Vec<Watched>>>,
    waker: Waker,
    /// The failing probes from a management address, and what the kernel counts of the queries of others.
    pub(super) failures: Mutex<Failures>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("watched", &lock(&self.watched).len()).finish_non_exhaustive()
    }
}

impl Watch {
    /// Starts the thread, which watches nothing yet.
    ///
    /// # Errors
    /// When the system has no thread or descriptor left.
    pub(crate) fn start() -> io::Result<Self> {
        let (waker, sleeper) = wake::pair()?;
        let (began, watched) = (Instant::now(), Arc::<Mutex<Vec<Watched>>>::default());
        let sampled = Arc::clone(&watched);
        let sampler = Sampler { began, reader: Reader::default(), is_refusal_logged: false };
        thread::Builder::new().name("listeners".into()).spawn(move || sampler.run(&sleeper, &sampled))?;
        Ok(Self { began, watched, waker, failures: Mutex::new(Failures::from_kernel()) })
    }

    /// Replaces the watched probes. A probe that was watched before keeps its state.
    pub(crate) fn assign(&self, probes: impl IntoIterator<Item = (ListenerProbe, Callback, WorkOf)>) {
        let mut watched = lock(&self.watched);
        let mut known = std::mem::take(&mut *watched);
        for (probe, report, work) in probes {
            let earlier = known.iter().position(|watched| watched.probe == probe);
            watched.push(match earlier.map(|place| known.swap_remove(place)) {
                Some(earlier) => Watched { report, work, ..earlier },
                None => Watched::new(probe, report, work),
            });
        }
        drop(watched);
        self.sample_now();
    }

    /// Samples at once.
    pub(crate) fn sample_now(&self) {
        self.waker.wake();
    }

    /// The present outcome; `None` if the probe is not watched, or before its first sample.
    pub(crate) fn outcome(&self, probe: &ListenerProbe) -> Option<Outcome> {
        let watched = lock(&self.watched);
        watched.iter().find(|watched| watched.probe == *probe).and_then(Watched::outcome)
    }

    /// The last sample of each address and protocol.
    pub(crate) fn seen(&self) -> Vec<(Place, Seen)> {
        let watched = lock(&self.watched);
        let listeners = watched.iter().flat_map(|watched| &watched.listeners);
        listeners.map(|(place, listener)| (*place, listener.seen())).collect()
    }

    /// The same watch, with `began` as the start of its clock.
    #[cfg(test)]
    fn since(self, began: Instant) -> Self {
        Self { began, ..self }
    }

    pub(super) fn now(&self) -> Moment {
        Moment::after_start(self.began.elapsed())
    }

    /// What is known of the sockets there. A verdict from before the sockets became invisible stands if it is bad.
    pub(super) fn sockets(&self, at: Place) -> Sockets {
        let watched = lock(&self.watched);
        let mut found = Sockets::NotSeen;
        for Watched { listeners, unreadable, .. } in &*watched {
            for (_, listener) in listeners.iter().filter(|(place, _)| *place == at) {
                match listener.verdict() {
                    Verdict::Unseen | Verdict::Hidden => {}
                    Verdict::Reading if unreadable.is_some() => {}
                    Verdict::Reading => found = Sockets::Read,
                    _ => return Sockets::NotRead,
                }
            }
        }
        found
    }

    /// Whether the kernel drops queries there that the server would read.
    pub(super) fn is_overloaded(&self, at: Place, now: Moment) -> bool {
        let watched = lock(&self.watched);
        let mut there = watched.iter().flat_map(|watched| &watched.listeners);
        there.any(|(place, listener)| *place == at && listener.is_overloaded(now))
    }

    /// Notes an answer from there. Returns whether the kernel drops queries there.
    pub(super) fn note_answer(&self, at: Place, now: Moment) -> bool {
        let is_overloaded = self.is_overloaded(at, now);
        let mut watched = lock(&self.watched);
        let there =
            watched.iter_mut().flat_map(|watched| &mut watched.listeners).filter(|(place, _)| *place == at);
        there.for_each(|(_, listener)| listener.answered(now));
        is_overloaded
    }
}

impl Watched {
    fn new(probe: ListenerProbe, report: Callback, work: WorkOf) -> Self {
        let place = |address: &IpAddr| Place((*address, probe.port).into(), probe.protocol);
        let listeners =
            probe.addresses.iter().map(|address| (place(address), Listener::new(probe.stall))).collect();
        Self { probe, listeners, is_sampled: false, unreadable: None, reported: None, report, work }
    }

    /// The present outcome; `None` before the first sample.
    fn outcome(&self) -> Option<Outcome> {
        self.is_sampled.then(|| match (&self.unreadable, self.listeners.first()) {
            (Some(why), Some((place, _))) => place.unknown(why),
            _ => folded(self.listeners.iter().map(|(place, listener)| place.outcome(listener.verdict()))),
        })
    }

    fn pace(&self) -> Pace {
        self.listeners.iter().map(|(_, listener)| listener.pace()).max().unwrap_or(Pace::Idle)
    }

    /// Counts one sample of all sockets of its port, and reports a new verdict.
    fn sample(&mut self, now: Moment, found: &io::Result<Vec<Socket>>) {
        self.is_sampled = true;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                self.unreadable = Some(error.to_string());
                return;
            }
        };
        self.unreadable = None;
        let wants_work = self.listeners.iter().any(|(_, listener)| listener.wants_work());
        let work = if wants_work { (self.work)() } else { None };
        let mut must_probe = false;
        for (place, listener) in &mut self.listeners {
            let samples: Vec<_> = receivers(found, place.0.ip()).iter().map(sample_of).collect();
            listener.sample(now, &samples, work);
            must_probe |= listener.take_probe_request(now);
        }
        if must_probe {
            (self.report)(Report::ProbeNow);
        }
        self.report_failure();
    }

    fn report_failure(&mut self) {
        let is_failure = |listener: &Listener| {
            matches!(
                listener.verdict(),
                Verdict::Missing | Verdict::NotReading(_) | Verdict::Stalled(_) | Verdict::PartlyHung(_)
            )
        };
        if !self.listeners.iter().any(|(_, listener)| is_failure(listener)) {
            self.reported = None;
            return;
        }
        if let Some(Outcome::Fail(failure)) = self.outcome()
            && self.reported.replace(failure.cause) != Some(failure.cause)
        {
            (self.report)(Report::Failed(failure));
        }
    }
}

fn sample_of(socket: &Socket) -> Sample {
    let id = SocketId { inode: socket.inode, cookie: socket.cookie };
    // A queue that was full between two samples is at least half full in one of them, unless the server has read all.
    let is_crowded = socket.backlog.is_none_or(|backlog| socket.queue >= backlog.div_ceil(2).max(1));
    Sample { id, queue: socket.queue, drops: socket.drops, is_crowded }
}

struct Sampler {
    began: Instant,
    reader: Reader,
    /// The log has said that netlink is not used.
    is_refusal_logged: bool,
}

impl Sampler {
    fn run(mut self, sleeper: &Sleeper, watched: &Mutex<Vec<Watched>>) {
        let (mut look_at, mut not_before) = (Instant::now(), Instant::now());
        loop {
            // Rest, then sleep.
            thread::sleep(not_before.saturating_duration_since(Instant::now()));
            match sleeper.sleep(None, look_at.saturating_duration_since(Instant::now())) {
                Ok(true) => look_at = look_at.min(Instant::now()),
                Ok(false) => {}
                Err(_) => return,
            }
            // Look.
            let began = Instant::now();
            if began < look_at {
                continue;
            }
            let cpu = cpu_time();
            let pace = self.look(&mut lock(watched));
            look_at = began
                + match pace {
                    _ if self.reader.refused().is_some() => WITHOUT_NETLINK,
                    Pace::Fast => STEP,
                    Pace::Idle => IDLE,
                };
            not_before = began + cpu_time().saturating_sub(cpu) * CPU_MULTIPLE;
            self.log_refusal();
        }
    }

    /// Reads each port once for each protocol, and samples the sockets of all probes.
    fn look(&mut self, watched: &mut [Watched]) -> Pace {
        let mut tables = HashMap::<(u16, Protocol), (Moment, io::Result<Vec<Socket>>)>::new();
        for watched_here in watched.iter() {
            let (port, protocol) = (watched_here.probe.port, watched_here.probe.protocol);
            tables.entry((port, protocol)).or_insert_with(|| {
                let of_port = watched.iter().filter(|watched| watched.probe.port == port);
                let addresses: Vec<_> = of_port.flat_map(|watched| &watched.probe.addresses).collect();
                let wanted = |socket: &Socket| addresses.iter().any(|address| socket.covers(**address));
                let found = self.reader.read(port, protocol, wanted);
                (Moment::after_start(self.began.elapsed()), found)
            });
        }
        for watched in &mut *watched {
            if let Some((now, found)) = tables.get(&(watched.probe.port, watched.probe.protocol)) {
                watched.sample(*now, found);
            }
        }
        watched.iter().map(Watched::pace).max().unwrap_or(Pace::Idle)
    }

    fn log_refusal(&mut self) {
        if let Some(why) = self.reader.refused()
            && !std::mem::replace(&mut self.is_refusal_logged, true)
        {
            log::warn!(
                "cannot ask the kernel about sockets: {why}; reading /proc/self/net every {WITHOUT_NETLINK:?} instead, so \
                 that a server that hangs is noticed later; AF_NETLINK in RestrictAddressFamilies= permits it"
            );
        }
    }
}

/// The CPU time of this thread.
fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
