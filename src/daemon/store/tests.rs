use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Instant;

use super::disk::{DIRECTORY_MODE, keep_previous};
use super::*;
use crate::engine::order::{Holder, RememberedOrder};
use crate::engine::service::ServiceState;

fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("dnsherald-store-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn memory() -> Memory {
    let remembered = Remembered { penalty: 1234.5, suppressed: true, ..Remembered::default() };
    Memory { services: BTreeMap::from([("resolver".to_owned(), remembered)]) }
}

/// Saves and waits until written.
fn saved(store: &mut Store, memory: &Memory) {
    store.save(memory);
    assert_eq!(store.unwritten_after(Duration::from_secs(20)), None);
}

/// Saves, and the write fails.
fn fails_to_save(store: &mut Store, memory: &Memory) {
    store.save(memory);
    let why = store.unwritten_after(Duration::from_secs(20));
    assert!(why.as_ref().is_some_and(|why| why.starts_with("cannot write the state to ")), "{why:?}");
}

#[test]
fn loads_saved_state() {
    let directory = directory("roundtrip");
    let mut store = Store::new(&directory.join("new/deep"), Path::new("resolver.toml"));
    saved(&mut store, &memory());
    let (loaded, age) = store.load();
    assert_eq!(loaded, memory());
    assert!(age < Duration::from_secs(60));
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn ignores_incomplete_and_foreign_files() {
    let directory = directory("torn");
    let mut store = Store::new(&directory, Path::new("resolver.toml"));
    saved(&mut store, &memory());
    let whole = fs::read_to_string(&store.file).unwrap();
    for torn in [
        "",
        "{",
        &whole[..whole.len() / 2],
        &whole.replace("state 1", "state 9"),
        &whole.replace("resolver.toml", "x.toml"),
    ] {
        fs::write(&store.file, torn).unwrap();
        assert_eq!(store.load().0, Memory::default(), "{torn}");
    }
    fs::remove_dir_all(directory).unwrap();
}

/// A host without a battery starts with an old clock.
#[test]
fn state_from_the_future_is_kept_but_not_adopted() {
    let directory = directory("future");
    let mut store = Store::new(&directory, Path::new("resolver.toml"));
    let mut memory = memory();
    memory.services.values_mut().for_each(|service| service.acknowledged = Some(ServiceState::Up));
    saved(&mut store, &memory);
    let mut document: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&store.file).unwrap()).unwrap();
    document["uptime"]["boot"] = "another".into();
    let mut loaded_with = |saved_at: u64| {
        document["saved-at"] = saved_at.into();
        fs::write(&store.file, document.to_string()).unwrap();
        store.load()
    };
    let (loaded, age) = loaded_with(u64::MAX / 2);
    assert_eq!((loaded.services["resolver"].acknowledged, age), (None, Duration::ZERO));
    assert_eq!(loaded, self::memory(), "all but the state");
    let (loaded, age) = loaded_with(0);
    assert_eq!(loaded, memory);
    assert!(age > Duration::from_secs(86_400 * 365 * 50), "{age:?}");
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn reads_the_previous_file_if_the_current_is_incomplete() {
    let directory = directory("before");
    let mut store = Store::new(&directory, Path::new("resolver.toml"));
    saved(&mut store, &memory());
    saved(&mut store, &Memory::default());
    assert_eq!(store.load().0, Memory::default(), "the newest, if it is complete");
    for octet in [0, 0xff] {
        fs::write(&store.file, vec![octet; 100]).unwrap();
        assert_eq!(store.load().0, memory());
        // The same after a second power failure at the first save.
        keep_previous(&store.file);
        assert_eq!(store.load().0, memory());
    }
    fs::remove_file(&store.file).unwrap();
    assert_eq!(store.load().0, Memory::default(), "state that an operator removed stays removed");
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn survives_an_unwritable_directory() {
    let mut store = Store::new(Path::new("/proc/nowhere"), Path::new("resolver.toml"));
    fails_to_save(&mut store, &memory());
    assert_eq!(store.load().0, Memory::default());
    assert!(!store.write_waiter().wait_written(Duration::from_secs(20)));
}

#[test]
fn writes_only_the_newest_state() {
    let directory = directory("newest");
    let mut store = Store::new(&directory, Path::new("resolver.toml"));
    for penalty in 0..200 {
        let remembered = Remembered { penalty: f64::from(penalty), ..Remembered::default() };
        store.save(&Memory { services: BTreeMap::from([("resolver".to_owned(), remembered)]) });
    }
    assert_eq!(store.unwritten_after(Duration::from_secs(20)), None);
    assert!((store.load().0.services["resolver"].penalty - 199.0).abs() < 0.1);
    let names = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let lasting = [store.file.clone(), before(&store.file), store.file.with_extension("lock")];
    assert!(names.collect::<Vec<_>>().iter().all(|file| lasting.contains(file)));
    fs::remove_dir_all(directory).unwrap();
}

/// While another helper holds the lock, the writer waits.
#[test]
fn waits_for_a_hanging_disk_up_to_the_limit() {
    let directory = directory("hangs");
    let mut store = Store::new(&directory, Path::new("resolver.toml"));
    let held = lock::take(&store.file).unwrap().unwrap();
    store.save(&memory());
    assert_ne!(store.unwritten_after(Duration::from_millis(50)), None);
    store.save(&memory());
    assert!(!store.write_waiter().wait_written(Duration::from_millis(50)));
    drop(held);
    assert!(
        store.write_waiter().wait_written(Duration::from_secs(20)),
        "the state is written once the lock is free"
    );
    assert_eq!(store.load().0, memory());
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn removes_temporary_files_of_killed_helpers() {
    let directory = directory("leftovers");
    let mut store = Store::new(&directory, Path::new("resolver.toml"));
    let beside = |pid: u32| store.file.with_extension(format!("{pid}.new"));
    // No process has a number beyond the maximum.
    let (dead, alive, foreign) = (beside(4_194_305), beside(1), directory.join("other.4194305.new"));
    let dead_link = store.file.with_extension("before.4194305.new");
    for file in [&dead, &dead_link, &alive, &foreign] {
        fs::write(file, "{").unwrap();
    }
    saved(&mut store, &memory());
    assert_eq!([dead, dead_link, alive, foreign].map(|file| file.exists()), [false, false, true, true]);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn identifies_the_configuration_by_its_path() {
    let directory = directory("links");
    let (link, other) = (directory.join("a.toml"), directory.join("deep/a.toml"));
    let mut store = Store::new(&directory, &link);
    saved(&mut store, &memory());
    assert_eq!(Store::new(&directory, &other).load().0, Memory::default());
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    assert_eq!(Store::new(&directory, &link).load().0, memory());
    fs::write(directory.join("nowhere"), "").unwrap();
    assert_eq!(Store::new(&directory, &link).load().0, memory());
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn creates_accessible_directories() {
    let directory = directory("modes");
    let mut store = Store::new(&directory.join("x/a/b"), Path::new("resolver.toml"));
    saved(&mut store, &memory());
    for made in ["x", "x/a", "x/a/b"] {
        let mode = fs::metadata(directory.join(made)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, DIRECTORY_MODE, "{made}");
    }
    fs::remove_dir_all(directory).unwrap();
}

/// Longer than any step takes on a busy machine.
const LONG: Duration = Duration::from_secs(20);

fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !condition() {
        if began.elapsed() > LONG {
            return false;
        }
        thread::park_timeout(Duration::from_millis(5));
    }
    true
}

#[test]
fn repeats_a_failed_write() {
    let directory = directory("again");
    let place = directory.join("state");
    fs::write(&place, "in the way").unwrap();
    let mut store = Store::new(&place, Path::new("resolver.toml"));
    fails_to_save(&mut store, &memory());
    assert!(!store.write_waiter().wait_written(LONG));
    fs::remove_file(&place).unwrap();
    assert!(eventually(|| store.unwritten().is_none()), "{:?}", store.unwritten());
    assert_eq!(Store::new(&place, Path::new("resolver.toml")).load().0, memory());
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn does_not_follow_a_link_as_lock() {
    let directory = directory("lock");
    let mut store = Store::new(&directory, Path::new("resolver.toml"));
    std::os::unix::fs::symlink(directory.join("precious"), store.file.with_extension("lock")).unwrap();
    fails_to_save(&mut store, &memory());
    assert!(!directory.join("precious").exists());
    fs::remove_dir_all(directory).unwrap();
}

/// A drain by the operator, until lifted.
fn drained() -> Memory {
    let mut memory = memory();
    let drain = RememberedOrder {
        reason: "new disk".to_owned().into(),
        remaining: None,
        age: Duration::ZERO,
        returning: false,
        needs: vec![],
        until_exit: false,
        uid: None,
    };
    for service in memory.services.values_mut() {
        service.drains.insert(Holder::operator(), drain.clone());
    }
    memory
}

fn learns(store: &mut Store) -> Vec<Change> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LONG, store.learn()).await }).unwrap()
}

