//! Against floods in the log: what ExaBGP says makes notices, and it can say much, if only of each of a thousand prefixes.
//!
//! Of each kind the first few in a while are logged. The others are counted, and one line says how many they were.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::notice::Notice;

/// So many of a kind are logged...
const FEW: u64 = 10;

/// ...in so long.
const WHILE: Duration = Duration::from_secs(10);

/// What was logged lately.
#[derive(Debug, Default)]
pub struct Flood(HashMap<Discriminant<Notice>, Count>);

#[derive(Debug)]
struct Count {
    began: Instant,
    number: u64,
    /// The last that was not logged.
    last: Option<Notice>,
}

/// How many notices were kept from the log, and the last of them.
#[derive(Debug, PartialEq)]
pub struct Withheld {
    /// How many.
    pub number: u64,
    /// The last one.
    pub last: Notice,
}

impl Flood {
    /// Whether this notice is to be logged. What is decided here always is.
    pub fn admits(&mut self, now: Instant, notice: &Notice) -> bool {
        if !is_caused_by_others(notice) {
            return true;
        }
        let count = self.0.entry(discriminant(notice)).or_insert(Count { began: now, number: 0, last: None });
        if now.duration_since(count.began) >= WHILE && count.last.is_none() {
            *count = Count { began: now, number: 0, last: None };
        }
        count.number += 1;
        if count.number > FEW {
            count.last = Some(notice.clone());
        }
        count.number <= FEW
    }

    /// What was withheld in a while that is over, and at the end (`all`) in whatever while.
    pub fn withheld(&mut self, now: Instant, all: bool) -> Vec<Withheld> {
        let over = |count: &Count| all || now.duration_since(count.began) >= WHILE;
        let ended = self.0.extract_if(|_, count| over(count)).map(|(_, count)| count);
        ended
            .filter_map(|Count { number, last, .. }| {
                Some(Withheld { number: number - FEW.min(number), last: last? })
            })
            .collect()
    }
}

/// Whether ExaBGP can cause any number of it by what it says.
const fn is_caused_by_others(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::AnswerTooMany
            | Notice::AnswersNothing
            | Notice::AnswersAfterAll
            | Notice::Detected { .. }
            | Notice::EndOfRibRefused { .. }
            | Notice::OddLine { .. }
            | Notice::OutputBlocked
            | Notice::OutputUnblocked
            | Notice::Refused { .. }
            | Notice::SessionUp { .. }
            | Notice::SessionDown { .. }
            | Notice::ShutdownAnnounced
            | Notice::Unanswered { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd(nth: u64) -> Notice {
        Notice::OddLine { line: nth.to_string() }
    }

    #[test]
    fn few_are_logged_and_the_others_counted() {
        let (mut flood, began) = (Flood::default(), Instant::now());
        let logged = (0..1000).filter(|nth| flood.admits(began, &odd(*nth))).count();
        assert_eq!(logged as u64, FEW);
        assert!(flood.admits(began, &Notice::AnswerTooMany), "another kind");
        assert_eq!(flood.withheld(began + WHILE / 2, false), []);
        assert_eq!(flood.withheld(began + WHILE, false), [Withheld { number: 990, last: odd(999) }]);
        assert!(flood.admits(began + WHILE, &odd(1000)), "the next while");
        assert_eq!(flood.withheld(began + WHILE * 3, false), []);
    }

    #[test]
    fn a_thousand_prefixes_that_are_refused_are_few_lines() {
        let (mut flood, began) = (Flood::default(), Instant::now());
        let line = |nth: u64| format!("announce route 192.0.2.{nth}/32 next-hop self");
        let refused = |nth| Notice::Refused { line: line(nth), why: None, retry: WHILE };
        let unanswered = |nth| Notice::Unanswered { line: line(nth), after: WHILE };
        for notice in [&refused as &dyn Fn(u64) -> Notice, &unanswered] {
            assert_eq!((0..1000).filter(|nth| flood.admits(began, &notice(*nth))).count() as u64, FEW);
        }
        let withheld = flood.withheld(began + WHILE, false);
        assert_eq!(withheld.iter().map(|withheld| withheld.number).collect::<Vec<_>>(), [990, 990]);
        assert!(withheld.iter().any(|withheld| withheld.last == refused(999)));
    }

    #[test]
    fn at_the_end_all_is_said() {
        let (mut flood, began) = (Flood::default(), Instant::now());
        (0..=FEW).for_each(|nth| assert_eq!(flood.admits(began, &odd(nth)), nth < FEW));
        assert_eq!(flood.withheld(began, true), [Withheld { number: 1, last: odd(FEW) }]);
    }

    #[test]
    fn what_is_decided_here_is_always_logged() {
        let (mut flood, began) = (Flood::default(), Instant::now());
        assert!((0..1000).all(|_| flood.admits(began, &Notice::ParentGone)));
    }
}
