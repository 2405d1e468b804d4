//! The engine at one moment, as a document.

use std::collections::BTreeMap;
use std::path::Path;

use super::time::Clock;
use super::totals::Totals;
use super::{
    AnswerResult, Answered, BgpSession, CheckStatus, Dampening, Document, Drain, ExaBgp, FORMAT, Hold, Last,
    Next, Prefix, RemovedService, Service, SessionState, WarmUp,
};
use crate::engine::Engine;
use crate::engine::api_session::ApiSession;
use crate::engine::api_session::neighbors::{self, BgpState};
use crate::engine::api_session::route_entry::{Answer, RouteEntry};
use crate::engine::check::{Check, Severity};
use crate::engine::moment::Moment;
use crate::engine::order::Orders;
use crate::engine::service;
use crate::exabgp::{Advertisement, Dialect};
use crate::outcome::Outcome;
use crate::text::ordered;

impl Document {
    /// The document of the engine at the moment of `clock`, for this configuration file and this host name.
    pub(crate) fn from_engine(engine: &Engine, clock: &Clock, node: &str, configuration: &Path) -> Self {
        let now = clock.now();
        let session = engine.api_session();
        Self {
            format: FORMAT.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: node.to_owned(),
            pid: std::process::id(),
            configuration: configuration.to_owned(),
            configuration_hash: None,
            trouble: None,
            last_good: None,
            unwritten: None,
            unwritten_configuration: None,
            running_seconds: now.since_start().as_secs_f64(),
            running_since: clock.time_before(now.since_start()),
            at: clock.at(now),
            exabgp: ExaBgp {
                version: session.version.as_ref().map(ToString::to_string),
                dialect: session.dialect(),
                answers: session.answers,
                silence: session.silence().map(ToOwned::to_owned),
                latency_seconds: session.record.latency.map(|latency| latency.as_secs_f64()),
                refused: session.record.refused,
                unanswered: session.record.unanswered,
                bgp_sessions: bgp_sessions(engine, clock),
            },
            services: (0..engine.services().len()).map(|place| service(engine, place, clock)).collect(),
            drains_of_all: drains(engine.drains_of_all(), engine.drains_of_all(), clock),
            removed_drained: removed_drained(engine, clock),
            stale_routes: engine.overdue_routes().map(RouteEntry::with_neighbors).collect(),
            totals: Totals::default(),
        }
    }
}

/// The sessions that ExaBGP has reported, and those of the neighbors that services name, in the order of the addresses.
///
/// If every route names its neighbors, other sessions are left out: one that was removed from exabgp.conf and from the
/// file would stay down for ever.
fn bgp_sessions(engine: &Engine, clock: &Clock) -> Vec<BgpSession> {
    let routes = || engine.plans().iter().flat_map(|plan| &plan.routes);
    let mut sessions: BTreeMap<_, _> =
        ordered(routes().flat_map(|route| &route.neighbors).map(|neighbor| (neighbor, None)));
    let only_named = !sessions.is_empty() && routes().all(|route| !route.neighbors.is_empty());
    for (neighbor, session) in engine.api_session().neighbors.iter() {
        if !only_named || sessions.contains_key(neighbor) {
            sessions.insert(neighbor, Some(session));
        }
    }
    sessions
        .into_iter()
        .map(|(neighbor, session)| bgp_session(neighbor.to_string(), session, clock))
        .collect()
}

fn bgp_session(neighbor: String, session: Option<&neighbors::BgpSession>, clock: &Clock) -> BgpSession {
    let (state, reason) = match session.map(|session| &session.state) {
        None => (SessionState::Unknown, None),
        Some(BgpState::Up) => (SessionState::Up, None),
        Some(BgpState::Down(reason)) => (SessionState::Down, Some(reason.clone())),
    };
    BgpSession {
        neighbor,
        state,
        since: session.and_then(|session| clock.time_before(session.lasts(clock.now()))),
        for_seconds: session.map(|session| session.lasts(clock.now()).as_secs_f64()),
        reason: reason.filter(|reason| !reason.is_empty()),
    }
}

