//! Service addresses: which there are, which of them are watched, and what probes to them may take for granted.

use std::net::IpAddr;
use std::sync::Arc;

use toml::Spanned;

use super::file::Placed;
use super::resolve::{Resolver, Result, addresses};
use super::value::{Device, Text, WrittenAddress};
use super::{Check, file};
use crate::engine::check::{OnFail, Severity, Timing};
use crate::probe::address::Probe;
use crate::probe::inquiry::Inquiry;
use crate::probe::locality::Locality;

/// What the supplied check is called; with a suffix where the file has a check of another kind by this name.
const NAME: &str = "address";

/// The addresses of a service that have to be on this host: its host prefixes, and what `address` lists. `None` for
/// `address = false`.
pub(super) fn service_addresses(service: &file::Service) -> Option<Vec<IpAddr>> {
    let networks = service.prefixes.get_ref().iter().map(|prefix| prefix.get_ref().0.0);
    let hosts = networks.filter(|prefix| prefix.prefix_len() == prefix.max_prefix_len());
    let mut all: Vec<_> = hosts.map(|prefix| prefix.addr()).collect();
    match service.address.as_ref().map(Spanned::get_ref) {
        None => {}
        Some(WrittenAddress::No) => return None,
        Some(WrittenAddress::These(listed)) => {
            for address in addresses(listed) {
                if !all.contains(&address) {
                    all.push(address);
                }
            }
        }
    }
    Some(all)
}

impl Resolver<'_> {
    /// The addresses that the key lists are within the prefixes.
    pub(super) fn addresses_fit(&self, service: &file::Service) -> Result<()> {
        let Some(written) = &service.address else { return Ok(()) };
        let WrittenAddress::These(listed) = written.get_ref() else { return Ok(()) };
        if listed.is_empty() {
            return Err(self.error(&written.span(), "no address, expected at least one, or false"));
        }
        let prefixes = service.prefixes.get_ref();
        let outside =
            |address: &IpAddr| !prefixes.iter().any(|prefix| prefix.get_ref().0.0.contains(address));
        match addresses(listed).into_iter().find(outside) {
            None => Ok(()),
            Some(address) => {
                let message = format!(
                    "`{address}` is in no prefix of service `{}`, expected an address that it announces",
                    service.name.get_ref()
                );
                Err(self.error(&written.span(), message))
            }
        }
    }

    /// The addresses of this host, as a check of this service knows them, and the device that it binds to.
    pub(super) fn locality(&self, service: &file::Service, device: &Placed<Text<Device>>) -> Arc<Locality> {
        let device = device.as_ref().or(service.device.as_ref());
        let device = device.map(|device| device.get_ref().0.0.clone());
        let is_elsewhere = service.address.as_ref().is_some_and(|written| written.get_ref().is_no());
        Arc::new(if is_elsewhere {
            Locality { device, ..Locality::default() }
        } else {
            Locality { service: self.own.clone(), management: self.management.clone(), device }
        })
    }

    /// What an `address` table asks.
    pub(super) fn address_probe(
        &self,
        written: &Spanned<toml::Table>,
        service: &file::Service,
        device: &Placed<Text<Device>>,
    ) -> Result<Probe> {
        if let Some(key) = written.get_ref().keys().next() {
            let message = format!(
                "unknown key `{}`, expected an empty table: `address` of the service says which addresses are watched",
                key.escape_debug()
            );
            return Err(self.error(&written.span(), message));
        }
        let addresses = service_addresses(service).unwrap_or_default();
        if addresses.is_empty() {
            let message = format!(
                "service `{}` has no address on this host to watch, expected a host prefix or `address = [\"…\"]` in it",
                service.name.get_ref()
            );
            return Err(self.error(&written.span(), message));
        }
        Ok(Probe { addresses, device: self.locality(service, device).device.clone() })
    }

    /// The check that every service with addresses on this host has besides `others`.
    pub(super) fn supplied_address_check(
        &self,
        service: &file::Service,
        others: &[Check],
        defaults: &file::Timing,
    ) -> Result<Option<Check>> {
        let addresses = service_addresses(service).unwrap_or_default();
        if addresses.is_empty() || others.iter().any(|check| matches!(check.inquiry, Inquiry::Address(_))) {
            return Ok(None);
        }
        let timing: Timing = self.timing(&file::Timing::default(), defaults)?;
        let mut name = NAME.to_owned();
        while others.iter().any(|check| check.name == name) {
            name.push_str("-here");
        }
        let device = self.locality(service, &None).device.clone();
        Ok(Some(Check {
            name,
            timing,
            on_fail: OnFail::always(Severity::Down),
            inquiry: Inquiry::Address(Probe { addresses, device }),
            default: Some("without its address another PoP would answer: its end is seen at once"),
        }))
    }
}
