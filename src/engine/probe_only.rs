//! Whether a failure concerns the probe alone: a firewall rule, an access list or a rate limit that hits the management
//! address and no client.
//!
//! A probe from a management address to a service address that fails for a cause that may depend on the source
//! (`timeout`, `refused`, `closed`, `unreachable`) has the cause `probe-only` if all of this holds:
//!
//! 1. The same question, asked several times from the service address itself, passed every time, without a repetition and
//!    within the timeout, or after a failure other than a timeout within a fifth of it. A random loss, a hung worker and a server that fails for every client do not pass this.
//! 2. The sockets of the address are read and nothing is dropped there, as the samples of the `listener` check show.
//! 3. Others are read: in the last [five seconds](DURING), or since the failures began if that is shorter, this host has
//!    read at least a [quarter](SHARE) as many queries of others a second as in the ten seconds before the failures. After
//!    a refusal the time is at least a second. Over UDP these are the datagrams that the kernel counts less our own, answered or not, over
//!    TCP the connections. A firewall that drops what clients send, and not what the host sends to itself, does not pass
//!    this. A server without clients does not either: there a false withdraw costs nothing.
//! 4. A probe from the same source to the same server over the same transport has passed since the start of the helper.
//!
//! The counters of the server, where a `counters` check reads them, are a second witness of what others get ([`served`]).
//! They count answers, so they stand in for the sockets and for the kernel where those cannot be seen: without
//! `sock_diag`, or with the server in another network namespace. They never overrule sockets that are not read, nor a
//! kernel that counts far fewer queries than before.
//!
//! Each failing probe is judged anew. Without this evidence a failure is a failure. An access list that refuses all clients
//! but permits the service address looks the same; the key `client-source` detects it, and the probes of that key are never
//! `probe-only`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::moment::Moment;

/// The shortest time with readings before the first failure that gives a rate.
const SHORTEST: Duration = Duration::from_secs(3);

/// The lowest former rate that is compared, in queries of others a second.
const LEAST: f64 = 10.0;

/// The same for connections, and for the counters: neither counts what a resolver reads of other servers for our questions,
/// nor probes that ended before their answer came.
const LEAST_OTHERWISE: f64 = 2.0;

/// The present rate is measured since the first failure, at most over this time.
const DURING: Duration = Duration::from_secs(5);

/// The shortest time over which the present rate is measured after a refusal. A refusal arrives at once, so the time since
/// the first failure may hold no query. The server reads meanwhile, as the refusal shows.
const SHORTEST_AFTER_REFUSAL: Duration = Duration::from_secs(1);

/// The present rate must be at least this share of the former rate.
const SHARE: f64 = 0.25;

/// As long as others are served, the former rate decays toward a lower present rate with this time constant: at night
/// there are fewer clients. While they are not, it stays.
const DECAY: Duration = Duration::from_secs(60 * 60);

/// The shortest time between two readings of the kernel's counts.
const PAUSE: Duration = Duration::from_millis(50);

/// The running counts of one witness, from which the queries of others follow as differences. Those of the kernel count
/// what this host reads of others; those of the server count the answers to others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Reads {
    /// Datagrams, or answers. Our own are subtracted; their count may be ahead by a few, so this one can go back.
    pub(crate) udp: i64,
    /// Connections.
    pub(crate) tcp: i64,
}

/// How a probe failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failed {
    /// Over UDP, without an answer.
    Udp,
    /// Over TCP, without an answer.
    Tcp,
    /// With an answer that refuses it, which shows that the server reads.
    Answered,
}

/// What is known of the queries of others while a probe fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Evidence {
    /// This many a second, rounded: enough.
    For(u64),
    /// Far fewer than before.
    Against,
    /// There is nothing to compare.
    Unknown,
}

/// What samples show of the sockets of the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sockets {
    /// They are read, and nothing is dropped.
    Read,
    /// They are not, or not all, or not fast enough.
    NotRead,
    /// They cannot be seen.
    NotSeen,
}

/// How others are served, in queries a second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OthersServed {
    /// This host reads so many.
    Read(u64),
    /// The server answers so many, by its own counters.
    Answered(u64),
}

/// Whether others are served while a probe fails. Sockets that are not read, and a kernel that counts far fewer queries,
/// rule it out. The counters of the server only stand in for what cannot be seen; they overrule nothing.
pub(crate) const fn served(sockets: Sockets, kernel: Evidence, counters: Evidence) -> Option<OthersServed> {
    match (sockets, kernel, counters) {
        (Sockets::NotRead, ..) | (_, Evidence::Against, _) => None,
        (Sockets::Read, Evidence::For(rate), _) => Some(OthersServed::Read(rate)),
        (_, _, Evidence::For(rate)) => Some(OthersServed::Answered(rate)),
        (_, _, Evidence::Against | Evidence::Unknown) => None,
    }
}

