//! One row of a timeline: a value and the times of its changes.

use std::time::Duration;

use crate::engine::moment::Moment;

/// A value over time: each change, in order of time.
#[derive(Clone, Debug)]
pub(crate) struct Track<T> {
    pub(crate) changes: Vec<(Moment, T)>,
}

impl<T> Default for Track<T> {
    fn default() -> Self {
        Self { changes: vec![] }
    }
}

impl<T: Copy + Ord> Track<T> {
    /// Records the value at `now`, if it is another one than before.
    pub(crate) fn note(&mut self, now: Moment, value: T) {
        if self.changes.last().is_none_or(|(_, last)| *last != value) {
            self.changes.push((now, value));
        }
    }

    /// The value at `at`; `None` before the first.
    pub(crate) fn at(&self, at: Moment) -> Option<T> {
        let after = self.changes.partition_point(|(since, _)| *since <= at);
        after.checked_sub(1).map(|index| self.changes[index].1)
    }

    /// The greatest value between `from` and `until`, which is the worst of signs; `None` before the first.
    pub(crate) fn worst(&self, from: Moment, until: Moment) -> Option<T> {
        self.between(from, until).max()
    }

    /// The least value between `from` and `until`; `None` before the first.
    pub(crate) fn least(&self, from: Moment, until: Moment) -> Option<T> {
        self.between(from, until).min()
    }

    /// The value at `from` and those that come before `until`.
    fn between(&self, from: Moment, until: Moment) -> impl Iterator<Item = T> {
        let after = self.changes.partition_point(|(at, _)| *at <= from);
        let standing = after.checked_sub(1).map(|index| self.changes[index].1);
        let coming =
            self.changes[after..].iter().take_while(move |(at, _)| *at < until).map(|(_, value)| *value);
        standing.into_iter().chain(coming)
    }

    /// Each stretch of one value until `end`: its beginning, its end and the value.
    pub(crate) fn spans(&self, end: Moment) -> impl Iterator<Item = (Moment, Moment, T)> {
        let ends = self.changes.iter().skip(1).map(|(at, _)| *at).chain([end]);
        self.changes.iter().zip(ends).map(|((from, value), until)| (*from, until, *value))
    }

    /// How long the value was one that `is` accepts, until `end`.
    pub(crate) fn lasted(&self, end: Moment, is: impl Fn(T) -> bool) -> Duration {
        self.spans(end).filter(|(.., value)| is(*value)).map(|(from, until, _)| until.since(from)).sum()
    }

    /// The first time from `from` on at which the value is one that `is` accepts.
    pub(crate) fn first(&self, from: Moment, is: impl Fn(T) -> bool) -> Option<Moment> {
        if self.at(from).is_some_and(&is) {
            return Some(from);
        }
        let after = self.changes.partition_point(|(at, _)| *at <= from);
        self.changes[after..].iter().find(|(_, value)| is(*value)).map(|(at, _)| *at)
    }
}
