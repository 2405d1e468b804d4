//! The API session with ExaBGP: pure, one command in flight.
//!
//! Answers carry no number, so a lost one could shift all that follow. Every command that is given up therefore counts
//! as a late reply, and the version is asked for: the answer to that question is unmistakable, and what arrived before
//! it is stale. ExaBGP up to 5.0 answers that question ahead of queued route commands, so late replies are discarded
//! for a moment more (`Settling`). An answer that nothing was waiting for shows that the pairing was wrong.
//!
//! A withdraw never waits long for the answer to another command ([`WITHDRAW_WAIT`]): all due withdraws then leave together,
//! out of turn, and the pairing of answers is re-established afterwards ([`overtake`]).
//!
//! After trouble of any kind, what was acknowledged meanwhile is stated once more when all has been calm for [`CALM`],
//! so that no wrong pairing outlives it.
//!
//! The session never waits: while ExaBGP is silent, the newest desired state of a route replaces the older.
//!
//! [`conversation`] is the state machine, [`replies`] feeds it and carries out its steps, [`timers`] has the deadlines.
//! [`commands`] chooses what to send, [`overtake`] sends withdraws out of turn, [`recovery`] restates what may be wrong,
//! [`change`] takes another configuration, [`marks`] has the end-of-RIB markers, [`route_entry`] one route, and
//! [`neighbors`] the BGP sessions.

use std::time::Duration;

use self::conversation::{Mark, State};
use self::neighbors::{Change, Neighbors};
use self::recovery::Trouble;
use self::route_entry::{Backoff, RouteEntry};
pub(crate) use self::settings::{Parent, Settings};
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::exabgp::command::GREETING;
use crate::exabgp::reply::{Reply, Version};
use crate::exabgp::{Advertisement, Dialect, Route};

mod change;
mod commands;
mod conversation;
mod marks;
pub(crate) mod neighbors;
mod overtake;
mod recovery;
mod replies;
pub(crate) mod route_entry;
mod settings;
mod timers;

/// The longest that a withdraw waits for the answer to another command.
pub(crate) const WITHDRAW_WAIT: Duration = Duration::from_millis(200);

/// For so long there must be no trouble before the pairing of answers is trusted again. Longer than any pause before a
/// command is sent again, so that an unresponsive ExaBGP is never taken for a calm one.
pub(crate) const CALM: Duration = Duration::from_secs(60);

/// How long late answers are let pass once ExaBGP has answered the question that fences them off.
const SETTLE: Duration = Duration::from_millis(100);

/// How long the greeting, and the `done` behind the version, are waited for. ExaBGP answers both within milliseconds;
/// where it answers nothing, waiting longer would only delay the first statement.
const HANDSHAKE: Duration = Duration::from_millis(500);

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
    /// Since when something is out of which nothing has been answered: ExaBGP is `unresponsive` after [`WITHDRAW_WAIT`].
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
    /// Since when acknowledgments may be wrong, and when it last became known.
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
            Reply::Done => self.on_reply(now, true, out),
            Reply::Error => self.on_reply(now, false, out),
            Reply::Why(text) => self.why = Some(text),
            Reply::Version(version) => self.on_version(now, version, out),
            Reply::SessionConnected(neighbor) => self.neighbors.take(now, &neighbor, Change::Connected),
            Reply::SessionUp(neighbor) => {
                let first = !self.neighbors.has_been_up(&neighbor);
                self.neighbors.take(now, &neighbor, Change::Up);
                let decided = self.entries.iter().any(|entry| entry.desired.is_some());
                out.push(Notice::SessionUp { neighbor, first, decided }.into());
                self.mark_families();
                self.restate_all(now, out);
            }
            Reply::SessionDown(neighbor, reason) => {
                let lost = !self.neighbors.is_down(&neighbor);
                self.neighbors.take(now, &neighbor, Change::Down(reason.clone()));
                out.push(Notice::SessionDown { neighbor, reason, lost }.into());
            }
            Reply::Shutdown => out.push(Notice::ShutdownAnnounced.into()),
            Reply::Odd => out.push(Notice::OddLine { line: line.to_owned() }.into()),
            Reply::Nothing => {}
        }
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

    /// The dialect spoken: pinned, learned, or the one that most versions understand.
    #[must_use]
    pub(crate) fn dialect(&self) -> Dialect {
        let learned = || self.version.as_ref().map(Version::dialect);
        self.settings.dialect.or_else(learned).unwrap_or(match self.settings.parent {
            Parent::ExaBgp => Dialect::Plain,
            Parent::Terminal => Dialect::Neighbor,
        })
    }
}