fn penalty(directory: &Path) -> f64 {
    Store::new(directory, Path::new("resolver.toml")).load().0.services["resolver"].penalty
}

fn drains(directory: &Path) -> usize {
    Store::new(directory, Path::new("resolver.toml")).load().0.services["resolver"].drains.len()
}

#[test]
fn does_not_follow_a_link_as_state_file() {
    let directory = directory("no-links");
    let (state, precious) = (directory.join("state"), directory.join("precious"));
    let mut store = Store::new(&state, Path::new("resolver.toml"));
    saved(&mut store, &memory());
    fs::rename(&store.file, &precious).unwrap();
    let kept = fs::read_to_string(&precious).unwrap();
    let mut next = Store::new(&state, Path::new("resolver.toml"));
    for name in [store.file.clone(), store.file.with_extension(format!("{}.new", std::process::id()))] {
        std::os::unix::fs::symlink(&precious, name).unwrap();
    }
    assert_eq!(next.load().0, Memory::default());
    saved(&mut next, &Memory::default());
    assert!(next.unwritten().is_none(), "{:?}", next.unwritten());
    assert!(fs::symlink_metadata(&next.file).unwrap().is_file());
    assert_eq!(fs::read_to_string(precious).unwrap(), kept);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn does_not_block_on_a_pipe() {
    let directory = directory("pipes");
    let mut store = Store::new(&directory, Path::new("resolver.toml"));
    let lock = store.file.with_extension("lock");
    for pipe in [&store.file, &lock] {
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    assert_eq!(store.load().0, Memory::default());
    fails_to_save(&mut store, &memory());
    assert!(store.unwritten().is_some_and(|why| why.ends_with(".lock is not a regular file")));
    fs::remove_file(lock).unwrap();
    assert!(eventually(|| store.unwritten().is_none()), "{:?}", store.unwritten());
    assert_eq!(store.load().0, memory());
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn two_helpers_keep_each_others_drains() {
    let directory = directory("two");
    let mut former = Store::new(&directory, Path::new("resolver.toml"));
    saved(&mut former, &memory());
    let mut next = Store::new(&directory, Path::new("resolver.toml"));
    let _ = next.load();
    next.begin();
    saved(&mut former, &drained());
    let begun = learns(&mut next);
    assert_eq!((begun.len(), begun[0].service.as_str()), (1, "resolver"));
    assert_eq!(begun[0].order.as_ref().map(|drain| drain.reason.to_string()).as_deref(), Some("new disk"));
    let mut younger = drained();
    younger.services.values_mut().for_each(|service| service.penalty = 1.0);
    saved(&mut next, &younger);
    // The former helper ends; its other state is outdated.
    saved(&mut former, &drained());
    assert!((penalty(&directory) - 1.0).abs() < 0.1);
    saved(&mut former, &memory());
    assert_eq!(drains(&directory), 0);
    saved(&mut former, &memory());
    assert!((penalty(&directory) - 1.0).abs() < 0.1, "as often as it writes");
    assert!(learns(&mut next)[0].order.is_none(), "it was lifted");
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn writes_a_drain_that_the_loop_has_not_seen() {
    let directory = directory("not-yet");
    let mut former = Store::new(&directory, Path::new("resolver.toml"));
    saved(&mut former, &memory());
    let mut next = Store::new(&directory, Path::new("resolver.toml"));
    let _ = next.load();
    saved(&mut former, &drained());
    for _ in 0..3 {
        saved(&mut next, &memory());
        assert_eq!(drains(&directory), 1);
    }
    assert_eq!(learns(&mut next).len(), 1);
    saved(&mut next, &memory());
    assert_eq!(drains(&directory), 0, "it knows the drain now and has ended it");
    fs::remove_dir_all(directory).unwrap();
}
