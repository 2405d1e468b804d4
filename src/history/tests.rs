use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::file::{History, read};
use super::*;

fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("dnsherald-history-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    path
}

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_745_071 + second)
}

fn entry(second: u64, text: &str) -> Option<Entry> {
    Entry::new(at(second), Kind::Transition, Some("resolver"), text)
}

/// Hands these over and waits until they are on the disk, for at most 20 seconds.
fn written(path: &Path, entries: impl Iterator<Item = Option<Entry>>) {
    let history = History::start(path.to_owned());
    for entry in entries {
        history.note(entry.as_ref());
        assert!(history.wait_written(Duration::from_secs(20)));
    }
}

#[test]
fn entries_survive_restarts() {
    let path = directory("restart").join("a.history");
    written(&path, [entry(0, "starting -> up")].into_iter());
    written(&path, [entry(1, "up -> down: \u{202e}\n no answer")].into_iter());
    let log = read(&path).unwrap();
    let texts: Vec<_> = log.entries.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts, ["starting -> up", "up -> down: \u{202e}\n no answer"]);
    assert_eq!(log.remarks(at(2)), [""; 0]);
    assert_eq!(log.select(Some("resolver"), Some(at(1)), None).count(), 1);
    assert_eq!(log.select(Some("resolver"), None, Some(at(1))).count(), 1);
    assert_eq!(log.select(Some("resolver"), Some(at(0)), Some(at(2))).count(), 2);
    assert_eq!(log.select(Some("other"), None, None).count(), 0);
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn the_file_is_bounded_and_keeps_the_newest() {
    let path = directory("bounded").join("a.history");
    let long = "x".repeat(900);
    written(&path, (0..1200).map(|second| entry(second, &format!("{second} {long}"))));
    let log = read(&path).unwrap();
    assert!(fs::metadata(&path).unwrap().len() <= MAX_SIZE as u64);
    assert!(log.entries.len() <= MAX_ENTRIES && log.entries.len() > 100, "{}", log.entries.len());
    assert!(log.entries.last().unwrap().text.starts_with("1199 "));
    assert_eq!(log.remarks(at(2000)), [""; 0]);
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn torn_lines_other_versions_and_times_ahead_are_named_and_hide_nothing() {
    let path = directory("torn").join("a.history");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let future = entry(1_000_000, "ahead").unwrap().line();
    let text = format!("{{\"v\":9,\"new\":true}}\n\u{0}garbage\n{future}{{\"v\":1,\"at\":\"2026-");
    fs::write(&path, text).unwrap();
    written(&path, [entry(0, "after a crash")].into_iter());
    let log = read(&path).unwrap();
    assert_eq!(log.entries.last().unwrap().text, "after a crash");
    assert_eq!(
        log.remarks(at(1)),
        [
            "left out as incomplete or damaged: 2 lines",
            "left out as of another version: 1 line",
            "in the future: 1 line; the clock of this host is or was wrong"
        ]
    );
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn a_place_that_cannot_be_written_costs_the_history_and_nothing_else() {
    let path = directory("blocked").join("a.history");
    fs::create_dir_all(&path).unwrap();
    written(&path, (0..3).map(|second| entry(second, "lost")));
    fs::remove_dir(&path).unwrap();
    written(&path, [entry(4, "kept")].into_iter());
    assert_eq!(read(&path).unwrap().entries.len(), 1);
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
