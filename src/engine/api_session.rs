//! The API session with ExaBGP: pure, one command in flight.
//!
//! Replies carry no number, so a lost reply could shift all that follow. Therefore every command that is given up
//! counts as a late reply, and the session asks for the version: the reply to that question is unmistakable, and every
//! reply before it is stale. ExaBGP up to 5.0 answers that question ahead of queued route commands, so late
//! replies are discarded for a moment more (`Settling`). A reply that no command awaited shows that the pairing was
//! wrong.
//!
//! A withdraw never waits long for the reply to another command ([`WITHDRAW_WAIT`]): after that all due withdraws are
//! sent together, out of turn, and the pairing of replies is re-established afterwards ([`overtake`]).
//!
//! A late reply may arrive even after the session has stopped expecting it. Until it arrives, and at most for [`CALM`], a
//! single `done` acknowledges no route ([`attribution`]). The routes acknowledged since the first lost or unexpected reply
//! are stated once more, [`CALM`] after the last such reply, so that a wrong pairing does not last ([`recovery`]).
//!
//! The session never blocks: while ExaBGP is silent, the newest desired state of a route replaces the older.
//!
//! [`conversation`] is the state machine, [`replies`] feeds it and carries out its steps, [`timers`] has the deadlines.
//! [`commands`] chooses the next command, [`overtake`] sends withdraws out of turn, [`attribution`] tells which replies are
//! certain, [`recovery`] restates routes whose acknowledgment may be wrong, [`change`] takes another configuration,
//! [`marks`] has the end-of-RIB markers, [`route_entry`] one route, [`neighbors`] the BGP sessions, and [`unheard`] the
//! neighbors without a report.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::attribution::Attribution;
use self::conversation::{Mark, State};
use self::neighbors::{Change, Neighbors};
use self::recovery::Trouble;
use self::route_entry::{Backoff, RouteEntry};
pub(crate) use self::settings::{Parent, Settings};
use self::unheard::Unheard;
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::exabgp::command::GREETING;
use crate::exabgp::reply::{Reply, Version};
use crate::exabgp::{Advertisement, Dialect, Route};

mod attribution;
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
mod unheard;

/// The longest time for which a withdraw waits for the reply to another command.
pub(crate) const WITHDRAW_WAIT: Duration = Duration::from_millis(200);

/// The pairing of replies is trusted again after this time without trouble, at least.
pub(crate) const CALM: Duration = Duration::from_secs(60);

/// Why ExaBGP answers no command, unless something else explains it.
pub(crate) const ACKS_OFF: &str = "exabgp.api.ack is off";

/// Late replies are discarded for this time once ExaBGP has answered the question for its version.
const SETTLE: Duration = Duration::from_millis(100);

/// Timeout for the reply to the greeting, and for the `done` behind the version. ExaBGP answers both within
/// milliseconds; if it answers nothing, a longer timeout would only delay the first statement.
const HANDSHAKE: Duration = Duration::from_millis(500);

/// Counters of commands and replies, for people.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Record {
    /// The time from the last answered command to its reply.
    pub(crate) latency: Option<Duration>,
    /// Commands for routes that ExaBGP answered with `error`.
    pub(crate) refused: u64,
    /// Commands that ExaBGP did not answer in time.
    pub(crate) unanswered: u64,
}

/// The API session: its state, its routes and the BGP sessions.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ApiSession {
    settings: Settings,
    entries: Vec<RouteEntry>,
    state: State,
    /// The timeout of the present state.
    until: Option<Moment>,
    /// The version that ExaBGP has reported, once it has.
    pub(crate) version: Option<Version>,
    /// Whether ExaBGP answers commands (`exabgp.api.ack`).
    pub(crate) answers: bool,
    /// Replies to commands that were given up, sent out of turn, or sent without awaiting a reply; they may still arrive.
    late_replies: u32,
    /// Those that are no longer expected and may arrive all the same.
    #[serde(default)]
    attribution: Attribution,
    /// Since when a command is unanswered. After [`WITHDRAW_WAIT`] withdraws no longer wait for replies (`overtake_at`).
    unanswered_since: Option<Moment>,
    /// When standard output last became writable again; before, nothing could be sent.
    unblocked_at: Moment,
    /// Withdraws were sent after the question for the version; its reply says nothing about them.
    ask_once_more: bool,
    /// Whether any command has been answered, and whether the last version arrived without its `done`.
    has_answered: bool,
    version_without_done: bool,
    /// [`Notice::NoVersion`] is logged, and ExaBGP has not answered since.
    #[serde(rename = "unresponsive")]
    no_version_logged: bool,
    why: Option<String>,
    /// Standard output is not writable.
    full: bool,
    refresh_at: Option<Moment>,
    /// When to state everything again after an unexpected reply.
    resync_at: Option<Moment>,
    resync: Backoff,
    /// When the last unexpected reply arrived.
    stray_at: Option<Moment>,
    /// Since when acknowledgments may be wrong, and when the latest sign of it was seen.
    trouble: Option<Trouble>,
    /// End-of-RIB markers still to be sent.
    unmarked: Vec<Mark>,
    /// Markers that ExaBGP refused because no BGP session was up; sent again with the next refresh.
    refused_marks: Vec<Mark>,
    random: u64,
    /// When the last command was sent.
    said_at: Moment,
    /// The counters so far.
    pub(crate) record: Record,
    /// The BGP sessions that ExaBGP has reported.
    pub(crate) neighbors: Neighbors,
    /// The neighbors that routes name and that it has not reported.
    #[serde(default)]
    unheard: Unheard,
}

