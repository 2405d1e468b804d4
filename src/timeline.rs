//! The history of a simulation: outcomes and states of checks, states of services, their penalties, and routes.
//!
//! [`text`] draws it in characters, [`crate::picture`] as SVG, and [`summary`] computes figures from it.

use std::collections::BTreeSet;

use crate::config::{Config, Service};
use crate::engine::Engine;
use crate::engine::event::ServiceId;
use crate::engine::moment::Moment;
use crate::text::ordered;

use self::outcomes::Outcomes;
use self::penalty::Penalty;
use self::sign::Sign;
use self::track::Track;

pub(crate) mod outcomes;
pub(crate) mod penalty;
pub(crate) mod sign;
pub(crate) mod summary;
pub(crate) mod text;
pub(crate) mod track;

/// The history of all services.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub(crate) services: Vec<ServiceTrack>,
    pub(crate) begin: Moment,
    pub(crate) end: Moment,
}

/// The history of a service.
#[derive(Debug)]
pub(crate) struct ServiceTrack {
    pub(crate) name: String,
    pub(crate) checks: Vec<CheckTrack>,
    pub(crate) states: Track<Sign>,
    pub(crate) penalty: Penalty,
    /// Whether its clients are served, where the trace says so.
    pub(crate) truth: Track<bool>,
    pub(crate) routes: Vec<RouteTrack>,
}

/// The history of a check.
#[derive(Debug)]
pub(crate) struct CheckTrack {
    pub(crate) name: String,
    pub(crate) states: Track<Sign>,
    pub(crate) outcomes: Outcomes,
    /// The time of the last outcome that was counted.
    seen: Option<Moment>,
}

/// The history of a route.
#[derive(Debug)]
pub(crate) struct RouteTrack {
    pub(crate) name: String,
    pub(crate) states: Track<Sign>,
}

impl ServiceTrack {
    fn new(service: &Service) -> Self {
        let check = |name: &String| CheckTrack {
            name: name.clone(),
            states: Track::default(),
            outcomes: Outcomes::default(),
            seen: None,
        };
        let prefixes: BTreeSet<_> = ordered(service.routes.iter().map(|route| route.prefix));
        let names_neighbors = prefixes.len() < service.routes.len();
        let routes = service.routes.iter().map(|route| match route.neighbors.as_slice() {
            [first, ..] if names_neighbors => format!("{} to {first}", route.prefix),
            _ => route.prefix.to_string(),
        });
        Self {
            name: service.name.clone(),
            checks: service.checks.iter().map(|plan| check(&plan.name)).collect(),
            states: Track::default(),
            penalty: Penalty::new(service.dampening),
            truth: Track::default(),
            routes: routes.map(|name| RouteTrack { name, states: Track::default() }).collect(),
        }
    }
}

impl Timeline {
    /// Creates a row for each check, service and prefix of the configuration. Nothing is known of the time before `begin`.
    pub(crate) fn new(config: &Config, begin: Moment) -> Self {
        Self { services: config.services.iter().map(ServiceTrack::new).collect(), begin, end: begin }
    }

    /// Records the state of the engine at `now`.
    pub(crate) fn note(&mut self, now: Moment, engine: &Engine) {
        self.extend(now);
        for (track, service) in self.services.iter_mut().zip(engine.services()) {
            for (track, check) in track.checks.iter_mut().zip(service.checks()) {
                track.states.note(now, Sign::from_check(check));
                if let Some((at, outcome)) = &check.last
                    && track.seen != Some(*at)
                {
                    track.seen = Some(*at);
                    track.outcomes.note(*at, outcome);
                }
            }
            track.states.note(now, Sign::from_service(service));
            track.penalty.note(now, &service.dampening);
        }
        let routes = self.services.iter_mut().flat_map(|service| &mut service.routes);
        for (track, entry) in routes.zip(engine.api_session().entries()) {
            track.states.note(now, Sign::from_route(entry));
        }
    }

    /// Records whether the clients of a service, or of all, are served from `now` on.
    pub(crate) fn tell(&mut self, now: Moment, service: Option<ServiceId>, serves: bool) {
        self.extend(now);
        for (place, track) in self.services.iter_mut().enumerate() {
            if service.is_none_or(|service| service.0 == place) {
                track.truth.note(now, serves);
            }
        }
    }

    /// Extends the last states until `end`.
    pub(crate) fn extend(&mut self, end: Moment) {
        self.end = self.end.max(end);
    }
}
