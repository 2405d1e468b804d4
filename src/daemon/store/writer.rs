//! The thread that writes the state and reads changes of another helper.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::disk::{FileId, make_directory, read, remove_drafts, write};
use super::merge::{Change, DatedMemory, apply, changes, keep_missing};
use super::{Document, Failure, Retry, lock as state_lock};
use crate::engine::memory::Memory;
use crate::sys::handoff::{Handoff, Taken};
use crate::sys::lock;
use crate::text::fnv::fnv64;

/// How often to look for changes by another helper.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Job {
    pub(super) document: Document,
    /// Number of changes by other helpers that the document takes into account.
    pub(super) seen_changes: usize,
}

#[derive(Debug)]
pub(super) struct Writer {
    file: PathBuf,
    configuration: PathBuf,
    /// The number of this helper among those that replaced each other ([`Document::generation`]).
    generation: u64,
    /// The content of the file when it was last read or written here, and services of this helper that another one with
    /// the file does not have.
    known: Document,
    seen: Option<FileId>,
    /// Changes by other helpers that the loop may not know yet, and the number of changes it received before.
    learned: Vec<Change>,
    seen_changes: usize,
    send_changes: UnboundedSender<Vec<Change>>,
    failure: Failure,
    /// The job whose write failed last, until a write succeeds.
    unwritten: Option<Job>,
    retry: Retry,
    /// The hash of a document whose write failed, which may be in the file nevertheless.
    attempted: Option<u64>,
}

impl Writer {
    /// Creates the writer of a helper that started with the `loaded` document.
    pub(super) fn new(
        file: PathBuf,
        configuration: PathBuf,
        loaded: Option<&Document>,
        failure: Failure,
        send_changes: UnboundedSender<Vec<Change>>,
    ) -> Self {
        let nothing = || Document::new(configuration.clone(), 0, 0, Memory::default());
        let known = loaded.map_or_else(nothing, Document::with_orders_only);
        Self {
            file,
            configuration,
            generation: known.generation.saturating_add(1),
            known,
            seen: None,
            learned: vec![],
            seen_changes: 0,
            send_changes,
            failure,
            unwritten: None,
            retry: Retry::default(),
            attempted: None,
        }
    }

    /// Runs until the queue is closed.
    pub(super) fn work(mut self, jobs: &Handoff<Job>) {
        if make_directory(&self.file).is_ok() {
            remove_drafts(&self.file);
        }
        loop {
            let again_in = self.retry.again_in();
            match jobs.take_within(again_in.map_or(POLL_INTERVAL, |again| again.min(POLL_INTERVAL))) {
                Taken::Item(job) => self.carry_out(job),
                Taken::Nothing => {
                    let is_due = self.retry.again_in().is_some_and(|again| again.is_zero());
                    match self.unwritten.take_if(|_| is_due) {
                        Some(job) => self.carry_out(job),
                        None => self.read_changes(),
                    }
                }
                Taken::Closed => return,
            }
        }
    }

    /// Writes a job. If that fails, keeps it to try again after a pause.
    fn carry_out(&mut self, mut job: Job) {
        let written = self.write(&mut job);
        let file = self.file.display();
        match written {
            Ok(()) => {
                self.unwritten = None;
                *lock(&self.failure) = None;
                if let Some(failed) = self.retry.succeeded() {
                    log::info!("wrote the state to {file} after {failed}");
                }
            }
            Err(error) => {
                let why = format!("cannot write the state to {file}: {error}");
                if self.retry.failed() {
                    log::warn!(
                        "{why}; drains, holds and penalties will not survive a restart until it succeeds; retrying"
                    );
                }
                *lock(&self.failure) = Some(why);
                self.unwritten = Some(job);
            }
        }
    }

