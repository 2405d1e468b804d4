//! Watches the processes of `process` checks and reports their exit to the loop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc::UnboundedSender;

use super::Probes;
use super::loss::LossReporter;
use crate::engine::event::{CheckId, Event};
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::process::watch::Watch;
use crate::process::ProcessSource;
use crate::sys::lock;

/// Every watched process, once each, however many checks watch it.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    watched: HashMap<ProcessSource, Watched>,
}

#[derive(Debug)]
struct Watched {
    watch: Arc<Watch>,
    reporter: Arc<Mutex<LossReporter>>,
}

impl Processes {
    /// Watches the processes of these checks, and no others. What is known about a process stays as long as any check
    /// watches it: after an exit, the process is gone until another one is found.
    pub(super) fn assign(&mut self, probes: &Probes, events: &UnboundedSender<Event>) {
        let mut wanted = HashMap::<&ProcessSource, Vec<CheckId>>::new();
        for (check, (probe, _)) in probes {
            if let Probe::Process(probe) = &**probe {
                wanted.entry(&probe.source).or_default().push(*check);
            }
        }
        self.watched.retain(|source, _| wanted.contains_key(source));
        for (source, mut checks) in wanted {
            checks.sort_unstable();
            let reporter = LossReporter { checks, cause: Cause::ProcessGone, events: events.clone() };
            if let Some(watched) = self.watched.get(source) {
                *lock(&watched.reporter) = reporter;
            } else {
                let reporter = Arc::new(Mutex::new(reporter));
                let reported = Arc::clone(&reporter);
                let watch = Watch::new(source.clone(), move |why: &str| lock(&reported).report(why));
                self.watched.insert(source.clone(), Watched { watch: Arc::new(watch), reporter });
            }
        }
    }

    /// The watch of this process, if a check watches it.
    pub(super) fn watch_at(&self, source: &ProcessSource) -> Option<Arc<Watch>> {
        self.watched.get(source).map(|watched| Arc::clone(&watched.watch))
    }

    /// The watch that answers this probe; `None` if it is no probe of a process.
    pub(crate) fn watch_of(&self, probe: &Probe) -> Option<Arc<Watch>> {
        let Probe::Process(probe) = probe else { return None };
        self.watch_at(&probe.source)
    }
}
