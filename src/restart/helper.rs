//! What the helper is asked for: to drain, to let return, and how it stands.

use std::time::Duration;

use super::Transaction;
use super::drained::{PAUSE, wait_until_acknowledged};
use super::patience::Patience;
use crate::backend::Trouble;
use crate::control::Request;
use crate::engine::drain::{Lasts, Lift, Order};
use crate::engine::service::State;
use crate::period::{Period, Shown};
use crate::text::foreign;

/// How long lifting the drains of a transaction that was given up may take, all together.
const LIFTING: Duration = Duration::from_secs(5);

impl Transaction<'_> {
    pub(super) async fn drain(&self) -> Result<String, Trouble> {
        let names: Vec<_> =
            self.config.services_of(self.backend).map(|service| service.name.clone()).collect();
        for name in &names {
            let order = self.order(self.reason.clone());
            self.ask(&Request::Drain { service: Some(name.clone()), order }).await?;
        }
        let withdrawn = wait_until_acknowledged(self.helper, &names).await?;
        Ok(format!("{} withdrawn, {withdrawn}", names.join(", ")))
    }

    pub(super) fn order(&self, reason: String) -> Order {
        let lasts = Lasts::For(self.longest());
        Order { holder: self.backend.holder.clone(), reason: reason.into(), lasts, uid: None }
    }

    /// Whether a transaction before this one has left a drain.
    pub(super) async fn is_held(&self) -> bool {
        !self.held().await.is_empty()
    }

    /// The services that are drained in the name of this backend.
    pub(super) async fn held(&self) -> Vec<String> {
        let holder = self.backend.holder.to_string();
        let services = self.helper.look().await.map(|document| document.services).unwrap_or_default();
        let is_held =
            |service: &crate::status::Service| service.drains.iter().any(|drain| drain.holder == holder);
        services.into_iter().filter(is_held).map(|service| service.name).collect()
    }

    pub(super) async fn lift(&self) {
        let lifted = tokio::time::timeout(LIFTING, async {
            for request in self.lifts(false) {
                if let Err(trouble) = self.ask(&request).await {
                    log::error!("{trouble}");
                }
            }
        });
        if lifted.await.is_err() {
            log::error!(
                "the helper did not lift every drain within {}; when it responds: dnsherald undrain --as {}",
                Period(LIFTING),
                self.backend.holder
            );
        }
    }

    /// Takes back what may have been said about returning, and prolongs the drain.
    pub(super) async fn stay_drained(&self) {
        for service in self.config.services_of(self.backend) {
            let order = self.order(format!("{} failed", self.reason));
            if let Err(trouble) =
                self.ask(&Request::Drain { service: Some(service.name.clone()), order }).await
            {
                log::error!("{trouble}");
            }
        }
    }

    fn lifts(&self, once_healthy: bool) -> impl Iterator<Item = Request> {
        let lift = Lift { holder: Some(self.backend.holder.clone()), once_healthy };
        self.config
            .services_of(self.backend)
            .map(move |service| Request::Undrain { service: Some(service.name.clone()), lift: lift.clone() })
    }

    async fn ask(&self, request: &Request) -> Result<(), Trouble> {
        self.helper.insist(request).await.map(drop).map_err(|error| Trouble::new(error.to_string()))
    }

    /// Lets the services return as soon as every check has passed anew. If the helper ends meanwhile, its successor is
    /// told.
    pub(super) async fn returns(&self, patience: Patience) -> Result<String, Trouble> {
        let names: Vec<_> =
            self.config.services_of(self.backend).map(|service| service.name.clone()).collect();
        let holder = self.backend.holder.to_string();
        loop {
            let document = match self.helper.look().await {
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
                        let confirmed =
                            if service.settled() { "acknowledged" } else { "said, not acknowledged" };
                        format!("{} is {}, {confirmed}", service.name, service.state)
                    }
                    _ => format!(
                        "{} is {} all the same: {}",
                        service.name,
                        service.state,
                        foreign(&service.reason)
                    ),
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
                        foreign(&check.name),
                        foreign(&check.state),
                        detail.map_or_else(|| "not yet asked".to_owned(), |detail| foreign(&detail))
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