    /// Merges and writes under the lock. If another helper has replaced this one and runs, its document stays, and only
    /// the drains and holds that began, changed or ended here are applied to it.
    pub(super) fn write(&mut self, job: &mut Job) -> io::Result<()> {
        make_directory(&self.file)?;
        let _held = state_lock::take(&self.file)?;
        // Changes that the loop may not have known when it queued the job.
        self.forget_seen_changes(job.seen_changes);
        let age = age(&job.document);
        for change in &self.learned {
            apply(change, &mut job.document.services, age);
        }
        // Read the file again to get the successor's complete document, or a document whose write failed.
        if self.attempted.is_some() || self.known.succeeds(&job.document) {
            self.seen = None;
        }
        // Merge a document that another helper has written since.
        let mut successor = None;
        if let Some(mut theirs) = self.read_foreign() {
            let own = changes(aged(&self.known), aged(&job.document), true);
            self.apply_changes(&theirs, Some(job));
            if theirs.succeeds(&job.document) {
                let age = self::age(&theirs);
                let made = own.iter().filter(|change| apply(change, &mut theirs.services, age)).count();
                if made == 0 {
                    return Ok(());
                }
                successor = Some(theirs);
            }
        }
        // Write the document and remember its content.
        let next = successor.as_ref().unwrap_or(&job.document);
        let text = serde_json::to_string_pretty(next).map_err(io::Error::from)?;
        self.attempted = Some(fnv64(text.as_bytes()));
        write(&self.file, &text)?;
        self.attempted = None;
        self.seen = FileId::read(&self.file);
        let mut known = next.with_orders_only();
        if successor.is_some() {
            let age = self::age(&known);
            keep_missing(aged(&job.document), &mut known.services, age, &[]);
        }
        self.known = known;
        Ok(())
    }

    /// Reads changes by another helper. Asks the loop to save again, by an empty list, if the file has lost the state of
    /// this one: the helper that replaced this one has ended, or an older one did not see this one and wrote its own.
    pub(super) fn read_changes(&mut self) {
        let Some(theirs) = self.read_foreign() else { return };
        let is_left = theirs.generation > self.generation && theirs.running == Some(false);
        let is_overwritten = theirs.generation < self.generation && self.known.generation == self.generation;
        self.apply_changes(&theirs, None);
        if is_left || is_overwritten {
            // Sending fails only after the loop has ended.
            let _ = self.send_changes.send(vec![]);
        }
    }

    /// The document in the file, if it is not the one that was last read or written here. Ignores invalid documents.
    fn read_foreign(&mut self) -> Option<Document> {
        let mark = FileId::read(&self.file)?;
        if self.seen == Some(mark) {
            return None;
        }
        let text = read(&self.file).ok()?;
        self.seen = Some(mark);
        let found = Document::parse(&text, &self.configuration).ok()?;
        if self.attempted == Some(fnv64(text.as_bytes())) {
            self.known = found.with_orders_only();
        }
        Some(found)
    }

    /// Applies the orders that `theirs` has changed to the job, if there is one, and sends them to the loop.
    fn apply_changes(&mut self, theirs: &Document, job: Option<&mut Job>) {
        let by_older = theirs.generation < self.generation;
        let mut found = changes(aged(&self.known), aged(theirs), by_older);
        let mut known = theirs.with_orders_only();
        let known_age = age(&known);
        keep_missing(aged(&self.known), &mut known.services, known_age, &found);
        self.known = known;
        if let Some(job) = job {
            let age = age(&job.document);
            found.retain(|change| apply(change, &mut job.document.services, age));
        }
        if !found.is_empty() {
            self.learned.extend(found.iter().cloned());
            // Sending fails only after the loop has ended.
            let _ = self.send_changes.send(found);
        }
    }

    fn forget_seen_changes(&mut self, seen_changes: usize) {
        let known = seen_changes.saturating_sub(self.seen_changes).min(self.learned.len());
        self.learned.drain(..known);
        self.seen_changes += known;
    }
}

/// The age of a document; zero if it is from the future.
fn age(document: &Document) -> Duration {
    document.timestamp.age().unwrap_or_default()
}

fn aged(document: &Document) -> DatedMemory<'_> {
    DatedMemory { memory: &document.services, age: age(document) }
}
