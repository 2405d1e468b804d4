//! From what was written to what is meant. Rules between values are kept here, and point at their place.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;

use super::bounds::{self, twice};
use super::cite::{ConfigError, Source};
use super::file::{self, File, Placed, Start};
use super::value::{OneOrMany, Text, Unscoped, WordOr};
use super::{Config, DEFAULT_STATE, ExaBgp, Node, Service, defaults};
use crate::backend::Backend;
use crate::control::DEFAULT_DIRECTORY;
use crate::engine::check::Timing;
use crate::engine::dampening::{Policy, PolicyError, Values};
use crate::engine::hysteresis::Thresholds;
use crate::engine::ladder::Ladder;
use crate::engine::service::StartPolicy;
use crate::exabgp::Advertisement;
use crate::exabgp::attributes::Attributes;
use crate::period::Period;

pub(super) type Result<T> = std::result::Result<T, ConfigError>;

/// What has to be known to resolve a part of the file.
#[derive(Debug)]
pub struct Resolver<'a> {
    pub(super) source: Source<'a>,
    host: &'a str,
    pub(super) management: Vec<IpAddr>,
    pub(super) neighbors: Vec<IpAddr>,
    pub(super) backends: Vec<Arc<Backend>>,
}

impl<'a> Resolver<'a> {
    /// For a file on the host of this name.
    #[must_use]
    pub const fn new(source: Source<'a>, host: &'a str) -> Self {
        Self { source, host, management: vec![], neighbors: vec![], backends: vec![] }
    }

    /// The whole file.
    ///
    /// # Errors
    /// With the place of the rule that is broken.
    pub fn config(mut self, file: File) -> Result<Config> {
        let management = file.node.management;
        if management.get_ref().0.is_empty() {
            return Err(self.error(&management.span(), "no management address, expected at least one"));
        }
        self.management = addresses(&management.get_ref().0);
        let repeated =
            (1..).zip(&self.management).find(|(next, address)| self.management[*next..].contains(address));
        if let Some((_, address)) = repeated {
            return Err(self.error(&management.span(), twice(address)));
        }
        self.neighbors = self.each_once(&file.exabgp.neighbors)?;
        let exabgp = self.exabgp(&file.exabgp)?;
        self.backends = self.backends(&file.backend)?;
        if file.service.is_empty() {
            return Err(self.error(&(0..0), "no [[service]], expected at least one"));
        }
        let mut services = vec![];
        let mut prefixes: BTreeMap<IpNet, String> = BTreeMap::new();
        let mut names: Vec<String> = vec![];
        for service in &file.service {
            let service = service.get_ref();
            self.name(&service.name, "service")?;
            if names.contains(service.name.get_ref()) {
                let name = service.name.get_ref();
                return Err(
                    self.error(&service.name.span(), format!("there is another service called `{name}`"))
                );
            }
            names.push(service.name.get_ref().clone());
            for prefix in service.prefixes.get_ref() {
                let network = prefix.get_ref().0.0;
                if let Some(owner) = prefixes.insert(network, service.name.get_ref().clone()) {
                    let message = format!("`{network}` is a prefix of service `{owner}` already");
                    return Err(self.error(&prefix.span(), message));
                }
            }
            services.push(self.service(service, &file.defaults)?);
        }
        let state = self.absolute(&file.control.state)?;
        let control = self.absolute(&file.control.directory)?;
        Ok(Config {
            node: Node {
                name: file.node.name.unwrap_or_else(|| self.host.to_owned()),
                management: self.management,
            },
            exabgp,
            state: state.unwrap_or_else(|| DEFAULT_STATE.into()),
            control: control.unwrap_or_else(|| DEFAULT_DIRECTORY.into()),
            backends: self.backends,
            services,
            habits: None,
            origin: None,
        })
    }

    pub(super) fn error(&self, span: &Range<usize>, message: impl Into<String>) -> ConfigError {
        self.source.error(span.clone(), message)
    }

