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
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use self::lookers::{Exists, Finding, Lookers, Unseen};
use crate::config::{Config, DEFAULT_PATH};
use crate::engine::Engine;
use crate::engine::event::{Event, ServiceId};
use crate::period::Shown;

mod lookers;

/// How long the start waits for files that do not answer: about as long as the first verdict takes.
pub(crate) const AT_START: Duration = Duration::from_secs(1);

/// How long a round waits for one, once: no other round does, until it has answered in less. Till then what is found
/// late counts at the next round.
pub(crate) const AT_ROUND: Duration = Duration::from_millis(500);

/// A look that takes so long is complained about.
const SLOW: Duration = Duration::from_secs(3);

/// When to look, beside the start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Look {
    /// At every turn of the loop.
    EachTurn,
    /// Right before a round starts, and before what is said of a disabled service is repeated: what `exabgp
    /// healthcheck` does.
    BeforeRounds,
}

/// The disable-files of all services.
#[derive(Debug)]
pub(crate) struct DisableFiles {
    /// When to look for them.
    pub(crate) look: Look,
    lookers: Lookers,
    files: BTreeMap<Arc<Path>, DisableFile>,
    /// Found, and still to be told.
    events: VecDeque<Event>,
}

/// One file, which may be that of many services.
#[derive(Debug, Default)]
struct DisableFile {
    services: Vec<Concerned>,
    /// Since when it is being looked for. It is not asked for again meanwhile: a disk that hangs keeps one thread, not
    /// one more with every second.
    asked: Option<Instant>,
    trouble: Trouble,
    /// It is a configuration file. That one vanishes, as at a purge of the package, is no word of an operator that
    /// the drain is over: it lasts until the file does not name it any more.
    is_configuration: bool,
    /// That it has vanished was logged.
    is_missed: bool,
}

#[derive(Debug)]
struct Concerned {
    service: ServiceId,
    name: String,
    /// What the engine knows.
    present: bool,
    /// It was told so, and does not only remember it.
    told: bool,
}

/// What was complained about last.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Trouble {
    #[default]
    None,
    /// It cannot be looked for.
    Refused,
    /// Its file system does not answer, or not in time.
    Silent,
}

impl Look {
    /// An answer that takes longer is late.
    const fn patience(self) -> Duration {
        match self {
            Self::EachTurn => SLOW,
            Self::BeforeRounds => AT_ROUND,
        }
    }
}

impl DisableFiles {
    /// Those of this configuration, taken as the engine knows them.
    #[must_use]
    pub(crate) fn of(config: &Config, engine: &Engine) -> Self {
        let look = if config.compat.look_before_each_round { Look::BeforeRounds } else { Look::EachTurn };
        let mut files = Self::new(look, Path::try_exists);
        for ((id, plan), service) in (0..).map(ServiceId).zip(&config.services).zip(engine.services()) {
            if let Some(path) = &plan.disable_file {
                files.add(id, &plan.name, path, service.is_disabled());
            }
        }
        let own = config.origin.as_ref().map(|origin| origin.file.as_path());
        for (path, file) in &mut files.files {
            file.is_configuration = Some(&**path) == own || **path == *DEFAULT_PATH;
        }
        files
    }

    fn new(look: Look, exists: Exists) -> Self {
        Self { look, lookers: Lookers::new(exists), files: BTreeMap::new(), events: VecDeque::new() }
    }

    fn add(&mut self, service: ServiceId, name: &str, path: &Path, present: bool) {
        let file = self.files.entry(path.into()).or_default();
        file.services.push(Concerned { service, name: name.to_owned(), present, told: false });
    }

    /// Looks that `before` has begun go on, for the files that are here as well.
    pub(crate) fn continue_after(&mut self, before: Self) {
        for (path, file) in &mut self.files {
            if let Some(known) = before.files.get(path) {
                (file.asked, file.trouble, file.is_missed) = (known.asked, known.trouble, known.is_missed);
            }
        }
        self.lookers = before.lookers;
    }

