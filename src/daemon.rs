//! The event loop: the only place where the engine meets clocks, sockets and files.
//!
//! ```text
//!   probe tasks ──┐                                    ┌──► output: standard output, one write per line
//!   input ────────┼─► Event ─► Engine::handle ─► Action ├──► probe tasks
//!   signals ──────┤                                    ├──► log
//!   processes ────┤                                    │
//!   timer, files ─┘                                    └──► store: state that survives a restart
//! ```
//!
//! A single thread runs the loop and never blocks: operations that can block (a full pipe, a slow disk) are polled or
//! run on another thread. The [dead-man thread](deadman) withdraws if the loop stalls.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use self::addresses::Addresses;
use self::control::{Asked, Control};
use self::disable_files::{AT_ROUND, AT_START, DisableFiles, ScanTime};
use self::healing::Healers;
pub(crate) use self::io::LoopIo;
use self::learned::next_changes;
use self::output::Written;
use self::probes::{Probes, probes};
use self::processes::Processes;
use self::rate_limit::RateLimit;
use self::requests::Promised;
use self::rounds::{RoundId, Rounds};
use self::store::Store;
use self::store::merge::Change;
pub(crate) use self::supervisor::{Observer, Supervisor};
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::{CheckId, Event};
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::outcome::Outcome;
use crate::probe::Probe;
use crate::sys::handoff::EXIT_WAIT;

pub(crate) mod addresses;
pub(crate) mod control;
pub mod deadman;
pub(crate) mod disable_files;
pub(crate) mod exit_delay;
pub(crate) mod healing;
pub(crate) mod hooks;
pub(crate) mod input;
pub(crate) mod io;
pub mod last_good;
mod learned;
mod loss;
pub(crate) mod output;
mod probes;
pub(crate) mod processes;
pub(crate) mod rate_limit;
mod report;
mod requests;
mod rounds;
pub mod store;
pub(crate) mod supervisor;
pub(crate) mod timestamp;
pub(crate) mod watchdog;

/// Maximum duration of a turn of the loop. The loop looks for disable-files at the same rate, unless they are scanned
/// [before rounds](ScanTime).
const TURN: Duration = Duration::from_secs(1);

/// Updating the dead-man's withdraws and the state takes longer with more prefixes. The loop does it before it waits,
/// but limits it to one part in this many of its time...
const UPDATE_SHARE: u32 = 20;

/// ...and delays it by at most this.
const MAX_UPDATE_DELAY: Duration = Duration::from_millis(100);

/// Up to this number of routes, the dead-man's withdraws are updated before every command.
const FEW_ROUTES: usize = 64;

/// Both ends of a channel to the loop.
type Channel<T> = (mpsc::UnboundedSender<T>, mpsc::UnboundedReceiver<T>);

/// What wakes the loop.
enum Wakeup {
    Event(Event),
    Outcome(RoundId, Outcome),
    Learned(Vec<Change>),
    Request(Asked),
    /// The timer expired.
    Timer,
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    /// ExaBGP has exited, or a signal asked the helper to stop.
    Exit,
    /// The supervisor stopped the loop.
    Stopped,
}

/// The engine with its input and output.
#[derive(Debug)]
pub(crate) struct Daemon<'a> {
    engine: Engine,
    began: Instant,
    probes: Probes,
    processes: Processes,
    addresses: Addresses,
    disable_files: DisableFiles,
    rate_limit: RateLimit,
    /// Whether commands were sent since the dead-man's withdraws were updated.
    printed: bool,
    /// Whether state that should survive a restart has changed.
    unsaved: bool,
    /// Requests that were carried out and are answered once the state is written.
    promised: Vec<Promised>,
    /// Earliest time of the next update of the dead-man and the state.
    update_at: Instant,
    io: &'a mut LoopIo,
    store: Option<Store>,
    control: Option<Control>,
    healers: Option<Healers>,
    events: Channel<Event>,
    rounds: Rounds,
    outcomes: Channel<(RoundId, Outcome)>,
}

impl<'a> Daemon<'a> {
    /// Creates a daemon for this configuration. Without a store it remembers nothing.
    #[must_use]
    pub(crate) fn new(
        config: &Config,
        io: &'a mut LoopIo,
        store: Option<Store>,
        memory: Memory,
        age: Duration,
    ) -> Self {
        let engine = Engine::new(&config.plan(), io.parent, memory, age);
        let probes = probes(config);
        let events = mpsc::unbounded_channel();
        let mut processes = Processes::default();
        processes.assign(&probes, &events.0);
        let mut addresses = Addresses::default();
        addresses.assign(&probes, &events.0);
        Self {
            began: Instant::now(),
            probes,
            processes,
            addresses,
            disable_files: DisableFiles::new(config, &engine),
            engine,
            rate_limit: RateLimit::default(),
            printed: false,
            unsaved: false,
            promised: vec![],
            update_at: Instant::now(),
            io,
            store,
            control: None,
            healers: None,
            events,
            rounds: Rounds::default(),
            outcomes: mpsc::unbounded_channel(),
        }
    }

