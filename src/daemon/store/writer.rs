//! The thread that writes the state, and sees what another helper writes.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::disk::{Mark, make_place, read, remove_leftovers, write};
use super::merge::{Aged, Change, apply, changes};
use super::{Document, FORMAT, Failure, lock as state_lock};
use crate::daemon::stamp::{Age, Stamp};
use crate::engine::memory::Memory;
use crate::fnv::fnv64;
use crate::handoff::{Handoff, Taken, lock};
use crate::logging::counted;
use crate::period::Shown;

/// How often it looks whether another helper has written.
const LOOK: Duration = Duration::from_secs(1);

/// Before what could not be written is tried again, at first and at the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is to be written.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) document: Document,
    /// So many changes of other helpers are in it, or were decided against.
    pub(super) told: usize,
}

#[derive(Debug)]
pub(super) struct Writer {
    file: PathBuf,
    configuration: PathBuf,
    /// What the file held when it was last read or written here.
    known: Document,
    seen: Option<Mark>,
    /// Changes of other helpers that the loop may not know yet, and how many it has been told before them.
    learned: Vec<Change>,
    told: usize,
    tell: UnboundedSender<Vec<Change>>,
    failure: Failure,
    trouble: Option<Trouble>,
    /// The hash of what could not be written, but may be in the file all the same.
    attempted: Option<u64>,
}

/// What could not be written.
#[derive(Debug)]
struct Trouble {
    job: Job,
    since: Instant,
    attempts: usize,
    pause: Duration,
    again_at: Instant,
}

impl Writer {
    /// Of a helper that began with what is `loaded`. It tells of changes of others, and of its failure.
    pub(super) fn new(
        file: PathBuf,
        configuration: PathBuf,
        loaded: Option<&Document>,
        failure: Failure,
        tell: UnboundedSender<Vec<Change>>,
    ) -> Self {
        let nothing = || Document {
            format: FORMAT.to_owned(),
            configuration: configuration.clone(),
            generation: 0,
            process: 0,
            stamp: Stamp::now(),
            services: Memory::default(),
        };
        let known = loaded.map_or_else(nothing, Document::with_orders_only);
        Self {
            file,
            configuration,
            known,
            seen: None,
            learned: vec![],
            told: 0,
            tell,
            failure,
            trouble: None,
            attempted: None,
        }
    }

    /// Works until there is nothing more to come.
    pub(super) fn work(mut self, jobs: &Handoff<Job>) {
        if make_place(&self.file).is_ok() {
            remove_leftovers(&self.file);
        }
        loop {
            let again_in = self
                .trouble
                .as_ref()
                .map(|trouble| trouble.again_at.saturating_duration_since(Instant::now()));
            match jobs.take_within(again_in.map_or(LOOK, |again| again.min(LOOK))) {
                Taken::Item(job) => self.carry_out(job),
                Taken::Nothing => {
                    let is_due = |trouble: &mut Trouble| trouble.again_at <= Instant::now();
                    match self.trouble.take_if(is_due) {
                        Some(trouble) => self.try_again(trouble),
                        None => self.look(),
                    }
                }
                Taken::Closed => return,
            }
        }
    }

    fn try_again(&mut self, mut trouble: Trouble) {
        let written = self.write(&mut trouble.job);
        self.conclude(trouble.job, written, Some((trouble.since, trouble.attempts, trouble.pause)));
    }

    fn carry_out(&mut self, mut job: Job) {
        let before = self.trouble.take().map(|trouble| (trouble.since, trouble.attempts, trouble.pause));
        let written = self.write(&mut job);
        self.conclude(job, written, before);
    }

