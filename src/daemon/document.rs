//! The status document of the loop, with all that it has counted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use super::store::Store;
use super::{Daemon, Supervisor};
use crate::config::describe::questions;
use crate::config::{Check, Config};
use crate::engine::event::{CheckId, ServiceId};
use crate::probe::listener::watch::Watch;
use crate::probe::own;
use crate::status::Document;
use crate::status::time::Clock;
use crate::status::totals::{ListenerTotals, Totals};
use crate::text::fnv::fnv64;
use crate::text::ordered;

/// What the document is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    /// The configuration file, as it was given.
    pub(crate) configuration: PathBuf,
    /// The name of this node.
    pub(crate) node: String,
    /// The name of this host, for a configuration that gives none.
    pub(crate) host: String,
    /// The file of the history, where one is kept.
    pub(crate) history: Option<PathBuf>,
    /// The hash of the configuration in force, if it is from a file.
    hash: Option<String>,
    /// What each check of each service asks, in their order.
    asked: Vec<Vec<Asked>>,
}

/// What a check asks.
#[derive(Clone, Debug)]
struct Asked {
    questions: Vec<String>,
    /// Whether only probes that have passed can fail.
    needs_seen: bool,
}

impl Asked {
    fn by(check: &Check) -> Self {
        Self { questions: questions(check), needs_seen: check.counts_once_seen() }
    }
}

impl Subject {
    /// Of a helper that was started with the file `configuration` on the host of this name.
    pub(crate) fn new(
        configuration: PathBuf,
        host: String,
        history: Option<PathBuf>,
        config: &Config,
    ) -> Self {
        let mut subject = Self { configuration, host, history, ..Self::default() };
        subject.becomes(config);
        subject
    }

    /// Another configuration is in force from now on.
    pub(super) fn becomes(&mut self, config: &Config) {
        self.node.clone_from(&config.node.name);
        self.hash = config.origin.as_ref().map(|origin| format!("{:016x}", fnv64(origin.text.as_bytes())));
        let services = config.services.iter();
        self.asked = services.map(|service| service.checks.iter().map(Asked::by).collect()).collect();
    }
}

impl Daemon<'_> {
    /// The document at this moment.
    pub(super) fn document(&self, supervisor: &dyn Supervisor) -> Document {
        let clock = Clock::new(self.now(), SystemTime::now());
        let mut document =
            Document::from_engine(&self.engine, &clock, &self.subject.node, &self.subject.configuration);
        for (place, (service, asked)) in document.services.iter_mut().zip(&self.subject.asked).enumerate() {
            for (nth, (check, asked)) in service.checks.iter_mut().zip(asked).enumerate() {
                let id = CheckId { service: ServiceId(place), check: nth };
                check.unseen = self.probes.get(&id).and_then(|(probe, _)| probe.unseen());
                check.asks.clone_from(&asked.questions);
                if let Some(last) = check.last.as_mut().filter(|_| asked.needs_seen) {
                    last.tell_unseen();
                }
            }
        }
        let trouble = supervisor.config_trouble();
        document.configuration_hash.clone_from(&self.subject.hash);
        document.trouble = trouble.map(|trouble| trouble.error.clone());
        document.last_good = trouble.and_then(|trouble| trouble.last_good.clone());
        document.unwritten = self.store.as_ref().and_then(Store::unwritten);
        document.unwritten_configuration = supervisor.unwritten_config();
        document.totals = self.totals(supervisor);
        document
    }

    fn totals(&self, supervisor: &dyn Supervisor) -> Totals {
        let watchdog = self.io.watchdog.age(Instant::now());
        Totals {
            listeners: self.listeners.watch().as_deref().map(listeners).unwrap_or_default(),
            hooks: supervisor.hook_counts(),
            heals: self.healers.as_ref().map(super::healing::Healers::counts).unwrap_or_default(),
            questions: own::questions_by_server(),
            watchdog_seconds: watchdog.map(|age| age.as_secs_f64()),
            ..self.tally.totals().clone()
        }
    }
}

/// Each address and protocol once, however many checks watch it.
fn listeners(watch: &Watch) -> Vec<ListenerTotals> {
    let seen = watch.seen().into_iter();
    let seen: BTreeMap<_, _> =
        ordered(seen.map(|(place, seen)| ((place.0.to_string(), place.1.to_string()), seen)));
    let totals = seen.into_iter().map(|((address, transport), seen)| {
        let (sockets, queue, drops) = (seen.sockets as u64, seen.queue, seen.drops);
        ListenerTotals { address, transport, sockets, queue, drops }
    });
    totals.collect()
}
