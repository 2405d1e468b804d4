//! The loop: the only place where the engine meets the clock, the sockets and the files.
//!
//! ```text
//!   probe tasks ──┐                                    ┌──► output: standard output, one write a line
//!   input ────────┼─► Event ─► Engine::handle ─► Action ├──► probe tasks
//!   signals ──────┤                                    ├──► log
//!   timer, files ─┘                                    └──► store: what survives a restart
//! ```
//!
//! One thread decides and never blocks: what could block (a full pipe, a slow disk) is polled or handed to another
//! thread. Beside it the [dead-man](last_words) watches that it turns.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use self::input::Input;
use self::last_words::LastWords;
use self::output::{Output, Written};
use self::signals::Signals;
use self::store::Store;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::check::OnFail;
use crate::engine::event::{CheckId, Event, ServiceId};
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::exabgp::link::Parent;
use crate::probe::round::Round;

pub mod input;
pub mod last_words;
pub mod output;
pub mod signals;
pub mod store;

/// How often the loop turns at least; disable-files are looked for as often.
const TURN: Duration = Duration::from_secs(1);

/// Who is told of everything that reaches the engine, and of what it decides.
pub trait Observer {
    /// Before the engine sees it.
    fn before(&mut self, _at: Moment, _event: &Event) {}
    /// After the engine has decided.
    fn after(&mut self, _at: Moment, _actions: &[Action], _engine: &Engine) {}
    /// Every turn of the loop; false ends it.
    fn goes_on(&mut self) -> bool {
        true
    }
}

/// Nobody.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Observer for Nobody {}

/// Where lines go and come from, and who is there.
#[derive(Debug)]
pub struct Surroundings {
    /// Who reads what is said.
    pub parent: Parent,
    /// What is said.
    pub output: Output,
    /// What is heard.
    pub input: Input,
    /// SIGTERM and its like.
    pub signals: Signals,
    /// Speaks when the loop no longer does.
    pub last_words: Arc<LastWords>,
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// ExaBGP is gone, or we were told to stop.
    Over,
    /// The observer wanted no more.
    Enough,
}

/// An engine at work.
#[derive(Debug)]
pub struct Daemon<'a> {
    engine: Engine,
    began: Instant,
    rounds: HashMap<CheckId, (Arc<Round>, Arc<OnFail>)>,
    disable_files: Vec<(ServiceId, PathBuf, bool)>,
    surroundings: &'a mut Surroundings,
    store: Option<Store>,
    events: (mpsc::UnboundedSender<Event>, mpsc::UnboundedReceiver<Event>),
}

impl<'a> Daemon<'a> {
    /// A daemon for this configuration. Without a store nothing is remembered.
    #[must_use]
    pub fn new(
        config: &Config,
        surroundings: &'a mut Surroundings,
        store: Option<Store>,
        memory: Memory,
        age: Duration,
    ) -> Self {
        let mut rounds = HashMap::new();
        let mut disable_files = vec![];
        for (place, service) in config.services.iter().enumerate() {
            let id = ServiceId(place);
            disable_files.extend(service.disable_file.clone().map(|path| (id, path, false)));
            for (check, plan) in service.checks.iter().enumerate() {
                let plan = (Arc::new(plan.round.clone()), Arc::new(plan.on_fail.clone()));
                rounds.insert(CheckId { service: id, check }, plan);
            }
        }
        Self {
            engine: Engine::new(config, surroundings.parent, memory, age),
            began: Instant::now(),
            rounds,
            disable_files,
            surroundings,
            store,
            events: mpsc::unbounded_channel(),
        }
    }

    /// Runs until there is nobody left to speak to, or the observer has seen enough.
    pub async fn run(mut self, observer: &mut dyn Observer) -> Ending {
        self.look_for_disable_files(observer);
        if self.tell(Event::Start, observer) {
            return Ending::Over;
        }
        let mut next_turn = Instant::now() + TURN;
        loop {
            self.surroundings.last_words.beat();
            let deadline = self.engine.deadline().map(|deadline| self.began + deadline.since_start());
            let wake = deadline.map_or(next_turn, |deadline| deadline.min(next_turn));
            let event = tokio::select! {
                Some(event) = self.events.1.recv() => Some(event),
                line = self.surroundings.input.line() => Some(line.map_or(Event::ParentGone, Event::Heard)),
                unblocked = self.surroundings.output.unblocked() => Some(match unblocked {
                    Written::Gone => Event::ParentGone,
                    Written::Whole | Written::Waiting => Event::OutputUnblocked,
                }),
                () = self.surroundings.signals.terminate() => Some(Event::Terminate),
                () = tokio::time::sleep_until(wake) => None,
            };
            let over = match event {
                Some(event) => self.tell(event, observer),
                None if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    self.tell(Event::Tick, observer)
                }
                None => false,
            };
            if over {
                return Ending::Over;
            }
            if Instant::now() >= next_turn {
                next_turn = Instant::now() + TURN;
                self.look_for_disable_files(observer);
            }
            if !observer.goes_on() {
                return Ending::Enough;
            }
        }
    }

    /// Lets the engine decide, and carries its decisions out. True if it was the last time.
    fn tell(&mut self, event: Event, observer: &mut dyn Observer) -> bool {
        let now = Moment::after_start(self.began.elapsed());
        observer.before(now, &event);
        let mut actions = self.engine.handle(now, event);
        let mut over = false;
        let mut blocked = false;
        let mut said = false;
        for action in &actions {
            match action {
                Action::Print(line) => {
                    said = true;
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
                Action::Log(notice) => log::log!(notice.level(), "{notice}"),
                Action::Save => {
                    if let Some(store) = &mut self.store {
                        store.save(self.engine.memory(now));
                    }
                }
                Action::Exit => over = true,
            }
        }
        if said {
            self.surroundings.last_words.set(&self.engine.link().farewell());
        }
        observer.after(now, &actions, &self.engine);
        actions.clear();
        over || (blocked && self.tell(Event::OutputBlocked, observer))
    }

    fn probe(&self, check: CheckId) {
        let Some((round, on_fail)) = self.rounds.get(&check).cloned() else { return };
        let events = self.events.0.clone();
        tokio::spawn(async move {
            let outcome = round.ask(|cause| on_fail.severity(cause) as u8).await;
            // Nobody listens any more once the loop has ended.
            let _ = events.send(Event::Outcome(check, outcome));
        });
    }

    fn look_for_disable_files(&mut self, observer: &mut dyn Observer) {
        let mut changed = vec![];
        for (service, path, seen) in &mut self.disable_files {
            // What cannot be looked at is taken as it was last.
            let present = path.try_exists().unwrap_or(*seen);
            if present != *seen {
                *seen = present;
                changed.push(Event::DisableFile(*service, present));
            }
        }
        for event in changed {
            self.tell(event, observer);
        }
    }
}
