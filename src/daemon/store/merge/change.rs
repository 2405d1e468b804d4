//! A change of a drain or a hold by another helper.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::engine::memory::ALL_SERVICES;
use crate::engine::order::{Holder, Kind, RememberedOrder};

/// A change of an order by a helper.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// The name of the service in that helper's configuration, or the name for all services.
    pub(crate) service: String,
    /// The prefixes of the service.
    pub(crate) prefixes: Vec<IpNet>,
    /// A drain or a hold.
    pub(crate) kind: Kind,
    pub(crate) holder: Holder,
    /// The order before; `None` if there was none.
    pub(crate) was: Option<RememberedOrder>,
    /// The order after; `None` if it ended.
    pub(crate) order: Option<RememberedOrder>,
    /// Of a change for all services: the services of that helper, each with its prefixes.
    pub(crate) listed: BTreeMap<String, Vec<IpNet>>,
    /// Whether the helper that learns the change has replaced that helper.
    pub(crate) by_older: bool,
}

impl Change {
    /// Whether it is a drain of all services, or its end.
    pub(crate) fn is_for_all(&self) -> bool {
        self.service == ALL_SERVICES && self.kind == Kind::Drain
    }

    /// The services that it concerns: the one of that name, else those whose prefixes all belong to it.
    pub(crate) fn concerned<'a>(&self, services: &[(&'a str, Vec<IpNet>)]) -> Vec<&'a str> {
        if let Some((named, _)) = services.iter().find(|(name, _)| *name == self.service) {
            return vec![named];
        }
        let of_prefixes = services.iter().filter(|(_, prefixes)| is_within(prefixes, &self.prefixes));
        of_prefixes.map(|(name, _)| *name).collect()
    }

    /// Whether the helper has this service, perhaps with another name.
    fn lists(&self, service: &str, prefixes: &[IpNet]) -> bool {
        self.listed.contains_key(service) || self.listed.values().any(|listed| is_within(prefixes, listed))
    }

    /// Whether this is the end of a drain of all services by an older helper, and a service that it does not have keeps
    /// the drain: then the drain of all stays. `is_drained` is whether a service has a drain of this holder that does not
    /// wait for the checks.
    pub(crate) fn is_withheld(
        &self,
        services: &[(&str, Vec<IpNet>)],
        is_drained: impl Fn(&str) -> bool,
    ) -> bool {
        let keeps = |(name, prefixes): &(&str, Vec<IpNet>)| !self.lists(name, prefixes) && is_drained(name);
        self.is_for_all() && self.order.is_none() && self.by_older && services.iter().any(keeps)
    }

    /// A drain of all services, as a change of a service that the other helper does not have.
    pub(crate) fn for_unlisted(&self, service: &str, prefixes: &[IpNet]) -> Option<Self> {
        (self.is_for_all() && self.order.is_some() && !self.lists(service, prefixes)).then(|| Self {
            service: service.to_owned(),
            prefixes: prefixes.to_vec(),
            listed: BTreeMap::new(),
            ..self.clone()
        })
    }
}

/// Whether all of these prefixes, at least one, are among the others.
fn is_within(prefixes: &[IpNet], others: &[IpNet]) -> bool {
    !prefixes.is_empty() && prefixes.iter().all(|prefix| others.contains(prefix))
}
