//! The loop: the only place where the engine meets the clock, the sockets and the files.
//!
//! ```text
//!   probe tasks ──┐                                    ┌──► output: standard output, one write a line
//!   input ────────┼─► Event ─► Engine::handle ─► Action ├──► probe tasks
//!   signals ──────┤                                    ├──► log
//!   processes ────┤                                    │
//!   timer, files ─┘                                    └──► store: what survives a restart
//! ```
//!
//! One thread decides and never blocks: what could block (a full pipe, a slow disk) is polled or handed to another
//! thread. Beside it the [dead-man](last_words) watches that it turns.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use self::addresses::Addresses;
use self::control::{Asked, Control};
use self::disable_files::{AT_ROUND, AT_START, DisableFiles, Look};
use self::healing::Healers;
use self::learned::next_changes;
pub(crate) use self::observer::Observer;
use self::output::Written;
use self::probes::{Probes, probes};
use self::processes::Processes;
use self::rate_limit::RateLimit;
use self::requests::Promised;
use self::rounds::{RoundId, Rounds};
use self::store::Store;
use self::store::merge::Change;
pub(crate) use self::surroundings::Surroundings;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::{CheckId, Event};
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::handoff::PATIENCE;
use crate::outcome::Outcome;
use crate::probe::Probe;

pub(crate) mod addresses;
mod concerned;
pub(crate) mod control;
pub(crate) mod disable_files;
pub(crate) mod healing;
pub(crate) mod hooks;
pub(crate) mod input;
pub mod last_good;
pub mod last_words;
mod learned;
pub(crate) mod linger;
pub(crate) mod observer;
pub(crate) mod output;
mod probes;
pub(crate) mod processes;
pub(crate) mod rate_limit;
mod report;
mod requests;
mod rounds;
pub(crate) mod signals;
pub(crate) mod stamp;
pub mod store;
pub(crate) mod surroundings;
pub(crate) mod watchdog;

/// How often the loop turns at least; disable-files are looked for as often, if not [before rounds](Look).
const TURN: Duration = Duration::from_secs(1);

/// Bringing last words and state up to date takes longer the more prefixes there are. It is done before the loop waits,
/// but not more often than that it takes the twentieth part of the time...
const SHARE: u32 = 20;

/// ...and not later than this.
const LATEST: Duration = Duration::from_millis(100);

/// So few routes that last words are brought up to date before every line.
const FEW: usize = 64;

/// Both ends of a channel to the loop.
type Channel<T> = (mpsc::UnboundedSender<T>, mpsc::UnboundedReceiver<T>);

/// What wakes the loop.
enum Arrival {
    Event(Event),
    Outcome(RoundId, Outcome),
    Learned(Vec<Change>),
    Question(Asked),
    /// Time has passed.
    Nothing,
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    /// ExaBGP is gone, or we were told to stop.
    Over,
    /// The observer wanted no more.
    Enough,
}

/// An engine at work.
#[derive(Debug)]
pub(crate) struct Daemon<'a> {
    engine: Engine,
    began: Instant,
    probes: Probes,
    processes: Processes,
    addresses: Addresses,
    disable_files: DisableFiles,
    rate_limit: RateLimit,
    /// Something has been said since the last words were set.
    said: bool,
    /// Something has changed that should survive a restart.
    unsaved: bool,
    /// Requests that are carried out, and answered when they would survive a restart.
    promised: Vec<Promised>,
    /// Not before this are last words and state brought up to date again.
    update_at: Instant,
    surroundings: &'a mut Surroundings,
    store: Option<Store>,
    control: Option<Control>,
    healers: Option<Healers>,
    events: Channel<Event>,
    rounds: Rounds,
    outcomes: Channel<(RoundId, Outcome)>,
}