/// The bounds by which the readings of one witness are judged: 10 s and 2 queries for the kernel, 60 s and 10 answers for
/// the counters.
#[derive(Clone, Copy, Debug)]
struct Terms {
    /// The time before the first failure over which the former rate is measured.
    before: Duration,
    /// The lowest former rate in datagrams that is compared, in queries of others a second.
    least: f64,
    /// The lowest number of queries of others that counts as service.
    fewest: u64,
}

/// The failing probes of each path `K` (server, source and transport), and the queries of others.
#[derive(Clone, Debug)]
pub(crate) struct ProbeOnly<K> {
    terms: Terms,
    readings: VecDeque<(Moment, Reads)>,
    /// The paths on which a probe has passed; with the beginning of the failures that followed, if any did.
    paths: BTreeMap<K, Option<Failing>>,
}

#[derive(Clone, Copy, Debug)]
struct Failing {
    /// The start of the first failing probe.
    since: Moment,
    /// Queries of others a second before that, if there were enough.
    before: Option<f64>,
    /// The last judgment `For` or `Against`; before one, the start of the failures. The former rate decays from here.
    judged: Moment,
}

impl<K: Ord> ProbeOnly<K> {
    /// Knows nothing. For the counts of the kernel, which are read with each probe.
    pub(crate) const fn from_kernel() -> Self {
        Self::with(Terms { before: Duration::from_secs(10), least: LEAST, fewest: 2 })
    }

    /// Knows nothing. For the counters of a server, which are read every few seconds; some of our own queries may be
    /// under way when they are.
    pub(crate) const fn from_counters() -> Self {
        Self::with(Terms { before: Duration::from_secs(60), least: LEAST_OTHERWISE, fewest: 10 })
    }

    const fn with(terms: Terms) -> Self {
        Self { terms, readings: VecDeque::new(), paths: BTreeMap::new() }
    }

    /// When the last reading was added.
    pub(crate) fn last_reading(&self) -> Option<Moment> {
        self.readings.back().map(|(at, _)| *at)
    }

    /// For how long the probes on this path have failed.
    pub(crate) fn failing_for(&self, now: Moment, path: &K) -> Option<Duration> {
        self.paths.get(path)?.map(|failing| now.since(failing.since))
    }

    /// Whether a reading at `now` would be of use.
    pub(crate) fn wants_reading(&self, now: Moment) -> bool {
        self.readings.back().is_none_or(|(last, _)| now.since(*last) >= PAUSE)
    }

    /// Adds a reading.
    pub(crate) fn add_reading(&mut self, now: Moment, reads: Reads) {
        self.readings.push_back((now, reads));
        while self.readings.front().is_some_and(|(first, _)| now.since(*first) > self.terms.before + DURING) {
            self.readings.pop_front();
        }
    }

    /// A probe has passed.
    pub(crate) fn passed(&mut self, path: K) {
        self.paths.insert(path, None);
    }

    /// A probe sent at `asked` has failed. Returns what is known of the present queries of others.
    pub(crate) fn judge(&mut self, asked: Moment, now: Moment, path: &K, how: Failed) -> Evidence {
        // Note the beginning of the failures and the former rate. Without one there is nothing to compare.
        let Some(failing) = self.note_failure(asked, path, how) else { return Evidence::Unknown };
        let Some(before) = failing.before else { return Evidence::Unknown };
        // Measure the present rate since the first failure, within its bounds.
        let recent = |time: Duration| Moment::after_start(now.since_start().saturating_sub(time));
        let since = failing.since.max(recent(DURING));
        let since = if how == Failed::Answered { since.min(recent(SHORTEST_AFTER_REFUSAL)) } else { since };
        let Some((time, count)) = self.between(since, now, how) else { return Evidence::Unknown };
        // Compare it with the former rate.
        let needed = before * time.as_secs_f64() * SHARE;
        let is_enough = count >= self.terms.fewest && count as f64 >= needed;
        // Let the former rate follow a lower one, as long as that is enough.
        let rate = count as f64 / time.as_secs_f64();
        if let Some(Some(failing)) = self.paths.get_mut(path) {
            if is_enough {
                failing.follow(now, rate);
            }
            failing.judged = now;
        }
        if is_enough { Evidence::For(rate.round() as u64) } else { Evidence::Against }
    }