    /// Adds the sockets for status and requests.
    #[must_use]
    pub(crate) fn with_control(self, control: Option<Control>) -> Self {
        Self { control, ..self }
    }

    /// Enables automatic restarts. They need the control sockets to drain services, so they stay off without them.
    #[must_use]
    pub(crate) fn with_healing(self, healers: Healers) -> Self {
        Self { healers: Some(healers), ..self }
    }

    /// Runs until ExaBGP exits, a signal arrives, or the supervisor stops the loop.
    pub(crate) async fn run(mut self, supervisor: &mut dyn Supervisor) -> Ending {
        let ending = self.turn(supervisor).await;
        self.update();
        self.log_summaries(true);
        if ending == Ending::Exit {
            self.io.watchdog.stop();
        }
        if self.store.as_ref().is_some_and(|store| !store.wait_written(EXIT_WAIT)) {
            log::warn!("the state was not written in time: the next start may read an older one");
        }
        ending
    }

    /// Runs turns of the loop until it ends.
    async fn turn(&mut self, supervisor: &mut dyn Supervisor) -> Ending {
        self.scan_disable_files(AT_START, supervisor).await;
        if self.handle(Event::Start, supervisor) {
            return Ending::Exit;
        }
        if let Some(store) = &mut self.store {
            store.begin();
        }
        let mut next_turn = Instant::now() + TURN;
        loop {
            // Report to the dead-man and systemd that the loop runs, and update state that is due.
            self.io.deadman.beat();
            self.io.watchdog.beat(Instant::now().into_std(), &self.engine, supervisor.config_trouble());
            if self.update_at <= Instant::now() {
                self.update();
            }
            // Wait for the first event, or for the earliest deadline.
            let deadline = self.engine.deadline().map(|deadline| self.began + deadline.since_start());
            let update_at = (self.printed || self.unsaved).then_some(self.update_at);
            let wake = [deadline, update_at].into_iter().flatten().fold(next_turn, Instant::min);
            let wakeup = tokio::select! {
                Some(event) = self.events.1.recv() => Wakeup::Event(event),
                Some((round, outcome)) = self.outcomes.1.recv() => Wakeup::Outcome(round, outcome),
                event = self.disable_files.next() => Wakeup::Event(event),
                line = self.io.input.line() => {
                    Wakeup::Event(line.map_or(Event::ParentGone, Event::Heard))
                }
                unblocked = self.io.output.unblocked() => Wakeup::Event(match unblocked {
                    Written::Gone => Event::ParentGone,
                    Written::Complete | Written::Waiting => Event::OutputUnblocked,
                }),
                () = self.io.signals.received() => Wakeup::Event(Event::Terminate),
                changes = next_changes(&mut self.store) => Wakeup::Learned(changes),
                asked = next_request(&mut self.control) => Wakeup::Request(asked),
                () = tokio::time::sleep_until(wake) => Wakeup::Timer,
            };
            // Handle it.
            let ending = match wakeup {
                Wakeup::Event(event) => self.handle(event, supervisor).then_some(Ending::Exit),
                Wakeup::Outcome(round, outcome) => {
                    let check = self.rounds.end(round);
                    check.and_then(|check| {
                        self.handle(Event::Outcome(check, outcome), supervisor).then_some(Ending::Exit)
                    })
                }
                Wakeup::Learned(changes) => self.learn(&changes, supervisor).then_some(Ending::Exit),
                Wakeup::Request(asked) => self.answer(asked, supervisor),
                Wakeup::Timer if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    self.tick(supervisor).await.then_some(Ending::Exit)
                }
                Wakeup::Timer => None,
            };
            if let Some(ending) = ending {
                return ending;
            }
            // Do the periodic work.
            if Instant::now() >= next_turn {
                next_turn = Instant::now() + TURN;
                if self.disable_files.scan_time == ScanTime::EachTurn {
                    self.disable_files.start_scan();
                }
                self.log_summaries(false);
                if self.control.is_some()
                    && let Some(healers) = &mut self.healers
                {
                    healers.restart_unwell(Moment::after_start(self.began.elapsed()), &self.engine);
                }
            }
            // Let the supervisor stop the loop or replace the configuration.
            if supervisor.on_turn().is_break() {
                return Ending::Stopped;
            }
            if let Some(config) = supervisor.next_config()
                && supervisor.before_reload(&config).is_continue()
                && self.reload(&config, supervisor)
            {
                return Ending::Exit;
            }
        }
    }

    /// Handles a deadline. Returns true if the loop must end.
    async fn tick(&mut self, supervisor: &mut dyn Supervisor) -> bool {
        let now = Moment::after_start(self.began.elapsed());
        if self.disable_files.scan_time == ScanTime::BeforeRounds && self.engine.is_round_due(now) {
            self.scan_disable_files(AT_ROUND, supervisor).await;
            return self.handle(Event::Tick, supervisor);
        }
        // At the same instant, so that no further round becomes due without a scan of the disable-files.
        self.handle_at(now, Event::Tick, supervisor)
    }

    /// Passes an event to the engine and carries out its actions. Returns true if the loop must end.
    fn handle(&mut self, event: Event, supervisor: &mut dyn Supervisor) -> bool {
        self.handle_at(Moment::after_start(self.began.elapsed()), event, supervisor)
    }

    fn handle_at(&mut self, now: Moment, event: Event, supervisor: &mut dyn Supervisor) -> bool {
        supervisor.before_event(now, &event);
        let actions = self.engine.handle(now, event);
        self.carry_out(now, &actions, supervisor)
    }

    /// Carries out actions in order. Returns true if the loop must end.
    fn carry_out(&mut self, now: Moment, actions: &[Action], supervisor: &mut dyn Supervisor) -> bool {
        if let Some(control) = &mut self.control
            && !actions.is_empty()
        {
            control.forget_document();
        }
        let mut over = false;
        let mut blocked = false;
        let prints = actions.iter().any(|action| matches!(action, Action::Print(_)));
        if prints && self.engine.api_session().entries().len() <= FEW_ROUTES {
            // The dead-man must hold the withdraw before the announce is sent.
            self.io.deadman.set_withdraws(&self.engine.api_session().final_withdraws());
        }
        for action in actions {
            match action {
                Action::Print(line) => {
                    self.printed = true;
                    match self.io.output.write_line(line) {
                        Written::Complete => {}
                        Written::Waiting => blocked = true,
                        Written::Gone => {
                            log::warn!("cannot write to standard output: ExaBGP has exited");
                            over = true;
                        }
                    }
                }
                Action::Probe(check) => self.probe(*check),
                Action::Log(notice) => {
                    if self.rate_limit.admits(now, notice) {
                        report::log_notice(notice);
                    }
                }
                Action::Save => self.unsaved = true,
                Action::Settled(service) | Action::Said(service) => self.settled(*service, supervisor),
                Action::Enter { service, state, reason } => supervisor.on_state(service, state, reason),
                Action::Exit => over = true,
            }
        }
        supervisor.after_actions(now, actions, &self.engine);
        over || (blocked && self.handle(Event::OutputBlocked, supervisor))
    }

    /// Starts a round of probes of this check as a task.
    fn probe(&mut self, check: CheckId) {
        let Some((probe, on_fail)) = self.probes.get(&check).cloned() else { return };
        let (round, outcomes) = (self.rounds.begin(check), self.outcomes.0.clone());
        let watch = self.processes.watch_of(&probe);
        tokio::spawn(async move {
            let outcome = match (&*probe, watch) {
                (Probe::Process(probe), Some(watch)) => watch.ask(probe.timeout).await,
                _ => probe.ask(|cause| on_fail.severity(cause)).await,
            };
            // Sending fails only after the loop has ended.
            let _ = outcomes.send((round, outcome));
        });
    }

    /// Updates the dead-man's withdraws and the stored state.
    fn update(&mut self) {
        let began = Instant::now();
        if std::mem::take(&mut self.printed) {
            self.io.deadman.set_withdraws(&self.engine.api_session().final_withdraws());
        }
        if std::mem::take(&mut self.unsaved)
            && let Some(store) = &mut self.store
        {
            store.save(self.engine.remember(Moment::after_start(self.began.elapsed())));
            requests::answer_once_written(std::mem::take(&mut self.promised), store);
        }
        self.update_at = Instant::now() + (began.elapsed() * UPDATE_SHARE).min(MAX_UPDATE_DELAY);
    }

    /// Scans all disable-files. The loop does nothing else meanwhile, so `limit` must be short.
    async fn scan_disable_files(&mut self, limit: Duration, supervisor: &mut dyn Supervisor) {
        for event in self.disable_files.scan_within(limit).await {
            self.handle(event, supervisor);
        }
    }
}

async fn next_request(control: &mut Option<Control>) -> Asked {
    match control {
        Some(control) => control.next().await,
        None => std::future::pending().await,
    }
}