fn service(engine: &Engine, place: usize, clock: &Clock) -> Service {
    let now = clock.now();
    let service = &engine.services()[place];
    let backend = engine.plans()[place].backend.as_ref();
    let dampening = &service.dampening;
    let reuse_at = dampening.reused_at().filter(|_| dampening.enforced());
    let returns_in = service.returns_in(now);
    Service {
        name: service.name().to_owned(),
        enabled: service.enabled,
        state: service.state(),
        for_seconds: now.since(service.since).as_secs_f64(),
        since: clock.at(service.since),
        reason: service.explain(),
        next: service.next(now, &engine.until(service, now)).map(|next| self::next(&next, clock)),
        backend: backend.map(|backend| backend.name.clone()),
        unit: backend.and_then(|backend| backend.unit.clone()),
        failed_reload: backend.and(service.failed_reload.as_ref()).map(ToString::to_string),
        lost_zones: backend.and(service.lost_zones.clone()).unwrap_or_default(),
        recent_exits: Some(service.exits.count(now)).filter(|exits| *exits > 0),
        prefixes: engine.entries_of(place).map(|entry| prefix(entry, engine.api_session(), clock)).collect(),
        checks: service.checks().iter().map(|check| check_status(check, clock)).collect(),
        dampening: Dampening {
            mode: dampening.policy.mode,
            penalty: dampening.whole_penalty(now),
            suppress: dampening.policy.suppress,
            reuse: dampening.policy.reuse,
            suppressed: dampening.enforced(),
            reuse_in_seconds: reuse_at.map(|at| at.since(now).as_secs_f64()),
            reuse_at: reuse_at.and_then(|at| clock.at(at)),
            would_be_suppressed: dampening.suppressed && !dampening.enforced(),
            falls: dampening.return_time.falls(now),
            returns_in_seconds: returns_in.map(|time| time.as_secs_f64()),
            returns_after_falls: returns_in
                .map(|_| dampening.return_time.withdrawn_by())
                .filter(|falls| *falls > 0),
            returns_at: returns_in.and_then(|time| clock.time_after(time)),
        },
        disabled: service.is_disabled(),
        drains: drains(&service.drains, engine.drains_of_all(), clock),
        holds: holds(&service.holds, clock),
        without_hold: service.without_hold(),
        warm_up: service.warms_until.map(|until| WarmUp {
            ends_in_seconds: until.since(now).as_secs_f64(),
            ends_at: clock.at(until),
        }),
    }
}

/// A time that cannot be written is left out; the period is there all the same.
fn next(next: &service::next::Next, clock: &Clock) -> Next {
    let shown = |moment| clock.at(moment).map_or_else(|| "later".to_owned(), |time| time.to_string());
    Next {
        text: next.text(shown),
        at: next.at().and_then(|at| clock.at(at)),
        in_seconds: next.at().map(|at| at.since(clock.now()).as_secs_f64()),
    }
}

fn removed_drained(engine: &Engine, clock: &Clock) -> Vec<RemovedService> {
    let removed = engine.removed_services().iter().map(|(name, removed)| RemovedService {
        name: name.clone(),
        drains: drains(removed, engine.drains_of_all(), clock),
    });
    removed.collect()
}

fn drains(drains: &Orders, of_all: &Orders, clock: &Clock) -> Vec<Drain> {
    let now = clock.now();
    let shown = drains.iter().map(|(holder, drain)| Drain {
        holder: holder.to_string(),
        reason: drain.reason.to_string(),
        for_seconds: drain.age(now).as_secs_f64(),
        since: clock.time_before(drain.age(now)),
        expires_in_seconds: drain.expires.map(|at| at.since(now).as_secs_f64()),
        expires_at: drain.expires.and_then(|at| clock.at(at)),
        returning: drain.returning,
        needs: drain.needs.clone(),
        until_exit: drain.until_exit,
        of_all: of_all.has(Some(holder)),
        uid: drain.uid,
    });
    shown.collect()
}

