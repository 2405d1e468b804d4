//! Verdicts on the listening sockets of one address and protocol, from samples of their receive queues.
//!
//! A server that hangs stops reading: its receive queues never shrink. An overloaded server reads all the time, so
//! its queues are rarely empty but do shrink. In measurements, no server that reads, saturated or not, on a busy host or
//! not, had ten steps of at least 15 ms without a decrease. Twelve are required, so that a stall of 150 ms is no hang.
//! Steps are counted, not time: if the helper itself gets no CPU, two samples are far apart and prove little.
//!
//! ```text
//!                  socket seen                       no socket, for 75 ms             answered
//!   Unseen ──────────────────────► Reading ───────────────────────────────► Missing ──────────► Hidden
//!                                   ▲    │ a socket is not read for 12 steps
//!        decrease, empty, answered  │    │
//!                                   │    ├─► others are read, or answered: PartlyHung; if half, after `stall` Stalled
//!                                   │    ├─► the process is stopped or idle: NotReading
//!                                   └────┴─► the process works, or is not seen: after `stall` Stalled
//! ```
//!
//! An answer leads back to `Reading` if there is one socket or all are stuck. Not drawn: a socket that is seen again leads
//! back to `Reading`. `NeverRead` is for a socket whose queries have been waiting since it was first seen, and `Overload`
//! is `Reading` while the kernel drops queries.
//!
//! A reload looks like a hang, but uses the CPU; therefore the CPU time of the process decides between `NotReading` and
//! `Stalled`. Only a socket that was seen empty or shrinking can be found to hang: nothing shows that the server
//! ever reads another one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::moment::Moment;
use crate::text::counted;
use crate::text::period::Shown;

mod queue;
#[cfg(test)]
mod tests;

use self::queue::Queue;
pub(crate) use self::queue::{STEP, STEPS};

/// That no socket is left counts after this time, and after at least two further samples: a server that opens its sockets
/// anew has them again by then.
const MISSING: Duration = Duration::from_millis(75);

/// Overload lasts for this time after its last sign.
const OVERLOAD: Duration = Duration::from_secs(5);

/// The first probe of a suspicion is not requested within this time of the last request.
const PROBE_PAUSE: Duration = Duration::from_secs(1);

/// From this number of steps on, the CPU time of the process is measured and the server is probed.
const SUSPECT: u32 = 3;

/// A process that uses less than this part of one CPU is idle. From [`SUSPECT`] to [`STEPS`] that is 4 ms in 135 ms, less
/// than a tick of 10 ms, in which the kernel counts CPU time. A hung server uses none; a reload computes nearly all the time.
const IDLE_SHARE: u32 = 32;

/// A socket while it is open. The kernel reuses inodes, but reuses no cookie before the next boot.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct SocketId {
    pub(crate) inode: u64,
    /// 0 if it is not known.
    pub(crate) cookie: u64,
}

/// One sample of a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Sample {
    pub(crate) id: SocketId,
    /// The length of its receive queue, in any unit.
    pub(crate) queue: u32,
    /// Dropped datagrams or connections since it was opened. Wraps.
    pub(crate) drops: u32,
    /// Whether what the kernel dropped by now may have been dropped for lack of room.
    pub(crate) is_crowded: bool,
}

/// The work of the processes of the server so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Work {
    /// CPU time since some moment.
    pub(crate) used: Duration,
    /// Whether any thread runs or waits for a CPU.
    pub(crate) runnable: bool,
    /// Whether every thread is stopped by a signal, a debugger or a device.
    pub(crate) stopped: bool,
}

/// The sockets that are not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Unread {
    /// Their number.
    pub(crate) stuck: usize,
    /// The number of all sockets.
    pub(crate) of: usize,
    /// For how long the first of them to get stuck was not read at the time of the verdict.
    pub(crate) time: Duration,
}

/// The verdict of the sockets on the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// No socket was seen since the start: the server may be in another network namespace.
    Unseen,
    /// Queries have been waiting in at least one socket since it was first seen, which may be later than the start of the
    /// helper. It was never seen to be read, and the others are read or prove nothing.
    NeverRead,
    /// The sockets are read, as far as the samples show.
    Reading,
    /// There are no sockets, but the server answers: its sockets are where the helper cannot see them.
    Hidden,
    /// The sockets are gone.
    Missing,
    /// The server does not read its sockets, and is stopped or idle.
    NotReading(Unread),
    /// For `stall`, at least half of the sockets were not read, or some were not and nothing shows that the others are.
    Stalled(Unread),
    /// Some sockets are not read; others are, or the server answers.
    PartlyHung(Unread),
    /// The kernel drops queries although the server reads; with the number since the overload began.
    Overload(u32),
}

/// The rate of samples.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Pace {
    /// At the slow rate of the caller: there is no suspicion, or no sample can make the verdict worse.
    Idle,
    /// Every [`STEP`].
    Fast,
}

