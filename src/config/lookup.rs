//! The `lookup` table of a check.

use std::iter;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use toml::Spanned;

use super::address::service_addresses;
use super::defaults::PORT;
use super::file;
use super::resolve::{CheckScope, Resolver, Result, addresses};
use crate::engine::service::warm_up;
use crate::probe::locality::Locality;
use crate::probe::lookup::LookupProbe;

/// They are asked at the same time.
const MOST_WARMED: usize = 64;

impl Resolver<'_> {
    /// Builds the probe of a `lookup` table.
    pub(super) fn lookup(
        &self,
        written: &Spanned<file::Lookup>,
        check: &CheckScope<'_>,
    ) -> Result<LookupProbe> {
        let table = written.get_ref();
        let nonempty = [
            self.require_nonempty(&Some(table.names.clone()), "name"),
            self.require_nonempty(&table.server, "server"),
            self.require_nonempty(&table.source, "source"),
        ];
        nonempty.into_iter().collect::<Result<()>>()?;
        let servers: Vec<SocketAddr> = match &table.server {
            Some(servers) => servers.get_ref().0.iter().map(|server| server.0).collect(),
            None => self.own_servers(check.of.service),
        };
        let sources = table.source.as_ref().map(|sources| addresses(&sources.get_ref().0));
        let from = |server: SocketAddr| (server, self.source(server, sources.as_deref()));
        let servers: Vec<_> = servers.into_iter().map(from).collect();
        let (names, locality) = (table.names.get_ref().values(), among(&servers, &check.locality));
        Ok(LookupProbe { names, servers, timeout: check.timing.timeout, locality })
    }

    /// The names of `warm-up`, asked at the service's own server.
    pub(super) fn warm_up(&self, service: &file::Service) -> Result<Option<LookupProbe>> {
        let Some(written) = &service.warm_up else { return Ok(None) };
        let names: Vec<_> = written.get_ref().0.iter().map(|name| name.0.clone()).collect();
        if !(1..=MOST_WARMED).contains(&names.len()) {
            let message = format!("{} names, expected 1 to {MOST_WARMED}", names.len());
            return Err(self.value_error(&written.span(), message));
        }
        let servers = self.own_servers(service).into_iter().take(1);
        let servers: Vec<_> = servers.map(|server| (server, self.source(server, None))).collect();
        let locality = among(&servers, &self.locality(service, &None));
        Ok(Some(LookupProbe { names, servers, timeout: warm_up::LIMIT, locality }))
    }

    /// The service addresses, or without one the management addresses.
    fn own_servers(&self, service: &file::Service) -> Vec<SocketAddr> {
        let own = service_addresses(service).filter(|own| !own.is_empty());
        let own = own.unwrap_or_else(|| self.management.clone());
        own.into_iter().map(|address| SocketAddr::new(address, PORT)).collect()
    }
}

/// The part of `locality` that concerns these servers and the addresses that ask them.
fn among(servers: &[(SocketAddr, Option<IpAddr>)], locality: &Locality) -> Arc<Locality> {
    locality.part_for(servers.iter().flat_map(|(server, source)| iter::once(server.ip()).chain(*source)))
}
