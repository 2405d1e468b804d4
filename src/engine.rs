//! The engine: events in, actions out. It reads no clock, no socket and no file.
//!
//! [`Engine::handle`] takes an event and its time, and returns the actions to perform; [`Engine::deadline`] returns the
//! latest time of the next call. The daemon, a trace and a test drive it in the same way, so a recorded run
//! replays exactly.
//!
//! An outcome updates its [`check`] (three counters of [`hysteresis`]). The [`service`] takes the worst of its checks;
//! orders of operators and [`dampening`] override it. The [`ladder`] turns the state into an advertisement, and the
//! [API session](api_session) sends it to ExaBGP.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::action::Action;
use self::api_session::neighbors::Neighbors;
use self::api_session::route_entry::RouteEntry;
use self::api_session::{ApiSession, Parent, Settings, Wish};
use self::event::{CheckId, Event, ServiceId};
use self::memory::Memory;
use self::moment::Moment;
use self::notice::Notice;
use self::notice::prefixes::Prefixes;
use self::order::Orders;
use self::plan::Plan;
use self::removed::RemovedServices;
use self::service::{STANDS_FOR, Service, StartPolicy};
use self::settled::Confirmation;
use self::succession::{Inheritance, Succession};
use crate::exabgp::Route;

pub(crate) mod action;
pub(crate) mod api_session;
pub(crate) mod check;
pub(crate) mod compat;
pub(crate) mod dampening;
pub mod drain;
mod drain_all;
pub mod event;
pub(crate) mod hold;
pub(crate) mod hysteresis;
pub(crate) mod ladder;
pub(crate) mod listener;
pub(crate) mod memory;
pub mod moment;
pub(crate) mod notice;
pub(crate) mod order;
pub(crate) mod plan;
pub(crate) mod probe_only;
pub(crate) mod reload;
mod remember;
pub(crate) mod removed;
pub mod service;
mod settled;
mod succession;

/// The shortest time between two saves that only renew the age of the memory.
const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(250);

/// All decisions of one helper.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Engine {
    services: Vec<Service>,
    /// The configuration of each service. A snapshot leaves it out, because a trace has it beside.
    #[serde(skip)]
    plans: Vec<plan::Service>,
    /// For each configured route of the API session, the service it belongs to. Behind these the API session may have more:
    /// routes that a reload has removed, or that an earlier helper has left.
    owners: Vec<ServiceId>,
    api_session: ApiSession,
    /// Drains of all services; a service that is added later has them, too.
    drains_of_all: Orders,
    #[serde(default)]
    removed: RemovedServices,
    /// What to log once the engine starts. A snapshot leaves it out: it tells of the saved memory, which a replay that
    /// begins in the middle does not read.
    #[serde(skip)]
    prelude: Vec<Action>,
    /// The period of saves of the memory. The age of the saved memory is the time without a helper.
    heartbeat: Option<Duration>,
    heartbeat_at: Option<Moment>,
    /// The state of each service at its last [`Confirmation`], and that confirmation.
    settled: Vec<Option<(service::ServiceState, Confirmation)>>,
    parent: Parent,
    /// End once the first decision has been sent.
    once: bool,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
enum Phase {
    BeforeStart,
    Running,
    /// ExaBGP is gone, or the only decision is made.
    Over,
    /// A signal has asked it to stop, and it has withdrawn.
    Terminated,
}

