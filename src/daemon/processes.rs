//! The processes that checks watch, and what the loop is told of their end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc::UnboundedSender;

use super::Inquiries;
use super::concerned::Concerned;
use crate::engine::event::{CheckId, Event};
use crate::handoff::lock;
use crate::outcome::Cause;
use crate::probe::inquiry::Inquiry;
use crate::process::Whereabouts;
use crate::process::deaths::Deaths;
use crate::process::watch::Watch;

/// Every process that is watched, each once, however many checks watch it.
#[derive(Debug, Default)]
pub struct Processes {
    deaths: Option<Arc<Deaths>>,
    watched: HashMap<Whereabouts, Watched>,
}

#[derive(Debug)]
struct Watched {
    watch: Arc<Watch>,
    concerned: Arc<Mutex<Concerned>>,
}

impl Processes {
    /// From now on these checks watch, and no others. What is known of a process outlasts that, as long as there is
    /// any check that watches it: one that has ended stays so until another is found.
    pub(super) fn assign(&mut self, inquiries: &Inquiries, events: &UnboundedSender<Event>) {
        let mut wanted = HashMap::<&Whereabouts, Vec<CheckId>>::new();
        for (check, (inquiry, _)) in inquiries {
            if let Inquiry::Process(probe) = &**inquiry {
                wanted.entry(&probe.whereabouts).or_default().push(*check);
            }
        }
        self.watched.retain(|whereabouts, _| wanted.contains_key(whereabouts));
        for (whereabouts, mut checks) in wanted {
            checks.sort();
            let concerned = Concerned { checks, cause: Cause::ProcessGone, events: events.clone() };
            if let Some(watched) = self.watched.get(whereabouts) {
                *lock(&watched.concerned) = concerned;
            } else {
                let watched = self.watch(whereabouts, concerned);
                self.watched.insert(whereabouts.clone(), watched);
            }
        }
    }

    /// The watch that answers this inquiry.
    #[must_use]
    pub fn watch_of(&self, inquiry: &Inquiry) -> Option<Arc<Watch>> {
        let Inquiry::Process(probe) = inquiry else { return None };
        self.watched.get(&probe.whereabouts).map(|watched| Arc::clone(&watched.watch))
    }

    fn watch(&mut self, whereabouts: &Whereabouts, concerned: Concerned) -> Watched {
        let concerned = Arc::new(Mutex::new(concerned));
        let told = Arc::clone(&concerned);
        let tell = move |why: &str| lock(&told).hear(why);
        let watch = Arc::new(Watch::new(whereabouts.clone(), self.deaths(), tell));
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
