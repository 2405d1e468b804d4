use std::collections::BTreeMap;

use super::*;
use crate::engine::memory::Remembered;
use crate::engine::service::State;

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

/// Saves and waits until it is written.
fn saved(store: &mut Store, memory: &Memory) {
    store.save(memory);
    assert!(store.is_written_within(Duration::from_secs(20)));
}

#[test]
fn what_was_saved_is_loaded() {
    let directory = directory("roundtrip");
    let mut store = Store::new(&directory.join("new/deep"), Path::new("resolver.toml"));
    saved(&mut store, &memory());
    let (loaded, age) = store.load();
    assert_eq!(loaded, memory());
    assert!(age < Duration::from_secs(60));
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_torn_or_foreign_file_costs_nothing() {
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

/// As a host without a battery leaves it that is off for some time, and begins where its clock stood last, or before.
#[test]
fn what_was_written_in_the_future_is_remembered_and_not_adopted() {
    let directory = directory("future");
    let mut store = Store::new(&directory, Path::new("resolver.toml"));
    let mut memory = memory();
    memory.services.values_mut().for_each(|service| service.acknowledged = Some(State::Up));
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
fn behind_a_torn_file_is_the_one_before() {
    let directory = directory("before");
    let mut store = Store::new(&directory, Path::new("resolver.toml"));
    saved(&mut store, &memory());
    saved(&mut store, &Memory::default());
    assert_eq!(store.load().0, Memory::default(), "the newest, while it is whole");
    for octet in [0, 0xff] {
        fs::write(&store.file, vec![octet; 100]).unwrap();
        assert_eq!(store.load().0, memory());
        // And so it is when the power fails again, at the first save.
        keep(&store.file);
        assert_eq!(store.load().0, memory());
    }
    fs::remove_file(&store.file).unwrap();
    assert_eq!(store.load().0, Memory::default(), "what an operator has removed stays so");
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn an_unwritable_place_costs_nothing() {
    let mut store = Store::new(Path::new("/proc/nowhere"), Path::new("resolver.toml"));
    saved(&mut store, &memory());
    assert_eq!(store.load().0, Memory::default());
    assert!(!store.witness().has_seen_within(Duration::from_secs(20)));
}

#[test]
fn of_many_the_newest_is_written() {
    let directory = directory("newest");
    let mut store = Store::new(&directory, Path::new("resolver.toml"));
    for penalty in 0..200 {
        let remembered = Remembered { penalty: f64::from(penalty), ..Remembered::default() };
        store.save(&Memory { services: BTreeMap::from([("resolver".to_owned(), remembered)]) });
    }
    assert!(store.is_written_within(Duration::from_secs(20)));
    assert!((store.load().0.services["resolver"].penalty - 199.0).abs() < 0.1);
    let names = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    assert!(names.collect::<Vec<_>>().iter().all(|file| [&store.file, &before(&store.file)].contains(&file)));
    fs::remove_dir_all(directory).unwrap();
}

/// Opening a pipe that nobody reads takes as long as a disk that is gone.
#[test]
fn a_disk_that_hangs_is_waited_for_no_longer_than_said() {
    let directory = directory("hangs");
    let mut store = Store::new(&directory, Path::new("resolver.toml"));
    let beside = store.file.with_extension(format!("{}.new", std::process::id()));
    assert!(std::process::Command::new("mkfifo").arg(&beside).status().unwrap().success());
    store.save(&memory());
    assert!(!store.is_written_within(Duration::from_millis(50)));
    store.save(&memory());
    assert!(!store.witness().has_seen_within(Duration::from_millis(50)));
    drop(fs::File::open(&beside).unwrap());
    assert!(store.witness().has_seen_within(Duration::from_secs(20)), "once it is back, all is written");
    assert_eq!(store.load().0, memory());
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_the_killed_have_left_is_removed() {
    let directory = directory("leftovers");
    let mut store = Store::new(&directory, Path::new("resolver.toml"));
    let beside = |pid: u32| store.file.with_extension(format!("{pid}.new"));
    // Nobody has a number beyond the largest there can be.
    let (dead, alive, foreign) = (beside(4_194_305), beside(1), directory.join("other.4194305.new"));
    for file in [&dead, &alive, &foreign] {
        fs::write(file, "{").unwrap();
    }
    saved(&mut store, &memory());
    assert_eq!([dead, alive, foreign].map(|file| file.exists()), [false, true, true]);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn links_do_not_matter_and_paths_do() {
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
fn every_directory_that_is_made_can_be_entered() {
    let directory = directory("modes");
    let mut store = Store::new(&directory.join("x/a/b"), Path::new("resolver.toml"));
    saved(&mut store, &memory());
    for made in ["x", "x/a", "x/a/b"] {
        let mode = fs::metadata(directory.join(made)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, DIRECTORY_MODE, "{made}");
    }
    fs::remove_dir_all(directory).unwrap();
}
