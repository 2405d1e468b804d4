use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::*;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);
const SERVICE: ServiceId = ServiceId(3);

fn on_the_loop<T>(scene: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(scene)
}

fn directory(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("dnsherald-disable-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).unwrap();
    directory
}

fn real_files(scan_time: ScanTime) -> DisableFiles {
    DisableFiles::with_scanner(scan_time, Path::try_exists)
}

/// A file whose file system hangs: opening a pipe blocks until another process opens it.
fn hanging(directory: &Path, scan_time: ScanTime, present: bool) -> (DisableFiles, PathBuf) {
    let path = directory.join("off");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut files = DisableFiles::with_scanner(scan_time, |path| {
        fs::OpenOptions::new().write(true).open(path).map(|_| true)
    });
    files.add(SERVICE, "resolver", &path, present);
    (files, path)
}

/// Lets the file system answer once.
fn answers(pipe: &Path) {
    drop(fs::File::open(pipe).unwrap());
}

fn trouble(files: &DisableFiles) -> Trouble {
    files.files.values().next().unwrap().trouble
}

#[test]
fn reports_each_change_once_and_keeps_the_state_of_inaccessible_files() {
    let directory = directory("told");
    let mut files = real_files(ScanTime::EachTurn);
    files.add(SERVICE, "resolver", &directory.join("off"), false);
    on_the_loop(async {
        assert_eq!(files.scan_within(LONG).await, []);
        fs::write(directory.join("off"), "").unwrap();
        assert_eq!(files.scan_within(LONG).await, [Event::DisableFile(SERVICE, true)]);
        assert_eq!(files.scan_within(LONG).await, []);
        // A file instead of the directory: not even root can look into it.
        fs::remove_dir_all(&directory).unwrap();
        fs::write(&directory, "").unwrap();
        assert_eq!(files.scan_within(LONG).await, []);
        assert_eq!(trouble(&files), Trouble::Refused);
        fs::remove_file(&directory).unwrap();
        assert_eq!(files.scan_within(LONG).await, [Event::DisableFile(SERVICE, false)]);
        assert_eq!(trouble(&files), Trouble::None);
    });
}

#[test]
fn reports_a_shared_file_to_all_its_services() {
    let directory = directory("shared");
    let mut files = real_files(ScanTime::EachTurn);
    for service in 0..3 {
        files.add(ServiceId(service), "one of three", &directory.join("off"), service == 1);
    }
    fs::write(directory.join("off"), "").unwrap();
    let reported = on_the_loop(files.scan_within(LONG));
    let expected = [0, 1, 2].map(|service| Event::DisableFile(ServiceId(service), true));
    assert_eq!(reported, expected, "the second was only remembered");
    assert_eq!(on_the_loop(files.scan_within(LONG)), []);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn waits_once_for_a_hanging_file_system_and_keeps_the_state() {
    let directory = directory("hangs");
    let (mut files, pipe) = hanging(&directory, ScanTime::EachTurn, false);
    on_the_loop(async {
        assert_eq!(files.scan_within(SHORT).await, []);
        assert_eq!(trouble(&files), Trouble::Silent);
        let scan_started = files.files[&*pipe].scan_started;
        // Waiting for it would hang the test here.
        assert_eq!(files.scan_within(Duration::MAX / 2).await, []);
        files.start_scan();
        assert_eq!(files.files[&*pipe].scan_started, scan_started, "one scan at a time");
        answers(&pipe);
        assert_eq!(files.next().await, Event::DisableFile(SERVICE, true));
        assert_eq!(trouble(&files), Trouble::None);
    });
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn scans_other_files_while_one_hangs() {
    let directory = directory("others");
    let (mut files, pipe) = hanging(&directory, ScanTime::EachTurn, false);
    fs::write(directory.join("on"), "").unwrap();
    files.add(ServiceId(0), "other", &directory.join("on"), false);
    let reported = on_the_loop(files.scan_within(SHORT.max(AT_START)));
    assert_eq!(reported, [Event::DisableFile(ServiceId(0), true)]);
    answers(&pipe);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn reports_a_late_result_before_the_next_round() {
    let directory = directory("rounds");
    let (mut files, pipe) = hanging(&directory, ScanTime::BeforeRounds, false);
    on_the_loop(async {
        assert_eq!(files.scan_within(SHORT).await, []);
        answers(&pipe);
        while !files.scanners.has_result() {
            assert!(tokio::time::timeout(Duration::from_millis(1), files.next()).await.is_err());
        }
        // The next scan hangs again, but the result of the last one is reported.
        assert_eq!(files.scan_within(SHORT).await, [Event::DisableFile(SERVICE, true)]);
    });
    answers(&pipe);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_running_scan_continues_after_a_reload() {
    let directory = directory("reload");
    let (mut files, pipe) = hanging(&directory, ScanTime::EachTurn, false);
    on_the_loop(async {
        assert_eq!(files.scan_within(SHORT).await, []);
        let mut next = DisableFiles::with_scanner(ScanTime::EachTurn, |_| panic!("a second scan"));
        next.add(ServiceId(7), "resolver", &pipe, false);
        next.continue_after(files);
        next.start_scan();
        answers(&pipe);
        assert_eq!(next.next().await, Event::DisableFile(ServiceId(7), true));
    });
    fs::remove_dir_all(directory).unwrap();
}

/// Takes 700 ms, like a remote share.
fn exists_slowly(path: &Path) -> io::Result<bool> {
    std::thread::sleep(AT_ROUND + Duration::from_millis(200));
    path.try_exists()
}

#[test]
fn waits_once_for_a_slow_file_and_applies_it_a_round_later() {
    let directory = directory("slow");
    let mut files = DisableFiles::with_scanner(ScanTime::BeforeRounds, exists_slowly);
    files.add(SERVICE, "resolver", &directory.join("off"), false);
    on_the_loop(async {
        assert_eq!(files.scan_within(AT_ROUND).await, []);
        assert_eq!(trouble(&files), Trouble::Silent);
        fs::write(directory.join("off"), "").unwrap();
        let mut reported = vec![];
        while reported.is_empty() {
            reported = files.scan_within(Duration::MAX / 2).await;
            assert_eq!(trouble(&files), Trouble::Silent, "still late");
            assert!(files.files.values().all(|file| file.scan_started.is_some()), "not waited for");
            tokio::time::sleep(SHORT).await;
        }
        assert_eq!(reported, [Event::DisableFile(SERVICE, true)]);
    });
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn waits_again_for_a_file_that_is_fast_again() {
    let directory = directory("again");
    let (mut files, pipe) = hanging(&directory, ScanTime::BeforeRounds, false);
    on_the_loop(async {
        assert_eq!(files.scan_within(SHORT).await, []);
        assert_eq!(trouble(&files), Trouble::Silent);
        let path = Arc::clone(files.files.keys().next().unwrap());
        let scan_started = files.files[&path].scan_started.unwrap();
        let result = |at| ScanResult { path: Arc::clone(&path), found: Ok(false), at };
        files.apply(&result(scan_started + AT_ROUND * 2));
        assert_eq!(trouble(&files), Trouble::Silent);
        files.files.get_mut(&path).unwrap().scan_started = Some(scan_started);
        files.apply(&result(scan_started + AT_ROUND / 2));
        assert_eq!(trouble(&files), Trouble::None);
    });
    answers(&pipe);
    fs::remove_dir_all(directory).unwrap();
}

/// The threads that have scanned.
static SCANNERS: std::sync::Mutex<Vec<std::thread::ThreadId>> = std::sync::Mutex::new(vec![]);

#[test]
fn few_threads_scan_a_thousand_files() {
    let mut files = DisableFiles::with_scanner(ScanTime::EachTurn, |_| {
        SCANNERS.lock().unwrap().push(std::thread::current().id());
        Ok(true)
    });
    for service in 0..1000 {
        files.add(ServiceId(service), "one of many", Path::new(&format!("/nowhere/{service}")), false);
    }
    assert_eq!(on_the_loop(files.scan_within(LONG)).len(), 1000);
    let mut scanners = SCANNERS.lock().unwrap().clone();
    assert_eq!(scanners.len(), 1000);
    scanners.sort_by_key(|looker| format!("{looker:?}"));
    scanners.dedup();
    assert!(scanners.len() < 100, "{} threads", scanners.len());
}

#[test]
fn scans_files_behind_many_hanging_ones() {
    let directory = directory("behind");
    let (mut files, _) = hanging(&directory, ScanTime::EachTurn, false);
    let pipes: Vec<_> = (0..30).map(|number| directory.join(format!("hangs-{number}"))).collect();
    assert!(Command::new("mkfifo").args(&pipes).status().unwrap().success());
    for pipe in &pipes {
        files.add(ServiceId(0), "hangs", pipe, false);
    }
    fs::write(directory.join("on"), "").unwrap();
    files.add(ServiceId(1), "other", &directory.join("on"), false);
    let first = on_the_loop(async {
        files.start_scan();
        files.next().await
    });
    assert_eq!(first, Event::DisableFile(ServiceId(1), true));
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_missing_thread_is_an_error() {
    let mut files = real_files(ScanTime::EachTurn);
    files.add(SERVICE, "resolver", Path::new("/nowhere/off"), true);
    let path = Arc::clone(files.files.keys().next().unwrap());
    let found = Err(ScanError::NoThread(io::ErrorKind::WouldBlock.into()));
    files.apply(&ScanResult { path, found, at: Instant::now() });
    assert_eq!(trouble(&files), Trouble::Refused);
    assert!(files.events.is_empty());
}

#[test]
fn a_missing_configuration_file_keeps_the_drain() {
    let directory = directory("configuration");
    let path = directory.join("dnsherald.toml");
    let mut files = real_files(ScanTime::EachTurn);
    files.add(SERVICE, "resolver", &path, false);
    files.files.get_mut(&*path).unwrap().is_configuration = true;
    on_the_loop(async {
        assert_eq!(files.scan_within(LONG).await, []);
        fs::write(&path, "").unwrap();
        assert_eq!(files.scan_within(LONG).await, [Event::DisableFile(SERVICE, true)]);
        fs::remove_file(&path).unwrap();
        assert_eq!(files.scan_within(LONG).await, []);
    });
    fs::remove_dir_all(directory).unwrap();
}
