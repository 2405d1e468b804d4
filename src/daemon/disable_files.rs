//! Disable-files: an operator's files whose presence drains a service.
//!
//! ```text
//!   turn, round ──► a look, on a thread ──► finding ──► Event, where it is another than before
//! ```
//!
//! The file system of such a file may hang: a share whose server is gone, an automount. So the loop looks at nothing
//! itself, and while there is no answer everything stays as it was last known, with a warning. At a start that is as it
//! was before the restart, where that is remembered, and else *not drained*: hosts that have a share in common would
//! otherwise all stay withdrawn when they boot without it, and whether the server answers is for the checks to say.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, timeout_at};

use crate::config::Config;
use crate::engine::Engine;
use crate::engine::event::{Event, ServiceId};
use crate::period::Shown;

/// How long the start waits for files that do not answer: about as long as the first verdict takes.
pub const AT_START: Duration = Duration::from_secs(1);

/// How long a round waits for one, once: no other round does, until it has answered.
pub const AT_ROUND: Duration = Duration::from_millis(500);

/// A look that takes so long is complained about.
const SLOW: Duration = Duration::from_secs(3);

/// A look needs no more.
const STACK: usize = 128 * 1024;

/// When to look, beside the start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Look {
    /// At every turn of the loop.
    EachTurn,
    /// Right before a round starts, and before what is said of a disabled service is repeated: what `exabgp
    /// healthcheck` does.
    BeforeRounds,
}

/// How to look: whether the file is there, however long that takes.
type Exists = fn(&Path) -> io::Result<bool>;

/// What a look at one file has found.
type Finding = (Arc<Path>, io::Result<bool>);

/// The disable-files of all services.
#[derive(Debug)]
pub struct DisableFiles {
    /// When to look for them.
    pub look: Look,
    exists: Exists,
    files: BTreeMap<Arc<Path>, DisableFile>,
    findings: (UnboundedSender<Finding>, UnboundedReceiver<Finding>),
    /// Found, and still to be told.
    events: VecDeque<Event>,
}

/// One file, which may be that of many services.
#[derive(Debug, Default)]
struct DisableFile {
    services: Vec<Concerned>,
    /// Since when a thread looks for it. There is never more than one: a disk that hangs keeps one thread, not one more
    /// with every second.
    asked: Option<Instant>,
    trouble: Trouble,
}

#[derive(Debug)]
struct Concerned {
    service: ServiceId,
    name: String,
    /// What the engine knows.
    present: bool,
}

/// What was complained about last.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Trouble {
    #[default]
    None,
    /// It cannot be looked for.
    Refused,
    /// Its file system does not answer.
    Silent,
}

impl DisableFiles {
    /// Those of this configuration, taken as the engine knows them.
    #[must_use]
    pub fn of(config: &Config, engine: &Engine) -> Self {
        let look = if config.habits.is_some() { Look::BeforeRounds } else { Look::EachTurn };
        let mut files = Self::new(look, Path::try_exists);
        for ((id, plan), service) in (0..).map(ServiceId).zip(&config.services).zip(engine.services()) {
            if let Some(path) = &plan.disable_file {
                files.add(id, &plan.name, path, service.is_disabled());
            }
        }
        files
    }

    fn new(look: Look, exists: Exists) -> Self {
        let findings = mpsc::unbounded_channel();
        Self { look, exists, files: BTreeMap::new(), findings, events: VecDeque::new() }
    }

    fn add(&mut self, service: ServiceId, name: &str, path: &Path, present: bool) {
        let file = self.files.entry(path.into()).or_default();
        file.services.push(Concerned { service, name: name.to_owned(), present });
    }

    /// Looks that `before` has begun go on, for the files that are here as well.
    pub fn continue_after(&mut self, before: Self) {
        for (path, file) in &mut self.files {
            if let Some(known) = before.files.get(path) {
                (file.asked, file.trouble) = (known.asked, known.trouble);
            }
        }
        self.findings = before.findings;
    }

    /// Begins to look for each, unless that is still under way.
    pub fn begin(&mut self) {
        let now = Instant::now();
        for (path, file) in &mut self.files {
            match file.asked {
                Some(asked) if now.duration_since(asked) < SLOW => {}
                Some(_) => file.complain_of_silence(path, SLOW),
                None => {
                    file.asked = Some(now);
                    look_aside(self.exists, path, &self.findings.0);
                }
            }
        }
    }

