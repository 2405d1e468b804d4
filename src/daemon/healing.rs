//! Restarting a server that stays down or hung without being asked, where the configuration wants that.
//!
//! ```text
//!   well ──► unwell ──after──► restart, at most so often ──► well
//!                                 │ too often
//!                                 ▼
//!                              given up until it is well by itself, or that time is over
//! ```
//!
//! It is the transaction of `dnsherald backend restart` that is run, as a program of its own: the loop goes on probing,
//! and the helper needs no other privilege than a person at the command line would.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::backend::{Backend, Heal};
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::event::ServiceId;
use crate::engine::moment::Moment;
use crate::engine::service::Service;
use crate::logging::counted;
use crate::period::Shown;
use crate::program::{Ended, Program, run};

/// Longer than any transaction takes, but for the time that the server has to start.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// So many lines of what the restart says are logged: the reason, and where to look.
const SAID: usize = 3;

/// What is to be done about a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Remedy {
    /// Nothing yet.
    Wait,
    /// Restart it.
    Restart,
    /// Nothing more: it has been restarted too often. Said once.
    GiveUp,
}

/// When to restart, as pure as the engine.
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

    /// To be asked again and again, but not while a restart is under way.
    fn look(&mut self, now: Moment, unwell: bool) -> Remedy {
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
    under_way: Arc<AtomicBool>,
}

/// Every server that is to be healed.
#[derive(Debug)]
pub(crate) struct Healers {
    configuration: PathBuf,
    healers: Vec<Healer>,
}

impl Healers {
    /// Those of a configuration, which is in this file.
    #[must_use]
    pub(crate) fn of(config: &Config, configuration: &Path) -> Self {
        let mut healers = vec![];
        for backend in &config.backends {
            let Some(heal) = backend.heal else { continue };
            let services = (0..).map(ServiceId).zip(&config.services);
            let ours = services.filter(|(_, service)| service.is_of(backend));
            healers.push(Healer {
                backend: Arc::clone(backend),
                services: ours.map(|(id, _)| id).collect(),
                healing: Healing::new(heal),
                under_way: Arc::default(),
            });
        }
        Self { configuration: configuration.to_owned(), healers }
    }

    /// Another configuration: what was done under the one before is not forgotten.
    #[must_use]
    pub(crate) fn become_those_of(self, config: &Config) -> Self {
        let mut next = Self::of(config, &self.configuration);
        for healer in &mut next.healers {
            let before = self.healers.iter().find(|before| before.backend.name == healer.backend.name);
            if let Some(before) = before {
                let heal = healer.healing.heal;
                healer.healing = Healing { heal, ..before.healing.clone() };
                healer.under_way = Arc::clone(&before.under_way);
            }
        }
        next
    }

    /// Restarts what has been unwell for long enough. To be called on the runtime of the loop.
    pub(crate) fn look(&mut self, now: Moment, engine: &Engine) {
        for healer in &mut self.healers {
            if healer.under_way.load(Ordering::Relaxed) {
                continue;
            }
            let is_unwell = |id: &ServiceId| engine.services().get(id.0).is_some_and(Service::is_unwell);
            let unwell = healer.services.iter().any(is_unwell);
            let (name, heal) = (&healer.backend.name, healer.healing.heal);
            match healer.healing.look(now, unwell) {
                Remedy::Wait => {}
                Remedy::Restart => {
                    log::warn!("backend {name}: unwell for {}: restarting it", Shown(heal.after));
                    restart(&healer.backend, &self.configuration, &healer.under_way);
                }
                Remedy::GiveUp => log::error!(
                    "backend {name}: still unwell after {} to restart it within {}: no more of them until it is well, \
                     or that time is over",
                    counted(heal.at_most.get() as usize, "attempt"),
                    Shown(heal.per)
                ),
            }
        }
    }
}

/// What the restart says of the step at which it has failed, else how it ended.
fn why(ended: &Ended) -> String {
    let report = serde_json::from_str::<Value>(&ended.out).unwrap_or_default();
    let failed = report["steps"].as_array().and_then(|steps| steps.last()).filter(|step| step["ok"] == false);
    let Some((step, found)) = failed.and_then(|step| Some((step["step"].as_str()?, step["found"].as_str()?)))
    else {
        return ended.to_string();
    };
    let mut lines = found.lines();
    let said = lines.by_ref().take(SAID).collect::<Vec<_>>().join(" | ");
    let more = if lines.next().is_some() { " | …" } else { "" };
    format!("{step}: {said}{more}")
}

fn restart(backend: &Backend, configuration: &Path, under_way: &Arc<AtomicBool>) {
    let (name, limit) = (&backend.name, LIMIT + backend.start_timeout);
    let Ok(itself) = std::env::current_exe() else {
        return log::error!("backend {name}: cannot be restarted: the path of this program is not known");
    };
    let (itself, configuration) = (itself.display().to_string(), configuration.display().to_string());
    // After an upgrade of this program: its successor is in the same place.
    let itself = itself.strip_suffix(" (deleted)").unwrap_or(&itself).to_owned();
    let words = ["backend", "restart", name, "-c", &configuration, "--reason", "healing", "--json"];
    let program = Program::new(&itself, &words);
    let (name, under_way) = (name.clone(), Arc::clone(under_way));
    under_way.store(true, Ordering::Relaxed);
    tokio::spawn(async move {
        let ended = run(&program, limit).await;
        if ended.succeeded() {
            log::info!("backend {name}: restarted, and well again");
        } else {
            log::error!("backend {name}: its restart did not help: {}", why(&ended));
        }
        under_way.store(false, Ordering::Relaxed);
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
    fn what_recovers_in_time_is_left_alone() {
        let mut healing = healing();
        assert_eq!(healing.look(at(0), true), Remedy::Wait);
        assert_eq!(healing.look(Moment::START + Duration::from_secs(59), false), Remedy::Wait);
        assert_eq!(healing.look(at(1), true), Remedy::Wait);
        assert_eq!(healing.look(at(2), true), Remedy::Restart);
    }

    #[test]
    fn what_does_not_recover_is_restarted_so_often_and_no_more() {
        let mut healing = healing();
        let remedies: Vec<_> = (0..65).map(|minute| healing.look(at(minute), true)).collect();
        let restarts: Vec<_> = (0..)
            .zip(&remedies)
            .filter(|(_, remedy)| **remedy == Remedy::Restart)
            .map(|(at, _)| at)
            .collect();
        assert_eq!(restarts, [1, 3, 61, 63], "the first is forgiven after an hour");
        let given_up =
            |remedies: &[Remedy]| remedies.iter().filter(|remedy| **remedy == Remedy::GiveUp).count();
        assert_eq!(given_up(&remedies), 1, "said once");
        let later: Vec<_> = (65..67).map(|minute| healing.look(at(minute), true)).collect();
        assert_eq!(given_up(&later), 1, "and again, when it has been restarted in between");
    }
}
