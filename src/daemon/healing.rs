//! Restarts a server that stays down or hung, if the configuration asks for it.
//!
//! ```text
//!   well ──► unwell ──after──► restart, at most `at-most` times in `per` ──► well
//!                                 │ limit reached
//!                                 ▼
//!                              given up, until fewer restarts lie within `per`
//! ```
//!
//! The restart is `dnsherald backend restart`, run as a separate process. So the loop continues to probe, and the
//! helper needs no other privileges than an operator at the command line.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::backend::{Backend, Heal};
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::event::ServiceId;
use crate::engine::moment::Moment;
use crate::engine::service::Service;
use crate::program::{Ended, Program, run};
use crate::text::period::Shown;
use crate::text::{counted, ordered};

/// Time limit of a restart, in addition to the start timeout of the server.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Number of lines of the restart's report to log.
const REPORT_LINES: usize = 3;

/// The decision about a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Remedy {
    Wait,
    Restart,
    /// Give up after too many restarts. Returned once.
    GiveUp,
}

/// Decides when to restart; reads no clock.
#[derive(Clone, Debug)]
struct Healing {
    heal: Heal,
    unwell_since: Option<Moment>,
    restarts: VecDeque<Moment>,
    given_up: bool,
}

impl Healing {
    const fn new(heal: Heal) -> Self {
        Self { heal, unwell_since: None, restarts: VecDeque::new(), given_up: false }
    }

    /// Decides at `now`. Call it periodically, except while a restart is running.
    fn decide(&mut self, now: Moment, unwell: bool) -> Remedy {
        if !unwell {
            self.unwell_since = None;
            self.given_up = false;
            return Remedy::Wait;
        }
        let since = *self.unwell_since.get_or_insert(now);
        if now.since(since) < self.heal.after {
            return Remedy::Wait;
        }
        self.restarts.retain(|restart| now.since(*restart) < self.heal.per);
        if self.restarts.len() >= self.heal.at_most.get() as usize {
            return if std::mem::replace(&mut self.given_up, true) { Remedy::Wait } else { Remedy::GiveUp };
        }
        self.restarts.push_back(now);
        self.given_up = false;
        self.unwell_since = None;
        Remedy::Restart
    }
}

#[derive(Debug)]
struct Healer {
    backend: Arc<Backend>,
    services: Vec<ServiceId>,
    healing: Healing,
    restarts: Arc<Restarts>,
}

/// The restarts of one server.
#[derive(Debug, Default)]
struct Restarts {
    is_running: AtomicBool,
    succeeded: AtomicU64,
    failed: AtomicU64,
}

/// All servers with automatic restarts.
#[derive(Debug)]
pub(crate) struct Healers {
    configuration: PathBuf,
    healers: Vec<Healer>,
}

impl Healers {
    /// Creates the healers of a configuration that comes from this file.
    pub(crate) fn new(config: &Config, configuration: &Path) -> Self {
        let mut healers = vec![];
        for backend in &config.backends {
            let Some(heal) = backend.heal else { continue };
            let services = (0..).map(ServiceId).zip(&config.services);
            let ours = services.filter(|(_, service)| service.is_of(backend));
            healers.push(Healer {
                backend: Arc::clone(backend),
                services: ours.map(|(id, _)| id).collect(),
                healing: Healing::new(heal),
                restarts: Arc::default(),
            });
        }
        Self { configuration: configuration.to_owned(), healers }
    }

    /// Replaces the configuration and keeps the history of restarts.
    #[must_use]
    pub(crate) fn with_config(self, config: &Config) -> Self {
        let mut next = Self::new(config, &self.configuration);
        for healer in &mut next.healers {
            let before = self.healers.iter().find(|before| before.backend.name == healer.backend.name);
            if let Some(before) = before {
                let heal = healer.healing.heal;
                healer.healing = Healing { heal, ..before.healing.clone() };
                healer.restarts = Arc::clone(&before.restarts);
            }
        }
        next
    }

    /// By backend: how many restarts ended with each result.
    pub(super) fn counts(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let counts = |restarts: &Restarts| {
            let counts = [("succeeded", &restarts.succeeded), ("failed", &restarts.failed)];
            ordered(counts.map(|(result, count)| (result.to_owned(), count.load(Ordering::Relaxed))))
        };
        ordered(self.healers.iter().map(|healer| (healer.backend.name.clone(), counts(&healer.restarts))))
    }

