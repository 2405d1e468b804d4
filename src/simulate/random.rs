//! Random numbers that a seed repeats.

use std::time::Duration;

use crate::config::Check;
use crate::outcome::{Cause, Lost, Outcome};
use crate::probe::Probe;
use crate::probe::dns::Transport;
use crate::text::fnv::fnv64;
use crate::trace::share::Share;

/// How long a packet takes to the server and back.
pub(crate) const LATENCY: Duration = Duration::from_millis(1);

/// Questions of a probe over UDP, spread over its timeout.
const TRIES: u32 = 3;

/// When a TCP connection asks for itself again (RFC 6298).
const SYN_AGAIN: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(7)];

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The series of this seed and this name.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        Self(seed ^ fnv64(name.as_bytes()))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least 0, below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits")]
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn happens(&mut self, share: Share) -> bool {
        self.fraction() < share.as_probability()
    }

    /// A time between two events that are independent of each other, `mean` apart on average; at least a millisecond.
    #[must_use]
    pub(crate) fn gap(&mut self, mean: Duration) -> Duration {
        let gap = -libm::log(1.0 - self.fraction()) * mean.as_secs_f64();
        Duration::from_secs_f64(gap.clamp(0.001, 1e9))
    }

    /// What a round of this check finds if each packet is lost with this probability, and how long it takes.
    #[must_use]
    pub(crate) fn round(&mut self, check: &Check, share: Share) -> (Outcome, Duration) {
        let timeout = check.timing.timeout;
        let Probe::Dns(set) = &check.probe else {
            return (Outcome::pass(LATENCY), LATENCY);
        };
        let waits: Vec<_> =
            set.probes().iter().map(|probe| self.wait(probe.transport, timeout, share)).collect();
        let answered: Vec<_> = waits.iter().flatten().copied().collect();
        if answered.len() < set.need() {
            let is_partial = set.fails_in_part(waits.iter().map(|wait| Some(wait.is_some())));
            let cause = if is_partial { Cause::Partial } else { Cause::Timeout };
            return (Outcome::from_cause(cause, format!("no answer within {timeout:?}")), timeout);
        }
        let late = answered.iter().filter(|wait| **wait > Duration::ZERO).count();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let took = LATENCY + answered.iter().max().copied().unwrap_or_default();
        (Outcome::pass(took).with(Lost { lost: count(late), of: count(waits.len()) }), took)
    }

    /// How long the question that is answered waits for its turn; `None` if none is answered.
    fn wait(&mut self, transport: Transport, timeout: Duration, share: Share) -> Option<Duration> {
        let turns: Vec<_> = match transport {
            Transport::Udp => (0..TRIES).map(|turn| timeout / TRIES * turn).collect(),
            Transport::Tcp | Transport::Tls | Transport::Https => {
                [Duration::ZERO].into_iter().chain(SYN_AGAIN).filter(|turn| *turn < timeout).collect()
            }
        };
        turns.into_iter().find(|_| !self.happens(share))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    #[test]
    fn a_seed_repeats_a_series_and_a_name_has_its_own() {
        let series = |seed, name| {
            let mut random = Random::new(seed, name);
            [random.next(), random.next()]
        };
        assert_eq!(series(7, "a"), series(7, "a"));
        assert_ne!(series(7, "a"), series(8, "a"));
        assert_ne!(series(7, "a"), series(7, "b"));
    }

    #[test]
    fn a_set_that_loses_some_packets_fails_as_run_judges_it() {
        let causes = |partial: bool| -> BTreeSet<_> {
            let text = format!(
                "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.53/32\"]\n\
                 [[service.check]]\nname = \"zones\"\n\
                 dns = {{ queries = [\"example.org SOA\", \"example.net SOA\"], transport = \"tcp\", partial = {partial} }}\n"
            );
            let config = Config::parse(Path::new("test.toml"), &text, "host").unwrap();
            let (mut random, share) = (Random::new(1, ""), "50%".parse().unwrap());
            let mut round = || random.round(&config.services[0].checks[0], share).0;
            (0..200).filter_map(|_| round().failure().map(|failure| failure.cause)).collect()
        };
        assert_eq!(causes(false), [Cause::Timeout].into());
        assert_eq!(causes(true), [Cause::Partial, Cause::Timeout].into());
    }

    #[test]
    fn gaps_have_their_mean() {
        let mut random = Random::new(1, "");
        let mean = Duration::from_secs(3600);
        let sum: Duration = (0..10_000).map(|_| random.gap(mean)).sum();
        assert!((0.95..1.05).contains(&(sum.as_secs_f64() / 10_000.0 / mean.as_secs_f64())), "{sum:?}");
    }
}
