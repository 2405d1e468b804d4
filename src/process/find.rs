//! Finds the main process: in the pid-file, else in the cgroup of its unit, else by asking systemd.
//!
//! The first two only read a few files, and prove nothing if they find no process: after a crash an old pid-file
//! remains, and a starting server has not written it yet. systemd takes longer to answer. It is certain only of a loaded
//! unit that is inactive or failed, unless the pid-file contradicts it.
//!
//! The cgroup also has the processes of `ExecStartPre=` and of the other commands around the server. Therefore systemd is
//! asked about a process found there until it names it the main one, at most once in [`REJECTED_FOR`]. If it does not answer,
//! the process counts, and the next search asks again.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::handle::ProcessHandle;
use super::{Missing, ProcessSource, cgroup, pid_file};
use crate::sys::lock;
use crate::systemd;
use crate::text::joined;
use crate::text::period::Period;

/// The time for which a [`Finder`] does not ask systemd again where the process is, after an answer without one. Also the limit of a
/// cheap search.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// The time for which a process that is not the main one is not asked about again. A forking server becomes the main
/// process after its start.
const REJECTED_FOR: Duration = Duration::from_millis(100);

/// Limit of the question whether a process is the main one.
const CONFIRM_LIMIT: Duration = Duration::from_millis(500);

/// The reason why the process was not found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct NotFound {
    why: String,
    /// The pid-file names a running process outside the unit: perhaps the server, started by other means.
    other_alive: bool,
}

impl From<String> for NotFound {
    fn from(why: String) -> Self {
        Self { why, other_alive: false }
    }
}

/// Searches for one process. Keep it for a process that is searched again and again.
#[derive(Debug)]
pub(crate) struct Finder {
    source: ProcessSource,
    /// Held by the search that reads files: a disk that hangs keeps one thread, not one more with every probe.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// The last answer of systemd without a process, and its time.
    last_missing: Mutex<Option<(Instant, Missing)>>,
    /// The last process of the cgroup that systemd was asked about, by its number.
    last_judged: Mutex<Option<(i32, Judgement)>>,
}

/// Whether a process of the cgroup of a unit is its main one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Judgement {
    IsMain,
    /// By an answer of this time.
    IsNotMain(Instant),
}

/// A process, and whether a fact shows that it is the main one.
enum Candidate {
    Named(ProcessHandle),
    InCgroup(ProcessHandle),
}

impl Finder {
    /// Has not searched yet.
    pub(crate) fn new(source: ProcessSource) -> Self {
        Self { source, turn: Arc::default(), last_missing: Mutex::default(), last_judged: Mutex::default() }
    }

    /// Where it searches.
    pub(crate) const fn source(&self) -> &ProcessSource {
        &self.source
    }

    /// Searches everywhere, for at most `limit`.
    ///
    /// # Errors
    /// Why no process was found, and how certain that is.
    pub(crate) async fn find(&self, limit: Duration) -> Result<ProcessHandle, Missing> {
        let find = async {
            let instead = match self.search_files(limit).await {
                Ok(process) => return Ok(process),
                Err(why) => why,
            };
            let Some(unit) = self.source.unit() else { return Err(Missing::Perhaps(instead.why)) };
            if let Some(missing) = self.lately_missing() {
                return Err(missing);
            }
            let found = by_systemd(unit, &instead, limit).await;
            if let Err(missing) = &found {
                *lock(&self.last_missing) = Some((Instant::now(), missing.clone()));
            }
            found
        };
        let late = || format!("the search for it took longer than {}", Period(limit));
        timeout(limit, find).await.unwrap_or_else(|_| Err(Missing::Perhaps(late())))
    }

    /// Searches without asking systemd where the process is.
    pub(crate) async fn find_cheaply(&self) -> Option<ProcessHandle> {
        timeout(ASK_INTERVAL, self.search_files(ASK_INTERVAL)).await.ok()?.ok()
    }

