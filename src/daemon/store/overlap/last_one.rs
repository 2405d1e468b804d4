//! The helper that stays once the other one has ended writes its state again.

use std::process::{Command as Program, Stdio};

use super::*;

fn pair(file: &Path) -> Pair {
    Pair::start(file, &["a"], &["a"], None)
}

/// Its number still exists: as a zombie, in another container, or reused.
#[test]
fn the_older_one_saves_after_the_newer_one_has_ended() {
    let file = state_file();
    let Pair([mut older, mut newer]) = pair(&file);
    older.save();
    assert!(newer.is_stored(), "the newer one runs");
    newer.save_as(false);
    assert!(newer.is_stored());
    older.save();
    assert!(older.is_stored());
    removes(&file);
}

#[test]
fn the_older_one_saves_at_once_when_it_reads_that_the_newer_one_has_ended() {
    let file = state_file();
    let Pair([mut older, mut newer]) = pair(&file);
    newer.save_as(false);
    older.writer.read_changes();
    older.learn();
    assert!(older.is_stored());
    // The end of the older one changes nothing for the newer one, which has gone.
    older.save_as(false);
    assert!(older.is_stored());
    removes(&file);
}

#[test]
fn the_older_one_saves_after_the_newer_one_was_killed() {
    let file = state_file();
    let Pair([mut older, mut newer]) = pair(&file);
    let mut child = Program::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    newer.process = child.id();
    newer.save();
    older.save();
    assert!(newer.is_stored(), "its process runs");
    child.kill().unwrap();
    while !crate::sys::procfs::our_zombies().any(|zombie| zombie.as_raw() == child.id().cast_signed()) {
        std::thread::yield_now();
    }
    older.save();
    assert!(older.is_stored(), "ExaBGP has not reaped it");
    child.wait().unwrap();
    removes(&file);
}

/// In another container the older one does not see the process of the newer one.
#[test]
fn the_newer_one_saves_again_after_the_older_one_has_overwritten_it() {
    let file = state_file();
    let Pair([mut older, mut newer]) = pair(&file);
    // No process has this number.
    newer.process = 4_194_305;
    newer.save();
    for running in [true, false] {
        older.save_as(running);
        assert!(older.is_stored());
        newer.writer.read_changes();
        newer.learn();
        assert!(newer.is_stored(), "{running}");
        older.writer.read_changes();
        older.learn();
        assert!(newer.is_stored(), "neither writes again and again");
    }
    removes(&file);
}
