//! What each step does, and how long it may take.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::drained::{ABSENT, COUNT, PAUSE, wait_until_acknowledged};
use super::{Deed, Kept, Transaction};
use crate::backend::answers::{self, Zone, identity};
use crate::backend::listeners::{self, Listener};
use crate::backend::run::run;
use crate::backend::{Backend, Checked, Trouble, systemd};
use crate::config::Config;
use crate::control::Request;
use crate::engine::drain::{Lasts, Lift, Order};
use crate::engine::service::State;
use crate::period::Shown;
use crate::probe::inquiry::Inquiry;
use crate::process::Missing;
use crate::process::held::Held;

/// On top of what every check needs to pass: the helper is asked now and then, and the host is busy.
const LEEWAY: Duration = Duration::from_secs(2);

/// How the server was before it was touched.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) process: Option<Held>,
    pub(super) listeners: Vec<Listener>,
    pub(super) zones: Vec<Zone>,
    pub(super) version: Option<String>,
    pub(super) identity: Option<String>,
}

impl Before {
    pub(super) async fn of(config: &Config, backend: &Backend) -> Self {
        let (process, version, identity, zones) = tokio::join!(
            backend.process(),
            backend.version(),
            identity(&config.node.management, backend.timeout),
            answers::zones(config, backend),
        );
        Self {
            process: process.and_then(Result::ok),
            listeners: listening(config, backend),
            zones,
            version: version.ok(),
            identity,
        }
    }
}

/// How long after a restart it is waited for that everything is as it should be: the server has its time to start, and
/// then every check the time that it needs to pass anew.
pub(super) fn return_limit(config: &Config, backend: &Backend) -> Duration {
    let checks = services(config, backend).flat_map(|service| &service.checks);
    let longest = checks.map(|check| check.timing.timeout + check.timing.returns()).max();
    backend.start_timeout + longest.unwrap_or_default() + LEEWAY
}

/// The same, from now on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    began: Instant,
    limit: Duration,
}

impl Patience {
    pub(super) fn until_well(config: &Config, backend: &Backend) -> Self {
        Self { began: Instant::now(), limit: return_limit(config, backend) }
    }

    fn is_at_its_end(&self) -> bool {
        self.began.elapsed() >= self.limit
    }
}

/// Who listens where the services of this backend are asked.
fn listening(config: &Config, backend: &Backend) -> Vec<Listener> {
    let mut ports: Vec<_> = targets(config, backend).iter().map(SocketAddr::port).collect();
    ports.push(listeners::PORT);
    ports.sort_unstable();
    ports.dedup();
    ports.into_iter().flat_map(listeners::on_port).collect()
}

/// Where the checks of this backend's services ask.
fn targets(config: &Config, backend: &Backend) -> Vec<SocketAddr> {
    let rounds = services(config, backend).flat_map(|service| &service.checks);
    rounds
        .filter_map(|check| match &check.inquiry {
            Inquiry::Dns(round) => Some(round.probes().iter().map(|probe| probe.server)),
            _ => None,
        })
        .flatten()
        .collect()
}

pub(super) fn services<'a>(
    config: &'a Config,
    backend: &Backend,
) -> impl Iterator<Item = &'a crate::config::Service> {
    let name = backend.name.clone();
    config
        .services
        .iter()
        .filter(move |service| service.backend.as_ref().is_some_and(|other| other.name == name))
}

