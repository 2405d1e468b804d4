//! A backend of this host: what its driver knows, joined with what the configuration says.

use std::fs::File;
use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::channel::{Reply, Request, install, is_denied};
use super::run::{End, Ended, run};
use super::systemd::{self, Unit};
use super::{Driver, Facts, Kind, Program, State, Status, Trouble, privilege};
use crate::process::find::Finder;
use crate::process::held::Held;
use crate::process::{Missing, Whereabouts};

/// How many lines of a failed check are shown. The first is usually the cause of the others.
const SHOWN: usize = 12;

/// A stock DNS server, with every command that is run for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// Unique.
    pub name: String,
    /// Which server it is.
    pub kind: Kind,
    /// Its systemd unit; there for every kind but `generic`.
    pub unit: Option<String>,
    /// Where its process number is written; absolute.
    pub pid_file: Option<PathBuf>,
    /// Its main configuration file; absolute.
    pub config_file: Option<PathBuf>,
    /// Checks its configuration.
    pub config_check: Option<Program>,
    /// Reloads its configuration, one step after the other; empty where there is no such thing.
    pub reload: Vec<Step>,
    /// How it is restarted.
    pub restart: Restart,
    /// Asked for its status.
    pub status: Option<Request>,
    /// Asked for its version.
    pub version: Option<Request>,
    /// Asked how many queries came since it was started.
    pub counters: Option<Request>,
    /// How long a control command may take.
    pub timeout: Duration,
    /// How long the check of the configuration may take, which may load every zone.
    pub config_check_timeout: Duration,
    /// When it counts as drained.
    pub quiet: Quiet,
    /// Whether, and how often, it is restarted without being asked.
    pub heal: Option<Heal>,
}

/// One step of a reload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// What is tried first.
    pub first: Program,
    /// What is tried where the server does not know the first.
    pub otherwise: Option<Program>,
}

/// What a check of the configuration proved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Checked {
    /// It is in order, but for what [`super::Facts::unseen`] says.
    Valid,
    /// Nothing can check it.
    Unchecked,
}

/// How a server is restarted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Restart {
    /// By systemd.
    Unit(String),
    /// By a program of the operator's.
    Program(Program),
}

/// When a server counts as drained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quiet {
    /// Fewer queries per second than this, from 1 on.
    pub below: NonZeroU32,
    /// For so long.
    pub lasting: Duration,
    /// But waited for no longer than this.
    pub max_wait: Duration,
    /// Waited where there are no counters.
    pub settle: Duration,
}

/// When a server is restarted without being asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heal {
    /// It has been down or hung for so long.
    pub after: Duration,
    /// And has not been restarted so often.
    pub at_most: NonZeroU32,
    /// Within this time.
    pub per: Duration,
}