    /// Searches the pid-file and the cgroup. Asks systemd, for at most half of `limit`, about a process that only the cgroup
    /// shows.
    async fn search_files(&self, limit: Duration) -> Result<ProcessHandle, NotFound> {
        let process = match self.on_a_thread(look).await? {
            Candidate::Named(process) => return Ok(process),
            Candidate::InCgroup(process) => process,
        };
        let Some(unit) = self.source.unit() else { return Ok(process) };
        let judged = *lock(&self.last_judged);
        let judgement = match judged.filter(|(pid, _)| *pid == process.pid) {
            Some((_, Judgement::IsMain)) => return Ok(process),
            Some((_, known @ Judgement::IsNotMain(at))) if at.elapsed() < REJECTED_FOR => known,
            _ => match systemd::ask(unit, CONFIRM_LIMIT.min(limit / 2)).await {
                Ok(shown) => judge(process.pid, &shown),
                Err(_) => return Ok(process),
            },
        };
        process.update_name();
        *lock(&self.last_judged) = Some((process.pid, judgement));
        match judgement {
            Judgement::IsMain => Ok(process),
            Judgement::IsNotMain(_) => {
                Err(format!("{unit} has {process}, which is not its main process").into())
            }
        }
    }

    /// The process that the pid-file names, if that is believable.
    pub(crate) async fn named(&self, limit: Duration) -> Option<ProcessHandle> {
        let path = self.source.pid_file()?.to_owned();
        let named = self.on_a_thread(move |source| by_pid_file(&path, source.unit()));
        timeout(limit, named).await.ok()?.ok()
    }

    async fn on_a_thread<T, F>(&self, look: F) -> Result<T, NotFound>
    where
        T: Send + 'static,
        F: FnOnce(&ProcessSource) -> Result<T, NotFound> + Send + 'static,
    {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let source = self.source.clone();
        let looked = spawn_blocking(move || {
            let _until_done = turn;
            look(&source)
        });
        looked.await.unwrap_or_else(|_| Err("the search for it was interrupted".to_owned().into()))
    }

    fn lately_missing(&self) -> Option<Missing> {
        let last = lock(&self.last_missing);
        last.as_ref().filter(|(at, _)| at.elapsed() < ASK_INTERVAL).map(|(_, missing)| missing.clone())
    }
}

/// Whether the process of this number, in the cgroup of this unit, is its main one. A unit that starts or stops may have none,
/// and one that runs may have one that systemd does not know.
fn judge(pid: i32, unit: &systemd::Unit) -> Judgement {
    let is_main = match unit.main_pid {
        Some(main) => i32::try_from(main) == Ok(pid),
        None => !matches!(unit.active_state.as_str(), "activating" | "deactivating"),
    };
    if is_main { Judgement::IsMain } else { Judgement::IsNotMain(Instant::now()) }
}

fn look(source: &ProcessSource) -> Result<Candidate, NotFound> {
    let file = source.pid_file().map(|path| by_pid_file(path, source.unit()));
    let instead = match file {
        Some(Ok(process)) => return Ok(Candidate::Named(process)),
        Some(Err(instead)) => Some(instead),
        None => None,
    };
    let Some(unit) = source.unit() else { return Err(instead.unwrap_or_default()) };
    by_cgroup(unit).map(Candidate::InCgroup).map_err(|why| match instead {
        Some(instead) => NotFound { why: format!("{}; {why}", instead.why), ..instead },
        None => why.into(),
    })
}

/// Asks systemd. Only a loaded unit that is inactive or failed is certainly without a process, see
/// [`systemd::Unit::is_certainly_down`], and only if the pid-file does not contradict it.
async fn by_systemd(unit: &str, instead: &NotFound, limit: Duration) -> Result<ProcessHandle, Missing> {
    let perhaps = |why: String| Missing::Perhaps(format!("{}; {why}", instead.why));
    let shown = systemd::ask(unit, limit).await.map_err(|ended| {
        perhaps(format!(
            "systemctl does not answer for {unit} ({ended}): is systemd running? Without systemd, set `pid-file`"
        ))
    })?;
    let without = || format!("{unit} {}", shown.without_process());
    if shown.is_certainly_down() && !instead.other_alive {
        return Err(Missing::Surely(without()));
    }
    let Some(pid) = shown.main_pid.and_then(|pid| i32::try_from(pid).ok()) else {
        return Err(perhaps(without()));
    };
    let not_it = |what: String| perhaps(format!("systemd says that the main process of {unit} is {what}"));
    let process = ProcessHandle::open(pid).map_err(|why| not_it(format!("process {pid}{why}")))?;
    // Another process of that number would be in another cgroup. The cgroup also proves an alias of the unit.
    let membership = &process.membership;
    if membership.is_of_unit(unit) || shown.cgroup().is_some_and(|cgroup| membership.is_below(cgroup)) {
        return Ok(process);
    }
    Err(not_it(format!("{process}, which is in {}", membership.shown())))
}