    /// Returns the failures on this path; `None` if no probe has passed there. At the first one it notes their beginning
    /// and the former rate.
    fn note_failure(&mut self, asked: Moment, path: &K, how: Failed) -> Option<Failing> {
        if let Some(failing) = self.paths.get(path)? {
            return Some(*failing);
        }
        let from = Moment::after_start(asked.since_start().saturating_sub(self.terms.before));
        let before = self.between(from, asked, how).filter(|(time, _)| *time >= SHORTEST);
        let before = before.map(|(time, count)| count as f64 / time.as_secs_f64());
        let least = if how == Failed::Tcp { LEAST_OTHERWISE } else { self.terms.least };
        let failing = Failing { since: asked, before: before.filter(|rate| *rate >= least), judged: asked };
        *self.paths.get_mut(path)? = Some(failing);
        Some(failing)
    }

    /// The time between the first and the last reading of this period, and how many queries of others came in it. `None` if
    /// there are fewer than two readings.
    fn between(&self, from: Moment, to: Moment, how: Failed) -> Option<(Duration, u64)> {
        let mut within = self.readings.iter().filter(|(at, _)| (from..=to).contains(at));
        let (began, first) = within.next()?;
        let (ended, last) = within.next_back()?;
        let (udp, tcp) = (last.udp - first.udp, last.tcp - first.tcp);
        let count = match how {
            Failed::Udp => udp,
            Failed::Tcp => tcp,
            Failed::Answered => udp.max(0) + tcp.max(0),
        };
        Some((ended.since(*began), count.max(0).cast_unsigned()))
    }
}

