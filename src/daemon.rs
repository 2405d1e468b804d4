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
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::disable_files::{DisableFiles, Look};
use self::flood::Flood;
use self::input::Input;
use self::last_words::{LIMIT, LastWords};
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
use crate::engine::service::State;
use crate::exabgp::link::Parent;
use crate::handoff::PATIENCE;
use crate::probe::inquiry::Inquiry;

pub mod disable_files;
pub mod flood;
pub mod hooks;
pub mod input;
pub mod last_words;
pub mod linger;
pub mod output;
pub mod signals;
pub mod store;

/// How often the loop turns at least; disable-files are looked for as often, if not [before rounds](Look).
const TURN: Duration = Duration::from_secs(1);

/// Bringing last words and state up to date takes longer the more prefixes there are. It is done before the loop waits,
/// but not more often than that it takes the twentieth part of the time...
const SHARE: u32 = 20;

/// ...and not later than this.
const LATEST: Duration = Duration::from_millis(100);

/// So few routes that last words are brought up to date before every line.
const FEW: usize = 64;

/// Who is told of everything that reaches the engine, and of what it decides.
pub trait Observer {
    /// Before the engine sees it.
    fn before(&mut self, _at: Moment, _event: &Event) {}
    /// After the engine has decided.
    fn after(&mut self, _at: Moment, _actions: &[Action], _engine: &Engine) {}
    /// A service has come into the state that hooks know by this name; what it says of it is about to be said.
    fn enter(&mut self, _service: &str, _state: &str, _reason: &str) {}
    /// ExaBGP has acknowledged what the state of a service says, for all its prefixes.
    fn settled(&mut self, _service: &str, _state: State) {}
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

impl Surroundings {
    /// Those of this process: standard input and output, signals, and the dead-man, who lets `pause` pass before he
    /// ends the process. To be called once, on the runtime that will run the loop.
    ///
    /// # Errors
    /// When standard input or output is closed, or the system has no descriptor or thread left.
    pub fn of_this_process(pause: Duration) -> anyhow::Result<Self> {
        let terminal = io::stdout().is_terminal();
        let last_words = LastWords::on_stdout().context("cannot use standard output")?;
        last_words.say_on_panic(pause).context("cannot catch signals")?;
        last_words.watch(LIMIT, pause).context("cannot start the dead-man thread")?;
        Ok(Self {
            parent: if terminal { Parent::Terminal } else { Parent::ExaBgp },
            output: Output::stdout().context("cannot use standard output")?,
            input: if terminal {
                Input::nothing()
            } else {
                Input::stdin().context("cannot use standard input")?
            },
            signals: Signals::catch().context("cannot catch signals")?,
            last_words,
        })
    }
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
    inquiries: HashMap<CheckId, (Arc<Inquiry>, Arc<OnFail>)>,
    disable_files: DisableFiles,
    flood: Flood,
    /// How many each service has.
    prefixes: Vec<usize>,
    /// Something has been said since the last words were set.
    said: bool,
    /// Something has changed that should survive a restart.
    unsaved: bool,
    /// Not before this are last words and state brought up to date again.
    update_at: Instant,
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
        let mut inquiries = HashMap::new();
        let look = if config.habits.is_some() { Look::BeforeRounds } else { Look::EachTurn };
        let mut disable_files = DisableFiles::new(look);
        for (place, service) in config.services.iter().enumerate() {
            let id = ServiceId(place);
            if let Some(path) = &service.disable_file {
                disable_files.add(id, &service.name, path.clone());
            }
            for (check, plan) in service.checks.iter().enumerate() {
                let plan = (Arc::new(plan.inquiry.clone()), Arc::new(plan.on_fail.clone()));
                inquiries.insert(CheckId { service: id, check }, plan);
            }
        }
        Self {
            engine: Engine::new(config, surroundings.parent, memory, age),
            began: Instant::now(),
            inquiries,
            disable_files,
            flood: Flood::default(),
            prefixes: config.services.iter().map(|service| service.routes.len()).collect(),
            said: false,
            unsaved: false,
            update_at: Instant::now(),
            surroundings,
            store,
            events: mpsc::unbounded_channel(),
        }
    }

    /// Runs until there is nobody left to speak to, or the observer has seen enough.
    pub async fn run(mut self, observer: &mut dyn Observer) -> Ending {
        let ending = self.turn(observer).await;
        self.update();
        self.say_what_was_withheld(true);
        if self.store.as_ref().is_some_and(|store| !store.is_written_within(PATIENCE)) {
            log::warn!("the state could not be written in time: the next start may know of an older one");
        }
        ending
    }

