//! The processes that checks watch, and what the loop is told of their end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc::UnboundedSender;

use super::Probes;
use super::concerned::Concerned;
use crate::engine::event::{CheckId, Event};
use crate::handoff::lock;
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::process::ProcessSource;
use crate::process::deaths::Deaths;
use crate::process::watch::Watch;

/// Every process that is watched, each once, however many checks watch it.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    deaths: Option<Arc<Deaths>>,
    watched: HashMap<ProcessSource, Watched>,
}

#[derive(Debug)]
struct Watched {
    watch: Arc<Watch>,
    concerned: Arc<Mutex<Concerned>>,
}

impl Processes {
    /// From now on these checks watch, and no others. What is known of a process outlasts that, as long as there is
    /// any check that watches it: one that has ended stays so until another is found.
    pub(super) fn assign(&mut self, probes: &Probes, events: &UnboundedSender<Event>) {
        let mut wanted = HashMap::<&ProcessSource, Vec<CheckId>>::new();
        for (check, (probe, _)) in probes {
            if let Probe::Process(probe) = &**probe {
                wanted.entry(&probe.source).or_default().push(*check);
            }
        }
        self.watched.retain(|source, _| wanted.contains_key(source));
        for (source, mut checks) in wanted {
            checks.sort();
            let concerned = Concerned { checks, cause: Cause::ProcessGone, events: events.clone() };
            if let Some(watched) = self.watched.get(source) {
                *lock(&watched.concerned) = concerned;
            } else {
                let watched = self.watch(source, concerned);
                self.watched.insert(source.clone(), watched);
            }
        }
    }

    /// The watch that answers this probe.
    #[must_use]
    pub(crate) fn watch_of(&self, probe: &Probe) -> Option<Arc<Watch>> {
        let Probe::Process(probe) = probe else { return None };
        self.watched.get(&probe.source).map(|watched| Arc::clone(&watched.watch))
    }

    fn watch(&mut self, source: &ProcessSource, concerned: Concerned) -> Watched {
        let concerned = Arc::new(Mutex::new(concerned));
        let told = Arc::clone(&concerned);
        let tell = move |why: &str| lock(&told).hear(why);
        let watch = Arc::new(Watch::new(source.clone(), self.deaths(), tell));
        Watched { watch, concerned }
    }

    fn deaths(&mut self) -> Option<Arc<Deaths>> {
        if self.deaths.is_none() {
            match Deaths::start() {
                Ok(deaths) => self.deaths = Some(Arc::new(deaths)),
                Err(error) => log::error!(
                    "cannot start a thread that waits for processes to end: {error}; the end of one is seen by the \
                     next round of its check"
                ),
            }
        }
        self.deaths.clone()
    }
}
