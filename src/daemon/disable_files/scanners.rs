//! Threads that look for files whose file system may hang.
//!
//! ```text
//!   due files ──► list ─┬► one scanner ──────────────────────────┬─► results
//!                       └► further scanners, while files wait ───┘
//! ```
//!
//! One scanner works through the list and ends with it, so a thousand files need one thread per turn. If it is delayed,
//! further scanners take the remaining files, because a file behind a hanging one may decide whether to announce. A
//! file is on the list only once and returns to it only after a result, so at most one scanner hangs per hanging file.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, timeout_at};

use crate::sys::lock;

/// If files wait longer than this, further scanners start, twice as many each time. So even many hanging files delay
/// the others by less than a second.
const STEP: Duration = Duration::from_millis(50);

/// Stack size of a scanner.
const STACK: usize = 128 * 1024;

/// Checks whether a file exists; may block.
pub(super) type Exists = fn(&Path) -> io::Result<bool>;

/// The result of one file.
#[derive(Debug)]
pub(super) struct ScanResult {
    pub(super) path: Arc<Path>,
    pub(super) found: Result<bool, ScanError>,
    pub(super) at: Instant,
}

/// Why a result is missing.
#[derive(Debug)]
pub(super) enum ScanError {
    /// The file cannot be accessed.
    Refused(io::Error),
    /// No thread could be started.
    NoThread(io::Error),
}

type List = Mutex<VecDeque<Arc<Path>>>;

/// The scanner threads and their list.
#[derive(Debug)]
pub(super) struct Scanners {
    exists: Exists,
    list: Arc<List>,
    results: (UnboundedSender<ScanResult>, UnboundedReceiver<ScanResult>),
    /// Number of further scanners, and the time at which they start if files still wait.
    further: (usize, Instant),
}

impl Scanners {
    pub(super) fn new(exists: Exists) -> Self {
        Self {
            exists,
            list: Arc::default(),
            results: mpsc::unbounded_channel(),
            further: (1, Instant::now() + STEP),
        }
    }

    pub(super) fn scan(&mut self, due: Vec<Arc<Path>>) {
        let is_idle = {
            let mut list = lock(&self.list);
            let was_empty = list.is_empty();
            list.extend(due);
            was_empty && !list.is_empty()
        };
        if is_idle {
            self.further = (1, Instant::now() + STEP);
            self.start(1);
        }
    }

    pub(super) fn try_next(&mut self) -> Option<ScanResult> {
        self.results.1.try_recv().ok()
    }

    /// Whether a result is available.
    #[cfg(test)]
    pub(super) fn has_result(&self) -> bool {
        !self.results.1.is_empty()
    }

    /// Waits for the next result. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> ScanResult {
        loop {
            let result = if lock(&self.list).is_empty() {
                self.results.1.recv().await
            } else {
                let (count, at) = self.further;
                timeout_at(at, self.results.1.recv()).await.unwrap_or_else(|_| {
                    self.further = (count * 2, Instant::now() + STEP);
                    self.start(count);
                    None
                })
            };
            if let Some(result) = result {
                return result;
            }
        }
    }

    /// Starts at most as many scanners as files wait. If no thread can be started, the files get an error as their
    /// result.
    fn start(&self, count: usize) {
        for _ in 0..count.min(lock(&self.list).len()) {
            let (exists, list, results) = (self.exists, Arc::clone(&self.list), self.results.0.clone());
            let scan = move || {
                let next = || lock(&list).pop_front();
                while let Some(path) = next() {
                    let found = exists(&path).map_err(ScanError::Refused);
                    // Sending fails only after the loop has ended.
                    let _ = results.send(ScanResult { path, found, at: Instant::now() });
                }
            };
            let thread = thread::Builder::new().name("disable-file".into()).stack_size(STACK);
            if let Err(error) = thread.spawn(scan) {
                for path in lock(&self.list).drain(..) {
                    let found = Err(ScanError::NoThread(io::Error::new(error.kind(), error.to_string())));
                    let _ = self.results.0.send(ScanResult { path, found, at: Instant::now() });
                }
            }
        }
    }
}
