//! The state of a watched process.
//!
//! ```text
//!              found                       exited
//!   Unknown ───────────► Running ───────────────────────────► Gone
//!      │                   ▲                                  │ ▲
//!      │                   └───────────── found ──────────────┘ │
//!      └────────── certainly missing ───────────────────────────┘
//! ```

use std::fmt;

use crate::process::Missing;

/// The state of the process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum WatchState<P> {
    /// No process was found yet, and none is certainly missing.
    Unknown,
    /// This process runs.
    Running(P),
    /// There is no process; the text says why.
    Gone(String),
}

/// An event that changes the state.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum WatchEvent<P> {
    /// This process was found running.
    Found(P),
    /// No process was found.
    Missing(Missing),
    /// The running process exited.
    Exited,
}

impl<P: fmt::Display> WatchState<P> {
    /// The transition.
    pub(super) fn after(self, event: WatchEvent<P>) -> Self {
        match (self, event) {
            (_, WatchEvent::Found(process)) => Self::Running(process),
            (Self::Running(process), WatchEvent::Exited) => Self::Gone(format!("{process} has ended")),
            (Self::Unknown, WatchEvent::Missing(Missing::Surely(why))) => Self::Gone(why),
            (state, WatchEvent::Missing(_) | WatchEvent::Exited) => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surely() -> WatchEvent<&'static str> {
        WatchEvent::Missing(Missing::Surely("failed".into()))
    }

    fn perhaps() -> WatchEvent<&'static str> {
        WatchEvent::Missing(Missing::Perhaps("hangs".into()))
    }

    #[test]
    fn only_certain_news_counts() {
        use WatchState::{Running, Unknown};
        let gone = |why: &str| WatchState::Gone(why.to_owned());
        assert_eq!(Unknown.after(perhaps()), Unknown);
        assert_eq!(Unknown.after(surely()), gone("failed"));
        assert_eq!(Running("p1").after(perhaps()), Running("p1"));
        assert_eq!(Running("p1").after(surely()), Running("p1"), "it runs, whatever systemd says");
        assert_eq!(Running("p1").after(WatchEvent::Exited), gone("p1 has ended"));
        assert_eq!(gone("p1 has ended").after(perhaps()), gone("p1 has ended"), "until another is found");
        assert_eq!(gone("p1 has ended").after(surely()), gone("p1 has ended"));
        assert_eq!(gone("p1 has ended").after(WatchEvent::Found("p2")), Running("p2"));
    }
}
