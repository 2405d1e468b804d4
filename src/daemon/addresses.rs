//! Watches the addresses of `address` checks and the routes of `route` checks, and reports lost ones to the loop.
//!
//! A missing address settles the matter. A lost route may be replaced by another in a moment: it makes the check due.

use std::collections::HashMap;

use tokio::sync::mpsc::UnboundedSender;

use super::Probes;
use super::loss::LossReporter;
use crate::engine::event::{CheckId, Event};
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::address::watch::{Subject, Watch};

/// All watched addresses and routes.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    watch: Option<Watch>,
}

impl Addresses {
    /// Replaces the watched addresses and routes by those of these checks.
    pub(super) fn assign(&mut self, probes: &Probes, events: &UnboundedSender<Event>) {
        let mut wanted = HashMap::<Subject, Vec<CheckId>>::new();
        for (check, (probe, _)) in probes {
            let subject = match &**probe {
                Probe::Address(probe) => Subject::Address(probe.clone()),
                Probe::Route(probe) => Subject::Route(probe.clone()),
                _ => continue,
            };
            wanted.entry(subject).or_default().push(*check);
        }
        if wanted.is_empty() {
            self.watch = None;
            return;
        }
        if self.watch.is_none() {
            match Watch::start() {
                Ok(watch) => self.watch = Some(watch),
                Err(error) => log::error!(
                    "cannot start the thread that watches addresses and routes: {error}; only the next round \
                     of its check detects a missing one"
                ),
            }
        }
        let Some(watch) = &self.watch else { return };
        watch.assign(wanted.into_iter().map(|(probe, mut checks)| {
            checks.sort();
            let events = events.clone();
            let report: Box<dyn Fn(&str) + Send> = match &probe {
                Subject::Address(_) => {
                    let reporter = LossReporter { checks, cause: Cause::AddressMissing, events };
                    Box::new(move |why| reporter.report(why))
                }
                // Sending fails only after the loop has ended.
                Subject::Route(_) => Box::new(move |_| {
                    checks.iter().for_each(|check| drop(events.send(Event::ProbeNow(*check))));
                }),
            };
            (probe, report)
        }));
    }
}