    /// Notes how it went; `before` says since when, how often and with what pause it has failed.
    fn conclude(&mut self, job: Job, written: io::Result<()>, before: Option<(Instant, usize, Duration)>) {
        let file = self.file.display();
        match written {
            Ok(()) => {
                *lock(&self.failure) = None;
                if let Some((since, attempts, _)) = before {
                    let failed = counted(attempts, "failed attempt");
                    log::info!(
                        "the state is written to {file}, after {failed} in {}",
                        Shown(since.elapsed())
                    );
                }
            }
            Err(error) => {
                let why = format!("cannot write the state to {file}: {error}");
                if before.is_none() {
                    log::warn!(
                        "{why}; drains and penalties will not survive a restart until it is written; it is tried again \
                         until it is"
                    );
                }
                *lock(&self.failure) = Some(why);
                let now = Instant::now();
                let (since, attempts, pause) = before.unwrap_or((now, 0, PAUSE / 2));
                let pause = (pause * 2).min(LONGEST_PAUSE);
                self.trouble =
                    Some(Trouble { job, since, attempts: attempts + 1, pause, again_at: now + pause });
            }
        }
    }

    /// Merges and writes, under the lock. What is newer than the job is another helper's, which has taken over: then only
    /// the drains that changed here are added to it.
    fn write(&mut self, job: &mut Job) -> io::Result<()> {
        make_place(&self.file)?;
        let _held = state_lock::take(&self.file)?;
        // What the loop may not have known when it gave the job.
        self.forget_what_was_told(job.told);
        let age = age(&job.document);
        for change in &self.learned {
            apply(change, &mut job.document.services, age);
        }
        // A successor's document is needed whole, and what failed to be written may be there all the same.
        if self.attempted.is_some() || self.known.succeeds(&job.document) {
            self.seen = None;
        }
        let mut successor = None;
        if let Some(mut theirs) = self.read_another() {
            let own = changes(aged(&self.known), aged(&job.document));
            self.take_over(&theirs, Some(job));
            if theirs.succeeds(&job.document) {
                let age = self::age(&theirs);
                let made = own.iter().filter(|change| apply(change, &mut theirs.services, age)).count();
                if made == 0 {
                    return Ok(());
                }
                successor = Some(theirs);
            }
        }
        let next = successor.as_ref().unwrap_or(&job.document);
        let text = serde_json::to_string_pretty(next).map_err(io::Error::from)?;
        self.attempted = Some(fnv64(text.as_bytes()));
        write(&self.file, &text)?;
        self.attempted = None;
        self.seen = Mark::of(&self.file);
        self.known = next.with_orders_only();
        Ok(())
    }

    /// Sees what another helper has written.
    fn look(&mut self) {
        if let Some(theirs) = self.read_another() {
            self.take_over(&theirs, None);
        }
    }

    /// What is in the file, where that is another than was read or written here last. What cannot be understood is
    /// as good as nothing.
    fn read_another(&mut self) -> Option<Document> {
        let mark = Mark::of(&self.file)?;
        if self.seen == Some(mark) {
            return None;
        }
        let text = read(&self.file).ok()?;
        self.seen = Some(mark);
        let found = Document::understand(&text, &self.configuration).ok()?;
        if self.attempted == Some(fnv64(text.as_bytes())) {
            self.known = found.with_orders_only();
        }
        Some(found)
    }

    /// Takes over the drains that `theirs` has changed, into the job if there is one, and tells the loop.
    fn take_over(&mut self, theirs: &Document, job: Option<&mut Job>) {
        let mut found = changes(aged(&self.known), aged(theirs));
        if let Some(job) = job {
            let age = age(&job.document);
            found.retain(|change| apply(change, &mut job.document.services, age));
        }
        self.known = theirs.with_orders_only();
        if !found.is_empty() {
            self.learned.extend(found.iter().cloned());
            // Nobody listens any more once the loop has ended.
            let _ = self.tell.send(found);
        }
    }

    fn forget_what_was_told(&mut self, told: usize) {
        let known = told.saturating_sub(self.told).min(self.learned.len());
        self.learned.drain(..known);
        self.told += known;
    }
}

/// So long ago it was written; of the future counts as now.
fn age(document: &Document) -> Duration {
    match document.stamp.age_at(&Stamp::now()) {
        Age::Known(age) => age,
        Age::Unknown(_) => Duration::ZERO,
    }
}

fn aged(document: &Document) -> Aged<'_> {
    Aged { memory: &document.services, age: age(document) }
}