/// What was seen of the sockets of one address and protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) sockets: usize,
    /// What waits to be read in all of them, in the unit of [`Sample::queue`].
    pub(crate) queue: u64,
    /// Datagrams and connections that the kernel has dropped since the first sample, since the server left no room.
    pub(crate) drops: u64,
}

/// The listening sockets of one address and protocol.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    /// The longest time for which a working server may stop reading.
    stall: Duration,
    queues: BTreeMap<SocketId, Queue>,
    /// A socket was seen since the start.
    is_seen: bool,
    /// The server has answered since its last socket was gone.
    is_hidden: bool,
    /// Since when there has been no socket, and the number of samples that confirmed it.
    missing: Option<(Moment, u32)>,
    /// The time of the last answer of the server to a probe of this address.
    answered: Option<Moment>,
    overload: Option<Overload>,
    verdict: Verdict,
    /// As [`Seen::drops`].
    drops: u64,
    /// How many probes the present suspicion has called for, at most two: the first at [`SUSPECT`] steps or when no socket is
    /// left, the other at [`STEPS`]. One that [`PROBE_PAUSE`] left out counts as well.
    probes_called_for: u32,
    probe_requested_at: Option<Moment>,
}

#[derive(Clone, Copy, Debug)]
struct Overload {
    last_sign: Moment,
    dropped: u32,
}

impl Listener {
    /// No samples yet. A working server may stop reading for `stall`.
    pub(crate) const fn new(stall: Duration) -> Self {
        Self {
            stall,
            queues: BTreeMap::new(),
            is_seen: false,
            is_hidden: false,
            missing: None,
            answered: None,
            overload: None,
            verdict: Verdict::Unseen,
            drops: 0,
            probes_called_for: 0,
            probe_requested_at: None,
        }
    }

    /// The present verdict.
    pub(crate) const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What was seen last.
    pub(crate) fn seen(&self) -> Seen {
        let queue = self.queues.values().map(|queue| u64::from(queue.waiting)).sum();
        Seen { sockets: self.queues.len(), queue, drops: self.drops }
    }

    /// Whether the kernel drops queries that the server would read: then a lost probe says nothing about the server.
    pub(crate) fn is_overloaded(&self, now: Moment) -> bool {
        let is_unread =
            matches!(self.verdict, Verdict::NotReading(_) | Verdict::Stalled(_) | Verdict::Missing);
        !is_unread && self.overload.is_some_and(|overload| now.since(overload.last_sign) <= OVERLOAD)
    }

    /// Whether [`Self::sample`] needs to know the work of the process next time.
    pub(crate) fn wants_work(&self) -> bool {
        self.queues.values().any(|queue| queue.steps + 1 >= SUSPECT)
    }

    /// How soon the next sample is due.
    pub(crate) fn pace(&self) -> Pace {
        let is_decided = match self.verdict {
            Verdict::Missing | Verdict::Hidden | Verdict::NotReading(_) | Verdict::Stalled(_) => true,
            // Another socket, which was read, may hang.
            Verdict::NeverRead => !self.queues.values().any(|queue| queue.may_be_read && queue.waiting > 0),
            _ => false,
        };
        let is_suspect = self.missing.is_some() || self.queues.values().any(|queue| queue.waiting > 0);
        if is_suspect && !is_decided && self.is_seen { Pace::Fast } else { Pace::Idle }
    }

    /// Whether to probe the server now, since its answer decides. True at most once for each of the two probes of a
    /// suspicion, and for the first of them at most once in [`PROBE_PAUSE`]: a saturated server is suspected all the time.
    pub(crate) fn take_probe_request(&mut self, now: Moment) -> bool {
        let steps = self.queues.values().map(|queue| queue.steps).max().unwrap_or_default();
        let is_gone = self.missing.is_some_and(|(_, samples)| samples == 0);
        let wanted = match steps {
            _ if is_gone => 1,
            ..SUSPECT => 0,
            SUSPECT..STEPS => 1,
            _ => 2,
        };
        let is_new = wanted > self.probes_called_for && self.is_seen;
        self.probes_called_for = wanted;
        let is_too_soon =
            wanted == 1 && self.probe_requested_at.is_some_and(|at| now.since(at) < PROBE_PAUSE);
        if !is_new || is_too_soon {
            return false;
        }
        self.probe_requested_at = Some(now);
        true
    }

    /// The server has answered a probe at this address over this protocol.
    pub(crate) fn answered(&mut self, now: Moment) {
        self.answered = Some(now);
        // The answer came through one of these sockets, so the samples have missed a decrease. Which of several it was is
        // not known: if all looked stuck, each has to be stuck anew.
        if self.queues.len() == 1 || self.queues.values().all(Queue::is_stuck) {
            self.queues.values_mut().for_each(|queue| queue.restart(now));
        }
    }

