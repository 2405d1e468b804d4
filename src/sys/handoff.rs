//! Hands work from a thread that must not block to one that may.
//!
//! A write can block without end: a log that nothing reads, a disk that hangs, a recording on a slow share. The loop
//! therefore puts what is to be written into a [`Handoff`] of bounded size, and a worker thread takes it out. The end of
//! the process waits for the worker at most [`EXIT_WAIT`].

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::lock;

/// How long the end of the process waits for each worker.
pub(crate) const EXIT_WAIT: Duration = Duration::from_millis(100);

/// What became of an item that was offered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Offered {
    /// The worker will process it.
    Taken,
    /// There is no room for it.
    Full,
    /// The worker has ended.
    Closed,
}

/// The result of waiting for an item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Taken<T> {
    /// The next item.
    Item(T),
    /// No item within the limit.
    Nothing,
    /// The queue is closed and empty.
    Closed,
}

/// A queue between a thread that never waits and one that may.
#[derive(Debug)]
pub(crate) struct Handoff<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// The highest sum of weights that may wait.
    room: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    weight: usize,
    /// Since when the worker processes an item.
    busy: Option<Instant>,
    closed: bool,
}

impl<T> Handoff<T> {
    /// An empty queue with room for items of this total weight.
    pub(crate) const fn new(room: usize) -> Self {
        let state = State { items: VecDeque::new(), weight: 0, busy: None, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), room }
    }

    /// Starts the worker, a thread of this name. Without a thread the queue takes no items.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn start(
        self: &Arc<Self>,
        name: &str,
        work: impl FnOnce(&Self) + Send + 'static,
    ) -> io::Result<()>
    where
        T: Send + 'static,
    {
        let queue = Arc::clone(self);
        let started = thread::Builder::new().name(name.to_owned()).spawn(move || work(&queue));
        started.map(drop).inspect_err(|_| self.abandon())
    }

    /// Appends an item, unless the queue is full or closed.
    pub(crate) fn offer(&self, item: T, weight: usize) -> Offered {
        let mut state = lock(&self.state);
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

    /// Replaces all waiting items by this one.
    pub(crate) fn supersede(&self, item: T) {
        let mut state = lock(&self.state);
        if !state.closed {
            state.items.clear();
            state.weight = 0;
            state.items.push_back((item, 0));
            self.changed.notify_all();
        }
    }

    /// Waits for the next item; `None` once the queue is closed and empty. The call marks the previous item as done.
    pub(crate) fn take(&self) -> Option<T> {
        loop {
            match self.take_within(Duration::MAX) {
                Taken::Item(item) => return Some(item),
                Taken::Nothing => {}
                Taken::Closed => return None,
            }
        }
    }

    /// As [`Self::take`], but waits no longer than `limit`.
    pub(crate) fn take_within(&self, limit: Duration) -> Taken<T> {
        let mut state = lock(&self.state);
        state.busy = None;
        self.changed.notify_all();
        let is_idle = |state: &mut State<T>| state.items.is_empty() && !state.closed;
        let waited = self.changed.wait_timeout_while(state, limit, is_idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if let Some((item, weight)) = state.items.pop_front() {
            state.weight -= weight;
            state.busy = Some(Instant::now());
            return Taken::Item(item);
        }
        if state.closed { Taken::Closed } else { Taken::Nothing }
    }

    /// Accepts no further items; the worker still processes the waiting ones.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }

    /// Accepts no further items and drops the waiting ones: the worker has given up.
    pub(crate) fn abandon(&self) {
        let mut state = lock(&self.state);
        *state = State { items: VecDeque::new(), weight: 0, busy: None, closed: true };
        self.changed.notify_all();
    }

    /// For how long the worker has processed its present item.
    pub(crate) fn busy_for(&self) -> Option<Duration> {
        lock(&self.state).busy.map(|since| since.elapsed())
    }

    /// Waits at most `limit` until every item is done. True if all are.
    pub(crate) fn wait_idle(&self, limit: Duration) -> bool {
        let unfinished = |state: &mut State<T>| state.busy.is_some() || !state.items.is_empty();
        let waited = self.changed.wait_timeout_while(lock(&self.state), limit, unfinished);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn items_arrive_in_order() {
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
    fn it_takes_no_more_than_its_capacity_and_never_waits() {
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
    fn the_time_of_a_worker_begins_anew_with_each_item() {
        let handoff = Handoff::new(0);
        handoff.supersede('a');
        assert_eq!(handoff.busy_for(), None, "nothing has taken it");
        let _ = handoff.take();
        let first = Instant::now();
        while handoff.busy_for() < Some(Duration::from_millis(20)) {}
        handoff.supersede('b');
        let second = Instant::now();
        let _ = handoff.take();
        let busy = handoff.busy_for().unwrap();
        assert!(busy <= second.elapsed() && busy < first.elapsed(), "{busy:?}");
        assert_eq!(handoff.take_within(Duration::ZERO), Taken::Nothing);
        assert_eq!(handoff.busy_for(), None);
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
