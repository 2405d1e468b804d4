//! The conversation with ExaBGP: pure, one command in flight.
//!
//! ```text
//!              answer or ack-timeout      version           done              done, error
//!   greeting ──────────────────────► asking ──► fencing ──────────► ready ◄───────────── sending
//!                                      ▲                   (settling)  │  ──────────────►   │
//!                                      └──────────────── ack-timeout ──┴────────────────────┘
//! ```
//!
//! Answers carry no number, so a lost one could shift all that follow. Therefore a command that is not answered in
//! time is followed by the question for the version, whose answer is unmistakable: what arrived before it is stale.
//! ExaBGP up to 5.0 lets that question overtake queued commands, so late answers are let pass for a moment more
//! (`settling`). An answer that nothing was waiting for shows that the pairing was wrong; then everything is stated
//! again, which costs ExaBGP nothing.
//!
//! The link never waits: while ExaBGP is silent, the newest wish per route replaces the older.

use std::time::Duration;

use self::entry::{Backoff, Entry};
use super::command::{ASK_VERSION, Family, GREETING};
use super::reply::{Reply, Version};
use super::{Advertisement, Dialect, Route};
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;

pub mod entry;

/// How long late answers are let pass once ExaBGP has answered the question that fences them off.
const SETTLE: Duration = Duration::from_millis(100);

/// How long the greeting, and the `done` behind the version, are waited for. ExaBGP answers both within milliseconds;
/// where it answers nothing, waiting longer would only delay the first statement.
const HANDSHAKE: Duration = Duration::from_millis(500);

/// Who reads standard output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Parent {
    /// ExaBGP, which is asked for its version and answers commands.
    ExaBgp,
    /// A person: nothing is asked and nothing awaited.
    Terminal,
}

/// How to talk.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The dialect, where configuration pins it.
    pub dialect: Option<Dialect>,
    /// The longest wait for an answer.
    pub ack_timeout: Duration,
    /// How often everything is stated again; zero for never.
    pub refresh: Duration,
    /// Whether to mark the end of the first routes.
    pub end_of_rib: bool,
    /// Who reads standard output.
    pub parent: Parent,
    /// Spreads the refreshes of many hosts; the same seed gives the same series.
    pub seed: u64,
}

#[derive(Clone, Debug)]
enum State {
    /// Nothing said yet.
    Silent,
    /// The greeting is out.
    Greeting,
    /// The version has been asked for.
    Asking,
    /// The version has come, its `done` has not.
    Fencing,
    /// Late answers are let pass.
    Settling,
    /// Nothing in flight.
    Ready,
    /// A command is in flight.
    Sending(Subject),
}

#[derive(Clone, Debug)]
enum Subject {
    Route(usize, Advertisement, String),
    EndOfRib(String),
}

/// The conversation and what it is about.
#[derive(Debug)]
pub struct Link {
    settings: Settings,
    entries: Vec<Entry>,
    state: State,
    /// When the present state has lasted too long.
    until: Option<Moment>,
    version: Option<Version>,
    /// Whether ExaBGP answers commands (`exabgp.api.ack`).
    answers: bool,
    /// Answers to commands given up, which may still come.
    owed: u32,
    /// Silence has been reported, and not been broken since.
    mute: bool,
    why: Option<String>,
    /// Standard output takes no more at the moment.
    full: bool,
    refresh_at: Option<Moment>,
    /// When to state everything again since an answer too many came.
    resync_at: Option<Moment>,
    resync: Backoff,
    /// Families whose end-of-RIB marker is still to be sent.
    unmarked: Vec<Family>,
    random: u64,
}

impl Link {
    /// Nothing said, nothing desired.
    #[must_use]
    pub fn new(settings: Settings, routes: Vec<Route>) -> Self {
        Self {
            random: settings.seed | 1,
            answers: settings.parent == Parent::ExaBgp,
            settings,
            entries: routes.into_iter().map(Entry::new).collect(),
            state: State::Silent,
            until: None,
            version: None,
            owed: 0,
            mute: false,
            why: None,
            full: false,
            refresh_at: None,
            resync_at: None,
            resync: Backoff::new(),
            unmarked: vec![],
        }
    }

    /// The routes and what is known of them.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Opens the conversation.
    pub fn begin(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.plan_refresh(now);
        self.mark_families();
        match self.settings.parent {
            Parent::ExaBgp => {
                self.say(now, State::Greeting, GREETING.to_owned(), out);
                self.until = Some(now + HANDSHAKE.min(self.settings.ack_timeout));
            }
            Parent::Terminal => self.become_ready(now, out),
        }
    }

    /// Records what is wanted for a route; it is said as soon as the conversation allows.
    pub fn desire(
        &mut self,
        now: Moment,
        route: usize,
        advertisement: &Advertisement,
        out: &mut Vec<Action>,
    ) {
        if self.entries[route].desire(now, advertisement) {
            self.proceed(now, out);
        }
    }