    /// Restarts servers that have been unwell for long enough. Must run on the runtime of the loop.
    pub(crate) fn restart_unwell(&mut self, now: Moment, engine: &Engine) {
        for healer in &mut self.healers {
            if healer.restarts.is_running.load(Ordering::Relaxed) {
                continue;
            }
            let is_unwell = |id: &ServiceId| engine.services().get(id.0).is_some_and(Service::is_unwell);
            let unwell = healer.services.iter().any(is_unwell);
            let (name, heal) = (&healer.backend.name, healer.healing.heal);
            match healer.healing.decide(now, unwell) {
                Remedy::Wait => {}
                Remedy::Restart => {
                    log::warn!("backend {name}: down or hung for {}; restarting it", Shown(heal.after));
                    restart(&healer.backend, &self.configuration, &healer.restarts);
                }
                Remedy::GiveUp => log::error!(
                    "backend {name}: still down or hung after {} to restart it within {}; no further attempt until the \
                     first of them is longer ago",
                    counted(heal.at_most.get() as usize, "attempt"),
                    Shown(heal.per)
                ),
            }
        }
    }
}

/// The report about the step that failed, else the exit status.
fn why(ended: &Ended) -> String {
    let report = serde_json::from_str::<Value>(&ended.out).unwrap_or_default();
    let failed = report["steps"].as_array().and_then(|steps| steps.last()).filter(|step| step["ok"] == false);
    let Some((step, found)) = failed.and_then(|step| Some((step["step"].as_str()?, step["found"].as_str()?)))
    else {
        return ended.to_string();
    };
    let mut lines = found.lines();
    let said = lines.by_ref().take(REPORT_LINES).collect::<Vec<_>>().join(" | ");
    let more = if lines.next().is_some() { " | …" } else { "" };
    format!("{step}: {said}{more}")
}

fn restart(backend: &Backend, configuration: &Path, restarts: &Arc<Restarts>) {
    let (name, limit) = (&backend.name, LIMIT + backend.start_timeout);
    let Ok(itself) = std::env::current_exe() else {
        return log::error!("backend {name}: cannot restart: the path of this program is unknown");
    };
    let (itself, configuration) = (itself.display().to_string(), configuration.display().to_string());
    // After an upgrade the new program is at the same path.
    let itself = itself.strip_suffix(" (deleted)").unwrap_or(&itself).to_owned();
    let words =
        ["backend", "restart", name, "-c", &configuration, "--reason", "healing", "--unattended", "--json"];
    let program = Program::new(&itself, &words);
    let (name, restarts) = (name.clone(), Arc::clone(restarts));
    restarts.is_running.store(true, Ordering::Relaxed);
    tokio::spawn(async move {
        let ended = run(&program, limit).await;
        let counter = if ended.succeeded() { &restarts.succeeded } else { &restarts.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        if ended.succeeded() {
            log::info!("backend {name}: restarted; it answers again");
        } else {
            log::error!("backend {name}: the restart failed: {}", why(&ended));
        }
        restarts.is_running.store(false, Ordering::Relaxed);
    });
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn healing() -> Healing {
        let at_most = NonZeroU32::new(2).unwrap();
        Healing::new(Heal { after: MINUTE, at_most, per: 60 * MINUTE })
    }

    fn at(minutes: u32) -> Moment {
        Moment::START + MINUTE * minutes
    }

    #[test]
    fn does_not_restart_a_server_that_recovers_in_time() {
        let mut healing = healing();
        assert_eq!(healing.decide(at(0), true), Remedy::Wait);
        assert_eq!(healing.decide(Moment::START + Duration::from_secs(59), false), Remedy::Wait);
        assert_eq!(healing.decide(at(1), true), Remedy::Wait);
        assert_eq!(healing.decide(at(2), true), Remedy::Restart);
    }

    #[test]
    fn restarts_at_most_as_often_as_configured() {
        let mut healing = healing();
        let remedies: Vec<_> = (0..65).map(|minute| healing.decide(at(minute), true)).collect();
        let restarts: Vec<_> = (0..)
            .zip(&remedies)
            .filter(|(_, remedy)| **remedy == Remedy::Restart)
            .map(|(at, _)| at)
            .collect();
        assert_eq!(restarts, [1, 3, 61, 63], "the first no longer counts after an hour");
        let given_up =
            |remedies: &[Remedy]| remedies.iter().filter(|remedy| **remedy == Remedy::GiveUp).count();
        assert_eq!(given_up(&remedies), 1, "returned once");
        let later: Vec<_> = (65..67).map(|minute| healing.decide(at(minute), true)).collect();
        assert_eq!(given_up(&later), 1, "and again, when it has been restarted in between");
    }
}
