//! Keeps the minute before a service went down on disk, so that it survives the helper.
//!
//! ```text
//!   Enter DOWN ──► excerpt of the flight recorder ──► writer thread ──► <state>/….incident-N.trace
//! ```
//!
//! The last [`KEPT`] files stay. At most one a minute is written: for the first service that goes down at once, for further
//! ones together once the minute is over. Thus a hundred services that go down together make two files at most. Before a
//! reload, which empties the recorder, and before the exit they do not wait.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::flight::Flight;
use super::store::disk::{DIRECTORY_MODE, FILE_MODE};
use crate::engine::action::Action;
use crate::engine::notice::Notice;
use crate::engine::service::ServiceState;
use crate::history::file::{History, Notes};
use crate::history::{Entry, Kind};
use crate::sys::files::{remove_leftovers, replace};
use crate::sys::handoff::{EXIT_WAIT, Handoff};
use crate::sys::trusted_path::make_for_own_files;
use crate::text::period::Period;
use crate::trace::flight::Excerpt;

/// Files that are kept.
const KEPT: usize = 10;

/// Between two files. An excerpt reaches back over at least this time, if its room is enough.
const PAUSE: Duration = Duration::from_secs(60);

/// Bytes of events that may wait for the disk; further excerpts are dropped.
const MAX_PENDING: usize = 4 << 20;

/// Numbers above are not ours.
const HIGHEST: u32 = 1_000_000_000;

/// A service that went down, and when.
#[derive(Clone, Debug)]
struct Fall {
    service: String,
    at: Instant,
}

impl Fall {
    /// What its record shows, in a sentence. A record that had to wait also shows what followed.
    fn record(&self) -> String {
        let (service, ago) = (&self.service, Duration::from_secs(self.at.elapsed().as_secs()));
        match ago {
            Duration::ZERO => format!("service {service} went down: the record of the minute before"),
            _ => format!(
                "service {service} went down {} ago: the record of the minutes around that",
                Period(ago)
            ),
        }
    }
}

/// An excerpt, and the fall that it shows.
type Incident = (Excerpt, Fall);

/// The incidents of the loop.
#[derive(Debug)]
pub(crate) struct Incidents {
    queue: Arc<Handoff<Incident>>,
    /// The first service that went down since the last file.
    pending: Option<Fall>,
    kept_at: Option<Instant>,
}

impl Incidents {
    /// Starts the writer of files beside this state file. It tells the history of each.
    pub(crate) fn start(state: &Path, history: &History) -> Self {
        let queue = Arc::new(Handoff::new(MAX_PENDING));
        let writer = Writer { state: state.to_owned(), history: history.notes(), is_failing: false };
        if let Err(error) = queue.start("incidents", |queue| writer.work(queue)) {
            log::warn!("cannot start the thread that keeps incidents: {error}; none are kept");
        }
        Self { queue, pending: None, kept_at: None }
    }

    /// Notes a service that went down. The end of a hold is no incident: the checks had failed before. Nor is the end of a
    /// drain: the service did not serve.
    fn note(&mut self, actions: &[Action]) {
        let was_ordered = |name: &String| {
            let is_over = |action: &Action| match action {
                Action::Log(Notice::HoldOver { service, .. }) => service == name,
                Action::Log(Notice::Service { service, from, .. }) => {
                    service == name && *from == ServiceState::Drained
                }
                _ => false,
            };
            actions.iter().any(is_over)
        };
        let down = actions.iter().find_map(|action| match action {
            Action::Enter { service, state, .. } if state == "DOWN" && !was_ordered(service) => Some(service),
            _ => None,
        });
        if let (None, Some(service)) = (&self.pending, down) {
            self.pending = Some(Fall { service: service.clone(), at: Instant::now() });
        }
    }

    /// The fall that is to be kept now.
    fn due(&mut self, now: Instant) -> Option<Fall> {
        if self.kept_at.is_some_and(|kept| now.saturating_duration_since(kept) < PAUSE) {
            return None;
        }
        let fall = self.pending.take()?;
        self.kept_at = Some(now);
        Some(fall)
    }

