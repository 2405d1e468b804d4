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
//! A single thread runs the loop. Under ExaBGP it never blocks: operations that can block (a full pipe, a slow disk) are
//! polled or run on another thread. The [dead-man thread](deadman) withdraws if the loop stalls.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use self::addresses::Addresses;
use self::control::Control;
use self::disable_files::DisableFiles;
use self::document::Subject;
use self::exporter::Exporter;
use self::flight::Flight;
use self::healing::Healers;
use self::incidents::Incidents;
pub(crate) use self::io::LoopIo;
use self::listeners::Listeners;
use self::probes::{Probes, probes};
use self::processes::Processes;
use self::rate_limit::RateLimit;
use self::requests::PendingReply;
use self::rounds::{RoundId, Rounds};
use self::store::Store;
pub(crate) use self::supervisor::{Observer, Supervisor};
use self::warm_up::{WarmUp, WarmUps, warm_ups};
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::event::Event;
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::history::file::History;
use crate::metrics::tally::Tally;
use crate::outcome::Outcome;

mod actions;
pub(crate) mod addresses;
pub(crate) mod control;
pub mod deadman;
pub(crate) mod disable_files;
pub(crate) mod document;
pub(crate) mod exit_delay;
pub(crate) mod exporter;
mod flight;
pub(crate) mod healing;
pub(crate) mod hooks;
pub(crate) mod incidents;
pub(crate) mod input;
pub(crate) mod io;
pub mod last_good;
mod learned;
pub(crate) mod listeners;
mod loss;
pub(crate) mod output;
mod pause;
mod probes;
pub(crate) mod processes;
pub(crate) mod rate_limit;
mod report;
mod requests;
mod rounds;
pub mod store;
pub(crate) mod supervisor;
pub(crate) mod timestamp;
mod turns;
mod warm_up;
pub(crate) mod watchdog;

/// How long the end of the process waits for the disk. ExaBGP 5 kills a helper 2 s after it has asked it to stop.
const STATE_WAIT: Duration = Duration::from_secs(1);

/// How long the end of the process waits for ExaBGP to read. An ExaBGP that stops reads no more.
const READ_WAIT: Duration = Duration::from_millis(500);

/// Both ends of a channel to the loop.
type Channel<T> = (mpsc::UnboundedSender<T>, mpsc::UnboundedReceiver<T>);

/// Why the loop ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    /// ExaBGP has exited, a signal asked the helper to stop, or its only decision has been sent (`healthcheck --interval 0`).
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
    warm_ups: WarmUps,
    processes: Processes,
    addresses: Addresses,
    listeners: Listeners,
    disable_files: DisableFiles,
    rate_limit: RateLimit,
    tally: Tally,
    pub(crate) subject: Subject,
    /// Whether commands were sent since the dead-man's withdraws were updated.
    printed: bool,
    /// Whether state that should survive a restart has changed.
    unsaved: bool,
    /// Requests that were carried out and are answered once the state is written.
    pending_replies: Vec<PendingReply>,
    /// Earliest time of the next update of the dead-man and the state.
    update_at: Instant,
    io: &'a mut LoopIo,
    store: Option<Store>,
    /// The sockets for status and requests.
    pub(crate) control: Option<Control>,
    /// Declared before `history`, so dropped before it: the drop waits a moment until the writer has noted each file in the
    /// history.
    pub(crate) incidents: Option<Incidents>,
    pub(crate) history: Option<History>,
    flight: Option<Flight>,
    pub(crate) exporter: Option<Exporter>,
    /// Automatic restarts. They need the control sockets to drain services, so they stay off without them.
    pub(crate) healers: Option<Healers>,
    events: Channel<Event>,
    /// The warm-ups that have ended: the service, and the names of its `warm-up` that were asked.
    warmed_up: Channel<WarmUp>,
    rounds: Rounds,
    outcomes: Channel<(RoundId, Outcome)>,
}

impl<'a> Daemon<'a> {
    /// Creates a daemon for this configuration. Without a store it remembers nothing.
    pub(crate) fn new(
        config: &Config,
        io: &'a mut LoopIo,
        store: Option<Store>,
        memory: Memory,
        age: Duration,
    ) -> Self {
        let mut engine = Engine::new(&config.plan(), io.parent, memory, age);
        engine.take_over_sessions(std::mem::take(&mut io.sessions));
        let probes = probes(config);
        let events = mpsc::unbounded_channel();
        let mut processes = Processes::default();
        processes.assign(&probes, &events.0);
        let mut addresses = Addresses::default();
        addresses.assign(&probes, &events.0);
        let mut listeners = Listeners::default();
        listeners.assign(&probes, &processes, &events.0);
        let flight = Flight::new(config, io.parent);
        Self {
            began: Instant::now(),
            probes,
            warm_ups: warm_ups(config),
            processes,
            addresses,
            listeners,
            disable_files: DisableFiles::new(config, &engine),
            engine,
            rate_limit: RateLimit::default(),
            tally: Tally::default(),
            subject: Subject::default(),
            printed: false,
            unsaved: false,
            pending_replies: vec![],
            update_at: Instant::now(),
            io,
            store,
            control: None,
            incidents: None,
            history: None,
            flight,
            exporter: None,
            healers: None,
            events,
            warmed_up: mpsc::unbounded_channel(),
            rounds: Rounds::default(),
            outcomes: mpsc::unbounded_channel(),
        }
    }

    /// The time since the start of the loop, as the engine counts it.
    fn now(&self) -> Moment {
        Moment::after_start(self.began.elapsed())
    }

    /// Runs until ExaBGP exits, a signal arrives, the only decision has been sent, or the supervisor stops the loop.
    pub(crate) async fn run(mut self, supervisor: &mut dyn Supervisor) -> Ending {
        let ending = self.turn(supervisor).await;
        if let Some(incidents) = &mut self.incidents {
            incidents.keep_pending(self.flight.as_ref());
        }
        self.unsaved |= self.store.as_mut().is_some_and(Store::end);
        self.update();
        self.log_summaries(true);
        self.io.sessions = self.engine.sessions_at_next_start(self.now());
        if ending == Ending::Exit {
            self.io.watchdog.stop();
            self.io.write_last_commands(READ_WAIT).await;
        }
        if let Some(why) = self.store.as_ref().and_then(|store| store.unwritten_after(STATE_WAIT)) {
            log::warn!(
                "the state is not on disk: {why}; the next start may not know the last drains, holds and falls"
            );
        }
        ending
    }
}
