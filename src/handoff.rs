//! Work for a thread that may block, from one that must not.
//!
//! A log that nobody reads, a disk that hangs, a recording on a slow share: whoever writes there can be held up for
//! ever. So the loop never does. It puts what is to be written into a [`Handoff`], which has room for so much and is
//! then full, and a thread of its own takes it out again. At the end one waits for that thread for a moment, never
//! longer.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the end of the process waits for what is still to be written, at each place.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);

/// What became of an item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Offered {
    /// It will be worked on.
    Taken,
    /// There is no room for it.
    Full,
    /// Nobody works here any more.
    Closed,
}

/// What came of waiting for an item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Taken<T> {
    /// It.
    Item(T),
    /// None in that time.
    Nothing,
    /// There will be none any more.
    Closed,
}

/// A queue between one who never waits and one who may.
#[derive(Debug)]
pub(crate) struct Handoff<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// The sum of the weights of what may wait.
    room: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    weight: usize,
    /// An item has been taken out and is being worked on.
    busy: bool,
    closed: bool,
}

impl<T> Handoff<T> {
    /// Empty, with room for items of this weight together.
    #[must_use]
    pub(crate) const fn new(room: usize) -> Self {
        let state = State { items: VecDeque::new(), weight: 0, busy: false, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), room }
    }

    /// Puts an item behind the others.
    pub(crate) fn offer(&self, item: T, weight: usize) -> Offered {
        let mut state = self.lock();
        if state.closed {
            return Offered::Closed;
        }
        if state.weight + weight > self.room {
            return Offered::Full;
        }
        state.weight += weight;
        state.items.push_back((item, weight));
        self.changed.notify_all();
        Offered::Taken
    }

    /// Puts an item in the place of all that wait.
    pub(crate) fn supersede(&self, item: T) {
        let mut state = self.lock();
        if !state.closed {
            state.items.clear();
            state.weight = 0;
            state.items.push_back((item, 0));
            self.changed.notify_all();
        }
    }

    /// The next item, waited for; `None` when it is closed and empty. Asking for it says that the one before is done.
    pub(crate) fn take(&self) -> Option<T> {
        loop {
            match self.take_within(Duration::MAX) {
                Taken::Item(item) => return Some(item),
                Taken::Nothing => {}
                Taken::Closed => return None,
            }
        }
    }

    /// The same, waited for no longer than this.
    pub(crate) fn take_within(&self, limit: Duration) -> Taken<T> {
        let mut state = self.lock();
        state.busy = false;
        self.changed.notify_all();
        let is_idle = |state: &mut State<T>| state.items.is_empty() && !state.closed;
        let waited = self.changed.wait_timeout_while(state, limit, is_idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if let Some((item, weight)) = state.items.pop_front() {
            state.weight -= weight;
            state.busy = true;
            return Taken::Item(item);
        }
        if state.closed { Taken::Closed } else { Taken::Nothing }
    }

    /// Nothing more is put in; what waits is still worked on.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Nothing more is put in, and what waits is thrown away: the worker has given up.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        *state = State { items: VecDeque::new(), weight: 0, busy: false, closed: true };
        self.changed.notify_all();
    }

    /// Waits until everything is done, but not longer than this. True if it is.
    pub(crate) fn wait_idle(&self, limit: Duration) -> bool {
        let unfinished = |state: &mut State<T>| state.busy || !state.items.is_empty();
        let waited = self.changed.wait_timeout_while(self.lock(), limit, unfinished);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }
}

/// What another thread may be at work on. Nothing that stands behind a mutex in here is half done when a thread panics.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn what_is_put_in_comes_out_in_order_and_then_it_is_done() {
        let handoff = Arc::new(Handoff::new(100));
        let worker = Arc::clone(&handoff);
        let worker = thread::spawn(move || std::iter::from_fn(|| worker.take()).collect::<Vec<_>>());
        for item in 0..10 {
            assert_eq!(handoff.offer(item, 10), Offered::Taken);
        }
        assert!(handoff.wait_idle(LONG));
        handoff.close();
        assert_eq!(worker.join().unwrap(), (0..10).collect::<Vec<_>>());
        assert_eq!(handoff.offer(10, 1), Offered::Closed);
    }

    #[test]
    fn it_holds_so_much_and_waits_for_nobody() {
        let handoff = Handoff::new(100);
        assert_eq!(handoff.offer('a', 60), Offered::Taken);
        assert_eq!(handoff.offer('b', 60), Offered::Full);
        assert!(!handoff.wait_idle(Duration::from_millis(1)));
        assert_eq!(handoff.take(), Some('a'));
        assert_eq!(handoff.offer('b', 60), Offered::Taken);
        assert!(!handoff.wait_idle(Duration::from_millis(1)), "the first is still being worked on");
        handoff.abandon();
        assert!(handoff.wait_idle(LONG));
        assert_eq!(handoff.take(), None);
    }

    #[test]
    fn the_newest_takes_the_place_of_all() {
        let handoff = Handoff::new(0);
        for item in 0..3 {
            handoff.supersede(item);
        }
        assert_eq!(handoff.take(), Some(2));
        handoff.close();
        assert_eq!(handoff.take(), None);
    }
}
