//! The addresses that checks watch, and what the loop is told when one is missing.

use std::collections::HashMap;

use tokio::sync::mpsc::UnboundedSender;

use super::Probes;
use super::concerned::Concerned;
use crate::engine::event::{CheckId, Event};
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::address::AddressProbe;
use crate::probe::address::watch::Watch;

/// Every address that is watched.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    watch: Option<Watch>,
}

impl Addresses {
    /// From now on these checks watch, and no others.
    pub(super) fn assign(&mut self, probes: &Probes, events: &UnboundedSender<Event>) {
        let mut wanted = HashMap::<AddressProbe, Vec<CheckId>>::new();
        for (check, (probe, _)) in probes {
            if let Probe::Address(probe) = &**probe {
                wanted.entry(probe.clone()).or_default().push(*check);
            }
        }
        if wanted.is_empty() {
            self.watch = None;
            return;
        }
        if self.watch.is_none() {
            match Watch::start() {
                Ok(watch) => self.watch = Some(watch),
                Err(error) => log::error!(
                    "cannot start a thread that watches addresses: {error}; a missing one is noticed by the next \
                     round of its check"
                ),
            }
        }
        let Some(watch) = &self.watch else { return };
        watch.assign(wanted.into_iter().map(|(probe, mut checks)| {
            checks.sort();
            let concerned = Concerned { checks, cause: Cause::AddressMissing, events: events.clone() };
            let tell: Box<dyn Fn(&str) + Send> = Box::new(move |why| concerned.hear(why));
            (probe, tell)
        }));
    }
}
