//! Maps names of services and checks to IDs and back.

use crate::config::Config;
use crate::engine::event::{CheckId, ServiceId};

/// The names of all services and checks of a configuration.
#[derive(Clone, Debug)]
pub struct Names {
    services: Vec<(String, Vec<String>)>,
}

impl Names {
    /// Collects the names of `config`.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let services = config.services.iter().map(|service| {
            let checks = service.checks.iter().map(|check| check.name.clone());
            (service.name.clone(), checks.collect())
        });
        Self { services: services.collect() }
    }

    /// The name of the service.
    pub(crate) fn service(&self, id: ServiceId) -> &str {
        self.services.get(id.0).map_or("?", |(name, _)| name)
    }

    /// `service/check`.
    pub(crate) fn check(&self, id: CheckId) -> String {
        let check = self.services.get(id.service.0).and_then(|(_, checks)| checks.get(id.check));
        format!("{}/{}", self.service(id.service), check.map_or("?", String::as_str))
    }

    /// The IDs of all checks, in order.
    pub(crate) fn checks(&self) -> impl Iterator<Item = CheckId> {
        self.services.iter().enumerate().flat_map(|(service, (_, checks))| {
            (0..checks.len()).map(move |check| CheckId { service: ServiceId(service), check })
        })
    }

    /// The service of this name. The error lists the known services.
    pub(crate) fn find_service(&self, name: &str) -> Result<ServiceId, String> {
        let place = self.services.iter().position(|(service, _)| service == name);
        place.map(ServiceId).ok_or_else(|| {
            let known: Vec<_> = self.services.iter().map(|(service, _)| service.as_str()).collect();
            format!("unknown service `{name}`, expected one of {}", known.join(", "))
        })
    }

    /// The check called `service/check`, or `check` if that is unique.
    ///
    /// # Errors
    /// Returns an error if there is no such check, or more than one.
    pub fn find_check(&self, name: &str) -> Result<CheckId, String> {
        let mut matching = self.checks().filter(|id| {
            let whole = self.check(*id);
            whole == name || whole.rsplit('/').next() == Some(name)
        });
        match (matching.next(), matching.next()) {
            (Some(id), None) => Ok(id),
            (Some(_), Some(_)) => {
                Err(format!("`{name}` is a check of several services, expected `service/{name}`"))
            }
            _ => {
                let known: Vec<_> = self.checks().map(|id| self.check(id)).collect();
                Err(format!("unknown check `{name}`, expected one of {}", known.join(", ")))
            }
        }
    }
}