impl<'a> Daemon<'a> {
    /// A daemon for this configuration. Without a store nothing is remembered.
    #[must_use]
    pub(crate) fn new(
        config: &Config,
        surroundings: &'a mut Surroundings,
        store: Option<Store>,
        memory: Memory,
        age: Duration,
    ) -> Self {
        let engine = Engine::new(&config.plan(), surroundings.parent, memory, age);
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
            disable_files: DisableFiles::of(config, &engine),
            engine,
            rate_limit: RateLimit::default(),
            said: false,
            unsaved: false,
            promised: vec![],
            update_at: Instant::now(),
            surroundings,
            store,
            control: None,
            healers: None,
            events,
            rounds: Rounds::default(),
            outcomes: mpsc::unbounded_channel(),
        }
    }

    /// With sockets to ask and be told.
    #[must_use]
    pub(crate) fn with_control(self, control: Option<Control>) -> Self {
        Self { control, ..self }
    }

    /// Restarts servers that stay unwell. They are drained through the sockets, so that there have to be some.
    #[must_use]
    pub(crate) fn with_healing(self, healers: Healers) -> Self {
        Self { healers: self.control.is_some().then_some(healers), ..self }
    }

    /// Runs until there is nobody left to speak to, or the observer has seen enough.
    pub(crate) async fn run(mut self, observer: &mut dyn Observer) -> Ending {
        let ending = self.turn(observer).await;
        self.update();
        self.log_summaries(true);
        if ending == Ending::Over {
            self.surroundings.watchdog.rest();
        }
        if self.store.as_ref().is_some_and(|store| !store.wait_written(PATIENCE)) {
            log::warn!("the state could not be written in time: the next start may know of an older one");
        }
        ending
    }

    async fn turn(&mut self, observer: &mut dyn Observer) -> Ending {
        self.look_for_disable_files(AT_START, observer).await;
        if self.tell(Event::Start, observer) {
            return Ending::Over;
        }
        if let Some(store) = &mut self.store {
            store.begin();
        }
        let mut next_turn = Instant::now() + TURN;
        loop {
            self.surroundings.last_words.beat();
            self.surroundings.watchdog.beat(Instant::now().into_std(), &self.engine, observer.trouble());
            if self.update_at <= Instant::now() {
                self.update();
            }
            let deadline = self.engine.deadline().map(|deadline| self.began + deadline.since_start());
            let update_at = (self.said || self.unsaved).then_some(self.update_at);
            let wake = [deadline, update_at].into_iter().flatten().fold(next_turn, Instant::min);
            let arrival = tokio::select! {
                Some(event) = self.events.1.recv() => Arrival::Event(event),
                Some((round, outcome)) = self.outcomes.1.recv() => Arrival::Outcome(round, outcome),
                event = self.disable_files.next() => Arrival::Event(event),
                line = self.surroundings.input.line() => {
                    Arrival::Event(line.map_or(Event::ParentGone, Event::Heard))
                }
                unblocked = self.surroundings.output.unblocked() => Arrival::Event(match unblocked {
                    Written::Gone => Event::ParentGone,
                    Written::Whole | Written::Waiting => Event::OutputUnblocked,
                }),
                () = self.surroundings.signals.terminate() => Arrival::Event(Event::Terminate),
                changes = next_changes(&mut self.store) => Arrival::Learned(changes),
                asked = next_question(&mut self.control) => Arrival::Question(asked),
                () = tokio::time::sleep_until(wake) => Arrival::Nothing,
            };
            let ending = match arrival {
                Arrival::Event(event) => self.tell(event, observer).then_some(Ending::Over),
                Arrival::Outcome(round, outcome) => {
                    let check = self.rounds.end(round);
                    check.and_then(|check| {
                        self.tell(Event::Outcome(check, outcome), observer).then_some(Ending::Over)
                    })
                }
                Arrival::Learned(changes) => self.learn(&changes, observer).then_some(Ending::Over),
                Arrival::Question(asked) => self.answer(asked, observer),
                Arrival::Nothing if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    self.tick(observer).await.then_some(Ending::Over)
                }
                Arrival::Nothing => None,
            };
            if let Some(ending) = ending {
                return ending;
            }
            if Instant::now() >= next_turn {
                next_turn = Instant::now() + TURN;
                if self.disable_files.look == Look::EachTurn {
                    self.disable_files.begin();
                }
                self.log_summaries(false);
                if let Some(healers) = &mut self.healers {
                    healers.look(Moment::after_start(self.began.elapsed()), &self.engine);
                }
            }
            if !observer.goes_on() {
                return Ending::Enough;
            }
            if let Some(config) = observer.next_configuration()
                && observer.reloads(&config)
                && self.reload(&config, observer)
            {
                return Ending::Over;
            }
        }
    }

    /// A deadline has come. True if it was the last time.
    async fn tick(&mut self, observer: &mut dyn Observer) -> bool {
        let now = Moment::after_start(self.began.elapsed());
        if self.disable_files.look == Look::BeforeRounds && self.engine.is_round_due(now) {
            self.look_for_disable_files(AT_ROUND, observer).await;
            return self.tell(Event::Tick, observer);
        }
        // At this very moment, lest a round become due meanwhile that nobody has looked before.
        self.tell_at(now, Event::Tick, observer)
    }

    /// Lets the engine decide, and carries its decisions out. True if it was the last time.
    fn tell(&mut self, event: Event, observer: &mut dyn Observer) -> bool {
        self.tell_at(Moment::after_start(self.began.elapsed()), event, observer)
    }

    fn tell_at(&mut self, now: Moment, event: Event, observer: &mut dyn Observer) -> bool {
        observer.before(now, &event);
        let actions = self.engine.handle(now, event);
        self.carry_out(now, &actions, observer)
    }

    fn carry_out(&mut self, now: Moment, actions: &[Action], observer: &mut dyn Observer) -> bool {
        if let Some(control) = &mut self.control
            && !actions.is_empty()
        {
            control.forget_document();
        }
        let mut over = false;
        let mut blocked = false;
        let speaks = actions.iter().any(|action| matches!(action, Action::Print(_)));
        if speaks && self.engine.api_session().entries().len() <= FEW {
            // No announce leaves before its withdraw is at hand.
            self.surroundings.last_words.set(&self.engine.api_session().final_withdraws());
        }
        for action in actions {
            match action {
                Action::Print(line) => {
                    self.said = true;
                    match self.surroundings.output.say(line) {
                        Written::Whole => {}
                        Written::Waiting => blocked = true,
                        Written::Gone => {
                            log::warn!("cannot write to standard output: exabgp is gone");
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
                Action::Settled(service) | Action::Said(service) => self.settled(*service, observer),
                Action::Enter { service, state, reason } => observer.enter(service, state, reason),
                Action::Exit => over = true,
            }
        }
        observer.after(now, actions, &self.engine);
        over || (blocked && self.tell(Event::OutputBlocked, observer))
    }

    fn probe(&mut self, check: CheckId) {
        let Some((probe, on_fail)) = self.probes.get(&check).cloned() else { return };
        let (round, outcomes) = (self.rounds.begin(check), self.outcomes.0.clone());
        let watch = self.processes.watch_of(&probe);
        tokio::spawn(async move {
            let outcome = match (&*probe, watch) {
                (Probe::Process(probe), Some(watch)) => watch.ask(probe.timeout).await,
                _ => probe.ask(|cause| on_fail.severity(cause)).await,
            };
            // Nobody listens any more once the loop has ended.
            let _ = outcomes.send((round, outcome));
        });
    }

    /// Brings up to date what others say, and remember, should this process be no more.
    fn update(&mut self) {
        let began = Instant::now();
        if std::mem::take(&mut self.said) {
            self.surroundings.last_words.set(&self.engine.api_session().final_withdraws());
        }
        if std::mem::take(&mut self.unsaved)
            && let Some(store) = &mut self.store
        {
            store.save(self.engine.remember(Moment::after_start(self.began.elapsed())));
            requests::answer_once_written(std::mem::take(&mut self.promised), store);
        }
        self.update_at = Instant::now() + (began.elapsed() * SHARE).min(LATEST);
    }

    /// Nothing else is attended to meanwhile, so that `limit` is short.
    async fn look_for_disable_files(&mut self, limit: Duration, observer: &mut dyn Observer) {
        for event in self.disable_files.look_within(limit).await {
            self.tell(event, observer);
        }
    }
}

async fn next_question(control: &mut Option<Control>) -> Asked {
    match control {
        Some(control) => control.next().await,
        None => std::future::pending().await,
    }
}
