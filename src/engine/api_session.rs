//! The API session with ExaBGP: pure, one command in flight.
//!
//! ```text
//!              answer or 500 ms                            no late replies       done, error
//!   Greeting ──────────────────► Resynchronizing ────────────────► Ready ◄───────────── Sending
//!                                  ▲  Asked ──► Answered ──► Settling │ ──────────────────► │
//!                                  └──────────── ack-timeout, or an overtaking withdraw ────┘
//! ```
//!
//! Answers carry no number, so a lost one could shift all that follow. Every command that is given up therefore counts
//! as a late reply, and the version is asked for: the answer to that question is unmistakable, and what arrived before
//! it is stale. ExaBGP up to 5.0 answers that question ahead of queued route commands, so late replies are discarded
//! for a moment more (`Settling`). An answer that nothing was waiting for shows that the pairing was wrong.
//!
//! A withdraw never waits long for the answer to another command ([`PATIENCE`]): all due withdraws then leave together,
//! out of turn, and the pairing of answers is re-established afterwards ([`overtake`]).
//!
//! After trouble of any kind, what was acknowledged meanwhile is stated once more when all has been calm for [`CALM`],
//! so that no wrong pairing outlives it.
//!
//! The session never waits: while ExaBGP is silent, the newest desired state of a route replaces the older.
//!
//! This file holds the state and the timers; [`commands`] sends commands, [`replies`] deals with replies and their
//! absence, [`overtake`] with what does not wait for them, [`route_entry`] is one route.

use std::net::IpAddr;
use std::time::Duration;

use self::neighbors::{Change, Neighbors};
use self::route_entry::{Backoff, RouteEntry};
use crate::engine::action::Action;
use crate::engine::compat::Compat;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::exabgp::command::{Family, GREETING};
use crate::exabgp::reply::{Reply, Version};
use crate::exabgp::{Advertisement, Dialect, Route};

mod change;
mod commands;
pub(crate) mod neighbors;
mod overtake;
mod replies;
pub(crate) mod route_entry;

/// The longest that a withdraw waits for the answer to another command.
pub(crate) const PATIENCE: Duration = Duration::from_millis(200);

/// For so long there must be no trouble before the pairing of answers is trusted again. Longer than any pause before a
/// command is sent again, so that a mute ExaBGP is never taken for a calm one.
pub(crate) const CALM: Duration = Duration::from_secs(60);

/// How long late answers are let pass once ExaBGP has answered the question that fences them off.
const SETTLE: Duration = Duration::from_millis(100);

/// How long the greeting, and the `done` behind the version, are waited for. ExaBGP answers both within milliseconds;
/// where it answers nothing, waiting longer would only delay the first statement.
const HANDSHAKE: Duration = Duration::from_millis(500);

/// Who reads standard output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Parent {
    /// ExaBGP, which is asked for its version and answers commands.
    ExaBgp,
    /// A person: nothing is asked and nothing awaited.
    Terminal,
}

/// How to talk.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The dialect, where configuration pins it.
    pub(crate) dialect: Option<Dialect>,
    /// The longest wait for an answer.
    pub(crate) ack_timeout: Duration,
    /// How often everything is stated again; zero for never.
    pub(crate) refresh: Duration,
    /// Whether to mark the end of the first routes.
    pub(crate) end_of_rib: bool,
    /// Who reads standard output.
    pub(crate) parent: Parent,
    /// Where it behaves as `exabgp healthcheck` does.
    pub(crate) compat: Compat,
    /// Spreads the refreshes of many hosts; the same seed gives the same series.
    pub(crate) seed: u64,
}

#[derive(Clone, Debug)]
enum State {
    /// Nothing said yet.
    Silent,
    /// The greeting is out.
    Greeting,
    /// The version has been asked for, so that commands and answers can be paired from there on.
    Resynchronizing(Stage),
    /// Nothing in flight.
    Ready,
    /// A command is in flight.
    Sending(Subject),
}

/// How far a resynchronization has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// The question for the version is out.
    Asked,
    /// The version has come, its `done` has not.
    Answered,
    /// Late replies are discarded until none has come for [`SETTLE`].
    Settling,
}

#[derive(Clone, Debug)]
enum Subject {
    Route(usize, Advertisement, String),
    EndOfRib(Mark, String),
}

/// What became of commands, for people.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Record {
    /// From the last command that was answered to its answer.
    pub(crate) latency: Option<Duration>,
    /// Commands to which ExaBGP said `error`.
    pub(crate) refused: u64,
    /// Commands that were not answered in time.
    pub(crate) unanswered: u64,
}

/// Since when the pairing of answers may have been wrong, and when the latest sign of it was seen.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    since: Moment,
    latest: Moment,
}

