//! The recovery of a server after a restart: what the waits share, and their timeout.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::Journal;
use super::drained::COUNTER_INTERVAL;
use crate::backend::Backend;
use crate::config::Config;
use crate::engine::service::warm_up;
use crate::process::find::Finder;

/// Added to what every check needs to pass: the command polls the helper, and the host is busy.
const LEEWAY: Duration = Duration::from_secs(2);

/// A longer wait looks less often: a look at the listeners reads the sockets of every process.
const BRIEF: Duration = Duration::from_secs(1);

/// The interval at which a wait reports why it lasts.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Timeout for recovery after a restart: the start of the server, then the time that the slowest check needs to pass
/// anew, then that for the names of `warm-up`.
pub(super) fn timeout(config: &Config, backend: &Backend) -> Duration {
    let checks = config.services_of(backend).flat_map(|service| &service.checks);
    let longest = checks.map(|check| check.timing.timeout + check.timing.returns()).max();
    backend.start_timeout + longest.unwrap_or_default() + warm_up_of(config, backend) + LEEWAY
}

/// The same while checks are unknown: the first verdict waits for them until `unknown-after` has passed.
pub(super) fn longest(config: &Config, backend: &Backend) -> Duration {
    let unknown_after = config.services_of(backend).map(|service| service.unknown_after).max();
    let unknown = backend.start_timeout + unknown_after.unwrap_or_default() + LEEWAY;
    timeout(config, backend).max(unknown + warm_up_of(config, backend))
}

/// The time for the names of `warm-up`.
fn warm_up_of(config: &Config, backend: &Backend) -> Duration {
    let warms_up = config.services_of(backend).any(|service| service.warm_up.is_some());
    if warms_up { warm_up::LIMIT } else { Duration::ZERO }
}

/// A recovery under way.
#[derive(Debug)]
pub(super) struct Recovery {
    began: Cell<Instant>,
    pub(super) timeout: Duration,
    /// The timeout while checks are unknown.
    longest: Duration,
    /// Whether the process must be another one than before.
    pub(super) is_restart: bool,
    /// One search for all looks, which spares systemd; `None` if the place of the process is not known.
    pub(super) finder: Option<Finder>,
    /// When it last reported why it lasts.
    reported: Cell<Instant>,
    report_interval: Duration,
}

impl Recovery {
    pub(super) fn start(config: &Config, backend: &Backend, is_restart: bool) -> Self {
        let recovery = Self::lasting(timeout(config, backend), REPORT_INTERVAL);
        Self { longest: longest(config, backend), is_restart, finder: backend.finder(), ..recovery }
    }

    fn lasting(timeout: Duration, report_interval: Duration) -> Self {
        let began = Instant::now();
        let reported = Cell::new(began);
        Self {
            began: Cell::new(began),
            timeout,
            longest: timeout,
            is_restart: true,
            finder: None,
            reported,
            report_interval,
        }
    }

    /// Looks after each pause, and less often once the wait is long, until the server is as expected, and returns the
    /// finding. After the timeout it returns the last reason why the server is not.
    pub(super) async fn wait(
        &self,
        journal: &mut Journal<'_>,
        pause: Duration,
        mut look: impl AsyncFnMut() -> Result<String, String>,
    ) -> Result<String, String> {
        loop {
            match look().await {
                Err(why) if !self.has_timed_out() => {
                    self.report(journal, || why);
                    let is_brief = self.elapsed() < BRIEF;
                    tokio::time::sleep(if is_brief { pause } else { pause.max(COUNTER_INTERVAL) }).await;
                }
                result => return result,
            }
        }
    }

    /// Tells the operator from time to time why the wait lasts.
    pub(super) fn report(&self, journal: &mut Journal<'_>, why: impl FnOnce() -> String) {
        if self.reported.get().elapsed() >= self.report_interval {
            self.reported.set(Instant::now());
            journal.note(&format!("still waiting: {}", why()));
        }
    }

    /// Begins the timeout anew, for the steps that follow.
    pub(super) fn begin_anew(&self) {
        self.began.set(Instant::now());
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.get().elapsed()
    }

    /// The timeout of the checks, some of which may be unknown.
    pub(super) const fn limit(&self, are_unknown: bool) -> Duration {
        if are_unknown { self.longest } else { self.timeout }
    }

    pub(super) fn has_timed_out(&self) -> bool {
        self.elapsed() >= self.timeout
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::restart::{Done, Progress, Step};

    /// The notes of a wait.
    struct Notes(Vec<String>);

    impl Progress for Notes {
        fn step_started(&mut self, _: Step) {}
        fn step_finished(&mut self, _: &Done) {}
        fn note(&mut self, text: &str) {
            self.0.push(text.to_owned());
        }
    }

    #[tokio::test]
    async fn a_long_wait_reports_why_it_lasts() {
        let waited = async |report_interval| {
            let (mut notes, mut looks) = (Notes(vec![]), 0);
            let look = async || {
                looks += 1;
                if looks < 3 { Err(format!("{looks} of 3")) } else { Ok("there".to_owned()) }
            };
            let recovery = Recovery::lasting(Duration::from_secs(3600), report_interval);
            let found = recovery.wait(&mut Journal::new(&mut notes), Duration::ZERO, look).await;
            assert_eq!(found, Ok("there".to_owned()));
            notes.0
        };
        assert_eq!(waited(Duration::ZERO).await, ["still waiting: 1 of 3", "still waiting: 2 of 3"]);
        assert_eq!(waited(Duration::from_secs(3600)).await, [""; 0]);
    }

    #[test]
    fn the_timeout_covers_the_start_and_the_slowest_check() {
        let text = "[node]\nmanagement = [\"10.1.0.2\"]\n[backend.unbound]\nstart-timeout = \"10s\"\n\
            [defaults]\ninterval = \"2s\"\ntimeout = \"1s\"\nrise = 3\n\
            [[service]]\nname = \"resolver\"\nprefixes = [\"192.0.2.53/32\"]\nbackend = \"unbound\"\n";
        let config = Config::parse(Path::new("test.toml"), text, "host").unwrap();
        let recovery = timeout(&config, &config.backends[0]);
        // The check `recursion`, which asks every 10 s.
        let checks = Duration::from_millis(10_000 + 1_500 + 2 * 10_000);
        assert_eq!(recovery, checks + LEEWAY);
        let unknown = Duration::from_secs(10 + 30) + LEEWAY;
        assert_eq!(longest(&config, &config.backends[0]), unknown, "`start-timeout` and `unknown-after`");
        let patient =
            Config::parse(Path::new("test.toml"), &format!("{text}unknown-after = \"2m\"\n"), "host");
        let patient = patient.unwrap();
        assert_eq!(timeout(&patient, &patient.backends[0]), checks + LEEWAY);
        assert_eq!(longest(&patient, &patient.backends[0]), Duration::from_secs(10 + 120) + LEEWAY);
        let text = format!("{text}warm-up = \"www.example.org\"\n");
        let config = Config::parse(Path::new("test.toml"), &text, "host").unwrap();
        assert_eq!(timeout(&config, &config.backends[0]), checks + warm_up::LIMIT + LEEWAY);
    }
}
