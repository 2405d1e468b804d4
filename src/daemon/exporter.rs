//! The metrics that the loop publishes: the file for node_exporter, and HTTP.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Daemon, Supervisor};
use crate::engine::action::Action;
use crate::metrics::Outlets;
use crate::metrics::server::{Server, Wish};
use crate::metrics::textfile::Textfile;

/// Age at which the file is written again.
const OLDEST: Duration = Duration::from_secs(15);

/// Shortest time between two files, however often something changes. A change in between is written at a later turn of
/// the loop, a second later at most.
const GAP: Duration = Duration::from_secs(1);

/// The outlets of the loop.
#[derive(Debug)]
pub(crate) struct Exporter {
    outlets: Outlets,
    textfile: Option<Textfile>,
    server: Option<Server>,
    wishes: (mpsc::Sender<Wish>, mpsc::Receiver<Wish>),
    has_changed: bool,
    written: Option<Instant>,
}

impl Exporter {
    /// Starts these outlets.
    pub(crate) fn new(outlets: &Outlets) -> Self {
        let mut exporter = Self {
            outlets: Outlets::default(),
            textfile: None,
            server: None,
            wishes: mpsc::channel(1),
            has_changed: false,
            written: None,
        };
        exporter.assign(outlets);
        exporter
    }

    /// Applies another configuration. An outlet that stays the same goes on.
    pub(super) fn assign(&mut self, outlets: &Outlets) {
        if self.outlets.textfile != outlets.textfile {
            if let Some(former) = self.textfile.take() {
                former.remove();
            }
            self.textfile = outlets.textfile.clone().map(Textfile::start);
            self.written = None;
        }
        if self.outlets.listen != outlets.listen {
            // The former one frees its port first.
            self.server = None;
            self.server = outlets.listen.map(|address| Server::start(address, self.wishes.0.clone()));
        }
        self.outlets = outlets.clone();
    }

    /// Notes decisions, which the file shows soon.
    pub(super) fn note(&mut self, actions: &[Action]) {
        let is_decision =
            |action: &Action| matches!(action, Action::Enter { .. } | Action::Settled(_) | Action::Save);
        self.has_changed |= actions.iter().any(is_decision);
    }

    /// The next client of the HTTP server that wants a document.
    pub(super) async fn next_wish(&mut self) -> Wish {
        match self.wishes.1.recv().await {
            Some(wish) => wish,
            None => std::future::pending().await,
        }
    }

    /// The file, if it is time to write it. Call it once per turn of the loop.
    fn due(&mut self, now: Instant) -> Option<&Textfile> {
        let textfile = self.textfile.as_ref()?;
        let least = if self.has_changed { GAP } else { OLDEST };
        if self.written.is_some_and(|written| now.saturating_duration_since(written) < least) {
            return None;
        }
        self.has_changed = false;
        self.written = Some(now);
        Some(textfile)
    }
}

impl Daemon<'_> {
    /// Hands the present metrics to the writer of the file, if that is due.
    pub(super) fn export(&mut self, supervisor: &dyn Supervisor) {
        let Some(mut exporter) = self.exporter.take() else { return };
        if let Some(textfile) = exporter.due(Instant::now()) {
            textfile.write(self.document(supervisor));
        }
        self.exporter = Some(exporter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::ServiceId;

    #[test]
    fn the_file_is_due_every_15_seconds_and_soon_after_a_decision() {
        let file = std::env::temp_dir().join(format!("dnsherald-due-{}.prom", std::process::id()));
        let mut exporter = Exporter::new(&Outlets { textfile: Some(file), listen: None });
        let began = Instant::now();
        let due =
            |exporter: &mut Exporter, millis| exporter.due(began + Duration::from_millis(millis)).is_some();
        assert!(due(&mut exporter, 0));
        exporter.note(&[Action::Print(String::new())]);
        assert!(!due(&mut exporter, 14_999));
        assert!(due(&mut exporter, 15_000));
        exporter.note(&[Action::Settled(ServiceId(0))]);
        assert!(!due(&mut exporter, 15_999), "not more often than once a second");
        assert!(due(&mut exporter, 16_000));
        assert!(!due(&mut exporter, 17_000));
        exporter.assign(&Outlets::default());
        assert!(!due(&mut exporter, 60_000));
    }
}
