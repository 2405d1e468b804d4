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

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("dnsherald-disable-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    folder
}

fn really(look: Look) -> DisableFiles {
    DisableFiles::new(look, Path::try_exists)
}

/// A file whose file system hangs: opening a pipe takes until somebody else opens it, too.
fn hanging(folder: &Path, look: Look, present: bool) -> (DisableFiles, PathBuf) {
    let path = folder.join("off");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut files =
        DisableFiles::new(look, |path| fs::OpenOptions::new().write(true).open(path).map(|_| true));
    files.add(SERVICE, "resolver", &path, present);
    (files, path)
}

/// It answers once.
fn answers(pipe: &Path) {
    drop(fs::File::open(pipe).unwrap());
}

fn trouble(files: &DisableFiles) -> Trouble {
    files.files.values().next().unwrap().trouble
}

#[test]
fn what_appears_and_goes_is_told_once_and_what_cannot_be_looked_for_stays() {
    let folder = folder("told");
    let mut files = really(Look::EachTurn);
    files.add(SERVICE, "resolver", &folder.join("off"), false);
    on_the_loop(async {
        assert_eq!(files.look_within(LONG).await, []);
        fs::write(folder.join("off"), "").unwrap();
        assert_eq!(files.look_within(LONG).await, [Event::DisableFile(SERVICE, true)]);
        assert_eq!(files.look_within(LONG).await, []);
        // A file in the place of the directory: nobody, not even root, can look into it.
        fs::remove_dir_all(&folder).unwrap();
        fs::write(&folder, "").unwrap();
        assert_eq!(files.look_within(LONG).await, []);
        assert_eq!(trouble(&files), Trouble::Refused);
        fs::remove_file(&folder).unwrap();
        assert_eq!(files.look_within(LONG).await, [Event::DisableFile(SERVICE, false)]);
        assert_eq!(trouble(&files), Trouble::None);
    });
}