    /// Takes a line from standard input.
    pub fn hear(&mut self, now: Moment, line: &str, out: &mut Vec<Action>) {
        match Reply::of(line) {
            Reply::Done => self.answered(now, true, out),
            Reply::Error => self.answered(now, false, out),
            Reply::Why(text) => self.why = Some(text),
            Reply::Version(version) => self.learn(now, version, out),
            Reply::SessionUp(neighbor) => {
                out.push(Notice::SessionUp { neighbor }.into());
                self.mark_families();
                self.restate_all(now, out);
            }
            Reply::SessionDown(neighbor, reason) => out.push(Notice::SessionDown { neighbor, reason }.into()),
            Reply::Shutdown => out.push(Notice::ShutdownAnnounced.into()),
            Reply::Odd => out.push(Notice::OddLine { line: line.to_owned() }.into()),
            Reply::Nothing => {}
        }
    }

    /// Standard output takes no more: nothing is said, and no answer is awaited, until it does.
    pub fn block(&mut self, out: &mut Vec<Action>) {
        if !self.full {
            self.full = true;
            out.push(Notice::OutputBlocked.into());
        }
    }

    /// Standard output takes lines again, and has taken the one that was waiting.
    pub fn unblock(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.full = false;
        out.push(Notice::OutputUnblocked.into());
        if self.until.is_some() {
            self.until = Some(now + self.settings.ack_timeout);
        }
        self.proceed(now, out);
    }

