//! The addresses that checks watch, and what the loop is told when one is missing.

use std::collections::HashMap;

use tokio::sync::mpsc::UnboundedSender;

use super::Inquiries;
use super::concerned::Concerned;
use crate::engine::event::{CheckId, Event};
use crate::outcome::Cause;
use crate::probe::address::Probe;
use crate::probe::address::watch::Watch;
use crate::probe::inquiry::Inquiry;

/// Every address that is watched.
#[derive(Debug, Default)]
pub struct Addresses {
    watch: Option<Watch>,
}

impl Addresses {
    /// From now on these checks watch, and no others.
    pub(super) fn assign(&mut self, inquiries: &Inquiries, events: &UnboundedSender<Event>) {
        let mut wanted = HashMap::<Probe, Vec<CheckId>>::new();
        for (check, (inquiry, _)) in inquiries {
            if let Inquiry::Address(probe) = &**inquiry {
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