impl Engine {
    /// An engine at its start. `memory` was saved by an earlier one, `age` ago.
    pub(crate) fn new(plan: &Plan, parent: Parent, memory: Memory, age: Duration) -> Self {
        let mut prelude = vec![];
        let mut succession = Succession::new(&memory, &plan.services);
        let mut services = vec![];
        for service in &plan.services {
            let Inheritance { saved_name, remembered, notices } = succession.inherit(service);
            if let Some(was) = saved_name.filter(|saved_name| *saved_name != service.name) {
                prelude.push(Notice::Renamed { service: service.name.clone(), was }.into());
            }
            prelude.extend(notices.into_iter().map(Action::from));
            let remembered = remembered.as_ref().map(|remembered| (remembered, age));
            services.push(Service::at_start(service, plan.compat, remembered, &mut prelude));
        }
        let removed =
            RemovedServices::new(Moment::START, &succession, &plan.services, age, None, &mut prelude);
        let (owners, routes) = routes(plan);
        let settings = settings(plan, parent);
        let drains_of_all = Orders::recall(Moment::START, memory.drains_of_all(), age);
        let announced = memory.services.into_values().flat_map(|service| service.announced).collect();
        Self {
            services,
            plans: plan.services.clone(),
            owners,
            api_session: ApiSession::new(settings, routes, announced),
            drains_of_all,
            removed,
            prelude,
            heartbeat: heartbeat(plan),
            heartbeat_at: None,
            settled: vec![None; plan.services.len()],
            parent,
            once: plan.compat.exit_after_decision,
            phase: Phase::BeforeStart,
        }
    }

    /// Writes everything but the configuration as one line, which [`Engine::restored`] reads.
    pub(crate) fn snapshot(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a snapshot of an engine that ran with this plan.
    ///
    /// # Errors
    /// Returns an error if it is no snapshot of an engine with these services.
    pub(crate) fn restored(snapshot: &str, plan: &Plan) -> Result<Self, String> {
        let mut engine: Self = serde_json::from_str(snapshot)
            .map_err(|error| format!("the line `engine` is no snapshot of an engine: {error}"))?;
        let names = engine.services.iter().map(Service::name);
        if !names.eq(plan.services.iter().map(|service| service.name.as_str())) {
            return Err("the line `engine` has other services than the configuration".to_owned());
        }
        engine.plans.clone_from(&plan.services);
        Ok(engine)
    }

    /// Handles an event and returns the actions. `now` is never earlier than that of the previous event.
    pub(crate) fn handle(&mut self, now: Moment, event: Event) -> Vec<Action> {
        let mut out = vec![];
        let ticks = matches!(event, Event::Start | Event::Tick);
        let held = self.holders_of_all();
        match (self.phase, event) {
            (Phase::Over | Phase::Terminated, _) => return out,
            (_, Event::Terminate) => return self.terminate(),
            (_, Event::ParentGone) => {
                self.phase = Phase::Over;
                let first = [Notice::ParentGone.into()];
                return first.into_iter().chain(self.routes_at_exit(false)).chain([Action::Exit]).collect();
            }
            (_, Event::DisableFile(id, present)) => {
                self.with_service(id, |service| service.disable(now, present, &mut out));
            }
            (Phase::BeforeStart, Event::Start) => self.start(now, &mut out),
            (Phase::BeforeStart, _) => {}
            (Phase::Running, event) => self.handle_running(now, event, &mut out),
        }
        if self.phase == Phase::Running {
            self.advance(now, ticks, &mut out);
            self.forget_drains_of_all(&held, &mut out);
        }
        out
    }

    fn handle_running(&mut self, now: Moment, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Outcome(id, outcome) => {
                self.with_service(id.service, |service| service.on_outcome(now, id.check, &outcome, out));
            }
            Event::SuddenFailure(id, why) => {
                self.with_service(id.service, |service| service.on_sudden_failure(now, id.check, &why, out));
            }
            Event::WarmedUp(id) => self.with_service(id, |service| service.on_warmed_up(now)),
            Event::ProbeNow(id) => self.with_service(id.service, |service| service.on_probe_now(now)),
            Event::Returned(id) => {
                self.with_service(id.service, |service| service.on_returned(now, id.check));
            }
            Event::DrainAll(order) => self.drain_all(now, &order, out),
            Event::UndrainAll(lift) => self.undrain_all(now, &lift, out),
            Event::DrainLater(order) => self.drain_later(now, order, out),
            Event::UndrainLater(holder) => self.undrain_later(Some(&holder), out),
            Event::Drain(id, order) => self.with_service(id, |service| service.drain(now, order, out)),
            Event::Undrain(id, lift) => self.with_service(id, |service| service.undrain(now, &lift, out)),
            Event::Hold(id, order) => self.with_service(id, |service| service.hold(now, order, out)),
            Event::Unhold(id, whose) => {
                self.with_service(id, |service| service.unhold(whose.as_ref(), out));
            }
            Event::Undampen(id) => self.with_service(id, |service| service.undampen(now, out)),
            Event::Received(line) => self.api_session.on_line(now, &line, out),
            Event::OutputBlocked => self.api_session.on_output_blocked(out),
            Event::OutputUnblocked => self.api_session.on_output_unblocked(now, out),
            // The caller has handled the others.
            Event::Start | Event::Tick | Event::DisableFile(..) | Event::ParentGone | Event::Terminate => {}
        }
    }