    /// The next moment at which [`Link::expire`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        if self.full {
            return None;
        }
        let due =
            matches!(self.state, State::Ready).then(|| self.entries.iter().filter_map(|entry| entry.due));
        [self.until, self.refresh_at, self.resync_at]
            .into_iter()
            .flatten()
            .chain(due.into_iter().flatten())
            .min()
    }

    /// Does what has become due.
    pub fn expire(&mut self, now: Moment, out: &mut Vec<Action>) {
        if self.full {
            return;
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.plan_refresh(now);
            self.restate_all(now, out);
        }
        if self.resync_at.is_some_and(|at| at <= now) {
            self.resync_at = None;
            self.restate_all(now, out);
        }
        if self.until.is_some_and(|until| until <= now) {
            self.give_up(now, out);
        }
        self.proceed(now, out);
    }

    /// The withdraws of all that may be announced, for the last moment.
    #[must_use]
    pub fn farewell(&self) -> Vec<String> {
        self.entries
            .iter()
            .filter(|entry| entry.perhaps_announced)
            .map(|entry| self.dialect().advertise(&entry.route, &Advertisement::Withdraw))
            .collect()
    }

    /// The dialect spoken: pinned, learnt, or the one that most versions understand.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        let learnt = || self.version.as_ref().map(Version::dialect);
        self.settings.dialect.or_else(learnt).unwrap_or(match self.settings.parent {
            Parent::ExaBgp => Dialect::Plain,
            Parent::Terminal => Dialect::Neighbor,
        })
    }

    fn answered(&mut self, now: Moment, done: bool, out: &mut Vec<Action>) {
        self.mute = false;
        let why = self.why.take();
        if !self.answers && !matches!(self.state, State::Greeting) {
            // The answer to the version was merely late.
            self.answers = true;
            out.push(Notice::AnswersAfterAll.into());
            return self.restate_all(now, out);
        }
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Greeting => self.say(now, State::Asking, ASK_VERSION.to_owned(), out),
            State::Fencing if self.owed == 0 => self.become_ready(now, out),
            State::Fencing => {
                self.state = State::Settling;
                self.until = Some(now + SETTLE);
            }
            State::Sending(subject) => {
                self.until = None;
                self.settle(now, subject, done, why, out);
                self.proceed(now, out);
            }
            state @ (State::Silent | State::Asking | State::Settling | State::Ready) => {
                let idle = matches!(state, State::Ready);
                self.state = state;
                if self.owed > 0 {
                    self.owed -= 1;
                } else if idle {
                    out.push(Notice::AnswerTooMany.into());
                    self.resync_at.get_or_insert(now + self.resync.pause());
                }
            }
        }
    }

    /// A command in flight was carried out or refused.
    fn settle(
        &mut self,
        now: Moment,
        subject: Subject,
        done: bool,
        why: Option<String>,
        out: &mut Vec<Action>,
    ) {
        match subject {
            Subject::Route(route, advertisement, _) if done => {
                if self.entries[route].acknowledge(advertisement) {
                    out.push(Action::Save);
                }
            }
            Subject::Route(route, _, line) => {
                let retry = self.entries[route].retry(now);
                out.push(Notice::Refused { line, why, retry }.into());
                // The second refusal in a row may mean that this is another ExaBGP than it seemed.
                if self.version.is_none() || retry > Backoff::FIRST {
                    self.ask_again(now, out);
                }
            }
            Subject::EndOfRib(_) if done => {}
            // Without a session there is nobody to mark it for; the next one that comes up brings it back.
            Subject::EndOfRib(line) => out.push(Notice::EndOfRibRefused { line, why }.into()),
        }
    }

    fn learn(&mut self, now: Moment, version: Version, out: &mut Vec<Action>) {
        let before = self.dialect();
        if self.version.as_ref() != Some(&version) {
            let spoken = self.settings.dialect.unwrap_or(version.dialect());
            out.push(
                Notice::Detected { version: version.to_string(), understood: version.dialect(), spoken }
                    .into(),
            );
        }
        self.version = Some(version);
        if self.dialect() != before {
            self.restate_all(now, out);
        }
        if matches!(self.state, State::Asking) {
            self.state = State::Fencing;
            self.until = Some(now + HANDSHAKE.min(self.settings.ack_timeout));
        }
    }

    /// The present state has lasted too long.
    fn give_up(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.until = None;
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Greeting => {
                self.owed += 1;
                self.ask_again(now, out);
            }
            State::Asking => {
                self.owed += 1;
                if !std::mem::replace(&mut self.mute, true) {
                    out.push(Notice::NoVersion { spoken: self.dialect() }.into());
                }
                self.become_ready(now, out);
            }
            State::Fencing => {
                self.answers = false;
                self.owed = 0;
                out.push(Notice::AnswersNothing.into());
                self.become_ready(now, out);
            }
            State::Settling => {
                self.owed = 0;
                self.become_ready(now, out);
            }
            State::Sending(subject) => {
                let line = match subject {
                    Subject::Route(route, _, line) => {
                        self.entries[route].retry(now);
                        line
                    }
                    Subject::EndOfRib(line) => line,
                };
                let after = self.settings.ack_timeout;
                out.push(Notice::Unanswered { line, after }.into());
                self.owed += 1;
                self.ask_again(now, out);
            }
            state @ (State::Silent | State::Ready) => self.state = state,
        }
    }

    fn ask_again(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.say(now, State::Asking, ASK_VERSION.to_owned(), out);
    }

    fn become_ready(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.state = State::Ready;
        self.until = None;
        self.proceed(now, out);
    }

    fn restate_all(&mut self, now: Moment, out: &mut Vec<Action>) {
        for entry in &mut self.entries {
            entry.restate(now);
        }
        self.proceed(now, out);
    }

    /// Says what is due, if nothing is in flight. Without answers to wait for it says all of it.
    fn proceed(&mut self, now: Moment, out: &mut Vec<Action>) {
        while matches!(self.state, State::Ready) && !self.full {
            if let Some(subject) = self.next_subject(now) {
                self.send(now, subject, out);
            } else {
                break;
            }
        }
    }

    /// The entry that has waited longest, and when all have been stated the end-of-RIB markers.
    fn next_subject(&mut self, now: Moment) -> Option<Subject> {
        let dialect = self.dialect();
        let waiting = self.entries.iter().enumerate();
        let waiting =
            waiting.filter_map(|(route, entry)| Some((entry.due.filter(|due| *due <= now)?, route)));
        if let Some((_, route)) = waiting.min() {
            let entry = &mut self.entries[route];
            let wish = entry.desired.clone()?;
            entry.said(&wish);
            let line = dialect.advertise(&entry.route, &wish);
            return Some(Subject::Route(route, wish, line));
        }
        let all_stated = self.entries.iter().all(|entry| entry.desired.is_some() && entry.due.is_none());
        let family = self.unmarked.pop_if(|_| all_stated)?;
        let of_family = |entry: &&Entry| Family::of(entry.route.prefix.addr()) == family;
        let neighbors = self.entries.iter().find(of_family).map_or(&[][..], |entry| &entry.route.neighbors);
        Some(Subject::EndOfRib(dialect.end_of_rib(family, neighbors)))
    }

    fn send(&mut self, now: Moment, subject: Subject, out: &mut Vec<Action>) {
        let (Subject::Route(_, _, line) | Subject::EndOfRib(line)) = &subject;
        let line = line.clone();
        if self.answers {
            self.say(now, State::Sending(subject), line, out);
        } else {
            out.push(Action::Print(line));
            self.settle(now, subject, true, None, out);
        }
    }

    fn say(&mut self, now: Moment, state: State, line: String, out: &mut Vec<Action>) {
        self.state = state;
        self.until = Some(now + self.settings.ack_timeout);
        out.push(Action::Print(line));
    }

    fn mark_families(&mut self) {
        if self.settings.end_of_rib {
            let families = [Family::V6, Family::V4].into_iter();
            let used = |family: &Family| {
                let mut prefixes = self.entries.iter().map(|entry| entry.route.prefix.addr());
                prefixes.any(|address| Family::of(address) == *family)
            };
            self.unmarked = families.filter(used).collect();
        }
    }

    /// Within a tenth of the configured period, so that a fleet does not speak in unison.
    fn plan_refresh(&mut self, now: Moment) {
        if self.settings.refresh.is_zero() || self.settings.parent == Parent::Terminal {
            return;
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let tenths_of_percent = u32::try_from(900 + self.random % 201).unwrap_or(1000);
        self.refresh_at = Some(now + self.settings.refresh * tenths_of_percent / 1000);
    }
}
