//! Watches the sockets of `listener` checks, and reports to the loop when the server does not read them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::Probes;
use super::processes::Processes;
use crate::engine::event::{CheckId, Event};
use crate::outcome::{Cause, Outcome};
use crate::probe::Probe;
use crate::probe::counters::CountersProbe;
use crate::probe::listener::ListenerProbe;
use crate::probe::listener::watch::{Report, Watch};
use crate::process::work;

/// A server that reads answers within this time, unless it has to ask others.
const PROMPT: Duration = Duration::from_millis(15);

/// All watched sockets.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    watch: Option<Arc<Watch>>,
}

impl Listeners {
    /// Replaces the watched sockets by those of these checks. If a check watches the process of the server, its CPU
    /// time distinguishes a server that hangs from a busy one.
    pub(super) fn assign(&mut self, probes: &Probes, processes: &Processes, events: &UnboundedSender<Event>) {
        let mut wanted = HashMap::<ListenerProbe, Vec<CheckId>>::new();
        for (check, (probe, _)) in probes {
            if let Probe::Listener(probe) = &**probe {
                wanted.entry(probe.clone()).or_default().push(*check);
            }
        }
        if wanted.is_empty() {
            self.watch = None;
            return;
        }
        if self.watch.is_none() {
            match Watch::start() {
                Ok(watch) => self.watch = Some(Arc::new(watch)),
                Err(error) => log::error!(
                    "cannot start the thread that watches sockets: {error}; a server that hangs is detected by unanswered \
                     probes only"
                ),
            }
        }
        let Some(watch) = &self.watch else { return };
        watch.assign(wanted.into_iter().map(|(probe, mut checks)| {
            checks.sort_unstable();
            let events = events.clone();
            let report: Box<dyn Fn(Report) + Send> = Box::new(move |reported| {
                for check in &checks {
                    // Sending fails only after the loop has ended.
                    let _ = events.send(match &reported {
                        Report::ProbeNow => Event::ProbeNow(*check),
                        Report::Failed(failure) => Event::SuddenFailure(*check, failure.clone()),
                    });
                }
            });
            let process = probe.process.as_ref().and_then(|source| processes.watch_at(source));
            let work: Box<dyn Fn() -> _ + Send> = Box::new(move || {
                process.as_ref().and_then(|process| process.pid()).and_then(work::of_process)
            });
            (probe, report, work)
        }));
    }

    /// The watch, if any check needs one.
    pub(super) fn watch(&self) -> Option<Arc<Watch>> {
        self.watch.clone()
    }
}

/// Runs one round of the probes of a check. A watched `listener` check gets its outcome from the watch. From each DNS probe the
/// watch learns whether the server reads, and it may change the outcome.
///
/// The `counters` are those of the server of the service, if a check reads them.
pub(super) async fn ask<K: Ord>(
    probe: &Probe,
    severity: impl Fn(Cause) -> K,
    watch: &Watch,
    counters: Option<&CountersProbe>,
) -> Outcome {
    if let Probe::Listener(listener) = probe
        && let Some(outcome) = watch.outcome(listener)
    {
        return outcome;
    }
    let began = watch.note_reads();
    let asked = probe.ask(severity, |probe, finding| watch.weigh(probe, began, finding, counters));
    if !matches!(probe, Probe::Dns(_)) {
        return asked.await;
    }
    let mut asked = std::pin::pin!(asked);
    if let Ok(outcome) = tokio::time::timeout(PROMPT, &mut asked).await {
        return outcome;
    }
    watch.sample_now();
    asked.await
}
