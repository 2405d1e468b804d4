//! The turns of the loop: waits for the first event, handles it, and does the periodic work.

use std::time::Duration;

use tokio::time::Instant;

use super::control::{Control, ControlEvent};
use super::disable_files::{AT_ROUND, AT_START, ScanTime};
use super::exporter::Exporter;
use super::output::Written;
use super::pause::Wait;
use super::rounds::RoundId;
use super::store::Store;
use super::store::merge::Change;
use super::warm_up::WarmUp;
use super::{Daemon, Ending, Supervisor};
use crate::engine::event::Event;
use crate::metrics::server::Wish;
use crate::outcome::Outcome;

/// Maximum duration of a turn of the loop. The loop looks for disable-files at the same rate, unless they are scanned
/// [before rounds](ScanTime).
const TURN: Duration = Duration::from_secs(1);

/// An event or a deadline for the loop.
enum Wakeup {
    Event(Event),
    Outcome(RoundId, Outcome),
    WarmedUp(WarmUp),
    Learned(Vec<Change>),
    Request(ControlEvent),
    /// A client of the metrics wants a document.
    Scrape(Wish),
    Timer,
}

impl Daemon<'_> {
    /// Runs turns of the loop until it ends.
    pub(super) async fn turn(&mut self, supervisor: &mut dyn Supervisor) -> Ending {
        if self.scan_disable_files(AT_START, supervisor).await || self.handle(Event::Start, supervisor) {
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
            let waiting = Wait::begin(wake.saturating_duration_since(Instant::now()));
            let wakeup = self.wait(wake).await;
            self.report_pause(waiting);
            self.io.deadman.stop_after_withdraws().await;
            // Handle it.
            let ending = self.on_wakeup(wakeup, deadline, supervisor).await;
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
                self.keep_incident(&[]);
                let now = self.now();
                if self.control.is_some()
                    && let Some(healers) = &mut self.healers
                {
                    healers.restart_unwell(now, &self.engine);
                }
            }
            self.export(supervisor);
            // Let the supervisor stop the loop or replace the configuration.
            if supervisor.on_turn().is_break() {
                return Ending::Stopped;
            }
            if let Some(config) = supervisor.next_config()
                && let Some(ending) = self.replace_config(&config, supervisor, &mut vec![])
            {
                return ending;
            }
        }
    }

    /// Waits for the first event, or until `wake`.
    async fn wait(&mut self, wake: Instant) -> Wakeup {
        tokio::select! {
            Some(event) = self.events.1.recv() => Wakeup::Event(event),
            Some((round, outcome)) = self.outcomes.1.recv() => Wakeup::Outcome(round, outcome),
            Some(ended) = self.warmed_up.1.recv() => Wakeup::WarmedUp(ended),
            event = self.disable_files.next() => Wakeup::Event(event),
            line = self.io.input.line() => {
                Wakeup::Event(line.map_or(Event::ParentGone, Event::Received))
            }
            unblocked = self.io.output.unblocked() => Wakeup::Event(match unblocked {
                Written::Gone => Event::ParentGone,
                Written::Complete | Written::Waiting => Event::OutputUnblocked,
            }),
            () = self.io.signals.received() => Wakeup::Event(Event::Terminate),
            changes = if_any(self.store.as_mut().map(Store::learn)) => Wakeup::Learned(changes),
            wish = if_any(self.exporter.as_mut().map(Exporter::next_wish)) => Wakeup::Scrape(wish),
            asked = if_any(self.control.as_mut().map(Control::next)) => Wakeup::Request(asked),
            () = tokio::time::sleep_until(wake) => Wakeup::Timer,
        }
    }

    async fn on_wakeup(
        &mut self,
        wakeup: Wakeup,
        deadline: Option<Instant>,
        supervisor: &mut dyn Supervisor,
    ) -> Option<Ending> {
        match wakeup {
            Wakeup::Event(event) => self.handle(event, supervisor).then_some(Ending::Exit),
            Wakeup::Outcome(round, outcome) => {
                let check = self.rounds.end(round);
                check.and_then(|check| {
                    self.handle(Event::Outcome(check, outcome), supervisor).then_some(Ending::Exit)
                })
            }
            Wakeup::WarmedUp(ended) => {
                let event = self.on_warmed_up(&ended)?;
                self.handle(event, supervisor).then_some(Ending::Exit)
            }
            Wakeup::Learned(changes) => self.learn(&changes, supervisor).then_some(Ending::Exit),
            Wakeup::Request(asked) => self.answer(asked, supervisor),
            Wakeup::Scrape(wish) => {
                // The client may have disconnected.
                let _ = wish.send(self.document(supervisor));
                None
            }
            Wakeup::Timer if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                self.tick(supervisor).await.then_some(Ending::Exit)
            }
            Wakeup::Timer => None,
        }
    }

    /// Handles a deadline. Returns true if the loop must end.
    async fn tick(&mut self, supervisor: &mut dyn Supervisor) -> bool {
        let now = self.now();
        if self.disable_files.scan_time == ScanTime::BeforeRounds && self.engine.is_round_due(now) {
            return self.scan_disable_files(AT_ROUND, supervisor).await
                || self.handle(Event::Tick, supervisor);
        }
        // At the same instant, so that no further round becomes due without a scan of the disable-files.
        self.handle_at(now, Event::Tick, supervisor)
    }

    /// Scans all disable-files. The loop does nothing else meanwhile, so `limit` must be short. Returns true if the loop
    /// must end.
    async fn scan_disable_files(&mut self, limit: Duration, supervisor: &mut dyn Supervisor) -> bool {
        let mut over = false;
        for event in self.disable_files.scan_within(limit).await {
            over |= self.handle(event, supervisor);
        }
        over
    }
}

/// Waits for this future; for ever if there is none.
async fn if_any<T>(future: Option<impl Future<Output = T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
