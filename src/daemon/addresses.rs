//! Watches the addresses of `address` checks and reports missing ones to the loop.

use std::collections::HashMap;

use tokio::sync::mpsc::UnboundedSender;

use super::Probes;
use super::loss::LossReporter;
use crate::engine::event::{CheckId, Event};
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::address::AddressProbe;
use crate::probe::address::watch::Watch;

/// All watched addresses.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    watch: Option<Watch>,
}

impl Addresses {
    /// Replaces the watched addresses by those of these checks.
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
                    "cannot start the thread that watches addresses: {error}; only the next round of its \
                     check detects a missing one"
                ),
            }
        }
        let Some(watch) = &self.watch else { return };
        watch.assign(wanted.into_iter().map(|(probe, mut checks)| {
            checks.sort();
            let reporter = LossReporter { checks, cause: Cause::AddressMissing, events: events.clone() };
            let report: Box<dyn Fn(&str) + Send> = Box::new(move |why| reporter.report(why));
            (probe, report)
        }));
    }
}