#[test]
fn all_services_that_share_a_file_are_told() {
    let folder = folder("shared");
    let mut files = really(Look::EachTurn);
    for service in 0..3 {
        files.add(ServiceId(service), "one of three", &folder.join("off"), service == 1);
    }
    fs::write(folder.join("off"), "").unwrap();
    let told = on_the_loop(files.look_within(LONG));
    let expected = [0, 1, 2].map(|service| Event::DisableFile(ServiceId(service), true));
    assert_eq!(told, expected, "the second was only remembered");
    assert_eq!(on_the_loop(files.look_within(LONG)), []);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_system_that_hangs_is_waited_for_once_and_changes_nothing_until_it_answers() {
    let folder = folder("hangs");
    let (mut files, pipe) = hanging(&folder, Look::EachTurn, false);
    on_the_loop(async {
        assert_eq!(files.look_within(SHORT).await, []);
        assert_eq!(trouble(&files), Trouble::Silent);
        let asked = files.files[&*pipe].asked;
        // Were it waited for, the test would hang here.
        assert_eq!(files.look_within(Duration::MAX / 2).await, []);
        files.begin();
        assert_eq!(files.files[&*pipe].asked, asked, "one look at a time");
        answers(&pipe);
        assert_eq!(files.next().await, Event::DisableFile(SERVICE, true));
        assert_eq!(trouble(&files), Trouble::None);
    });
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn others_are_looked_for_while_one_hangs() {
    let folder = folder("others");
    let (mut files, pipe) = hanging(&folder, Look::EachTurn, false);
    fs::write(folder.join("on"), "").unwrap();
    files.add(ServiceId(0), "other", &folder.join("on"), false);
    let told = on_the_loop(files.look_within(SHORT.max(AT_START)));
    assert_eq!(told, [Event::DisableFile(ServiceId(0), true)]);
    answers(&pipe);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_comes_late_is_told_before_the_next_round_where_one_looks_then() {
    let folder = folder("rounds");
    let (mut files, pipe) = hanging(&folder, Look::BeforeRounds, false);
    on_the_loop(async {
        assert_eq!(files.look_within(SHORT).await, []);
        answers(&pipe);
        while !files.lookers.has_found() {
            assert!(tokio::time::timeout(Duration::from_millis(1), files.next()).await.is_err());
        }
        // The next look hangs again, and what the last has found is told all the same.
        assert_eq!(files.look_within(SHORT).await, [Event::DisableFile(SERVICE, true)]);
    });
    answers(&pipe);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn after_a_reload_a_look_that_is_under_way_goes_on() {
    let folder = folder("reload");
    let (mut files, pipe) = hanging(&folder, Look::EachTurn, false);
    on_the_loop(async {
        assert_eq!(files.look_within(SHORT).await, []);
        let mut next = DisableFiles::new(Look::EachTurn, |_| panic!("a second look"));
        next.add(ServiceId(7), "resolver", &pipe, false);
        next.continue_after(files);
        next.begin();
        answers(&pipe);
        assert_eq!(next.next().await, Event::DisableFile(ServiceId(7), true));
    });
    fs::remove_dir_all(folder).unwrap();
}

/// 700 ms, as a share does that is far away.
fn slowly(path: &Path) -> io::Result<bool> {
    std::thread::sleep(AT_ROUND + Duration::from_millis(200));
    path.try_exists()
}

#[test]
fn a_file_that_is_slow_but_does_not_hang_is_waited_for_once_and_counts_a_round_later() {
    let folder = folder("slow");
    let mut files = DisableFiles::new(Look::BeforeRounds, slowly);
    files.add(SERVICE, "resolver", &folder.join("off"), false);
    on_the_loop(async {
        assert_eq!(files.look_within(AT_ROUND).await, []);
        assert_eq!(trouble(&files), Trouble::Silent);
        fs::write(folder.join("off"), "").unwrap();
        let mut told = vec![];
        while told.is_empty() {
            told = files.look_within(Duration::MAX / 2).await;
            assert_eq!(trouble(&files), Trouble::Silent, "neither answers again nor does not");
            assert!(files.files.values().all(|file| file.asked.is_some()), "not waited for");
            tokio::time::sleep(SHORT).await;
        }
        assert_eq!(told, [Event::DisableFile(SERVICE, true)]);
    });
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn one_that_is_in_time_again_is_waited_for_again() {
    let folder = folder("again");
    let (mut files, pipe) = hanging(&folder, Look::BeforeRounds, false);
    on_the_loop(async {
        assert_eq!(files.look_within(SHORT).await, []);
        assert_eq!(trouble(&files), Trouble::Silent);
        let path = Arc::clone(files.files.keys().next().unwrap());
        let asked = files.files[&path].asked.unwrap();
        let finding = |at| Finding { path: Arc::clone(&path), found: Ok(false), at };
        files.take(&finding(asked + AT_ROUND * 2));
        assert_eq!(trouble(&files), Trouble::Silent);
        files.files.get_mut(&path).unwrap().asked = Some(asked);
        files.take(&finding(asked + AT_ROUND / 2));
        assert_eq!(trouble(&files), Trouble::None);
    });
    answers(&pipe);
    fs::remove_dir_all(folder).unwrap();
}

/// Names of those that have looked.
static LOOKERS: std::sync::Mutex<Vec<std::thread::ThreadId>> = std::sync::Mutex::new(vec![]);

#[test]
fn a_thousand_files_are_looked_for_by_few_threads() {
    let mut files = DisableFiles::new(Look::EachTurn, |_| {
        LOOKERS.lock().unwrap().push(std::thread::current().id());
        Ok(true)
    });
    for service in 0..1000 {
        files.add(ServiceId(service), "one of many", Path::new(&format!("/nowhere/{service}")), false);
    }
    assert_eq!(on_the_loop(files.look_within(LONG)).len(), 1000);
    let mut lookers = LOOKERS.lock().unwrap().clone();
    assert_eq!(lookers.len(), 1000);
    lookers.sort_by_key(|looker| format!("{looker:?}"));
    lookers.dedup();
    assert!(lookers.len() < 100, "{} threads", lookers.len());
}

#[test]
fn behind_many_that_hang_the_others_are_looked_for() {
    let folder = folder("behind");
    let (mut files, _) = hanging(&folder, Look::EachTurn, false);
    let pipes: Vec<_> = (0..30).map(|number| folder.join(format!("hangs-{number}"))).collect();
    assert!(Command::new("mkfifo").args(&pipes).status().unwrap().success());
    for pipe in &pipes {
        files.add(ServiceId(0), "hangs", pipe, false);
    }
    fs::write(folder.join("on"), "").unwrap();
    files.add(ServiceId(1), "other", &folder.join("on"), false);
    let first = on_the_loop(async {
        files.begin();
        files.next().await
    });
    assert_eq!(first, Event::DisableFile(ServiceId(1), true));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn that_nobody_can_look_is_complained_of_once() {
    let mut files = really(Look::EachTurn);
    files.add(SERVICE, "resolver", Path::new("/nowhere/off"), true);
    let path = Arc::clone(files.files.keys().next().unwrap());
    let found = Err(Unseen::NoThread(io::ErrorKind::WouldBlock.into()));
    files.take(&Finding { path, found, at: Instant::now() });
    assert_eq!(trouble(&files), Trouble::Refused);
    assert!(files.events.is_empty());
}

#[test]
fn a_configuration_file_that_vanishes_ends_no_drain() {
    let folder = folder("configuration");
    let path = folder.join("dnsherald.toml");
    let mut files = really(Look::EachTurn);
    files.add(SERVICE, "resolver", &path, false);
    files.files.get_mut(&*path).unwrap().is_configuration = true;
    on_the_loop(async {
        assert_eq!(files.look_within(LONG).await, []);
        fs::write(&path, "").unwrap();
        assert_eq!(files.look_within(LONG).await, [Event::DisableFile(SERVICE, true)]);
        fs::remove_file(&path).unwrap();
        assert_eq!(files.look_within(LONG).await, []);
    });
    fs::remove_dir_all(folder).unwrap();
}