    /// Does nothing if the service does not exist.
    fn with_service(&mut self, id: ServiceId, handle: impl FnOnce(&mut Service)) {
        if let Some(service) = self.services.get_mut(id.0) {
            handle(service);
        }
    }

    /// The latest moment of the next call of [`Engine::handle`]; use [`Event::Tick`] if nothing else has happened.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        if self.phase != Phase::Running {
            return None;
        }
        let services = self.services.iter().flat_map(|service| [service.next_round(), service.deadline()]);
        let others = [self.api_session.deadline(), self.heartbeat_at, self.removed.deadline()];
        services.chain(others).flatten().min()
    }

    /// Whether the next [`Event::Tick`] starts a round, or repeats the statement of a disabled service. In
    /// compatibility mode with `exabgp healthcheck` the caller looks for the disable-file at this moment.
    pub(crate) fn is_round_due(&self, now: Moment) -> bool {
        let mut rounds = self.services.iter().filter_map(Service::next_round);
        self.phase == Phase::Running && rounds.any(|at| at <= now)
    }

    /// The BGP sessions, for the next engine of this process, which begins at `now` of this one.
    pub(crate) fn sessions_at_next_start(&self, now: Moment) -> Neighbors {
        self.api_session.neighbors.at_next_start(now)
    }

    /// Takes over the BGP sessions of an earlier engine of this process: ExaBGP reports only changes.
    pub(crate) fn take_over_sessions(&mut self, sessions: Neighbors) {
        self.api_session.neighbors = sessions;
    }

    /// The services, in the order of the configuration.
    pub(crate) fn services(&self) -> &[Service] {
        &self.services
    }

    /// Their configuration.
    pub(crate) fn plans(&self) -> &[plan::Service] {
        &self.plans
    }

    /// The API session with ExaBGP.
    pub(crate) const fn api_session(&self) -> &ApiSession {
        &self.api_session
    }

    /// The routes of the service at this place, as the API session knows them.
    pub(crate) fn entries_of(&self, place: usize) -> impl Iterator<Item = &RouteEntry> {
        self.api_session.entries()[self.routes_of(place)].iter()
    }

    /// The places of these routes in the API session: in the order of the configuration, as the services.
    fn routes_of(&self, place: usize) -> Range<usize> {
        let first = self.owners.partition_point(|owner| owner.0 < place);
        let number = self.owners[first..].iter().take_while(|owner| owner.0 == place).count();
        first..first + number
    }

    /// Routes that are no longer configured and may still be announced.
    pub(crate) fn stale_routes(&self) -> impl Iterator<Item = &RouteEntry> {
        self.api_session.entries()[self.owners.len()..].iter().filter(|entry| entry.perhaps_announced)
    }

    /// Of these, the ones whose withdraw is under way, and not given up.
    pub(crate) fn overdue_routes(&self) -> impl Iterator<Item = &RouteEntry> {
        self.stale_routes().filter(|entry| !entry.given_up)
    }

    fn start(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.phase = Phase::Running;
        self.heartbeat_at = self.heartbeat.map(|period| now + period);
        out.append(&mut self.prelude);
        self.api_session.begin(now, out);
        let left = self.api_session.left_behind(self.api_session.entries()[self.owners.len()..].iter());
        for (route, left) in (self.owners.len()..).zip(left) {
            out.push(Notice::LeftBehind(left).into());
            self.api_session.desire_all(now, [Wish::withdraw(route)], out);
        }
    }

    fn terminate(&mut self) -> Vec<Action> {
        self.phase = Phase::Terminated;
        let lines = self.api_session.final_withdraws();
        let announced = self.api_session.entries().iter().filter(|entry| entry.perhaps_announced);
        let withdrawn = announced.map(|entry| entry.route.prefix.to_string()).collect();
        let notice = Notice::Terminating { withdrawn };
        let lines = lines.into_iter().map(Action::Print);
        let first = std::iter::once(notice.into()).chain(lines).chain(self.routes_at_exit(true));
        first.chain([Action::Save, Action::Exit]).collect()
    }

    /// Logs the end of the helper for the routes of each service that ExaBGP may announce.
    fn routes_at_exit(&self, withdrawn: bool) -> impl Iterator<Item = Action> {
        let services = self.services.iter().enumerate().filter(|_| self.parent == Parent::ExaBgp);
        services.filter_map(move |(place, service)| {
            let announced = self.entries_of(place).filter(|entry| entry.perhaps_announced);
            let prefixes: Prefixes = announced.map(RouteEntry::with_neighbors).collect();
            let service = service.name().to_owned();
            (!prefixes.is_empty()).then(|| Notice::RoutesAtExit { service, prefixes, withdrawn }.into())
        })
    }

    /// Decides for every service and performs all that is due; `ticks` is true if the event is a tick.
    fn advance(&mut self, now: Moment, ticks: bool, out: &mut Vec<Action>) {
        self.expire_drains(now, out);
        for place in 0..self.services.len() {
            let before = out.len();
            self.services[place].decide(now, ticks, out);
            self.note_kept_routes(place, before, out);
            if self.services[place].take_warm_up() {
                out.push(Action::WarmUp(ServiceId(place)));
            }
        }
        self.pass_statements(now, out);
        self.api_session.expire(now, out);
        let decided = self.services.iter().all(|service| service.state() != service::ServiceState::Starting);
        // After its only decision it probes no more.
        if !(self.once && decided) {
            for (place, service) in self.services.iter_mut().enumerate() {
                let id = |check| CheckId { service: ServiceId(place), check };
                out.extend(service.start_rounds(now, ticks).map(id).map(Action::Probe));
            }
        }
        if self.heartbeat_at.is_some_and(|at| at <= now) {
            self.heartbeat_at = self.heartbeat.map(|period| now + period);
            out.push(Action::Save);
        }
        self.note_settled(now, out);
        if self.once && decided && self.api_session.entries().iter().all(|entry| entry.answered) {
            self.phase = Phase::Over;
            out.push(Action::Exit);
        }
    }

    /// Passes the desired advertisement of every prefix to the API session.
    fn pass_statements(&mut self, now: Moment, out: &mut Vec<Action>) {
        let restated: Vec<_> = self.services.iter_mut().map(Service::take_restate).collect();
        let mut place_in_service = vec![0; self.services.len()];
        let wishes = self.owners.iter().enumerate().filter_map(|(place, owner)| {
            let of_service = place_in_service[owner.0];
            place_in_service[owner.0] += 1;
            let service = &self.services[owner.0];
            let advertisement = service.stated(of_service)?;
            let decided = service.has_verdict() || !advertisement.announces();
            Some(Wish { place, advertisement, decided, again: restated[owner.0] })
        });
        self.api_session.desire_all(now, wishes, out);
    }
}

/// Every route with its service.
fn routes(plan: &Plan) -> (Vec<ServiceId>, Vec<Route>) {
    let services = plan.services.iter().enumerate();
    services
        .flat_map(|(place, plan)| plan.routes.iter().map(move |route| (ServiceId(place), route.clone())))
        .unzip()
}

fn settings(plan: &Plan, parent: Parent) -> Settings {
    Settings { exabgp: plan.exabgp, parent, compat: plan.compat, seed: plan.seed }
}

/// The period of saves of the memory. It keeps the age of a state below its limit while the helper runs.
fn heartbeat(plan: &Plan) -> Option<Duration> {
    let valid_for = plan.services.iter().filter_map(|service| match service.start {
        StartPolicy::Adopt { max_age } => Some(max_age),
        StartPolicy::Probe => Some(STANDS_FOR),
        StartPolicy::Withdraw => None,
    });
    valid_for.min().map(|age| (age / 4).max(SHORTEST_HEARTBEAT))
}
