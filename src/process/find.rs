//! Finding the main process: what the pid-file says, else what the unit's cgroup holds, else what systemd says.
//!
//! The first two are a few reads of files and say nothing for sure when they find nothing: a pid-file is left behind by
//! a crash, and not yet written at a start. What systemd says takes longer, and is certain.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::handle::ProcessHandle;
use super::{Missing, ProcessSource, cgroup, pid_file};
use crate::handoff::lock;
use crate::period::Period;
use crate::systemd;

/// How often systemd is asked at most, which has better things to do; and how long a cheap look may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was found in the place of the process.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Instead {
    why: String,
    /// The pid-file names a living process that is not of the unit: perhaps the server, started by somebody else.
    other_alive: bool,
}

impl From<String> for Instead {
    fn from(why: String) -> Self {
        Self { why, other_alive: false }
    }
}

/// Who looks for one process, and is in no hurry: one look at a time.
#[derive(Debug)]
pub(crate) struct Finder {
    source: ProcessSource,
    /// A disk that hangs keeps one thread, not one more with every round.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// What systemd was last asked in vain.
    told: Mutex<Option<(Instant, Missing)>>,
}

impl Finder {
    /// Has not looked yet.
    #[must_use]
    pub(crate) fn new(source: ProcessSource) -> Self {
        Self { source, turn: Arc::default(), told: Mutex::default() }
    }

    /// Where it looks.
    #[must_use]
    pub(crate) const fn source(&self) -> &ProcessSource {
        &self.source
    }

    /// Looks everywhere, for at most as long as `limit`.
    ///
    /// # Errors
    /// What is missing, and how surely.
    pub(crate) async fn find(&self, limit: Duration) -> Result<ProcessHandle, Missing> {
        let find = async {
            let instead = match self.off_the_loop(look).await {
                Ok(held) => return Ok(held),
                Err(why) => why,
            };
            let Some(unit) = self.source.unit() else { return Err(Missing::Perhaps(instead.why)) };
            if let Some(missing) = self.told_lately() {
                return Err(missing);
            }
            let found = by_systemd(unit, &instead, limit).await;
            if let Err(missing) = &found {
                *lock(&self.told) = Some((Instant::now(), missing.clone()));
            }
            found
        };
        let late = || format!("looking for it took longer than {}", Period(limit));
        timeout(limit, find).await.unwrap_or_else(|_| Err(Missing::Perhaps(late())))
    }

    /// Looks where looking is cheap.
    pub(crate) async fn find_cheaply(&self) -> Option<ProcessHandle> {
        timeout(PATIENCE, self.off_the_loop(look)).await.ok()?.ok()
    }

    /// Whom the pid-file names, if there is one and it can be believed.
    pub(crate) async fn named(&self, limit: Duration) -> Option<ProcessHandle> {
        let path = self.source.pid_file()?.to_owned();
        let named = self.off_the_loop(move |source| by_pid_file(&path, source.unit()));
        timeout(limit, named).await.ok()?.ok()
    }

    async fn off_the_loop<F>(&self, look: F) -> Result<ProcessHandle, Instead>
    where
        F: FnOnce(&ProcessSource) -> Result<ProcessHandle, Instead> + Send + 'static,
    {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let source = self.source.clone();
        let looked = spawn_blocking(move || {
            let _until_done = turn;
            look(&source)
        });
        looked.await.unwrap_or_else(|_| Err("looking for it was broken off".to_owned().into()))
    }

    fn told_lately(&self) -> Option<Missing> {
        let told = lock(&self.told);
        told.as_ref().filter(|(at, _)| at.elapsed() < PATIENCE).map(|(_, missing)| missing.clone())
    }
}

fn look(source: &ProcessSource) -> Result<ProcessHandle, Instead> {
    let file = source.pid_file().map(|path| by_pid_file(path, source.unit()));
    let instead = match file {
        Some(Ok(held)) => return Ok(held),
        Some(Err(instead)) => Some(instead),
        None => None,
    };
    let Some(unit) = source.unit() else { return Err(instead.unwrap_or_default()) };
    by_cgroup(unit).map_err(|why| match instead {
        Some(instead) => Instead { why: format!("{}; {why}", instead.why), ..instead },
        None => why.into(),
    })
}