/// The process that the file names, if it can be the one that wrote the file.
///
/// # Errors
/// Returns a sentence with the reason if there is none.
pub(crate) fn by_pid_file(path: &Path, unit: Option<&str>) -> Result<ProcessHandle, NotFound> {
    let written = pid_file::read(path)?;
    let shown = path.display();
    let process = ProcessHandle::open(written.pid)
        .map_err(|why| format!("{shown} names process {}{why}", written.pid))?;
    match unit {
        Some(unit) if !process.membership.is_of_unit(unit) => {
            let cgroup = process.membership.shown();
            let why = format!("{shown} names {process}, which is not of {unit} but in {cgroup}");
            Err(NotFound { why, other_alive: true })
        }
        None if !process.was_there_at(written.at) => {
            let why = "began only after that was written: it is stale, or the clock has been set";
            Err(format!("{shown} names {process}, which {why}").into())
        }
        _ => Ok(process),
    }
}

fn by_cgroup(unit: &str) -> Result<ProcessHandle, String> {
    let pids = cgroup::processes_of(unit, cgroup::ROOTS);
    match cgroup::eldest(&pids)[..] {
        [] => Err(format!("{unit} has no process in its cgroup")),
        [pid] => {
            let process = ProcessHandle::open(pid).map_err(|why| format!("{unit} has process {pid}{why}"))?;
            if process.membership.is_of_unit(unit) {
                return Ok(process);
            }
            Err(format!("{unit} had process {pid}, which has ended"))
        }
        ref several => {
            let several = joined(several, ", ");
            Err(format!("{unit} has more than one process that may be its main one: {several}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::PathBuf;
    use std::time::SystemTime;

    use super::*;
    use crate::test_support::SleepProcess;

    struct Daemon(SleepProcess, PathBuf);

    impl Daemon {
        fn start(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("dnsherald-find-{}-{name}.pid", std::process::id()));
            let child = SleepProcess::start();
            fs::write(&path, format!("{}\n", child.pid())).unwrap();
            Self(child, path)
        }
    }

    impl Drop for Daemon {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.1);
        }
    }

    #[test]
    fn a_pid_file_is_believed_unless_it_is_older_than_its_process() {
        let daemon = Daemon::start("stale");
        let process = by_pid_file(&daemon.1, None).unwrap();
        assert_eq!(process.pid, daemon.0.pid());
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
    fn a_process_that_has_exited_is_not_found() {
        let mut daemon = Daemon::start("ended");
        daemon.0.kill();
        daemon.0.reap();
        assert!(by_pid_file(&daemon.1, None).unwrap_err().why.ends_with(", which is gone"));
    }

    #[test]
    fn a_process_of_a_unit_that_starts_or_stops_may_be_one_of_its_commands() {
        let is_main = |active: &str, main_pid| {
            let unit = systemd::Unit { active_state: active.to_owned(), main_pid, ..Default::default() };
            judge(812, &unit) == Judgement::IsMain
        };
        for state in ["activating", "active", "deactivating"] {
            assert!(is_main(state, Some(812)) && !is_main(state, Some(811)), "{state}");
        }
        assert!(is_main("active", None), "systemd does not know the main process of each unit");
        assert!(!is_main("activating", None), "ExecStartPre=");
        assert!(!is_main("deactivating", None), "ExecStopPost=");
    }

    #[test]
    fn without_a_unit_a_process_is_never_certainly_missing() {
        let source = ProcessSource::new(Some("/nowhere/x.pid".into()), None).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let missing = runtime.block_on(Finder::new(source).find(Duration::from_secs(20)));
        assert_eq!(missing.unwrap_err(), Missing::Perhaps("/nowhere/x.pid does not exist".to_owned()));
    }
}