    /// Keeps an incident if these actions are one, or if one has waited long enough. Never blocks.
    pub(super) fn keep(&mut self, actions: &[Action], flight: Option<&Flight>) {
        self.note(actions);
        let (Some(flight), Some(_)) = (flight, &self.pending) else { return };
        if let Some(fall) = self.due(Instant::now())
            && let Some(excerpt) = flight.last_minute()
        {
            let size = excerpt.size();
            self.queue.offer((excerpt, fall), size);
        }
    }

    /// Keeps an incident that waits for its minute, before a reload empties the flight recorder or the helper exits.
    pub(super) fn keep_pending(&mut self, flight: Option<&Flight>) {
        if self.pending.is_some() {
            self.kept_at = None;
            self.keep(&[], flight);
            self.pending = None;
        }
    }
}

impl Drop for Incidents {
    /// Waits a moment for pending files to be written.
    fn drop(&mut self) {
        self.queue.close();
        self.queue.wait_idle(EXIT_WAIT);
    }
}

struct Writer {
    state: PathBuf,
    history: Notes,
    /// The last write failed, and that is logged.
    is_failing: bool,
}

impl Writer {
    fn work(mut self, queue: &Handoff<Incident>) {
        while let Some((excerpt, fall)) = queue.take() {
            let record = fall.record();
            match self.write(&excerpt.text()) {
                Ok(file) => {
                    self.is_failing = false;
                    let text = format!("{record} is written: dnsherald simulate --trace {}", file.display());
                    log::info!("{text}");
                    let entry = Entry::new(SystemTime::now(), Kind::Incident, Some(&fall.service), &text);
                    self.history.note(entry.as_ref());
                }
                Err(error) if !self.is_failing => {
                    self.is_failing = true;
                    log::warn!(
                        "{record} cannot be written beside {}: {error}; such files are missing until the cause is removed, all \
                         else goes on",
                        self.state.display()
                    );
                }
                Err(_) => {}
            }
        }
    }

    /// Writes the next file, and removes the oldest beyond those that are kept.
    fn write(&self, text: &str) -> io::Result<PathBuf> {
        if let Some(directory) = self.state.parent() {
            make_for_own_files(directory, DIRECTORY_MODE)?;
        }
        let draft = self.state.with_extension("incident");
        remove_leftovers(&draft);
        let mut numbers = numbers(&self.state);
        let number = numbers.last().map_or(1, |last| last + 1);
        let file = file(&self.state, number);
        let beside = draft.with_extension(format!("incident.{}.new", std::process::id()));
        replace(&file, beside, FILE_MODE, text.as_bytes())?;
        numbers.push(number);
        for old in numbers.iter().rev().skip(KEPT) {
            let _ = fs::remove_file(self::file(&self.state, *old));
        }
        Ok(file)
    }
}

/// The file of an incident.
fn file(state: &Path, number: u32) -> PathBuf {
    state.with_extension(format!("incident-{number}.trace"))
}

