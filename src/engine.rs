//! The engine: events in, actions out. It reads no clock, no socket and no file.
//!
//! [`Engine::handle`] takes what has happened and when, and returns what to do; [`Engine::deadline`] says when to
//! come back at the latest. A daemon, a trace or a test drives it in the same way, so that whatever happened once can
//! be made to happen again.
//!
//! Inside, an outcome goes through the [`check`] it belongs to (three counters of [`hysteresis`]), the [`service`]
//! takes the worst of its checks, [`dampening`] and the operator have their say, the [`ladder`] turns the state into
//! an advertisement, and the [link](crate::exabgp::link) says it to ExaBGP.

use std::time::Duration;

use self::action::Action;
use self::event::{CheckId, Event, ServiceId};
use self::memory::{Memory, Remembered};
use self::moment::Moment;
use self::notice::Notice;
use self::service::{Service, StartPolicy};
use crate::config::Config;
use crate::exabgp::link::{Link, Parent, Settings};

pub mod action;
pub mod check;
pub mod dampening;
pub mod event;
pub mod hysteresis;
pub mod ladder;
pub mod memory;
pub mod moment;
pub mod notice;
pub mod service;

/// All decisions of one helper.
#[derive(Debug)]
pub struct Engine {
    services: Vec<Service>,
    /// For each route of the link, the service it belongs to.
    owners: Vec<ServiceId>,
    link: Link,
    memory: Memory,
    /// What is to be said once the engine starts.
    prelude: Vec<Action>,
    /// How often the memory is renewed, so that its age tells how long nobody has been there.
    heartbeat: Option<Duration>,
    heartbeat_at: Option<Moment>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    BeforeStart,
    Running,
    Over,
}

impl Engine {
    /// An engine at its start. `memory` is what an earlier one left `age` ago.
    #[must_use]
    pub fn new(config: &Config, parent: Parent, memory: Memory, age: Duration) -> Self {
        let mut prelude = vec![];
        let services: Vec<_> = config
            .services
            .iter()
            .map(|plan| {
                let remembered = memory.services.get(&plan.name).map(|remembered| (remembered, age));
                Service::new(plan, remembered, &mut prelude)
            })
            .collect();
        let (owners, routes) = config
            .services
            .iter()
            .enumerate()
            .flat_map(|(place, plan)| plan.routes.iter().map(move |route| (ServiceId(place), route.clone())))
            .unzip();
        let settings = Settings {
            dialect: config.exabgp.dialect,
            ack_timeout: config.exabgp.ack_timeout,
            refresh: config.exabgp.refresh,
            end_of_rib: config.exabgp.end_of_rib,
            parent,
            seed: seed(&config.node.name),
        };
        let adopted_for = config.services.iter().filter_map(|plan| match plan.start {
            StartPolicy::Adopt { max_age } => Some(max_age),
            StartPolicy::Probe | StartPolicy::Withdraw => None,
        });
        Self {
            services,
            owners,
            link: Link::new(settings, routes),
            memory,
            prelude,
            heartbeat: adopted_for.min().map(|age| age / 4),
            heartbeat_at: None,
            phase: Phase::BeforeStart,
        }
    }

    /// Takes what has happened at `now`, which is never before what it was told earlier, and says what to do.
    pub fn handle(&mut self, now: Moment, event: Event) -> Vec<Action> {
        let mut out = vec![];
        match (self.phase, event) {
            (Phase::Over, _) => return out,
            (_, Event::Terminate) => return self.terminate(),
            (_, Event::ParentGone) => {
                self.phase = Phase::Over;
                return vec![Notice::ParentGone.into(), Action::Exit];
            }
            (_, Event::DisableFile(service, present)) => {
                if let Some(service) = self.services.get_mut(service.0) {
                    service.disable(present);
                }
            }
            (Phase::BeforeStart, Event::Start) => self.start(now, &mut out),
            (Phase::BeforeStart, _) | (Phase::Running, Event::Start | Event::Tick) => {}
            (Phase::Running, Event::Outcome(id, outcome)) => {
                if let Some(service) = self.services.get_mut(id.service.0) {
                    service.take(now, id.check, &outcome, &mut out);
                }
            }
            (Phase::Running, Event::Heard(line)) => self.link.hear(now, &line, &mut out),
            (Phase::Running, Event::OutputBlocked) => self.link.block(&mut out),
            (Phase::Running, Event::OutputUnblocked) => self.link.unblock(now, &mut out),
        }
        if self.phase == Phase::Running {
            self.advance(now, &mut out);
        }
        out
    }

