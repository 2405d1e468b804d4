//! Carries out what the engine decides: commands to ExaBGP, probes, log, state, hooks.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::output::Written;
use super::probes::counters_of;
use super::requests::answer_once_written;
use super::{Daemon, Supervisor, listeners, report};
use crate::engine::action::Action;
use crate::engine::event::{CheckId, Event};
use crate::engine::moment::Moment;
use crate::history::Entry;
use crate::probe::Probe;

/// After an update of the dead-man's withdraws and the state, the next one waits for this multiple of its duration, but at
/// most for [`MAX_UPDATE_DELAY`]. An update takes longer with more prefixes.
const UPDATE_SHARE: u32 = 20;

/// The longest delay of an update. It comes before the share: an update of more than 5 ms takes more than a twentieth.
const MAX_UPDATE_DELAY: Duration = Duration::from_millis(100);

/// Up to this number of routes, the dead-man's withdraws are updated before the commands of a batch of actions are sent.
/// With more, that would delay the commands: [`Daemon::update`] does it after them, at most [`MAX_UPDATE_DELAY`] later.
const FEW_ROUTES: usize = 64;

impl Daemon<'_> {
    /// Passes an event to the engine and carries out its actions. Returns true if the loop must end.
    #[must_use]
    pub(super) fn handle(&mut self, event: Event, supervisor: &mut dyn Supervisor) -> bool {
        self.handle_at(self.now(), event, supervisor)
    }

    #[must_use]
    pub(super) fn handle_at(&mut self, now: Moment, event: Event, supervisor: &mut dyn Supervisor) -> bool {
        supervisor.before_event(now, &event);
        self.tally.count_event(&self.engine, &event);
        if let Some(flight) = &mut self.flight {
            flight.record(now, &event, &self.engine);
        }
        let actions = self.engine.handle(now, event);
        let over = self.carry_out(now, &actions, supervisor);
        // The routes come first.
        self.keep_incident(&actions);
        over
    }

    /// Keeps the last minute of the flight recorder if a service goes down by these actions. At most one file a minute: a
    /// later incident waits, and a later call keeps it.
    pub(super) fn keep_incident(&mut self, actions: &[Action]) {
        if let Some(incidents) = &mut self.incidents {
            incidents.keep(actions, self.flight.as_ref());
        }
    }

    /// Carries out actions in order. Returns true if the loop must end.
    #[must_use]
    pub(super) fn carry_out(
        &mut self,
        now: Moment,
        actions: &[Action],
        supervisor: &mut dyn Supervisor,
    ) -> bool {
        if let Some(control) = &mut self.control
            && !actions.is_empty()
        {
            control.forget_document();
        }
        if let Some(exporter) = &mut self.exporter {
            exporter.note(actions);
        }
        let mut over = false;
        let mut blocked = false;
        let prints = actions.iter().any(|action| matches!(action, Action::Print(_)));
        if prints && self.engine.api_session().entries().len() <= FEW_ROUTES {
            // With few routes the dead-man holds the withdraw before the announce is sent.
            self.io.deadman.set_withdraws(&self.engine.api_session().final_withdraws());
        }
        for action in actions {
            self.tally.count_action(action);
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
                Action::WarmUp(service) => self.warm_up(*service),
                Action::Log(notice) => {
                    if let Some(history) = &self.history {
                        history.note(Entry::from_notice(notice, SystemTime::now()).as_ref());
                    }
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
        let (watch, listeners) = (self.processes.watch_of(&probe), self.listeners.watch());
        let counters = counters_of(&self.probes, check.service);
        tokio::spawn(async move {
            let severity = |cause| on_fail.severity(cause);
            let outcome = match (&*probe, watch, listeners) {
                (Probe::Process(probe), Some(watch), _) => watch.ask(probe.timeout).await,
                // The watch of the sockets answers a `listener` check. From DNS probes it learns whether the server reads,
                // and it may change the cause of their failures.
                (_, _, Some(listeners)) => {
                    listeners::ask(&probe, severity, &listeners, counters.as_ref()).await
                }
                _ => probe.ask(severity, |_, finding| finding.outcome).await,
            };
            // Sending fails only after the loop has ended.
            let _ = outcomes.send((round, outcome));
        });
    }

    /// Updates the dead-man's withdraws and the stored state; the requests that wait for that are answered once it is on disk.
    pub(super) fn update(&mut self) {
        let began = Instant::now();
        let unsaved = std::mem::take(&mut self.unsaved);
        // An unexpected reply may change what has to be withdrawn, without a command.
        if std::mem::take(&mut self.printed) || unsaved {
            self.io.deadman.set_withdraws(&self.engine.api_session().final_withdraws());
        }
        let now = self.now();
        if unsaved && let Some(store) = &mut self.store {
            store.save(&self.engine.remember(now));
            answer_once_written(std::mem::take(&mut self.pending_replies), store);
        }
        self.update_at = Instant::now() + (began.elapsed() * UPDATE_SHARE).min(MAX_UPDATE_DELAY);
    }
}