    fn exabgp(&self, written: &file::ExaBgp) -> Result<ExaBgp> {
        Ok(ExaBgp {
            dialect: written.api.0,
            ack_timeout: self.period(&written.ack_timeout, bounds::ACK_TIMEOUT, defaults::ACK_TIMEOUT)?,
            refresh: match &written.refresh {
                Some(never) if never.get_ref().0.is_zero() => Duration::ZERO,
                written => self.period(written, bounds::REFRESH, defaults::REFRESH)?,
            },
            end_of_rib: written.end_of_rib,
        })
    }

    fn service(&self, written: &file::Service, timing: &file::Timing) -> Result<Service> {
        let routes = self.routes(written)?;
        let up = rung(written.up.as_ref(), Advertisement::Announce(Attributes::default()));
        // Without attributes of its own a degraded service advertises what one that is up does: nothing is sent that
        // is not configured.
        let ladder = Ladder {
            up: up.clone(),
            degraded: rung(written.degraded.as_ref(), up.clone()),
            down: rung(written.down.as_ref(), Advertisement::Withdraw),
            drained: rung(written.drained.as_ref(), Advertisement::Withdraw),
        };
        self.lines_fit(written, &routes, &ladder)?;
        let backend = written.backend.as_ref().map(|name| self.backend_called(name)).transpose()?;
        let checks = self.checks(written, backend.as_deref(), timing)?;
        self.decides(written, &checks)?;
        Ok(Service {
            name: written.name.get_ref().clone(),
            enabled: written.enabled.unwrap_or(true),
            routes,
            backend,
            zones: written.zones.iter().flat_map(Spanned::get_ref).map(|zone| zone.0.0.clone()).collect(),
            checks,
            unknown_after: self.period(
                &written.unknown_after,
                bounds::UNKNOWN_AFTER,
                defaults::UNKNOWN_AFTER,
            )?,
            ladder,
            start: self.start(written)?,
            disable_file: self.absolute(&written.disable_file)?,
            on_change: self.on_change(written)?,
            dampening: self.dampening(&written.dampening)?,
        })
    }

    /// Found without a search path, since ExaBGP's is not the operator's.
    fn on_change(&self, written: &file::Service) -> Result<Vec<String>> {
        let Some(command) = &written.on_change else { return Ok(vec![]) };
        self.without_zero(&command.span(), command.get_ref())?;
        match command.get_ref().first() {
            Some(program) if program.starts_with('/') => Ok(command.get_ref().clone()),
            _ => Err(self.error(
                &command.span(),
                "expected the absolute path of a program and its arguments, such as [\"/usr/local/bin/notify\"]",
            )),
        }
    }

    fn start(&self, written: &file::Service) -> Result<StartPolicy> {
        if let (Some(age), Start::Probe | Start::Withdraw) = (&written.adopt_max_age, written.start) {
            return Err(self.error(&age.span(), "adopt-max-age means something only with start = \"adopt\""));
        }
        Ok(match written.start {
            Start::Probe => StartPolicy::Probe,
            Start::Withdraw => StartPolicy::Withdraw,
            Start::Adopt => StartPolicy::Adopt {
                max_age: self.period(
                    &written.adopt_max_age,
                    bounds::ADOPT_MAX_AGE,
                    defaults::ADOPT_MAX_AGE,
                )?,
            },
        })
    }

