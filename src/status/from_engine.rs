//! The engine at one moment, as a document.

use std::path::Path;
use std::time::Duration;

use super::{CheckStatus, Dampening, Document, Drain, ExaBgp, FORMAT, Hold, Last, Prefix, Service};
use crate::engine::Engine;
use crate::engine::check::Check;
use crate::engine::drain::Drains;
use crate::engine::hold::Holds;
use crate::engine::moment::Moment;
use crate::exabgp::link::entry::Entry;
use crate::exabgp::{Advertisement, Dialect};
use crate::outcome::Outcome;

impl Document {
    /// Of the engine at `now`, which runs with this configuration file on the host of this name.
    #[must_use]
    pub fn of(engine: &Engine, now: Moment, node: &str, configuration: &Path) -> Self {
        let link = engine.link();
        Self {
            format: FORMAT.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: node.to_owned(),
            pid: std::process::id(),
            configuration: configuration.to_owned(),
            trouble: None,
            last_good: None,
            unwritten: None,
            running_seconds: now.since_start().as_secs_f64(),
            exabgp: ExaBgp {
                version: link.version().map(ToString::to_string),
                dialect: link.dialect(),
                answers: link.answers(),
                silence: link.silence().map(ToOwned::to_owned),
                latency_seconds: link.record().latency.map(|latency| latency.as_secs_f64()),
                refused: link.record().refused,
                unanswered: link.record().unanswered,
            },
            services: (0..engine.services().len()).map(|place| service(engine, place, now)).collect(),
            drains_of_all: drains(engine.drains_of_all(), now),
            left_behind: engine.left_behind().map(|entry| entry.route.prefix.to_string()).collect(),
        }
    }
}

fn service(engine: &Engine, place: usize, now: Moment) -> Service {
    let service = &engine.services()[place];
    let dampening = service.dampening();
    let reuse_in = dampening.reused_at().map(|at| at.since(now).as_secs_f64());
    Service {
        name: service.name().to_owned(),
        enabled: service.is_enabled(),
        state: service.state(),
        for_seconds: now.since(service.since()).as_secs_f64(),
        reason: service.explain(),
        backend: engine.plans()[place].backend.as_ref().map(|backend| backend.name.clone()),
        unit: engine.plans()[place].backend.as_ref().and_then(|backend| backend.unit.clone()),
        prefixes: engine.entries_of(place).map(prefix).collect(),
        checks: service.checks().iter().map(|check| check_status(check, now)).collect(),
        dampening: Dampening {
            mode: dampening.policy().mode,
            penalty: service.penalty(now),
            suppressed: dampening.enforced(),
            reuse_in_seconds: reuse_in.filter(|_| dampening.enforced()),
            would_be_suppressed: dampening.suppressed() && !dampening.enforced(),
            falls: dampening.return_time().falls(now),
            returns_in_seconds: service.returns_in(now).map(|time| time.as_secs_f64()),
        },
        disabled: service.is_disabled(),
        drains: drains(service.drains(), now),
        holds: holds(service.holds(), now),
        without_hold: service.without_hold(),
    }
}

fn drains(drains: &Drains, now: Moment) -> Vec<Drain> {
    let shown = drains.iter().map(|(holder, drain)| Drain {
        holder: holder.to_string(),
        reason: drain.reason.to_string(),
        for_seconds: drain.age(now).as_secs_f64(),
        expires_in_seconds: drain.expires.map(|at| at.since(now).as_secs_f64()),
        returning: drain.returning,
        until_exit: drain.until_exit,
        uid: drain.uid,
    });
    shown.collect()
}

fn holds(holds: &Holds, now: Moment) -> Vec<Hold> {
    let shown = holds.orders().iter().map(|(holder, hold)| Hold {
        holder: holder.to_string(),
        reason: hold.reason.to_string(),
        for_seconds: hold.age(now).as_secs_f64(),
        expires_in_seconds: hold.expires.map_or(0.0, |at| at.since(now).as_secs_f64()),
        uid: hold.uid,
    });
    shown.collect()
}

fn prefix(entry: &Entry) -> Prefix {
    let subject = format!(" route {}", entry.route.prefix);
    let words = |advertisement: &Advertisement| {
        Dialect::Plain.advertise(&entry.route, advertisement).replacen(&subject, "", 1)
    };
    Prefix {
        prefix: entry.route.prefix.to_string(),
        desired: entry.desired.as_ref().map(words),
        acknowledged: entry.acknowledged.as_ref().map(words),
    }
}

fn check_status(check: &Check, now: Moment) -> CheckStatus {
    use crate::engine::hysteresis::State::{Falling, Rising};
    let thresholds = check.timing().thresholds;
    CheckStatus {
        name: check.name().to_owned(),
        state: check.state().to_string(),
        streak: match check.state() {
            Rising(count) | Falling(count) => count,
            _ => 0,
        },
        rise: thresholds.rise.get(),
        fall: thresholds.fall.get(),
        severity: check.verdict(),
        unknown_for_seconds: check.unknown().map(|unknown| now.since(unknown.since).as_secs_f64()),
        last: check.last().map(|(at, outcome)| last(now.since(*at), outcome)),
    }
}

fn last(ago: Duration, outcome: &Outcome) -> Last {
    let ago_seconds = ago.as_secs_f64();
    match outcome {
        Outcome::Pass { latency } => Last {
            ago_seconds,
            passed: true,
            latency_seconds: Some(latency.as_secs_f64()),
            cause: None,
            detail: None,
        },
        Outcome::Fail(failure) | Outcome::Unknown(failure) => Last {
            ago_seconds,
            passed: false,
            latency_seconds: None,
            cause: Some(failure.cause.to_string()),
            detail: Some(failure.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::engine::event::{CheckId, Event, ServiceId};
    use crate::engine::memory::Memory;
    use crate::exabgp::link::Parent;

    #[test]
    fn what_each_neighbor_is_told_is_shown_on_its_own() {
        let toml = "[node]\nmanagement = \"10.1.0.2\"\n[defaults]\nrise = 1\n\
                    [[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\naddress = false\n\
                    announce = [{ neighbors = [\"10.1.0.1\"], up = { med = 100 } }, { neighbors = [\"10.2.0.1\"] }]\n\
                    [[service.check]]\nname = \"b\"\ncommand = \"exit 0\"\n";
        let config = Config::parse(Path::new("a.toml"), toml, "host").unwrap();
        let mut engine = Engine::new(&config, Parent::ExaBgp, Memory::default(), Duration::ZERO);
        let pass = Event::Outcome(
            CheckId { service: ServiceId(0), check: 0 },
            Outcome::Pass { latency: Duration::ZERO },
        );
        // The greeting, the version, the first route; the other is refused.
        let heard =
            ["done", "exabgp 5.0.15", "done", "done", "error"].map(|line| Event::Heard(line.to_owned()));
        let events =
            [Event::Start].into_iter().chain(heard[..3].to_vec()).chain([pass]).chain(heard[3..].to_vec());
        let mut now = Moment::START;
        for event in events {
            now = now + Duration::from_millis(200);
            engine.handle(now, event);
            engine.handle(now + Duration::from_millis(150), Event::Tick);
        }
        let document = Document::of(&engine, now, "host", Path::new("a.toml"));
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
    }
}
