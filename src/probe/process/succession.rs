//! How fast one process follows another, which decides whether the log names it.

use std::time::{Duration, Instant};

/// A process that follows its predecessor sooner than this belongs to a series of short-lived ones.
pub(super) const LASTING: Duration = Duration::from_secs(10);

/// Number of processes of a series that the log names: systemd may start one every tenth of a second, for days.
const NAMED: u32 = 5;

/// The processes found so far.
#[derive(Debug, Default)]
pub(super) struct Succession {
    last: Option<Instant>,
    /// Processes in the current series that followed their predecessor too soon.
    short_lived: u32,
}

/// Whether the log names a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mention {
    /// By name.
    Named,
    /// By name, with the note that the next ones of the series are not.
    NamedLast,
    /// Not at all.
    Silent,
}

impl Succession {
    /// Counts a process that was found at `now`.
    pub(super) fn next(&mut self, now: Instant) -> Mention {
        let is_short_lived = self.last.replace(now).is_some_and(|last| now.duration_since(last) < LASTING);
        self.short_lived = if is_short_lived { self.short_lived.saturating_add(1) } else { 0 };
        match self.short_lived {
            0..NAMED => Mention::Named,
            NAMED => Mention::NamedLast,
            _ => Mention::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_of_short_lived_processes_is_named_a_few_times() {
        let (mut succession, began) = (Succession::default(), Instant::now());
        let mut mentions = |seconds: &[f64]| -> Vec<Mention> {
            seconds.iter().map(|at| succession.next(began + Duration::from_secs_f64(*at))).collect()
        };
        let five = [Mention::Named; 5];
        assert_eq!(mentions(&[0.0, 0.2, 0.4, 2.0, 9.0]), five);
        assert_eq!(mentions(&[9.1, 9.3, 12.0]), [Mention::NamedLast, Mention::Silent, Mention::Silent]);
        assert_eq!(mentions(&[22.0, 22.1, 22.2, 22.3, 22.4]), five, "one has lasted");
        assert_eq!(mentions(&[22.5]), [Mention::NamedLast]);
    }
}
