//! Threads that look for files whose file system may hang.
//!
//! ```text
//!   files that are due ──► list ─┬► a looker ────────────────────────────┬─► findings
//!                                └► further lookers, while files wait ───┘
//! ```
//!
//! One looker walks the list and ends with it, so that a thousand files cost one thread a turn. Where it is held up,
//! further ones walk what is left: behind a file that hangs there is one that says whether to announce. Since a file
//! is on the list once, and not again until it has been found, no more lookers hang than files do.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, timeout_at};

/// Files that have waited so long have further lookers. Each time they are twice as many, so that even many files that
/// hang hold up the others for less than a second.
const STEP: Duration = Duration::from_millis(50);

/// A look needs no more.
const STACK: usize = 128 * 1024;

/// How to look: whether the file is there, however long that takes.
pub(super) type Exists = fn(&Path) -> io::Result<bool>;

/// What a look at one file has found.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) path: Arc<Path>,
    pub(super) found: Result<bool, Unseen>,
    pub(super) at: Instant,
}

/// Why nobody knows whether a file is there.
#[derive(Debug)]
pub(super) enum Unseen {
    /// It cannot be looked for.
    Refused(io::Error),
    /// There is nobody to look.
    NoThread(io::Error),
}

type List = Mutex<VecDeque<Arc<Path>>>;

/// Those who look, and what they are to look for.
#[derive(Debug)]
pub(super) struct Lookers {
    exists: Exists,
    list: Arc<List>,
    findings: (UnboundedSender<Finding>, UnboundedReceiver<Finding>),
    /// How many are to help, should files still wait then.
    further: (usize, Instant),
}

impl Lookers {
    pub(super) fn new(exists: Exists) -> Self {
        Self {
            exists,
            list: Arc::default(),
            findings: mpsc::unbounded_channel(),
            further: (1, Instant::now() + STEP),
        }
    }

    /// Has somebody look for these.
    pub(super) fn look_for(&mut self, due: Vec<Arc<Path>>) {
        let nobody_looks = {
            let mut list = locked(&self.list);
            let was_empty = list.is_empty();
            list.extend(due);
            was_empty && !list.is_empty()
        };
        if nobody_looks {
            self.further = (1, Instant::now() + STEP);
            self.start(1);
        }
    }

    /// What has been found and not yet been told, if anything.
    pub(super) fn try_next(&mut self) -> Option<Finding> {
        self.findings.1.try_recv().ok()
    }

    /// Whether something has been found that is not yet told.
    #[cfg(test)]
    pub(super) fn has_found(&self) -> bool {
        !self.findings.1.is_empty()
    }

    /// What is found next, if ever. Nothing is lost when this is dropped before it is done.
    pub(super) async fn next(&mut self) -> Finding {
        loop {
            let finding = if locked(&self.list).is_empty() {
                self.findings.1.recv().await
            } else {
                let (lookers, at) = self.further;
                timeout_at(at, self.findings.1.recv()).await.unwrap_or_else(|_| {
                    self.further = (lookers * 2, Instant::now() + STEP);
                    self.start(lookers);
                    None
                })
            };
            if let Some(finding) = finding {
                return finding;
            }
        }
    }

    /// No more than there are files to look for. If there is no thread to be had, they are not looked for this time.
    fn start(&self, lookers: usize) {
        for _ in 0..lookers.min(locked(&self.list).len()) {
            let (exists, list, findings) = (self.exists, Arc::clone(&self.list), self.findings.0.clone());
            let walk = move || {
                while let Some(path) = next_on(&list) {
                    let found = exists(&path).map_err(Unseen::Refused);
                    // Nobody listens any more once the loop has ended.
                    let _ = findings.send(Finding { path, found, at: Instant::now() });
                }
            };
            let thread = thread::Builder::new().name("disable-file".into()).stack_size(STACK);
            if let Err(error) = thread.spawn(walk) {
                for path in locked(&self.list).drain(..) {
                    let found = Err(Unseen::NoThread(io::Error::new(error.kind(), error.to_string())));
                    let _ = self.findings.0.send(Finding { path, found, at: Instant::now() });
                }
            }
        }
    }
}

fn next_on(list: &List) -> Option<Arc<Path>> {
    locked(list).pop_front()
}

fn locked(list: &List) -> MutexGuard<'_, VecDeque<Arc<Path>>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