impl Backend {
    /// What knows it.
    #[must_use]
    pub fn driver(&self) -> &'static dyn Driver {
        self.kind.driver()
    }

    /// Checks the configuration on disk; the server is not touched.
    ///
    /// # Errors
    /// What is wrong with the configuration, or why that cannot be learned.
    pub async fn check(&self) -> Result<Checked, Trouble> {
        let Some(program) = &self.config_check else { return Ok(Checked::Unchecked) };
        let ended = run(program, self.config_check_timeout).await;
        let facts = self.facts();
        let why = || format!("cannot check the configuration: {program}: {ended}");
        match &ended.end {
            End::Exited(_) => match self.driver().read_check(&ended) {
                Ok(()) => Ok(Checked::Valid),
                Err(_) if is_denied(&ended) || self.is_unreadable() => {
                    Err(Trouble::with(why(), privilege::configuration(facts)))
                }
                Err(said) if said.is_empty() => {
                    Err(Trouble::new(format!("the configuration is broken: {program}: {ended}")))
                }
                Err(said) => {
                    let said = shortened(&said);
                    Err(Trouble::new(format!("the configuration is broken, says {program}:\n{said}")))
                }
            },
            End::TimedOut(..) => Err(Trouble::with(
                why(),
                "give it longer with `config-check-timeout`, if it loads many zones",
            )),
            End::Missing => Err(Trouble::with(why(), install(facts))),
            End::NotPermitted => Err(Trouble::with(why(), privilege::configuration(facts))),
            End::NotStarted(_) => Err(Trouble::new(why())),
        }
    }

    /// Whether the main file is there, but not for us.
    fn is_unreadable(&self) -> bool {
        let error = self.config_file.as_ref().and_then(|file| File::open(file).err());
        error.is_some_and(|error| error.kind() == ErrorKind::PermissionDenied)
    }

    /// Makes the server read its configuration again, and returns what was run. Check it first: some servers end when
    /// it is broken.
    ///
    /// # Errors
    /// Where there is no such thing, and at the first step that failed.
    pub async fn reload(&self) -> Result<Vec<String>, Trouble> {
        if self.reload.is_empty() {
            let facts = self.facts();
            let why = format!("{} has no reload of its whole configuration: {}", facts.name, facts.no_reload);
            return Err(Trouble::with(why, "restart it, or say what reloads it with `reload`"));
        }
        let mut done = vec![];
        for step in &self.reload {
            let mut program = &step.first;
            let mut ended = run(program, self.timeout).await;
            if let Some(otherwise) = &step.otherwise
                && !ended.succeeded()
                && ended.says("unknown command")
            {
                program = otherwise;
                ended = run(program, self.timeout).await;
            }
            if !self.driver().is_reloaded(&ended) {
                let reply = super::channel::read(program, &ended, self.facts());
                return Err(reply
                    .text()
                    .err()
                    .unwrap_or_else(|| Trouble::new(format!("{program}: {}", ended.lines().join("; ")))));
            }
            done.push(format!("{program}: {}", said_or_ok(&ended)));
        }
        Ok(done)
    }

    /// Restarts the server, and waits for as long as [`systemd::RESTART_LIMIT`]. That it is up does not mean that it
    /// answers.
    ///
    /// # Errors
    /// With the reason, and the remedy where a privilege is missing.
    pub async fn restart(&self) -> Result<(), Trouble> {
        let program = match &self.restart {
            Restart::Unit(unit) => return systemd::restart(unit, systemd::RESTART_LIMIT).await,
            Restart::Program(program) => program,
        };
        let ended = run(program, systemd::RESTART_LIMIT).await;
        if ended.succeeded() { Ok(()) } else { Err(Trouble::new(format!("{program}: {ended}"))) }
    }

    /// How it is: what its control channel says, else what systemd or the pid file say.
    pub async fn status(&self) -> Status {
        let Some(request) = &self.status else {
            return self.status_without(None).await;
        };
        match request.ask(self.facts(), self.timeout).await {
            Reply::Text(_) => {
                let why = format!("{request}: answered");
                Status { state: State::Running, why, answers: true, remedy: None }
            }
            Reply::Stopped(why) => Status { state: State::Stopped, why, answers: false, remedy: None },
            Reply::Hung(why) => Status { state: State::Hung, why, answers: false, remedy: None },
            Reply::Unknown(trouble) => self.status_without(Some(trouble)).await,
        }
    }

    /// What can be said without the control channel, and why it had to be.
    async fn status_without(&self, trouble: Option<Trouble>) -> Status {
        let (state, seen) = match self.unit().await {
            Some(Ok(unit)) if unit.load_state == "not-found" => {
                (State::Unknown, Some("its unit is not found".to_owned()))
            }
            Some(Ok(unit)) if unit.is_active() => {
                (State::Running, Some(format!("systemd: {}", unit.words())))
            }
            Some(Ok(unit)) if unit.is_down() => (State::Stopped, Some(format!("systemd: {}", unit.words()))),
            Some(Ok(unit)) => (State::Unknown, Some(format!("systemd: {}", unit.words()))),
            Some(Err(_)) | None => match self.process().await {
                Some(Ok(held)) if held.is_stopped() => {
                    (State::Hung, Some(format!("{held} is stopped by a signal")))
                }
                Some(Ok(held)) => (State::Running, Some(format!("{held} is there"))),
                Some(Err(Missing::Surely(why))) => (State::Stopped, Some(why)),
                Some(Err(Missing::Perhaps(why))) => (State::Unknown, Some(why)),
                None => (State::Unknown, None),
            },
        };
        let (asked, remedy) = match trouble {
            Some(trouble) => (Some(trouble.why), trouble.remedy),
            None => (Some("it has no status to ask".to_owned()), None),
        };
        let why = [seen, asked].into_iter().flatten().collect::<Vec<_>>().join("; ");
        Status { state, why, answers: false, remedy }
    }

    fn facts(&self) -> &'static Facts {
        self.driver().facts()
    }

    /// Its unit, if it has one.
    pub async fn unit(&self) -> Option<Result<Unit, Trouble>> {
        match &self.unit {
            Some(unit) => Some(systemd::show(unit).await),
            None => None,
        }
    }

    /// Where its main process is to be found; none where neither a pid file nor a unit is known. Without systemd a unit
    /// says nothing, and would only contradict the pid file.
    #[must_use]
    pub fn whereabouts(&self) -> Option<Whereabouts> {
        let unit = self.unit.clone().filter(|_| systemd::is_booted());
        Whereabouts::new(self.pid_file.clone(), unit).ok()
    }

    /// Its main process, if it is known where to look.
    pub async fn process(&self) -> Option<Result<Held, Missing>> {
        Some(Finder::new(self.whereabouts()?).find(self.timeout).await)
    }

    /// The version of the server that runs.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn version(&self) -> Result<String, Trouble> {
        let text = self.ask(self.version.as_ref(), "version").await?;
        self.driver()
            .read_version(&text)
            .ok_or_else(|| self.unread(self.version.as_ref(), &text, "a version"))
    }

    /// How many queries came since it was started. Less than before means that it was restarted meanwhile.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn queries(&self) -> Result<u64, Trouble> {
        let text = self.ask(self.counters.as_ref(), "counters").await;
        let text = text.map_err(|trouble| match trouble.remedy {
            // Where the rest of the control channel answers, they are only switched off.
            None => Trouble::with(trouble.why, self.facts().no_counters),
            Some(_) => trouble,
        })?;
        // What an operator's own command prints may be nothing but the number.
        let number = self.driver().read_queries(&text).or_else(|| text.trim().parse().ok());
        number.ok_or_else(|| {
            let trouble = self.unread(self.counters.as_ref(), &text, "a number of queries");
            Trouble::with(trouble.why, self.facts().no_counters)
        })
    }

    async fn ask(&self, request: Option<&Request>, what: &str) -> Result<String, Trouble> {
        match request {
            Some(request) => request.ask(self.facts(), self.timeout).await.text(),
            None => Err(Trouble::with(
                format!("{} has no {what} to ask for", self.facts().name),
                format!("say what prints them with `{what}` in [backend.{}]", self.name),
            )),
        }
    }

    fn unread(&self, request: Option<&Request>, text: &str, what: &str) -> Trouble {
        let request = request.map(ToString::to_string).unwrap_or_default();
        let found = crate::probe::command::text::beginning(text);
        Trouble::new(format!("{request}: found `{found}`, expected {what}"))
    }
}

/// The first lines of many.
fn shortened(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    match lines.split_at_checked(SHOWN) {
        Some((shown, more)) if !more.is_empty() => {
            format!("{}\n… and {} lines more", shown.join("\n"), more.len())
        }
        _ => said.to_owned(),
    }
}

fn said_or_ok(ended: &Ended) -> String {
    let said = ended.said();
    if said.is_empty() { "ok".to_owned() } else { said }
}