    /// Begins to look for each, unless that is still under way.
    pub(crate) fn begin(&mut self) {
        let now = Instant::now();
        let mut due = vec![];
        for (path, file) in &mut self.files {
            match file.asked {
                Some(asked) if now.duration_since(asked) < SLOW => {}
                Some(_) => file.complain_of_silence(path, SLOW),
                None => {
                    file.asked = Some(now);
                    due.push(Arc::clone(path));
                }
            }
        }
        self.lookers.look_for(due);
    }

    /// The next that is found to be another than before, or still there after a restart. Where one looks before rounds,
    /// that is told then.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            if self.look == Look::BeforeRounds {
                std::future::pending::<()>().await;
            }
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            let finding = self.lookers.next().await;
            self.take(&finding);
        }
    }

    /// Looks for each, and waits until that is done, but no longer than `limit`, and not for what has not answered
    /// in time before. Says what is another than before.
    pub(crate) async fn look_within(&mut self, limit: Duration) -> Vec<Event> {
        while let Some(finding) = self.lookers.try_next() {
            self.take(&finding);
        }
        let began = Instant::now();
        self.begin();
        let is_awaited = |file: &DisableFile| {
            file.trouble != Trouble::Silent && file.asked.is_some_and(|asked| asked >= began)
        };
        while self.files.values().any(is_awaited) {
            let Ok(finding) = timeout_at(began + limit, self.lookers.next()).await else { break };
            self.take(&finding);
        }
        for (path, file) in self.files.iter_mut().filter(|(_, file)| is_awaited(file)) {
            file.complain_of_silence(path, limit);
        }
        self.events.drain(..).collect()
    }

    fn take(&mut self, finding: &Finding) {
        // After a reload nobody may want to know any more.
        if let Some(file) = self.files.get_mut(&finding.path) {
            file.take(finding, self.look.patience(), &mut self.events);
        }
    }
}

impl DisableFile {
    /// What cannot be looked for is taken as it was last, with a warning.
    fn take(&mut self, finding: &Finding, patience: Duration, out: &mut VecDeque<Event>) {
        let Finding { path, found, at } = finding;
        let took = self.asked.take().map_or(Duration::ZERO, |asked| at.duration_since(asked));
        self.trouble = match (found, self.trouble) {
            (Err(_), Trouble::Refused) => Trouble::Refused,
            (Err(why), _) => {
                self.complain_of(path, why);
                Trouble::Refused
            }
            (Ok(_), Trouble::Silent) if took > patience => Trouble::Silent,
            (Ok(_), Trouble::Silent) => {
                log::info!(
                    "{}: the file system of the disable-file {} answers again",
                    self.whose(),
                    path.display()
                );
                Trouble::None
            }
            (Ok(_), Trouble::None | Trouble::Refused) => Trouble::None,
        };
        let &Ok(found) = found else { return };
        if self.is_configuration && !found && self.services.iter().any(|service| service.present) {
            return self.miss(path);
        }
        self.is_missed = false;
        for Concerned { service, present, told, .. } in &mut self.services {
            let knew = std::mem::replace(present, found) == found && (*told || !found);
            *told = true;
            if !knew {
                out.push_back(Event::DisableFile(*service, found));
            }
        }
    }

    /// Leaves all as it is, with a warning.
    fn miss(&mut self, path: &Path) {
        if !std::mem::replace(&mut self.is_missed, true) {
            log::warn!(
                "{}: the disable-file {} has gone, which is a configuration file: taken as still there. To end the \
                 drain, put the file back without the key `disable-file` and run `dnsherald reload`",
                self.whose(),
                path.display()
            );
        }
    }

    fn complain_of(&self, path: &Path, why: &Unseen) {
        let (whose, path, taken) = (self.whose(), path.display(), self.taken());
        match why {
            Unseen::Refused(error) => log::warn!(
                "{whose}: cannot look for the disable-file {path}: {error}; taken as {taken}. Every directory above it \
                 must be one that the user whom exabgp runs helpers as can enter"
            ),
            Unseen::NoThread(error) => log::warn!(
                "{whose}: cannot start a thread to look for the disable-file {path}: {error}; taken as {taken}. See \
                 the limits on processes and memory of the user whom exabgp runs helpers as (LimitNPROC, TasksMax)"
            ),
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

#[cfg(test)]
mod tests;
