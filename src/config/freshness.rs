//! The `freshness` table of a check.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::address::same_family;
use super::bounds::{Bound, duplicate};
use super::defaults::PORT;
use super::file::{self, place};
use super::resolve::{CheckScope, Resolver, Result, Scope, addresses};
use crate::exabgp::command::Family;
use crate::probe::freshness::ask::{References, Server};
use crate::probe::freshness::list::ZoneSource;
use crate::probe::freshness::zone::Limits;
use crate::probe::freshness::{FreshnessProbe, Memory};
use crate::probe::locality::Locality;

/// `max-lag`: a NOTIFY and a transfer take seconds, a lost NOTIFY costs a refresh.
const MAX_LAG: Duration = Duration::from_secs(5 * 60);
/// `expire-left`: time for people to act.
const EXPIRE_LEFT: Duration = Duration::from_secs(24 * 60 * 60);
/// `zone-interval`.
const ZONE_INTERVAL: Duration = Duration::from_secs(60);
/// `max-queries-per-second`: 10,000 zones a minute with two references.
const MAX_QUERIES: NonZeroU32 = NonZeroU32::new(500).expect("not zero");

const SECOND: Duration = Duration::from_secs(1);
const LAG: Bound = Bound::least("max-lag", SECOND, "every change of a zone takes time to arrive");
const INTERVAL: Bound =
    Bound::least("zone-interval", SECOND, "more queries would add load and no information");