    /// The next that is found to be another than before. Where one looks before rounds, that is told then.
    pub async fn next(&mut self) -> Event {
        loop {
            if self.look == Look::BeforeRounds {
                std::future::pending::<()>().await;
            }
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            if let Some(finding) = self.findings.1.recv().await {
                self.take(finding);
            }
        }
    }

    /// Looks for each, and waits until that is done, but no longer than `limit`, and not for what has not answered
    /// before. Says what is another than before.
    pub async fn look_within(&mut self, limit: Duration) -> Vec<Event> {
        while let Ok(finding) = self.findings.1.try_recv() {
            self.take(finding);
        }
        let began = Instant::now();
        self.begin();
        let is_awaited = |file: &DisableFile| file.asked.is_some_and(|asked| asked >= began);
        while self.files.values().any(is_awaited) {
            match timeout_at(began + limit, self.findings.1.recv()).await {
                Ok(Some(finding)) => self.take(finding),
                Ok(None) | Err(_) => break,
            }
        }
        for (path, file) in self.files.iter_mut().filter(|(_, file)| is_awaited(file)) {
            file.complain_of_silence(path, limit);
        }
        self.events.drain(..).collect()
    }

    fn take(&mut self, (path, found): Finding) {
        // After a reload nobody may want to know any more.
        if let Some(file) = self.files.get_mut(&path) {
            file.take(&path, &found, &mut self.events);
        }
    }
}

impl DisableFile {
    /// What cannot be looked for is taken as it was last, with a warning.
    fn take(&mut self, path: &Path, found: &io::Result<bool>, out: &mut VecDeque<Event>) {
        self.asked = None;
        match (found, self.trouble) {
            (Err(_), Trouble::Refused) | (Ok(_), Trouble::None | Trouble::Refused) => {}
            (Ok(_), Trouble::Silent) => log::info!(
                "{}: the file system of the disable-file {} answers again",
                self.whose(),
                path.display()
            ),
            (Err(error), _) => log::warn!(
                "{}: cannot look for the disable-file {}: {error}; taken as {}. Every directory above it must be one \
                 that the user whom exabgp runs helpers as can enter",
                self.whose(),
                path.display(),
                self.taken()
            ),
        }
        self.trouble = if found.is_err() { Trouble::Refused } else { Trouble::None };
        let Ok(found) = *found else { return };
        for Concerned { service, present, .. } in &mut self.services {
            if found != std::mem::replace(present, found) {
                out.push_back(Event::DisableFile(*service, found));
            }
        }
    }

    fn complain_of_silence(&mut self, path: &Path, after: Duration) {
        if self.trouble != Trouble::Silent {
            log::warn!(
                "{}: the file system of the disable-file {} has not answered within {}; taken as {} until it does",
                self.whose(),
                path.display(),
                Shown(after),
                self.taken()
            );
        }
        self.trouble = Trouble::Silent;
    }

    fn whose(&self) -> String {
        match &self.services[..] {
            [] => String::new(),
            [only] => format!("service {}", only.name),
            [first, others @ ..] => format!("service {} and {} more", first.name, others.len()),
        }
    }

    fn taken(&self) -> &'static str {
        let mut present = self.services.iter().map(|service| service.present);
        if !present.clone().any(|present| present) {
            "absent"
        } else if present.all(|present| present) {
            "still there"
        } else {
            "last known"
        }
    }
}

/// Has a thread look. What it finds is sent when it is found, if ever.
fn look_aside(exists: Exists, path: &Arc<Path>, findings: &UnboundedSender<Finding>) {
    let (wanted, found) = (Arc::clone(path), findings.clone());
    let look = move || {
        let answer = exists(&wanted);
        // Nobody listens any more once the loop has ended.
        let _ = found.send((wanted, answer));
    };
    let started = thread::Builder::new().name("disable-file".into()).stack_size(STACK).spawn(look);
    if let Err(error) = started {
        let _ = findings.send((Arc::clone(path), Err(error)));
    }
}

#[cfg(test)]
mod tests;