fn holds(holds: &Orders, clock: &Clock) -> Vec<Hold> {
    let now = clock.now();
    let shown = holds.iter().map(|(holder, hold)| Hold {
        holder: holder.to_string(),
        reason: hold.reason.to_string(),
        for_seconds: hold.age(now).as_secs_f64(),
        since: clock.time_before(hold.age(now)),
        expires_in_seconds: hold.expires.map_or(0.0, |at| at.since(now).as_secs_f64()),
        expires_at: hold.expires.and_then(|at| clock.at(at)),
        uid: hold.uid,
    });
    shown.collect()
}

fn prefix(entry: &RouteEntry, session: &ApiSession, clock: &Clock) -> Prefix {
    let without_session = entry.route.neighbors.iter().filter(|neighbor| session.misses(neighbor));
    let subject = format!(" route {}", entry.route.prefix);
    let words = |advertisement: &Advertisement| {
        Dialect::Plain.advertise(&entry.route, advertisement).replacen(&subject, "", 1)
    };
    Prefix {
        prefix: entry.route.prefix.to_string(),
        desired: entry.desired.as_ref().map(words),
        acknowledged: entry.acknowledged.as_ref().map(words),
        unacknowledged_for_seconds: entry.unsettled_since.map(|since| clock.now().since(since).as_secs_f64()),
        refused: entry.refused,
        without_session: without_session.map(ToString::to_string).collect(),
        said: entry.sent.as_ref().map(words),
        answer: entry.answer.as_ref().map(|(at, answer)| answered(*at, answer, clock)),
        due_in_seconds: entry.due.map(|due| due.since(clock.now()).as_secs_f64()),
    }
}

fn answered(at: Moment, answer: &Answer, clock: &Clock) -> Answered {
    let (result, why) = match answer {
        Answer::Done => (AnswerResult::Done, None),
        Answer::Refused(why) => (AnswerResult::Refused, why.clone()),
        Answer::Missing => (AnswerResult::Unanswered, None),
    };
    Answered { ago_seconds: clock.now().since(at).as_secs_f64(), at: clock.at(at), result, why }
}

fn check_status(check: &Check, clock: &Clock) -> CheckStatus {
    use crate::engine::hysteresis::CheckState::{Falling, Rising};
    let thresholds = check.timing.thresholds;
    CheckStatus {
        name: check.name().to_owned(),
        asks: vec![],
        interval_seconds: Some(check.interval().as_secs_f64()),
        fast_interval_seconds: Some(check.timing.fast_interval.as_secs_f64()),
        due_in_seconds: check.due.map(|due| due.since(clock.now()).as_secs_f64()),
        on_fail: Some(check.worst()),
        state: check.state().to_string(),
        streak: match check.state() {
            Rising(count) | Falling(count) => count,
            _ => 0,
        },
        rise: thresholds.rise.get(),
        fall: thresholds.fall.get(),
        passes_ahead: check
            .rises(clock.now(), check.verdict().unwrap_or(Severity::Down), check.timing.interval)
            .map(|forecast| forecast.need - forecast.have),
        severity: check.verdict(),
        fails_milder: check.fails_milder(),
        unproven: check.is_unproven(),
        unseen: None,
        unknown_for_seconds: check
            .unknown
            .as_ref()
            .map(|unknown| clock.now().since(unknown.since).as_secs_f64()),
        unknown_since: check.unknown.as_ref().and_then(|unknown| clock.at(unknown.since)),
        last: check.last.as_ref().map(|(at, outcome)| last(*at, outcome, clock)),
    }
}