/// An end-of-RIB marker: for a family, to the neighbors that get its routes.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Mark {
    family: Family,
    neighbors: Vec<IpAddr>,
}

/// The conversation and what it is about.
#[derive(Debug)]
pub(crate) struct ApiSession {
    settings: Settings,
    entries: Vec<RouteEntry>,
    state: State,
    /// When the present state has lasted too long.
    until: Option<Moment>,
    version: Option<Version>,
    /// Whether ExaBGP answers commands (`exabgp.api.ack`).
    answers: bool,
    /// Answers to commands that are no longer waited for, which may still come.
    late_replies: u32,
    /// Since when something is out of which nothing has been answered: ExaBGP is `unresponsive` after [`PATIENCE`].
    unanswered_since: Option<Moment>,
    /// When standard output last took lines again; nothing could be sent before.
    unblocked_at: Moment,
    /// Withdraws have left after the question for the version, whose answer says nothing about them.
    ask_once_more: bool,
    /// Whether any command has been answered, and whether the last version came without its `done`.
    has_answered: bool,
    version_without_done: bool,
    /// Silence has been reported, and not been broken since.
    unresponsive: bool,
    why: Option<String>,
    /// Standard output takes no more at the moment.
    full: bool,
    refresh_at: Option<Moment>,
    /// When to state everything again since an answer too many came.
    resync_at: Option<Moment>,
    resync: Backoff,
    /// When an answer last came that nothing was waiting for.
    stray_at: Option<Moment>,
    /// Since when acknowledgements may be wrong, and when it last became known.
    trouble: Option<Trouble>,
    /// End-of-RIB markers still to be sent.
    unmarked: Vec<Mark>,
    /// Those that were refused, for there was no session; tried again with the next refresh.
    refused_marks: Vec<Mark>,
    random: u64,
    /// When the last command left.
    said_at: Moment,
    /// What became of commands so far.
    record: Record,
    /// What ExaBGP has told of BGP sessions.
    neighbors: Neighbors,
}

impl ApiSession {
    /// Nothing said, nothing desired. What an earlier helper `announced` may still be: of the `routes` this is known, and
    /// behind them stand those that it has left behind.
    #[must_use]
    pub(crate) fn new(settings: Settings, routes: Vec<Route>, announced: Vec<Route>) -> Self {
        Self {
            random: settings.seed | 1,
            answers: settings.parent == Parent::ExaBgp && settings.compat.await_replies,
            settings,
            entries: route_entry::inherited(routes, announced),
            state: State::Silent,
            until: None,
            version: None,
            late_replies: 0,
            unanswered_since: None,
            unblocked_at: Moment::START,
            ask_once_more: false,
            has_answered: false,
            version_without_done: false,
            unresponsive: false,
            why: None,
            full: false,
            refresh_at: None,
            resync_at: None,
            resync: Backoff::new(),
            stray_at: None,
            trouble: None,
            unmarked: vec![],
            said_at: Moment::START,
            record: Record::default(),
            neighbors: Neighbors::default(),
            refused_marks: vec![],
        }
    }

    /// The routes and what is known of them.
    #[must_use]
    pub(crate) fn entries(&self) -> &[RouteEntry] {
        &self.entries
    }

    /// What ExaBGP said it is, once it has.
    #[must_use]
    pub(crate) const fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// Whether it answers commands.
    #[must_use]
    pub(crate) const fn answers(&self) -> bool {
        self.answers
    }