/// The numbers of the incidents beside a state file, in order. Numbers, not times: a clock that was wrong once would
/// keep the wrong files.
fn numbers(state: &Path) -> Vec<u32> {
    let Some((directory, stem)) = state.parent().zip(state.file_stem()) else { return vec![] };
    let prefix = format!("{}.incident-", stem.to_string_lossy());
    let names = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let numbers = names.filter_map(|name| {
        let number = name.to_str()?.strip_prefix(&prefix)?.strip_suffix(".trace")?.parse().ok()?;
        (number < HIGHEST).then_some(number)
    });
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::engine::notice::OrderEnd;
    use crate::history::file::read;

    const LONG: Duration = Duration::from_secs(20);

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("dnsherald-incidents-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn writer(state: &Path, history: &Path) -> Writer {
        let history = History::start(history.to_owned()).notes();
        Writer { state: state.to_owned(), history, is_failing: false }
    }

    fn enter(state: &str) -> Action {
        Action::Enter { service: "a".to_owned(), state: state.to_owned(), reason: String::new() }
    }

    #[test]
    fn the_last_ten_are_kept_whatever_else_is_there() {
        let folder = folder("ten");
        let state = folder.join("x.json");
        fs::create_dir(&folder).unwrap();
        let others = [
            "x.incident-.trace",
            "x.incident-4000000000.trace",
            "x.incident-a.trace",
            "y.incident-7.trace",
            "x.json",
        ];
        others.iter().for_each(|name| fs::write(folder.join(name), "other").unwrap());
        fs::write(folder.join(format!("x.incident.{}.new", u32::MAX)), "torn").unwrap();
        let writer = writer(&state, &folder.join("history"));
        for nth in 1..=13 {
            let file = writer.write(&format!("{nth}")).unwrap();
            assert_eq!(file, folder.join(format!("x.incident-{nth}.trace")));
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
        }
        assert_eq!(numbers(&state), (4..=13).collect::<Vec<_>>());
        assert_eq!(fs::read_to_string(file(&state, 13)).unwrap(), "13");
        assert!(others.iter().all(|name| fs::read_to_string(folder.join(name)).unwrap() == "other"));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), others.len() + KEPT, "no temporary file is left");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_used_costs_the_file_alone() {
        let folder = folder("failing");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("plain"), "").unwrap();
        let mut failing = writer(&folder.join("plain/x.json"), &folder.join("history"));
        assert!(failing.write("1").is_err());
        failing.state = folder.join("made/x.json");
        assert!(failing.write("1").is_ok());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_record_that_waited_says_how_long_ago_the_fall_was() {
        let fall = |ago| Fall { service: "a".to_owned(), at: Instant::now().checked_sub(ago).unwrap() };
        assert_eq!(fall(Duration::ZERO).record(), "service a went down: the record of the minute before");
        let late = fall(Duration::from_millis(58_000)).record();
        assert!(late.starts_with("service a went down 58s ago: ") || late.contains("59s"), "{late}");
        assert!(late.ends_with(": the record of the minutes around that"), "{late}");
    }

    #[test]
    fn the_end_of_a_hold_is_no_incident() {
        let folder = folder("hold");
        let history = History::start(folder.join("history"));
        let mut incidents = Incidents::start(&folder.join("x.json"), &history);
        let over = |service: &str| {
            let (holder, end) = ("alice".parse().unwrap(), OrderEnd::Expired);
            Action::Log(Notice::HoldOver { service: service.to_owned(), holder, end })
        };
        incidents.note(&[over("a"), enter("DOWN")]);
        assert!(incidents.pending.is_none());
        incidents.note(&[over("b"), enter("DOWN")]);
        assert!(incidents.pending.is_some());
        let _ = fs::remove_dir_all(folder);
    }

    #[test]
    fn the_end_of_a_drain_is_no_incident() {
        let folder = folder("drain");
        let history = History::start(folder.join("history"));
        let mut incidents = Incidents::start(&folder.join("x.json"), &history);
        let (why, to) = (String::new(), ServiceState::Down);
        let becomes = |from| {
            let (service, why, asks, kept) = ("a".to_owned(), why.clone(), vec![], vec![]);
            Action::Log(Notice::Service { service, from, to, why, asks, kept, planned: false })
        };
        incidents.note(&[enter("DOWN"), becomes(ServiceState::Drained)]);
        assert!(incidents.pending.is_none());
        incidents.note(&[enter("DOWN"), becomes(ServiceState::Up)]);
        assert!(incidents.pending.is_some());
        let _ = fs::remove_dir_all(folder);
    }

    #[test]
    fn at_most_one_a_minute_and_none_is_forgotten() {
        let folder = folder("paced");
        let history = History::start(folder.join("history"));
        let mut incidents = Incidents::start(&folder.join("x.json"), &history);
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        incidents.note(&[enter("UP"), enter("DEGRADED")]);
        assert!(incidents.due(at(0)).is_none());
        incidents.note(&[enter("DOWN")]);
        assert_eq!(incidents.due(at(0)).map(|fall| fall.service).as_deref(), Some("a"));
        incidents.note(&[enter("DOWN"), enter("UP")]);
        assert!(incidents.due(at(59)).is_none());
        assert_eq!(incidents.due(at(60)).map(|fall| fall.service).as_deref(), Some("a"));
        assert!(incidents.due(at(300)).is_none());
        assert!(incidents.queue.wait_idle(LONG));
        assert_eq!(read(&folder.join("history")).unwrap().entries, []);
        let _ = fs::remove_dir_all(folder);
    }
}