    /// Counts one sample of all sockets; `work` is the work of the process, if known.
    pub(crate) fn sample(&mut self, now: Moment, samples: &[Sample], work: Option<Work>) {
        self.queues.retain(|id, _| samples.iter().any(|sample| sample.id == *id));
        for sample in samples {
            let queue = self.queues.entry(sample.id).or_insert_with(|| Queue::new(now, sample));
            self.drops += u64::from(queue.sample(now, sample, work));
        }
        if self.queues.is_empty() {
            let (since, samples) = self.missing.map_or((now, 0), |(since, samples)| (since, samples + 1));
            self.missing = self.is_seen.then_some((since, samples));
            self.is_hidden |= self.is_seen && self.answered.is_some_and(|answered| answered >= since);
        } else {
            (self.is_seen, self.is_hidden, self.missing) = (true, false, None);
        }
        self.note_overload(now);
        self.verdict = self.judge(now, work);
    }

    fn note_overload(&mut self, now: Moment) {
        let dropped: u32 = self.queues.values_mut().filter_map(|queue| queue.take_overload(now)).sum();
        if dropped > 0 {
            let earlier = self.overload.map_or(0, |overload| overload.dropped);
            self.overload = Some(Overload { last_sign: now, dropped: earlier.saturating_add(dropped) });
        } else if self.overload.is_some_and(|overload| now.since(overload.last_sign) > OVERLOAD) {
            self.overload = None;
        }
    }

    fn judge(&self, now: Moment, work: Option<Work>) -> Verdict {
        // No sockets.
        if self.queues.is_empty() {
            return match self.missing {
                None => Verdict::Unseen,
                Some(_) if self.is_hidden => Verdict::Hidden,
                Some((since, 2..)) if now.since(since) >= MISSING => Verdict::Missing,
                Some(_) => self.verdict,
            };
        }
        // Of the stuck sockets only those count that the server may read. If there are none, the others may prove nothing.
        let stuck = self.queues.values().filter(|queue| queue.is_stuck() && queue.may_be_read);
        let mut stuck: Vec<_> = stuck.collect();
        stuck.sort_unstable_by_key(|queue| queue.since);
        let (Some(first), Some(last)) = (stuck.first(), stuck.last()) else {
            let never_read = self.overload.is_none() && self.queues.values().any(Queue::is_stuck);
            return if never_read { Verdict::NeverRead } else { self.while_it_reads() };
        };
        let unread = Unread { stuck: stuck.len(), of: self.queues.len(), time: now.since(first.since) };
        // Some are read, or the server answers.
        let is_read = |queue: &Queue| queue.read_at.is_some_and(|read| read >= last.since);
        let is_answered = self.answered.is_some_and(|answered| answered >= last.since);
        if is_answered || self.queues.values().any(is_read) {
            // Since when half of the sockets are not read.
            let half = stuck.get(unread.of.div_ceil(2) - 1);
            let is_long = half.is_some_and(|queue| now.since(queue.since) >= self.stall);
            return if is_long { Verdict::Stalled(unread) } else { Verdict::PartlyHung(unread) };
        }
        // The first verdict on this hang stands.
        if matches!(self.verdict, Verdict::NotReading(_) | Verdict::Stalled(_)) {
            return self.verdict;
        }
        // A socket that was always empty may be read, so wait for `STEPS` more: the answer to the probe that is sent at
        // `STEPS` would show it.
        let is_whole = unread.stuck == unread.of || last.steps >= 2 * STEPS;
        let hangs = work.is_some_and(|work| work.stopped || (is_whole && is_idle(now, last, work)));
        match hangs {
            true => Verdict::NotReading(unread),
            false if unread.time >= self.stall => Verdict::Stalled(unread),
            false => self.while_it_reads(),
        }
    }

    /// The verdict while no hang is proven.
    const fn while_it_reads(&self) -> Verdict {
        match self.overload {
            Some(overload) => Verdict::Overload(overload.dropped),
            None => Verdict::Reading,
        }
    }
}

/// Whether the process has used next to no CPU since the suspicion against this socket.
fn is_idle(now: Moment, queue: &Queue, work: Work) -> bool {
    queue.work.is_some_and(|(since, before)| {
        let used = work.used.saturating_sub(before.used);
        !work.runnable && used * IDLE_SHARE < now.since(since)
    })
}

impl Unread {
    /// The beginning of a sentence, such as "2 of 4 sockets not read for up to 180ms".
    pub(crate) fn phrase(self) -> String {
        let time = Shown(self.time);
        match (self.stuck, self.of) {
            (1, 1) => format!("the socket was not read for {time}"),
            (1, of) => format!("1 of {} not read for {time}", counted(of, "socket")),
            (stuck, of) => format!("{stuck} of {} not read for up to {time}", counted(of, "socket")),
        }
    }
}
