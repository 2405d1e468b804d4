//! A process for the tests, which does nothing and does not outlive the test, however that ends.

use std::process::{Child, Command};

/// Killed and reaped when dropped.
pub(super) struct Sleeper(Child);

impl Sleeper {
    pub(super) fn start() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    pub(super) fn pid(&self) -> i32 {
        self.0.id().try_into().unwrap()
    }

    /// Its end, before anybody reaps it.
    pub(super) fn kill(&mut self) {
        self.0.kill().unwrap();
    }

    pub(super) fn reap(&mut self) {
        self.0.wait().unwrap();
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
