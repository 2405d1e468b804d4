//! The drains and holds of a service.

use serde::{Deserialize, Serialize};

use super::time::Time;
use crate::engine::drain::RESTARTS;
use crate::text::foreign;

/// A drain.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Drain {
    /// The holder.
    pub holder: String,
    /// Why.
    pub reason: String,
    /// How long it has lasted.
    pub(crate) for_seconds: f64,
    /// Since when it has lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Time>,
    /// Until it ends by itself; `None` if it does not.
    pub expires_in_seconds: Option<f64>,
    /// When it ends by itself; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Time>,
    /// It ends as soon as the checks pass.
    pub returning: bool,
    /// The checks that must then pass, too, although their failure only degrades the service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) needs: Vec<String>,
    /// It ends with this helper.
    #[serde(default)]
    pub(crate) until_exit: bool,
    /// It is a drain of all services.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) of_all: bool,
    /// The user id of the process that asked for it, as the kernel reported it; `null` where no process asked.
    #[serde(default)]
    pub uid: Option<u32>,
}

impl Drain {
    /// The command that ends it for this service: for all services, where it is a drain of all, or the name is empty.
    pub(crate) fn undrain(&self, service: &str) -> String {
        let is_of_all = self.of_all || service.is_empty();
        let service = if is_of_all { String::new() } else { format!(" {}", foreign(service)) };
        format!("dnsherald undrain{service} --as {}", foreign(&self.holder))
    }

    /// The backend whose restart has failed and has left this drain; `None` if it is another. One that runs has an end, and
    /// one of healing, or after `undrain --once-healthy`, ends once the checks pass.
    pub(crate) fn left_by(&self) -> Option<&str> {
        let backend = self.holder.strip_prefix(RESTARTS)?;
        (self.expires_in_seconds.is_none() && !self.returning).then_some(backend)
    }
}

/// A drained service that is no longer configured.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct RemovedService {
    /// As it was configured.
    pub(crate) name: String,
    /// In the order of the holders.
    pub(crate) drains: Vec<Drain>,
}

/// A hold.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hold {
    /// The holder.
    pub holder: String,
    /// Why.
    pub reason: String,
    /// How long it has lasted.
    pub(crate) for_seconds: f64,
    /// Since when it has lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Time>,
    /// Until it ends by itself.
    pub(crate) expires_in_seconds: f64,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Time>,
    /// The user id of the process that asked for it, as the kernel reported it; `null` where no process asked.
    #[serde(default)]
    pub uid: Option<u32>,
}

impl Hold {
    /// The command that ends it for this service.
    pub(crate) fn unhold(&self, service: &str) -> String {
        format!("dnsherald unhold {} --as {}", foreign(service), foreign(&self.holder))
    }
}