fn last(at: Moment, outcome: &Outcome, clock: &Clock) -> Last {
    let (latency, failure) = match outcome {
        Outcome::Pass { latency, .. } => (Some(latency.as_secs_f64()), None),
        Outcome::Fail(failure) | Outcome::Unknown(failure) => (None, Some(failure)),
    };
    Last {
        ago_seconds: clock.now().since(at).as_secs_f64(),
        at: clock.at(at),
        passed: failure.is_none(),
        latency_seconds: latency,
        cause: failure.map(|failure| failure.cause.to_string()),
        detail: failure.map(ToString::to_string),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::config::Config;
    use crate::engine::api_session::Parent;
    use crate::engine::drain::{Lasts, Lift, Order};
    use crate::engine::event::{CheckId, Event, ServiceId};
    use crate::engine::memory::Memory;

    #[test]
    fn each_neighbor_has_its_own_line() {
        let toml = "[node]\nmanagement = \"10.1.0.2\"\n[defaults]\nrise = 1\n\
                    [[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\naddress = false\n\
                    announce = [{ neighbors = [\"10.1.0.1\"], up = { med = 100 } }, { neighbors = [\"10.2.0.1\"] }]\n\
                    [[service.check]]\nname = \"b\"\ncommand = \"exit 0\"\n";
        let config = Config::parse(Path::new("a.toml"), toml, "host").unwrap();
        let mut engine = Engine::new(&config.plan(), Parent::ExaBgp, Memory::default(), Duration::ZERO);
        let pass = Event::Outcome(CheckId { service: ServiceId(0), check: 0 }, Outcome::pass(Duration::ZERO));
        // The greeting, the version, the first route; the other is refused.
        let heard =
            ["done", "exabgp 5.0.15", "done", "done", "error"].map(|line| Event::Received(line.to_owned()));
        let events =
            [Event::Start].into_iter().chain(heard[..3].to_vec()).chain([pass]).chain(heard[3..].to_vec());
        let mut now = Moment::START;
        for event in events {
            now = now + Duration::from_millis(200);
            engine.handle(now, event);
            engine.handle(now + Duration::from_millis(150), Event::Tick);
        }
        let clock = Clock::new(now, UNIX_EPOCH);
        let document = Document::from_engine(&engine, &clock, "host", Path::new("a.toml"));
        let shown: Vec<_> = document.services[0]
            .prefixes
            .iter()
            .map(|prefix| (prefix.prefix.as_str(), prefix.desired.as_deref().unwrap(), prefix.is_settled()))
            .collect();
        assert_eq!(
            shown,
            [
                ("192.0.2.1/32", "neighbor 10.1.0.1 announce next-hop 10.1.0.2 med 100", true),
                ("192.0.2.1/32", "neighbor 10.2.0.1 announce next-hop 10.1.0.2", false),
            ]
        );
        let refused = document.services[0].prefixes.iter().map(|prefix| prefix.refused);
        assert_eq!(refused.collect::<Vec<_>>(), [false, true]);
    }

    /// A failed check that passes again has the number of passes to its return.
    #[test]
    fn a_check_that_passes_again_counts_its_passes() {
        let toml = "[node]\nmanagement = [\"10.1.0.2\"]\n[defaults]\nrise = 3\nfall = 1\n\
                    [[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\naddress = false\n\
                    [[service.check]]\nname = \"b\"\ncommand = \"exit 0\"\n";
        let config = Config::parse(Path::new("a.toml"), toml, "host").unwrap();
        let mut engine = Engine::new(&config.plan(), Parent::Terminal, Memory::default(), Duration::ZERO);
        let id = CheckId { service: ServiceId(0), check: 0 };
        let found = |outcome| Event::Outcome(id, outcome);
        let pass = || found(Outcome::pass(Duration::ZERO));
        let fail = found(Outcome::from_cause(crate::outcome::Cause::Command, "exit status 1"));
        let mut now = Moment::START;
        for event in [Event::Start, pass(), pass(), pass(), fail, pass()] {
            engine.handle(now, event);
            now = now + Duration::from_secs(1);
            engine.handle(now, Event::Tick);
        }
        let document =
            Document::from_engine(&engine, &Clock::new(now, UNIX_EPOCH), "host", Path::new("a.toml"));
        let service = &document.services[0];
        assert_eq!((service.state, service.checks[0].passes_ahead), (service::ServiceState::Down, Some(2)));
    }

    #[test]
    fn a_warm_up_is_data_until_the_names_are_asked() {
        let toml = "[node]\nmanagement = [\"10.1.0.2\"]\n[defaults]\nrise = 1\n\
                    [[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\naddress = false\n\
                    warm-up = \"www.example.org\"\n\
                    [[service.check]]\nname = \"b\"\ncommand = \"exit 0\"\n";
        let config = Config::parse(Path::new("a.toml"), toml, "host").unwrap();
        let mut engine = Engine::new(&config.plan(), Parent::Terminal, Memory::default(), Duration::ZERO);
        let service = ServiceId(0);
        let pass = Event::Outcome(CheckId { service, check: 0 }, Outcome::pass(Duration::ZERO));
        let order = Order {
            holder: "alice".parse().unwrap(),
            reason: "disk".to_owned().into(),
            lasts: Lasts::UntilLifted,
            uid: None,
        };
        let lift = Lift { holder: None, once_healthy: true, checks: vec![] };
        let drain = Event::Drain(service, order);
        let undrain = Event::Undrain(service, lift);
        let mut now = Moment::START;
        // The outcome of a round that began before the end of the drain does not count.
        for event in [Event::Start, pass.clone(), drain, undrain, pass.clone(), pass] {
            engine.handle(now, event);
            now = now + Duration::from_millis(500);
            engine.handle(now, Event::Tick);
        }
        let shown = |engine: &Engine, now| {
            let document =
                Document::from_engine(engine, &Clock::new(now, UNIX_EPOCH), "host", Path::new("a.toml"));
            document.services.into_iter().next().unwrap()
        };
        let waiting = shown(&engine, now);
        let warm_up = waiting.warm_up.unwrap();
        assert!((warm_up.ends_in_seconds - 1.5).abs() < 1e-9 && warm_up.ends_at.is_some(), "{warm_up:?}");
        assert_eq!((waiting.state, waiting.drains.len()), (service::ServiceState::Drained, 0));
        assert_eq!(
            waiting.next.unwrap().text,
            "announced at the latest 1970-01-01T00:00:01.500Z, once the names of `warm-up` are asked"
        );
        engine.handle(now + Duration::from_millis(10), Event::WarmedUp(service));
        let returned = shown(&engine, now + Duration::from_millis(10));
        assert_eq!((returned.warm_up, returned.state), (None, service::ServiceState::Up));
    }

    #[test]
    fn only_the_neighbors_that_routes_name_are_shown_where_each_names_some() {
        let shown = |neighbors: &str| {
            let toml = format!(
                "[node]\nmanagement = \"10.1.0.2\"\n[exabgp]\nneighbors = [{neighbors}]\n\
                 [[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\naddress = false\n\
                 [[service.check]]\nname = \"b\"\ncommand = \"exit 0\"\n"
            );
            let config = Config::parse(Path::new("a.toml"), &toml, "host").unwrap();
            let mut engine = Engine::new(&config.plan(), Parent::ExaBgp, Memory::default(), Duration::ZERO);
            engine.handle(Moment::START, Event::Start);
            for line in ["neighbor 10.1.0.1 up", "neighbor 10.9.0.1 down - peer reset"] {
                engine.handle(Moment::START, Event::Received(line.to_owned()));
            }
            let document = Document::from_engine(
                &engine,
                &Clock::new(Moment::START, UNIX_EPOCH),
                "host",
                Path::new("a.toml"),
            );
            document.exabgp.bgp_sessions.into_iter().map(|session| session.neighbor).collect::<Vec<_>>()
        };
        assert_eq!(shown(""), ["10.1.0.1", "10.9.0.1"]);
        assert_eq!(shown("\"10.1.0.1\""), ["10.1.0.1"]);
    }
}
