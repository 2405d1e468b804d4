//! Limits how often the log repeats a message: a repeated message is logged once, then summed up each minute.
//!
//! A [topic](mod@topic) has a subject, such as the BGP session with one neighbor, and each message has a content, such
//! as `down`. Within a minute the log gets each change of content, at most [`CHANGES`] of them per topic; all further
//! messages are counted, and one line at the end of the minute has their number and the latest content. ExaBGP can also
//! cause messages about many topics, such as each of a thousand prefixes: the log gets [`TOPICS`] new topics of a kind
//! a minute.
//!
//! Messages about decisions of this helper, such as a fall of a service, are never withheld.

use std::collections::{BTreeMap, HashMap};
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use self::topic::{Topic, topic};
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::logging::entry::Urgency;
use crate::text::period::Shown;
use crate::text::{counted, joined};

mod topic;

/// Period after which messages are summed up.
const MINUTE: Duration = Duration::from_secs(60);

/// Maximum number of logged changes per topic within a [`MINUTE`].
const CHANGES: u32 = 4;

/// Maximum number of logged new topics per kind within a [`MINUTE`].
const TOPICS: u32 = 10;

/// Messages of the last minute: logged and withheld ones.
#[derive(Debug, Default)]
pub(crate) struct RateLimit {
    topics: BTreeMap<String, Repeated>,
    kinds: HashMap<Discriminant<Notice>, TopicKind>,
}

/// The messages about one topic.
#[derive(Debug)]
struct Repeated {
    began: Moment,
    /// The number of logged messages.
    logged: u32,
    /// Number of withheld messages by content, failed attempts apart, in order of first occurrence.
    withheld: Vec<(String, bool, u32)>,
    /// The highest urgency of the withheld messages.
    urgency: Urgency,
    /// The content of the last message, logged or withheld.
    now: String,
    /// The urgency of the last message.
    urgency_now: Urgency,
}

/// The topics of one kind.
#[derive(Debug)]
struct TopicKind {
    began: Moment,
    /// The number of logged topics.
    logged: u32,
    /// The number of messages about further topics.
    withheld: u32,
    /// The last of these messages.
    last: Option<Notice>,
}

/// A summary of withheld messages.
#[derive(Debug, PartialEq)]
pub(crate) struct Summary {
    /// The highest urgency of them; information where the last message ended what the others warn of.
    pub(crate) urgency: Urgency,
    pub(crate) line: String,
}

impl RateLimit {
    /// Whether the log gets this notice.
    pub(crate) fn admits(&mut self, now: Moment, notice: &Notice) -> bool {
        let Some(Topic { about, says, attempt, decided }) = topic(notice) else { return true };
        if let Some(known) = self.topics.get_mut(&about) {
            return known.admits(says, attempt, notice.urgency(), decided);
        }
        if !decided && !self.kind(now, notice).admits(notice) {
            return false;
        }
        let urgency = notice.urgency();
        let first =
            Repeated { began: now, logged: 1, withheld: vec![], urgency, now: says, urgency_now: urgency };
        self.topics.insert(about, first);
        true
    }

    fn kind(&mut self, now: Moment, notice: &Notice) -> &mut TopicKind {
        let new = TopicKind { began: now, logged: 0, withheld: 0, last: None };
        self.kinds.entry(discriminant(notice)).or_insert(new)
    }

    /// Sums up each minute that is over; with `all` also the current one. Forgets a topic without messages in a minute.
    pub(crate) fn summaries(&mut self, now: Moment, all: bool) -> Vec<Summary> {
        let is_over = |began: Moment| all || now.since(began) >= MINUTE;
        let mut summaries = vec![];
        self.topics.retain(|about, repeated| {
            if !is_over(repeated.began) {
                return true;
            }
            let summary = repeated.summary(about, now);
            let goes_on = summary.is_some();
            summaries.extend(summary);
            (repeated.began, repeated.logged) = (now, 0);
            repeated.withheld.clear();
            goes_on
        });
        let over = self.kinds.extract_if(|_, kind| is_over(kind.began));
        summaries.extend(over.filter_map(|(_, kind)| kind.summary()));
        summaries
    }
}

impl Repeated {
    /// Whether to log it: it is a decision, or it changes the topic and the minute has room for one more change.
    /// Withheld messages are counted.
    fn admits(&mut self, says: String, attempt: bool, urgency: Urgency, decided: bool) -> bool {
        let changes = says != self.now;
        self.now.clone_from(&says);
        self.urgency_now = urgency;
        if decided {
            return true;
        }
        if changes && self.logged < CHANGES {
            self.logged += 1;
            return true;
        }
        self.urgency = if self.withheld.is_empty() { urgency } else { self.urgency.min(urgency) };
        match self.withheld.iter_mut().find(|(said, tried, _)| *said == says && *tried == attempt) {
            Some((_, _, count)) => *count += 1,
            None => self.withheld.push((says, attempt, 1)),
        }
        false
    }

    fn summary(&self, about: &str, now: Moment) -> Option<Summary> {
        let total: u32 = self.withheld.iter().map(|(_, _, count)| count).sum();
        let lines = if total == 1 { "line" } else { "lines" };
        let words = |(says, attempt, count): &(String, bool, u32)| match attempt {
            true => counted(*count as usize, "failed attempt"),
            false if self.withheld.len() == 1 => says.clone(),
            false => format!("{count} {says}"),
        };
        let contents = joined(self.withheld.iter().map(words), ", ");
        let contents = if contents.is_empty() { contents } else { format!(" ({contents})") };
        let minute = match now.since(self.began) {
            time if time >= MINUTE => "minute".to_owned(),
            time => Shown(Duration::from_secs(time.as_secs().max(1))).to_string(),
        };
        let is_last = |(says, attempt, _): &(String, bool, u32)| !attempt && *says == self.now;
        let end =
            if self.withheld.iter().all(is_last) { String::new() } else { format!("; now {}", self.now) };
        let line = format!("{about}: {total} more {lines} withheld in the last {minute}{contents}{end}");
        let is_over = self.urgency_now > Urgency::Warning;
        let urgency = if is_over { self.urgency.max(Urgency::Info) } else { self.urgency };
        (total > 0).then_some(Summary { urgency, line })
    }
}

impl TopicKind {
    fn admits(&mut self, notice: &Notice) -> bool {
        if self.logged < TOPICS {
            self.logged += 1;
            return true;
        }
        self.withheld += 1;
        self.last = Some(notice.clone());
        false
    }

    fn summary(self) -> Option<Summary> {
        let last = self.last?;
        let line = format!("… and {} more of the kind, the last: {last}", self.withheld);
        Some(Summary { urgency: last.urgency(), line })
    }
}

#[cfg(test)]
mod tests;
