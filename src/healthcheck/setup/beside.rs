//! Addresses set up beside the loop, which must not be held up: `ip` may take long, and sudo even longer, for it looks
//! up names, and DNS may be what is down.
//!
//! The newest order counts. What waits behind one that takes long is of no interest any more: all that is to be there
//! is added, or all that was added is removed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Addresses;
use crate::handoff::Handoff;

/// How often whoever waits looks whether to go on.
const GLANCE: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug)]
enum Order {
    Add,
    Remove,
}

/// Addresses in the hands of a thread.
#[derive(Debug)]
pub(crate) struct Beside(Arc<Handoff<Order>>);

impl Beside {
    /// Nothing to be done yet.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(crate) fn start(mut addresses: Addresses) -> io::Result<Self> {
        let orders = Arc::new(Handoff::new(0));
        let taken = Arc::clone(&orders);
        thread::Builder::new().name("addresses".into()).spawn(move || {
            while let Some(order) = taken.take() {
                match order {
                    Order::Add => {
                        if let Err(error) = addresses.add_missing() {
                            log::error!("{error}");
                        }
                    }
                    Order::Remove => addresses.remove_added(),
                }
            }
        })?;
        Ok(Self(orders))
    }

    /// Adds what is missing. Returns at once.
    pub(crate) fn add(&self) {
        self.0.supersede(Order::Add);
    }

    /// Adds what is missing, and waits for it, but neither longer than `limit` nor once `hurry` is set. True if it was
    /// done.
    pub(crate) fn add_within(&self, limit: Duration, hurry: &AtomicBool) -> bool {
        self.add();
        let began = Instant::now();
        while !self.0.wait_idle(GLANCE) {
            if began.elapsed() >= limit || hurry.load(Ordering::Relaxed) {
                return false;
            }
        }
        true
    }

    /// Removes what was added. Returns at once.
    pub(crate) fn remove(&self) {
        self.0.supersede(Order::Remove);
    }

    /// Removes what was added, for the last time, and waits for it, but not longer than `limit`. True if it was done.
    pub(crate) fn remove_within(self, limit: Duration) -> bool {
        self.remove();
        self.0.close();
        self.0.wait_idle(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ip::Ip;
    use super::*;

    fn beside(script: &str) -> Beside {
        let wanted = super::super::wanted(&["192.0.2.1/32".parse().unwrap()], &Default::default());
        let words = ["sh", "-c", script, "ip"].map(str::to_owned).to_vec();
        let ip = Ip { words, limit: Duration::from_secs(40) };
        Beside::start(Addresses { wanted, label: None, ip, added: vec![], complained: false }).unwrap()
    }

    #[test]
    fn adding_is_waited_for() {
        assert!(beside("exit 0").add_within(Duration::from_secs(20), &AtomicBool::new(false)));
    }

    #[test]
    fn but_not_for_ever_and_not_in_a_hurry() {
        let hanging = beside("exec sleep 60");
        let began = Instant::now();
        assert!(!hanging.add_within(Duration::from_millis(50), &AtomicBool::new(false)));
        assert!(!hanging.add_within(Duration::from_secs(60), &AtomicBool::new(true)));
        hanging.remove();
        assert!(!hanging.remove_within(Duration::from_millis(50)));
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}
