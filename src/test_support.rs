//! What tests of processes share: children that do nothing, and a look at who runs.

use std::fs;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

/// Not to be reached.
const LIMIT: Duration = Duration::from_secs(60);

/// A child that sleeps. Killed and reaped when dropped, so that it does not outlive its test.
#[derive(Debug)]
pub(crate) struct SleepProcess(Child);

impl SleepProcess {
    pub(crate) fn start() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    pub(crate) fn pid(&self) -> i32 {
        self.0.id().try_into().unwrap()
    }

    /// Kills it and leaves it a zombie.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
    }

    pub(crate) fn reap(&mut self) {
        self.0.wait().unwrap();
    }
}

impl Drop for SleepProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A number of seconds to sleep that no other test sleeps, by which its processes are found.
pub(crate) fn unique_seconds() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1000);
    format!("1000.{}0{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The living processes that have `mark` on their command line. Zombies have none.
pub(crate) fn running(mark: &str) -> Vec<Pid> {
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_marked = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    };
    pids.filter(is_marked).map(Pid::from_raw).collect()
}

/// How many `sleep` for that long.
pub(crate) fn sleeping(seconds: &str) -> usize {
    running(&format!("sleep\0{seconds}\0")).len()
}

/// Waits for what is certain to come.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < LIMIT, "waited in vain");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