/// Asks systemd, which is certain, unless what was found elsewhere contradicts it.
async fn by_systemd(unit: &str, instead: &Instead, limit: Duration) -> Result<ProcessHandle, Missing> {
    let perhaps = |why: String| Missing::Perhaps(format!("{}; {why}", instead.why));
    let told = systemd::ask(unit, limit).await.map_err(|ended| {
        perhaps(format!(
            "systemctl says nothing of {unit} ({ended}): is systemd running? Without it a `pid-file` tells the process"
        ))
    })?;
    let without = || format!("{unit} {}", told.without_process());
    if told.is_over() && !instead.other_alive {
        return Err(Missing::Surely(without()));
    }
    let Some(pid) = told.main_pid.and_then(|pid| i32::try_from(pid).ok()) else {
        return Err(perhaps(without()));
    };
    let not_it = |what: String| perhaps(format!("systemd says that the main process of {unit} is {what}"));
    let held = ProcessHandle::open(pid).map_err(|why| not_it(format!("process {pid}{why}")))?;
    // If the number had passed to a stranger since, that would be elsewhere. The cgroup also tells an alias.
    let membership = held.membership();
    if membership.is_of_unit(unit) || told.cgroup().is_some_and(|cgroup| membership.is_below(cgroup)) {
        return Ok(held);
    }
    Err(not_it(format!("{held}, which is in {}", membership.shown())))
}

/// The process that the file names, if it can be the one that wrote it.
///
/// # Errors
/// The sentence about what is there instead.
pub(crate) fn by_pid_file(path: &Path, unit: Option<&str>) -> Result<ProcessHandle, Instead> {
    let written = pid_file::read(path)?;
    let shown = path.display();
    let held = ProcessHandle::open(written.pid)
        .map_err(|why| format!("{shown} names process {}{why}", written.pid))?;
    match unit {
        Some(unit) if !held.membership().is_of_unit(unit) => {
            let cgroup = held.membership().shown();
            let why = format!("{shown} names {held}, which is not of {unit} but in {cgroup}");
            Err(Instead { why, other_alive: true })
        }
        None if !held.was_there_at(written.at) => {
            let why = "began only after that was written: it is stale, or the clock has been set";
            Err(format!("{shown} names {held}, which {why}").into())
        }
        _ => Ok(held),
    }
}

fn by_cgroup(unit: &str) -> Result<ProcessHandle, String> {
    let pids = cgroup::processes_of(unit, cgroup::ROOTS);
    match cgroup::eldest(&pids)[..] {
        [] => Err(format!("{unit} has no process in its cgroup")),
        [pid] => {
            let held = ProcessHandle::open(pid).map_err(|why| format!("{unit} has process {pid}{why}"))?;
            if held.membership().is_of_unit(unit) {
                return Ok(held);
            }
            Err(format!("{unit} had process {pid}, which has ended"))
        }
        ref several => {
            let several: Vec<_> = several.iter().map(ToString::to_string).collect();
            Err(format!("{unit} has more than one process that may be its main one: {}", several.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::PathBuf;
    use std::process::{Child, Command};
    use std::time::SystemTime;

    use super::*;

    struct Daemon(Child, PathBuf);

    impl Daemon {
        fn start(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("dnsherald-find-{}-{name}.pid", std::process::id()));
            let child = Command::new("sleep").arg("1000").spawn().unwrap();
            fs::write(&path, format!("{}\n", child.id())).unwrap();
            Self(child, path)
        }
    }

    impl Drop for Daemon {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
            let _ = fs::remove_file(&self.1);
        }
    }

    #[test]
    fn a_pid_file_is_believed_unless_it_is_older_than_whom_it_names() {
        let daemon = Daemon::start("stale");
        let held = by_pid_file(&daemon.1, None).unwrap();
        assert_eq!(u32::try_from(held.pid()), Ok(daemon.0.id()));
        let written_at =
            |at: SystemTime| File::options().write(true).open(&daemon.1).unwrap().set_modified(at).unwrap();
        let day = Duration::from_secs(86_400);
        // By a clock that has gone back since.
        written_at(SystemTime::now() + 3650 * day);
        assert!(by_pid_file(&daemon.1, None).is_ok());
        written_at(SystemTime::now() - day);
        let refusal = by_pid_file(&daemon.1, None).unwrap_err().why;
        assert!(refusal.contains("(sleep), which began only after"), "{refusal}");
    }

    #[test]
    fn a_pid_file_is_not_believed_about_a_process_of_another_unit() {
        let daemon = Daemon::start("foreign");
        let refusal = by_pid_file(&daemon.1, Some("unbound.service")).unwrap_err();
        assert!(refusal.why.contains("(sleep), which is not of unbound.service"), "{refusal:?}");
        assert!(refusal.other_alive);
    }

    #[test]
    fn one_that_has_ended_is_not_found() {
        let mut daemon = Daemon::start("ended");
        daemon.0.kill().unwrap();
        daemon.0.wait().unwrap();
        assert!(by_pid_file(&daemon.1, None).unwrap_err().why.ends_with(", which is gone"));
    }

    #[test]
    fn without_a_unit_nothing_is_ever_missing_for_sure() {
        let source = ProcessSource::new(Some("/nowhere/x.pid".into()), None).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let missing = runtime.block_on(Finder::new(source).find(Duration::from_secs(20)));
        assert_eq!(missing.unwrap_err(), Missing::Perhaps("/nowhere/x.pid does not exist".to_owned()));
    }
}