/// The advertisement that a service wants for one of its routes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    /// The place of the route.
    pub(crate) place: usize,
    pub(crate) advertisement: &'a Advertisement,
    /// Whether the service has a verdict, or needs none to withdraw. If not, an earlier announcement stands, with its next hop.
    pub(crate) decided: bool,
    /// Whether to send it again if it is not new.
    pub(crate) again: bool,
}

impl Wish<'_> {
    /// For a route that no service has now.
    pub(crate) const fn withdraw(place: usize) -> Self {
        Self { place, advertisement: &Advertisement::Withdraw, decided: true, again: false }
    }
}

impl ApiSession {
    /// Nothing is sent and nothing is desired yet. An earlier helper `announced` these routes, and ExaBGP may still
    /// announce them: those among `routes` are marked so, the others follow as left behind.
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
            attribution: Attribution::default(),
            unanswered_since: None,
            unblocked_at: Moment::START,
            ask_once_more: false,
            has_answered: false,
            version_without_done: false,
            no_version_logged: false,
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
            unheard: Unheard::default(),
            refused_marks: vec![],
        }
    }

    /// The routes with their state.
    pub(crate) fn entries(&self) -> &[RouteEntry] {
        &self.entries
    }

    /// Why no reply is awaited; `None` if replies are awaited.
    pub(crate) fn silence(&self) -> Option<&'static str> {
        let not_awaited = !self.settings.compat.await_replies;
        match self.settings.parent {
            _ if self.answers => None,
            Parent::Terminal => Some("standard output is a terminal"),
            Parent::ExaBgp if not_awaited => Some("no answers are awaited (--no-ack)"),
            Parent::ExaBgp if self.version.as_ref().is_some_and(|version| !version.acknowledges()) => {
                Some("ExaBGP 3 acknowledges nothing")
            }
            Parent::ExaBgp => Some(ACKS_OFF),
        }
    }

    /// Opens the session.
    pub(crate) fn begin(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.plan_refresh(now);
        self.mark_families();
        self.await_sessions(now);
        match self.settings.parent {
            Parent::ExaBgp => {
                self.say(now, State::Greeting, GREETING.to_owned(), out);
                self.until = Some(now + HANDSHAKE.min(self.settings.exabgp.ack_timeout));
            }
            Parent::Terminal => self.become_ready(now, out),
        }
    }

    /// Records desired advertisements before any is sent, each as soon as the session allows.
    pub(crate) fn desire_all<'a>(
        &mut self,
        now: Moment,
        wishes: impl IntoIterator<Item = Wish<'a>>,
        out: &mut Vec<Action>,
    ) {
        for Wish { place, advertisement, decided, again } in wishes {
            if decided {
                self.take_next_route(now, place);
            }
            let entry = &mut self.entries[place];
            if !entry.desire(now, advertisement) && again {
                entry.restate(now);
            }
        }
        self.proceed(now, out);
    }

    /// Handles a line from standard input.
    pub(crate) fn on_line(&mut self, now: Moment, line: &str, out: &mut Vec<Action>) {
        match Reply::from_line(line) {
            Reply::Done => self.on_reply(now, true, out),
            Reply::Error => self.on_reply(now, false, out),
            Reply::Why(text) => self.why = Some(text),
            Reply::Version(version) => self.on_version(now, version, out),
            Reply::SessionConnected(neighbor) => self.hear_of(now, &neighbor, Change::Connected),
            Reply::SessionUp(neighbor) => {
                let first = !self.neighbors.has_been_up(&neighbor);
                self.hear_of(now, &neighbor, Change::Up);
                let decided = self.entries.iter().any(|entry| !entry.stale && entry.desired.is_some());
                out.push(Notice::SessionUp { neighbor, first, decided }.into());
                self.mark_families();
                self.restate_all(now, out);
            }
            Reply::SessionDown(neighbor, reason) => {
                let lost = !self.neighbors.is_down(&neighbor);
                self.hear_of(now, &neighbor, Change::Down(reason.clone()));
                out.push(Notice::SessionDown { neighbor, reason, lost }.into());
            }
            Reply::Shutdown => out.push(Notice::ShutdownAnnounced.into()),
            Reply::Odd => out.push(Notice::OddLine { line: line.to_owned() }.into()),
            Reply::Nothing => {}
        }
    }

    /// The withdraws of all routes that ExaBGP may announce, to be sent at the exit. With `withdraw_all_at_exit` of `Compat`,
    /// those of all routes.
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

    /// The dialect in use: pinned, detected, or the one that most versions understand. A terminal shows what ExaBGP 4.2.22
    /// to 5 gets, since those are the versions in use.
    pub(crate) fn dialect(&self) -> Dialect {
        let learned = || self.version.as_ref().map(Version::dialect);
        self.settings.exabgp.dialect.or_else(learned).unwrap_or(match self.settings.parent {
            Parent::ExaBgp => Dialect::Plain,
            Parent::Terminal => Dialect::Neighbor,
        })
    }
}