    /// The latest moment to call [`Engine::handle`] again, if need be with [`Event::Tick`].
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        if self.phase != Phase::Running {
            return None;
        }
        let services = self.services.iter().flat_map(|service| [service.next_round(), service.deadline()]);
        services.chain([self.link.deadline(), self.heartbeat_at]).flatten().min()
    }

    /// The services, in the order of the configuration.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The conversation with ExaBGP.
    #[must_use]
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// What should survive a restart, as of `now`.
    pub fn memory(&mut self, now: Moment) -> &Memory {
        for (place, service) in self.services.iter().enumerate() {
            let mine = || {
                let owned = self.owners.iter().zip(self.link.entries());
                owned.filter(|(owner, _)| owner.0 == place).map(|(_, entry)| entry)
            };
            let settled =
                mine().all(|entry| entry.acknowledged.is_some() && entry.acknowledged == entry.desired);
            let earlier = self.memory.services.get(service.name());
            // Before the first decision ExaBGP still has what an earlier helper told it.
            let untouched = mine().all(|entry| entry.desired.is_none());
            let remembered = Remembered {
                penalty: service.dampening().penalty(now),
                suppressed: service.dampening().suppressed(),
                acknowledged: match service.state() {
                    service::State::Starting => earlier.and_then(|earlier| earlier.acknowledged),
                    state if settled => Some(state),
                    _ => earlier.and_then(|earlier| earlier.acknowledged),
                },
                announced: match earlier {
                    Some(earlier) if untouched => earlier.announced.clone(),
                    _ => mine()
                        .filter(|entry| entry.perhaps_announced)
                        .map(|entry| entry.route.clone())
                        .collect(),
                },
            };
            self.memory.services.insert(service.name().to_owned(), remembered);
        }
        &self.memory
    }

    fn start(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.phase = Phase::Running;
        self.heartbeat_at = self.heartbeat.map(|period| now + period);
        out.append(&mut self.prelude);
        self.link.begin(now, out);
    }

    fn terminate(&mut self) -> Vec<Action> {
        self.phase = Phase::Over;
        let lines = self.link.farewell();
        let notice = Notice::Terminating { withdrawn: lines.len() };
        let lines = lines.into_iter().map(Action::Print);
        std::iter::once(notice.into()).chain(lines).chain([Action::Exit]).collect()
    }

    /// Draws every conclusion and does all that is due.
    fn advance(&mut self, now: Moment, out: &mut Vec<Action>) {
        for service in &mut self.services {
            service.decide(now, out);
        }
        for (route, owner) in self.owners.iter().enumerate() {
            if let Some(advertisement) = self.services[owner.0].stated() {
                self.link.desire(now, route, advertisement, out);
            }
        }
        self.link.expire(now, out);
        for (place, service) in self.services.iter_mut().enumerate() {
            let id = |check| CheckId { service: ServiceId(place), check };
            out.extend(service.start_rounds(now).map(id).map(Action::Probe));
        }
        if self.heartbeat_at.is_some_and(|at| at <= now) {
            self.heartbeat_at = self.heartbeat.map(|period| now + period);
            out.push(Action::Save);
        }
    }
}

/// A number from a name, the same on every run (FNV-1a).
fn seed(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