    async fn turn(&mut self, observer: &mut dyn Observer) -> Ending {
        self.look_for_disable_files(observer);
        if self.tell(Event::Start, observer) {
            return Ending::Over;
        }
        let mut next_turn = Instant::now() + TURN;
        loop {
            self.surroundings.last_words.beat();
            if self.update_at <= Instant::now() {
                self.update();
            }
            let deadline = self.engine.deadline().map(|deadline| self.began + deadline.since_start());
            let update_at = (self.said || self.unsaved).then_some(self.update_at);
            let wake = [deadline, update_at].into_iter().flatten().fold(next_turn, Instant::min);
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
                None if deadline.is_some_and(|deadline| deadline <= Instant::now()) => self.tick(observer),
                None => false,
            };
            if over {
                return Ending::Over;
            }
            if Instant::now() >= next_turn {
                next_turn = Instant::now() + TURN;
                if self.disable_files.look == Look::EachTurn {
                    self.look_for_disable_files(observer);
                }
                self.say_what_was_withheld(false);
            }
            if !observer.goes_on() {
                return Ending::Enough;
            }
        }
    }

    /// A deadline has come. True if it was the last time.
    fn tick(&mut self, observer: &mut dyn Observer) -> bool {
        let now = Moment::after_start(self.began.elapsed());
        if self.disable_files.look == Look::BeforeRounds && self.engine.is_round_due(now) {
            self.look_for_disable_files(observer);
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
        let mut actions = self.engine.handle(now, event);
        let mut over = false;
        let mut blocked = false;
        let speaks = actions.iter().any(|action| matches!(action, Action::Print(_)));
        if speaks && self.engine.link().entries().len() <= FEW {
            // No announce leaves before its withdraw is at hand.
            self.surroundings.last_words.set(&self.engine.link().farewell());
        }
        for action in &actions {
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
                    if self.flood.admits(Instant::now(), notice) {
                        log::log!(notice.level(), "{notice}");
                    }
                }
                Action::Save => self.unsaved = true,
                Action::Settled(service) => {
                    self.log_settled(*service);
                    if let Some(service) = self.engine.services().get(service.0) {
                        observer.settled(service.name(), service.state());
                    }
                }
                Action::Enter { service, state, reason } => observer.enter(service, state, reason),
                Action::Exit => over = true,
            }
        }
        observer.after(now, &actions, &self.engine);
        actions.clear();
        over || (blocked && self.tell(Event::OutputBlocked, observer))
    }

    fn probe(&self, check: CheckId) {
        let Some((inquiry, on_fail)) = self.inquiries.get(&check).cloned() else { return };
        let events = self.events.0.clone();
        tokio::spawn(async move {
            let outcome = inquiry.ask(|cause| on_fail.severity(cause) as u8).await;
            // Nobody listens any more once the loop has ended.
            let _ = events.send(Event::Outcome(check, outcome));
        });
    }

    /// Brings up to date what others say, and remember, should this process be no more.
    fn update(&mut self) {
        let began = Instant::now();
        if std::mem::take(&mut self.said) {
            self.surroundings.last_words.set(&self.engine.link().farewell());
        }
        if std::mem::take(&mut self.unsaved)
            && let Some(store) = &mut self.store
        {
            store.save(self.engine.remember(Moment::after_start(self.began.elapsed())));
        }
        self.update_at = Instant::now() + (began.elapsed() * SHARE).min(LATEST);
    }

    fn log_settled(&self, id: ServiceId) {
        let Some(service) = self.engine.services().get(id.0) else { return };
        let prefixes = self.prefixes.get(id.0).copied().unwrap_or_default();
        log::info!(
            "service {}: exabgp has acknowledged {} for {}",
            service.name(),
            service.state(),
            if prefixes == 1 { "its prefix".to_owned() } else { format!("all {prefixes} prefixes") }
        );
    }

    fn say_what_was_withheld(&mut self, all: bool) {
        for withheld in self.flood.withheld(Instant::now(), all) {
            log::log!(
                withheld.last.level(),
                "… and {} more of the kind, the last: {}",
                withheld.number,
                withheld.last
            );
        }
    }

    fn look_for_disable_files(&mut self, observer: &mut dyn Observer) {
        for event in self.disable_files.look() {
            self.tell(event, observer);
        }
    }
}