impl Transaction<'_> {
    pub(super) async fn check(&self) -> Result<String, Trouble> {
        if services(self.config, self.backend).next().is_none() {
            return Err(Trouble::with(
                format!("no service has the backend {}, so that nothing would be drained", self.backend.name),
                format!("write `backend = \"{}\"` into its [[service]]", self.backend.name),
            ));
        }
        self.helper.status().map_err(|error| {
            Trouble::with(format!("{error:#}"), "without a helper nothing is announced: use systemctl")
        })?;
        if self.deed == Deed::Restart || self.rollback {
            self.backend.can_restart()?;
        }
        if self.rollback {
            Kept::of(self.config, self.backend).is_ready()?;
        }
        Ok(match self.backend.check().await? {
            Checked::Valid => "in order".to_owned(),
            Checked::Unchecked => "nothing can check it".to_owned(),
        })
    }

    pub(super) async fn drain(&self) -> Result<String, Trouble> {
        let names: Vec<_> = services(self.config, self.backend).map(|service| service.name.clone()).collect();
        for name in &names {
            let order = Order {
                holder: self.backend.holder.clone(),
                reason: self.reason.clone().into(),
                lasts: Lasts::For(self.longest()),
            };
            self.ask(&Request::Drain { service: Some(name.clone()), order }).await?;
        }
        let took = wait_until_acknowledged(self.helper, &names).await?;
        Ok(format!("{} withdrawn, acknowledged within {}", names.join(", "), Shown(took)))
    }

    /// Whether a transaction before this one has left a drain.
    pub(super) fn is_held(&self) -> bool {
        let holder = self.backend.holder.to_string();
        let services = self.helper.status().map(|document| document.services).unwrap_or_default();
        services.iter().flat_map(|service| &service.drains).any(|drain| drain.holder == holder)
    }

    pub(super) async fn lift(&self) {
        for request in self.lifts(false) {
            if let Err(trouble) = self.ask(&request).await {
                log::error!("{trouble}");
            }
        }
    }

    /// Takes back what may have been said about returning, and prolongs the drain.
    pub(super) async fn stay_drained(&self) {
        for service in services(self.config, self.backend) {
            let reason = format!("{} failed", self.reason);
            let order = Order {
                holder: self.backend.holder.clone(),
                reason: reason.into(),
                lasts: Lasts::For(self.longest()),
            };
            if let Err(trouble) =
                self.ask(&Request::Drain { service: Some(service.name.clone()), order }).await
            {
                log::error!("{trouble}");
            }
        }
    }

    fn lifts(&self, once_healthy: bool) -> impl Iterator<Item = Request> {
        let lift = Lift { holder: Some(self.backend.holder.clone()), once_healthy };
        services(self.config, self.backend)
            .map(move |service| Request::Undrain { service: Some(service.name.clone()), lift: lift.clone() })
    }

    async fn ask(&self, request: &Request) -> Result<(), Trouble> {
        let began = Instant::now();
        loop {
            match self.helper.ask(request) {
                Ok(_) => return Ok(()),
                Err(error) if began.elapsed() >= ABSENT => return Err(Trouble::new(format!("{error:#}"))),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    pub(super) async fn act(&self) -> Result<String, Trouble> {
        match &self.deed {
            Deed::Restart => self.backend.restart().await.map(|()| "restarted".to_owned()),
            Deed::Reload => self.backend.reload().await.map(|done| done.join("; ")),
            Deed::Command(program) => {
                let ended = run(program, systemd::RESTART_LIMIT).await;
                if ended.succeeded() {
                    Ok(format!("{program}: done"))
                } else {
                    Err(Trouble::new(format!("{program}: {ended}")))
                }
            }
        }
    }

    pub(super) async fn process_is_there(
        &self,
        before: &Before,
        patience: Patience,
    ) -> Result<String, Trouble> {
        loop {
            let why = match self.backend.process().await {
                Some(Ok(process)) if self.is_another(before, &process) => return Ok(process.to_string()),
                Some(Ok(process)) => format!("it is still {process}, from before the restart"),
                Some(Err(Missing::Surely(why))) => why,
                // What cannot be known is not waited for: the checks decide.
                Some(Err(Missing::Perhaps(why))) => return Ok(format!("not known: {why}")),
                None => return Ok("not known: neither unit nor pid-file is".to_owned()),
            };
            if patience.is_at_its_end() {
                return Err(Trouble::new(format!(
                    "no process of the server within {}: {why}",
                    Shown(patience.limit)
                )));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A restart makes another process; whatever else is done to it need not.
    fn is_another(&self, before: &Before, process: &Held) -> bool {
        self.deed != Deed::Restart
            || before.process.as_ref().is_none_or(|earlier| earlier.pid() != process.pid())
    }

    pub(super) async fn listens(&self, before: &Before, patience: Patience) -> Result<String, Trouble> {
        loop {
            let now = listening(self.config, self.backend);
            let is_there = |earlier: &&Listener| {
                now.iter().any(|listener| {
                    (listener.address, listener.transport) == (earlier.address, earlier.transport)
                })
            };
            let missing: Vec<_> = before
                .listeners
                .iter()
                .filter(|earlier| !is_there(earlier))
                .map(ToString::to_string)
                .collect();
            if missing.is_empty() {
                return Ok(format!("{} as before", before.listeners.len()));
            }
            if patience.is_at_its_end() {
                return Err(Trouble::new(format!(
                    "nobody listens at {} within {}",
                    missing.join(", "),
                    Shown(patience.limit)
                )));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) async fn zones_are_served(
        &self,
        before: &Before,
        patience: Patience,
    ) -> Result<String, Trouble> {
        loop {
            let now = answers::zones(self.config, self.backend).await;
            let worse = before.zones.iter().zip(&now).find(|(earlier, zone)| !zone.is_no_worse_than(earlier));
            let Some((earlier, zone)) = worse else {
                return Ok(self.changes(before, now.len()).await);
            };
            if patience.is_at_its_end() {
                let serial = |zone: &Zone| zone.serial.map_or("none".to_owned(), |serial| serial.to_string());
                let trouble = zone.trouble.as_ref().map(|trouble| format!(", {trouble}")).unwrap_or_default();
                return Err(Trouble::new(format!(
                    "zone {} at {}: serial {}, before {}{trouble}",
                    zone.zone,
                    zone.server,
                    serial(zone),
                    serial(earlier)
                )));
            }
            tokio::time::sleep(COUNT).await;
        }
    }

    /// What a person would like to know of the server that is there now.
    async fn changes(&self, before: &Before, zones: usize) -> String {
        let (version, identity) = tokio::join!(self.backend.version(), self.identity_after(before));
        let mut found = vec![match zones {
            0 => "none to look at".to_owned(),
            zones => format!("{zones} served, none older"),
        }];
        for (what, then, now) in
            [("version", &before.version, version.ok()), ("identity", &before.identity, identity)]
        {
            match (then, now) {
                (Some(then), Some(now)) if *then != now => found.push(format!("{what} {then}, now {now}")),
                (None, Some(now)) => found.push(format!("{what} {now}")),
                (Some(then), None) => found.push(format!("{what} {then}, now none")),
                _ => {}
            }
        }
        found.join("; ")
    }

    /// Who it says it is. Waited for where it said so before, but not for ever: it may have been told to hide that.
    async fn identity_after(&self, before: &Before) -> Option<String> {
        let began = Instant::now();
        loop {
            let now = identity(&self.config.node.management, self.backend.timeout).await;
            let is_missed = now.is_none() && before.identity.is_some();
            if !is_missed || began.elapsed() >= self.backend.timeout {
                return now;
            }
            tokio::time::sleep(COUNT).await;
        }
    }

    /// Lets the services return as soon as every check has passed anew. If the helper ends meanwhile, its successor is
    /// told.
    pub(super) async fn returns(&self, patience: Patience) -> Result<String, Trouble> {
        let names: Vec<_> = services(self.config, self.backend).map(|service| service.name.clone()).collect();
        let holder = self.backend.holder.to_string();
        loop {
            let document = match self.helper.status() {
                Ok(document) => document,
                Err(error) if patience.is_at_its_end() => return Err(Trouble::new(format!("{error:#}"))),
                Err(_) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let ours: Vec<_> =
                document.services.iter().filter(|service| names.contains(&service.name)).collect();
            let is_held = |service: &&&crate::status::Service| {
                service.drains.iter().any(|drain| drain.holder == holder)
            };
            let waits_for_us = |drain: &crate::status::Drain| drain.holder == holder && !drain.returning;
            if ours.iter().flat_map(|service| &service.drains).any(waits_for_us) {
                for request in self.lifts(true) {
                    self.ask(&request).await?;
                }
            }
            let waits: Vec<_> = ours
                .iter()
                .filter(|service| is_held(service) || (!service.settled() && document.exabgp.answers))
                .collect();
            if waits.is_empty() {
                let states = ours.iter().map(|service| match service.state {
                    State::Up | State::Degraded => {
                        format!("{} is {}, acknowledged", service.name, service.state)
                    }
                    _ => format!("{} is {} all the same: {}", service.name, service.state, service.reason),
                });
                return Ok(states.collect::<Vec<_>>().join("; "));
            }
            if patience.is_at_its_end() {
                let failing =
                    waits.iter().flat_map(|service| &service.checks).filter(|check| check.state != "up");
                let failing = failing.map(|check| {
                    let detail = check.last.as_ref().and_then(|last| last.detail.clone());
                    format!(
                        "check {} is {}: {}",
                        check.name,
                        check.state,
                        detail.unwrap_or_else(|| "not yet asked".to_owned())
                    )
                });
                return Err(Trouble::new(format!(
                    "not well within {}: {}",
                    Shown(patience.limit),
                    failing.collect::<Vec<_>>().join("; ")
                )));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_server_has_its_time_to_start_and_the_slowest_check_its_time_to_pass() {
        let text = "[node]\nmanagement = [\"10.1.0.2\"]\n[backend.unbound]\nstart-timeout = \"10s\"\n\
            [defaults]\ninterval = \"2s\"\ntimeout = \"1s\"\nrise = 3\n\
            [[service]]\nname = \"resolver\"\nprefixes = [\"192.0.2.53/32\"]\nbackend = \"unbound\"\n";
        let config = Config::parse(Path::new("test.toml"), text, "host").unwrap();
        let limit = return_limit(&config, &config.backends[0]);
        assert_eq!(limit, Duration::from_secs(10 + 1 + 3 * 2) + LEEWAY);
    }
}
