//! Sets up addresses in a thread, because `ip` may block the loop: sudo resolves names, and DNS may be down.
//!
//! The newest request replaces a waiting one: every request means "add all missing addresses" or "remove all added
//! ones".

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Addresses;
use crate::sys::handoff::Handoff;

/// Poll interval of `add_within`.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug)]
enum Request {
    Add,
    Remove,
}

/// A thread that sets up addresses.
#[derive(Debug)]
pub(crate) struct AddressWorker(Arc<Handoff<Request>>);

impl AddressWorker {
    /// Starts the thread. It waits for the first request.
    ///
    /// # Errors
    /// Returns an error if the system cannot start a thread.
    pub(crate) fn start(mut addresses: Addresses) -> io::Result<Self> {
        let requests = Arc::new(Handoff::new(0));
        let taken = Arc::clone(&requests);
        thread::Builder::new().name("addresses".into()).spawn(move || {
            while let Some(request) = taken.take() {
                match request {
                    Request::Add => {
                        if let Err(error) = addresses.add_missing() {
                            log::error!("{error}");
                        }
                    }
                    Request::Remove => addresses.remove_added(),
                }
            }
        })?;
        Ok(Self(requests))
    }

    /// Requests missing addresses to be added. Returns at once.
    pub(crate) fn add(&self) {
        self.0.supersede(Request::Add);
    }

    /// Adds missing addresses and waits until done, at most `limit` and only until `stop` is set. Returns whether it
    /// finished.
    pub(crate) fn add_within(&self, limit: Duration, stop: &AtomicBool) -> bool {
        self.add();
        let began = Instant::now();
        while !self.0.wait_idle(POLL_INTERVAL) {
            if began.elapsed() >= limit || stop.load(Ordering::Relaxed) {
                return false;
            }
        }
        true
    }

    /// Requests added addresses to be removed. Returns at once.
    pub(crate) fn remove(&self) {
        self.0.supersede(Request::Remove);
    }

    /// Removes added addresses for the last time and waits at most `limit`. Returns whether it finished.
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

    fn worker(script: &str) -> AddressWorker {
        let wanted = super::super::wanted(&["192.0.2.1/32".parse().unwrap()], &Default::default());
        let words = ["sh", "-c", script, "ip"].map(str::to_owned).to_vec();
        let ip = Ip { words, limit: Duration::from_secs(40) };
        AddressWorker::start(Addresses { wanted, label: None, ip, added: vec![], complained: false }).unwrap()
    }

    #[test]
    fn waits_until_addresses_are_added() {
        assert!(worker("exit 0").add_within(Duration::from_secs(20), &AtomicBool::new(false)));
    }

    #[test]
    fn stops_waiting_at_the_limit_or_on_request() {
        let hanging = worker("exec sleep 60");
        let began = Instant::now();
        assert!(!hanging.add_within(Duration::from_millis(50), &AtomicBool::new(false)));
        assert!(!hanging.add_within(Duration::from_secs(60), &AtomicBool::new(true)));
        hanging.remove();
        assert!(!hanging.remove_within(Duration::from_millis(50)));
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}