    /// Why nothing is ever acknowledged; `None` where commands are answered.
    #[must_use]
    pub(crate) fn silence(&self) -> Option<&'static str> {
        let not_awaited = !self.settings.compat.await_replies;
        match self.settings.parent {
            _ if self.answers => None,
            Parent::Terminal => Some("standard output is a terminal"),
            Parent::ExaBgp if not_awaited => Some("no answers are awaited (--no-ack)"),
            Parent::ExaBgp => Some("exabgp.api.ack is off"),
        }
    }

    /// What became of commands so far.
    #[must_use]
    pub(crate) const fn record(&self) -> &Record {
        &self.record
    }

    /// The BGP sessions of which ExaBGP has told.
    #[must_use]
    pub(crate) const fn neighbors(&self) -> &Neighbors {
        &self.neighbors
    }

    /// Opens the conversation.
    pub(crate) fn begin(&mut self, now: Moment, out: &mut Vec<Action>) {
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
    /// True if it is new.
    pub(crate) fn desire(
        &mut self,
        now: Moment,
        route: usize,
        advertisement: &Advertisement,
        out: &mut Vec<Action>,
    ) -> bool {
        let new = self.entries[route].desire(now, advertisement);
        if new {
            self.proceed(now, out);
        }
        new
    }

    /// The same for many routes, before anything is said of any; each with whether to say it again if it is not new.
    pub(crate) fn desire_all<'a>(
        &mut self,
        now: Moment,
        wishes: impl Iterator<Item = (usize, &'a Advertisement, bool)>,
        out: &mut Vec<Action>,
    ) {
        for (route, advertisement, again) in wishes {
            let entry = &mut self.entries[route];
            if !entry.desire(now, advertisement) && again {
                entry.restate(now);
            }
        }
        self.proceed(now, out);
    }

    /// Takes a line from standard input.
    pub(crate) fn on_line(&mut self, now: Moment, line: &str, out: &mut Vec<Action>) {
        match Reply::of(line) {
            Reply::Done => self.answered(now, true, out),
            Reply::Error => self.answered(now, false, out),
            Reply::Why(text) => self.why = Some(text),
            Reply::Version(version) => self.learn(now, version, out),
            Reply::SessionConnected(neighbor) => self.neighbors.take(now, &neighbor, Change::Connected),
            Reply::SessionUp(neighbor) => {
                self.neighbors.take(now, &neighbor, Change::Up);
                out.push(Notice::SessionUp { neighbor }.into());
                self.mark_families();
                self.restate_all(now, out);
            }
            Reply::SessionDown(neighbor, reason) => {
                self.neighbors.take(now, &neighbor, Change::Down(reason.clone()));
                out.push(Notice::SessionDown { neighbor, reason }.into());
            }
            Reply::Shutdown => out.push(Notice::ShutdownAnnounced.into()),
            Reply::Odd => out.push(Notice::OddLine { line: line.to_owned() }.into()),
            Reply::Nothing => {}
        }
    }

    /// Standard output takes no more: nothing is said, and no answer is awaited, until it does.
    pub(crate) fn on_output_blocked(&mut self, out: &mut Vec<Action>) {
        if !self.full {
            self.full = true;
            out.push(Notice::OutputBlocked.into());
        }
    }

    /// Standard output takes lines again, and has taken the one that was waiting.
    pub(crate) fn on_output_unblocked(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.full = false;
        out.push(Notice::OutputUnblocked.into());
        if self.until.is_some() {
            self.until = Some(now + self.settings.ack_timeout);
        }
        self.unblocked_at = now;
        self.unanswered_since = self.unanswered_since.map(|_| now);
        self.proceed(now, out);
    }

    /// The next moment at which [`ApiSession::expire`] has something to do.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<Moment> {
        if self.full {
            return None;
        }
        let due =
            matches!(self.state, State::Ready).then(|| self.entries.iter().filter_map(|entry| entry.due));
        [self.until, self.refresh_at, self.resync_at, self.confirm_at(), self.overtake_at()]
            .into_iter()
            .flatten()
            .chain(due.into_iter().flatten())
            .min()
    }

    /// Does what has become due.
    pub(crate) fn expire(&mut self, now: Moment, out: &mut Vec<Action>) {
        if self.full {
            return;
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.plan_refresh(now);
            self.unmarked.append(&mut self.refused_marks);
            self.restate_all(now, out);
        }
        if self.resync_at.is_some_and(|at| at <= now) {
            self.resync_at = None;
            self.restate_all(now, out);
        }
        if self.confirm_at().is_some_and(|at| at <= now) {
            self.confirm(now, out);
        }
        if self.until.is_some_and(|until| until <= now) {
            self.give_up(now, out);
        }
        self.proceed(now, out);
    }

    /// The withdraws of all that may be announced, for the last moment. `exabgp healthcheck` makes no difference.
    #[must_use]
    pub(crate) fn final_withdraws(&self) -> Vec<String> {
        self.entries
            .iter()
            .filter(|entry| entry.perhaps_announced || self.settings.compat.withdraw_all_at_exit)
            .map(|entry| self.words(entry, &Advertisement::Withdraw))
            .collect()
    }

    fn words(&self, entry: &RouteEntry, advertisement: &Advertisement) -> String {
        if self.settings.compat.withdraw_with_next_hop {
            self.dialect().advertise_as_healthcheck(&entry.route, advertisement)
        } else {
            self.dialect().advertise(&entry.route, advertisement)
        }
    }

    /// The dialect spoken: pinned, learnt, or the one that most versions understand.
    #[must_use]
    pub(crate) fn dialect(&self) -> Dialect {
        let learnt = || self.version.as_ref().map(Version::dialect);
        self.settings.dialect.or_else(learnt).unwrap_or(match self.settings.parent {
            Parent::ExaBgp => Dialect::Plain,
            Parent::Terminal => Dialect::Neighbor,
        })
    }
}