impl Resolver<'_> {
    /// Builds the probe of a `freshness` table.
    pub(super) fn freshness(
        &self,
        written: &Spanned<file::Freshness>,
        check: &CheckScope<'_>,
    ) -> Result<FreshnessProbe> {
        let table = written.get_ref();
        let zones = self.zone_source(written, check.of);
        let here = self.zones_of(table, check);
        let references = here.clone().and_then(|here| self.references(written, &here, &check.locality));
        let max_lag = self.period(&table.max_lag, LAG, MAX_LAG);
        let zone_interval = self.period(&table.zone_interval, INTERVAL, ZONE_INTERVAL);
        let expire_left = file::value(&table.expire_left).map_or(EXPIRE_LEFT, |left| left.0);
        Ok(FreshnessProbe {
            zones: zones?,
            here: here?,
            references: references?,
            limits: Limits { max_lag: max_lag?, expire_left },
            zone_interval: zone_interval?,
            max_queries: table.max_queries_per_second.unwrap_or(MAX_QUERIES),
            timeout: check.timing.timeout,
            memory: Memory::default(),
        })
    }

    /// The list of zones: one of the keys for it, else the zones of the service.
    fn zone_source(&self, written: &Spanned<file::Freshness>, of: Scope<'_>) -> Result<ZoneSource> {
        let table = written.get_ref();
        let listed = table.zone_list.as_ref().filter(|listed| *listed.get_ref());
        let places = [
            ("zones", place(&table.zones)),
            ("zones-file", place(&table.zones_file)),
            ("catalog", place(&table.catalog)),
            ("zone-list", listed.map(Spanned::span)),
        ];
        let mut places = places.into_iter().filter_map(|(key, place)| Some((key, place?)));
        if let (Some((first, _)), Some((second, place))) = (places.next(), places.next()) {
            let message = format!("`{first}` and `{second}` in one table, expected one of them");
            return Err(self.value_error(&place, message));
        }
        if let Some(path) = self.absolute(&table.zones_file)? {
            return Ok(ZoneSource::File(path));
        }
        if let Some(catalog) = &table.catalog {
            return Ok(ZoneSource::Catalog(name_of(&catalog.get_ref().0)));
        }
        if let Some(listed) = listed {
            let backend = of.backend.filter(|backend| backend.zone_list.is_some()).ok_or_else(|| {
                let message = "the service has no backend that lists its zones, expected one with `zone-list`, or \
                               `zones`, `zones-file` or `catalog` in this table";
                self.rule_error(&["backend", "zone-list"], &listed.span(), message)
            })?;
            return Ok(ZoneSource::Listed(Arc::new(backend.clone())));
        }
        let zones = table.zones.as_ref().or(of.service.zones.as_ref());
        let names: Vec<_> =
            zones.into_iter().flat_map(Spanned::get_ref).map(|zone| name_of(&zone.0)).collect();
        if names.is_empty() {
            let place = place(&table.zones).unwrap_or_else(|| written.span());
            let message = "no zones, expected `zones`, `zones-file`, `catalog`, `zone-list = true`, or `zones` in the \
                           service";
            let keys = &["zones", "zones-file", "catalog", "zone-list"];
            return Err(self.rule_error(keys, &place, message));
        }
        Ok(ZoneSource::Named(names))
    }

    /// The server whose zones are compared: the named one, else the first service address, else the first management
    /// address.
    fn zones_of(&self, table: &file::Freshness, check: &CheckScope<'_>) -> Result<Server> {
        let service = check.of.service;
        let address = match &table.server {
            Some(server) => server.get_ref().0.0,
            None => SocketAddr::new(self.deciding_addresses(service)[0], PORT),
        };
        let place = place(&table.server).unwrap_or_else(|| service.name.span());
        let own =
            table.server.is_none() && !self.management.iter().any(|own| same_family(*own, address.ip()));
        let source = if own { Ok(address.ip()) } else { self.reference_source(address, table, &place) };
        let source = source?;
        Ok(Server {
            address,
            source: Some(source),
            locality: check.locality.part_for([address.ip(), source]),
        })
    }

    fn references(
        &self,
        written: &Spanned<file::Freshness>,
        here: &Server,
        locality: &Locality,
    ) -> Result<References> {
        let table = written.get_ref();
        let (listed, make): (_, fn(Vec<Server>) -> References) = match (&table.primaries, &table.siblings) {
            (Some(primaries), None) => (primaries, References::Primaries),
            (None, Some(siblings)) => (siblings, References::Siblings),
            (None, None) => {
                let message =
                    "no server to compare with, expected `primaries = [\"…\"]` or `siblings = [\"…\"]`";
                return Err(self.rule_error(&["primaries", "siblings"], &written.span(), message));
            }
            (Some(_), Some(siblings)) => {
                let message = "`primaries` and `siblings` in one table, expected one of them";
                return Err(self.value_error(&siblings.span(), message));
            }
        };
        self.require_nonempty(&Some(listed.clone()), "server to compare with")?;
        // Other servers are not on this host, whatever their addresses.
        let elsewhere = Arc::new(Locality { device: locality.device.clone(), ..Locality::default() });
        let mut servers: Vec<Server> = vec![];
        for text in &listed.get_ref().0 {
            let address = text.0;
            if servers.iter().any(|known| known.address == address) {
                return Err(self.value_error(&listed.span(), duplicate(address)));
            }
            if address == here.address {
                let message = format!("`{address}` is the server that is compared, expected other servers");
                return Err(self.rule_error(&["server", "prefixes", "address"], &listed.span(), message));
            }
            let source = Some(self.reference_source(address, table, &listed.span())?);
            servers.push(Server { address, source, locality: Arc::clone(&elsewhere) });
        }
        Ok(make(servers))
    }

    fn reference_source(
        &self,
        server: SocketAddr,
        table: &file::Freshness,
        place: &Range<usize>,
    ) -> Result<IpAddr> {
        let given = table.source.as_ref().map(|sources| addresses(&sources.get_ref().0));
        self.source(server, given.as_deref()).ok_or_else(|| {
            let family = Family::from_address(server.ip()).name();
            let key = if given.is_some() { "`source`" } else { "node.management" };
            let message = format!(
                "`{server}` cannot be asked: the sources contain no {family} address; add one to {key}"
            );
            self.rule_error(&["source", "management"], place, message)
        })
    }
}

/// The name of a zone in lower case, with its last dot.
fn name_of(zone: &file::ZoneName) -> String {
    let query = zone.0.to_string();
    query.strip_suffix(" SOA").unwrap_or(&query).to_ascii_lowercase()
}