    fn dampening(&self, written: &file::Dampening) -> Result<Policy> {
        use defaults::dampening as default;
        let number = |placed: &Placed<std::num::NonZeroU32>, default| {
            placed.as_ref().map_or(default, |number| number.get_ref().get())
        };
        let suppress = number(&written.suppress, default::SUPPRESS);
        let reuse = number(&written.reuse, default::REUSE);
        let policy = Policy::new(Values {
            mode: written.mode,
            penalty: number(&written.penalty, default::PENALTY),
            suppress,
            reuse,
            half_life: self.period(&written.half_life, bounds::HALF_LIFE, default::HALF_LIFE)?,
            max_suppress: self.period(&written.max_suppress, bounds::MAX_SUPPRESS, default::MAX_SUPPRESS)?,
            max_rise_time: self.at_most(
                &written.max_rise_time,
                bounds::MAX_RISE_TIME,
                default::MAX_RISE_TIME,
            )?,
            restart_grace: self.at_most(
                &written.restart_grace,
                bounds::RESTART_GRACE,
                default::RESTART_GRACE,
            )?,
        });
        let spans = |placed: &Placed<std::num::NonZeroU32>| placed.as_ref().map(Spanned::span);
        let periods = |placed: &Placed<Period>| placed.as_ref().map(Spanned::span);
        policy.map_err(|error| {
            let (span, message) = match error {
                PolicyError::ReuseNotBelowSuppress => (
                    spans(&written.reuse).or_else(|| spans(&written.suppress)),
                    format!(
                        "reuse {reuse} is not below suppress {suppress}, expected a smaller reuse: what is suppressed \
                         would be let go at once"
                    ),
                ),
                PolicyError::SuppressAboveCeiling { ceiling } => (
                    spans(&written.suppress)
                        .or_else(|| spans(&written.reuse))
                        .or_else(|| periods(&written.half_life))
                        .or_else(|| periods(&written.max_suppress)),
                    format!(
                        "suppress {suppress} can never be reached: the ceiling of the penalty, \
                         reuse × 2^(max-suppress / half-life), is {ceiling}"
                    ),
                ),
                PolicyError::Zero(key) => (None, format!("{key} is zero, expected more")),
            };
            self.error(&span.unwrap_or(0..0), message)
        })
    }

    /// What the check says, else what `[defaults]` says, else our own defaults.
    pub(super) fn timing(&self, check: &file::Timing, defaults: &file::Timing) -> Result<Timing> {
        let own = defaults::TIMING;
        let pick = |check: &'_ Placed<Period>, defaults: &'_ Placed<Period>| {
            check.clone().or_else(|| defaults.clone())
        };
        let interval = pick(&check.interval, &defaults.interval);
        let timeout = pick(&check.timeout, &defaults.timeout);
        let fast_interval = pick(&check.fast_interval, &defaults.fast_interval);
        let timing = Timing {
            interval: self.period(&interval, bounds::INTERVAL, own.interval)?,
            // Where only the interval is written, what follows from it keeps below it.
            fast_interval: match (&fast_interval, &interval) {
                (None, Some(interval)) => own.fast_interval.min(interval.get_ref().0),
                _ => self.period(&fast_interval, bounds::FAST_INTERVAL, own.fast_interval)?,
            },
            timeout: match (&timeout, &interval) {
                (None, Some(interval)) => own.timeout.min(interval.get_ref().0),
                _ => self.period(&timeout, bounds::TIMEOUT, own.timeout)?,
            },
            thresholds: Thresholds {
                rise: check.rise.or(defaults.rise).unwrap_or(own.thresholds.rise),
                fall: check.fall.or(defaults.fall).unwrap_or(own.thresholds.fall),
                relapse: own.thresholds.relapse,
            },
        };
        for (name, period, placed) in
            [("timeout", timing.timeout, &timeout), ("fast-interval", timing.fast_interval, &fast_interval)]
        {
            if period > timing.interval {
                let place = placed.as_ref().or(interval.as_ref()).map(Spanned::span);
                let message = format!(
                    "{name} {} is longer than the interval {}, expected at most that",
                    Period(period),
                    Period(timing.interval)
                );
                return Err(self.error(&place.unwrap_or(0..0), message));
            }
        }
        Ok(timing)
    }
}

pub(super) fn addresses(written: &[Text<Unscoped>]) -> Vec<IpAddr> {
    written.iter().map(|address| address.0.0).collect()
}

fn rung(written: Option<&Spanned<file::Rung>>, default: Advertisement) -> Advertisement {
    match written.map(Spanned::get_ref) {
        None => default,
        Some(WordOr::Word(_)) => Advertisement::Withdraw,
        Some(WordOr::Table(attributes)) => Advertisement::Announce(Attributes {
            med: attributes.med,
            local_preference: attributes.local_preference,
            communities: list(&attributes.community),
            extended_communities: list(&attributes.extended_community),
            large_communities: list(&attributes.large_community),
            as_path: attributes.as_path.clone(),
            origin: attributes.origin,
        }),
    }
}

fn list<T: Copy>(written: &OneOrMany<Text<T>>) -> Vec<T> {
    written.0.iter().map(|item| item.0).collect()
}