impl Failing {
    /// Lowers the former rate a little, if the present `rate` is lower.
    fn follow(&mut self, now: Moment, rate: f64) {
        let part = now.since(self.judged).as_secs_f64() / DECAY.as_secs_f64();
        self.before = self.before.map(|before| before.min(rate.max(before * (1.0 - part.min(1.0)))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::after_start(Duration::from_millis(millis))
    }

    /// Others send `before` datagrams a second for ten seconds, then `then`, while probes without an answer end every
    /// half second. Returns what each of them shows.
    fn judged(before: i64, then: i64, how: Failed) -> Vec<Evidence> {
        let mut state = ProbeOnly::from_kernel();
        state.passed("path");
        let reads = |millis: i64| Reads {
            udp: millis.min(10_000) * before / 1000 + (millis - 10_000).max(0) * then / 1000,
            tcp: 0,
        };
        let mut judged = vec![];
        for millis in (0..=14_000).step_by(100) {
            state.add_reading(at(millis), reads(millis as i64));
            if millis > 10_000 && millis % 500 == 0 {
                judged.push(state.judge(at(millis - 500), at(millis), &"path", how));
            }
        }
        judged
    }

    const fn is_for(shown: &Evidence) -> bool {
        matches!(shown, Evidence::For(_))
    }

    #[test]
    fn counters_stand_in_for_what_is_not_seen_and_overrule_nothing() {
        use Evidence::{Against, For, Unknown};
        use Sockets::{NotRead, NotSeen, Read};
        for counters in [For(7), Against, Unknown] {
            for kernel in [For(9), Against, Unknown] {
                assert_eq!(served(NotRead, kernel, counters), None, "{kernel:?} {counters:?}");
            }
            assert_eq!(served(Read, Against, counters), None, "{counters:?}");
            assert_eq!(served(NotSeen, Against, counters), None, "{counters:?}");
            assert_eq!(served(Read, For(9), counters), Some(OthersServed::Read(9)), "{counters:?}");
        }
        for (sockets, kernel) in [(Read, Unknown), (NotSeen, For(9)), (NotSeen, Unknown)] {
            let by = |counters| served(sockets, kernel, counters);
            assert_eq!(by(For(7)), Some(OthersServed::Answered(7)), "{sockets:?} {kernel:?}");
            assert_eq!((by(Against), by(Unknown)), (None, None), "{sockets:?} {kernel:?}");
        }
    }

    /// Counters that are read every ten seconds, and soon after each failure.
    #[test]
    fn counters_need_ten_answers_since_the_failures_began() {
        let judged = |then: i64| {
            let mut state = ProbeOnly::from_counters();
            state.passed("path");
            let answered = |millis: i64| millis.min(30_000) / 10 + (millis - 30_000).max(0) * then / 1000;
            for millis in [0, 10_000, 20_000, 30_000] {
                state.add_reading(at(millis as u64), Reads { udp: answered(millis), tcp: 0 });
            }
            let first = state.judge(at(30_100), at(30_600), &"path", Failed::Udp);
            assert_eq!(first, Evidence::Unknown, "no reading since the failures began");
            assert_eq!(state.failing_for(at(30_600), &"path"), Some(Duration::from_millis(500)));
            for millis in [30_610, 31_000] {
                state.add_reading(at(millis as u64), Reads { udp: answered(millis), tcp: 0 });
            }
            state.judge(at(30_700), at(31_200), &"path", Failed::Udp)
        };
        assert_eq!(judged(100), Evidence::For(100));
        assert_eq!(judged(0), Evidence::Against);
        assert_eq!(judged(23), Evidence::Against, "nine");
        assert_eq!(judged(-1000), Evidence::Against, "the server was restarted");
    }

    #[test]
    fn a_failure_while_others_are_read_is_that_of_the_probe() {
        assert!(judged(10, 10, Failed::Udp).iter().all(|rate| *rate == Evidence::For(10)));
        assert!(judged(100, 40, Failed::Udp).iter().all(is_for), "some have given up");
        assert!(judged(10, 10, Failed::Answered).iter().all(|rate| *rate == Evidence::For(10)));
    }

    #[test]
    fn a_failure_while_no_other_is_read_is_that_of_the_server() {
        assert!(judged(10, 0, Failed::Udp).iter().all(|shown| *shown == Evidence::Against));
        assert!(
            judged(1000, 200, Failed::Udp).iter().all(|shown| *shown == Evidence::Against),
            "what the host itself sends"
        );
        assert!(!judged(10, 10, Failed::Tcp).iter().any(is_for), "datagrams tell nothing of connections");
        let is_unknown = |shown: &Evidence| *shown == Evidence::Unknown;
        for few in [1, 9] {
            assert!(judged(few, few, Failed::Udp).iter().all(is_unknown), "too few to tell: {few}");
        }
        assert!(judged(0, 100, Failed::Udp).iter().all(is_unknown), "nothing to compare with");
    }

    #[test]
    fn a_probe_that_has_never_passed_is_not_the_reason() {
        let mut state = ProbeOnly::from_kernel();
        for second in 0..20 {
            state.add_reading(at(1000 * second), Reads { udp: 100 * second as i64, tcp: 0 });
        }
        assert_eq!(state.judge(at(18_000), at(19_000), &"path", Failed::Udp), Evidence::Unknown);
        state.passed("path");
        assert_eq!(state.judge(at(18_000), at(19_000), &"path", Failed::Udp), Evidence::For(100));
        assert_eq!(state.judge(at(18_000), at(19_000), &"other", Failed::Udp), Evidence::Unknown);
    }

    #[test]
    fn clients_that_are_dropped_later_end_it() {
        let mut state = ProbeOnly::from_kernel();
        state.passed(());
        let mut ended = None;
        for tenth in 0..400_u64 {
            let now = at(100 * tenth);
            state.add_reading(now, Reads { udp: tenth.min(200) as i64 * 5, tcp: 0 });
            if tenth > 100 && !is_for(&state.judge(at(100 * tenth - 500), now, &(), Failed::Udp)) {
                ended.get_or_insert(tenth);
            }
        }
        let ended = ended.expect("it ends");
        assert!((201..=250).contains(&ended), "{ended}");
    }

    #[test]
    fn fewer_clients_at_night_do_not_end_it() {
        let mut state = ProbeOnly::from_kernel();
        state.passed(());
        let mut udp = 0.0;
        for second in 0..40_000_u64 {
            let share = 1.0 - 0.9 * (second as f64 / 40_000.0);
            udp += 1000.0 * share;
            state.add_reading(at(1000 * second), Reads { udp: udp as i64, tcp: 0 });
            if second > 10 {
                let judged = state.judge(at(1000 * second - 500), at(1000 * second), &(), Failed::Udp);
                assert!(is_for(&judged) || second < 13, "{second}");
            }
        }
    }

    /// The former rate is 1000 a second. Half an hour during which others are not served does not lower it, so that 240 are
    /// too few afterwards.
    #[test]
    fn the_former_rate_stays_while_others_are_not_served() {
        let mut state = ProbeOnly::from_kernel();
        state.passed(());
        let mut udp = 0;
        for second in 0..2000_u64 {
            udp += match second {
                0..=20 => 1000,
                21..=1900 => 0,
                1901..=1920 => 260,
                _ => 240,
            };
            state.add_reading(at(1000 * second), Reads { udp, tcp: 0 });
            if second > 10 {
                let last = state.judge(at(1000 * second - 500), at(1000 * second), &(), Failed::Udp);
                // The present rate is that of the last five seconds.
                match second {
                    13..=21 | 1906..=1920 => assert!(is_for(&last), "{second}: {last:?}"),
                    26..=1900 | 1926.. => assert_eq!(last, Evidence::Against, "{second}"),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn readings_are_few() {
        let mut state = ProbeOnly::<()>::from_kernel();
        for millis in 0..100_000 {
            if state.wants_reading(at(millis)) {
                state.add_reading(at(millis), Reads::default());
            }
        }
        assert!(state.readings.len() <= 302, "{}", state.readings.len());
    }
}
