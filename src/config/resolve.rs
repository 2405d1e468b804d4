//! Builds the configuration from the parsed file. Checks rules between values; each error has its place.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;

use super::address::service_addresses;
use super::bounds::{self, duplicate};
use super::cite::{ConfigError, Fault, Source};
use super::file::{self, File, Start};
use super::since::{self, Since};
use super::survey::{Basis, Survey};
use super::value::Unscoped;
use super::{Check, Config, DEFAULT_STATE, Node, Service, defaults, role};
use crate::backend::Backend;
use crate::control::DEFAULT_DIRECTORY;
use crate::engine::check::Timing;
use crate::engine::compat::Compat;
use crate::engine::plan::ExaBgp;
use crate::engine::service::StartPolicy;
use crate::probe::locality::Locality;

/// A part of the file is invalid, and the resolver has recorded the error with its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused;

pub(super) type Result<T> = std::result::Result<T, Refused>;

/// A documentation address of each family. They stand for the management addresses if those are invalid, so that the
/// resolver finds further errors.
const PLACEHOLDERS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// The context in which a part of the file is resolved.
#[derive(Debug)]
pub(crate) struct Resolver<'a> {
    pub(super) source: Source<'a>,
    /// The invalid values, which were left out of the file, and their errors.
    pub(super) survey: Survey<'a>,
    /// The errors found since, mostly of rules between values.
    faults: RefCell<Vec<(Fault, Basis)>>,
    /// The name of this node.
    pub(super) node: String,
    /// The version of dnsherald that the file was written for.
    since: Since,
    pub(super) management: Vec<IpAddr>,
    /// The addresses of the BGP neighbors in the file.
    pub(super) neighbors: Vec<IpAddr>,
    pub(super) backends: Vec<Arc<Backend>>,
    /// The names of the backends that cannot be resolved.
    pub(super) refused_backends: Vec<String>,
    /// The addresses of all services that must be on this host.
    pub(super) own: Vec<IpAddr>,
}

/// A service of the file, and what else its checks depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub(super) service: &'a file::Service,
    /// `None` without a backend, or if it is refused.
    pub(super) backend: Option<&'a Backend>,
    /// The table `[defaults]`.
    pub(super) defaults: &'a file::Timing,
}

/// A check of the file, and what else its probe depends on.
#[derive(Clone, Debug)]
pub(super) struct CheckScope<'a> {
    pub(super) of: Scope<'a>,
    pub(super) name: &'a str,
    pub(super) timing: Timing,
    /// The addresses of this host as the check knows them, and the device that its sockets bind to.
    pub(super) locality: Arc<Locality>,
}

impl Scope<'_> {
    /// The addresses of the service that must be on this host.
    pub(super) fn addresses(self) -> Vec<IpAddr> {
        service_addresses(self.service).unwrap_or_default()
    }
}

impl<'a> Resolver<'a> {
    /// Resolves the whole file, on the host of this name. The error has every invalid value, and every violated rule that
    /// does not follow from one, each at its place.
    pub(crate) fn config(source: Source<'a>, host: &str) -> std::result::Result<Config, ConfigError> {
        let mut survey = Survey::new(source);
        let file = survey.file.take();
        let mut resolver = Self {
            source,
            survey,
            faults: RefCell::default(),
            node: String::new(),
            since: Since::default(),
            management: vec![],
            neighbors: vec![],
            backends: vec![],
            refused_backends: vec![],
            own: vec![],
        };
        // Resolve what could be parsed, and leave out errors that may follow from an invalid value.
        let config = file.ok_or(Refused).and_then(|file| resolver.file(&file, host));
        let Self { survey, faults, .. } = resolver;
        let more = faults.into_inner().into_iter().filter(|(fault, basis)| !survey.hides(fault, *basis));
        let more: Vec<_> = more.map(|(fault, _)| fault).collect();
        match config {
            Ok(config) if more.is_empty() && survey.faults.is_empty() => Ok(config),
            _ => Err(source.error([survey.faults, more].concat())),
        }
    }

    /// Resolves the parts of the file in the order in which they depend on each other. After an error it continues, to find
    /// the others.
    fn file(&mut self, file: &File, host: &str) -> Result<Config> {
        let name = file.node.as_ref().and_then(|node| node.get_ref().name.clone());
        self.node = name.unwrap_or_else(|| host.to_owned());
        self.since = file.defaults.since.as_ref().map_or_else(Since::default, |since| since.0);
        let own = file.service.iter().filter_map(|service| service_addresses(service.get_ref()));
        self.own = own.flatten().collect();
        let management = self.management(file.node.as_ref());
        self.management = management.clone().unwrap_or_else(|_| PLACEHOLDERS.to_vec());
        let neighbors = self.unique_neighbors(&file.exabgp.neighbors);
        self.neighbors = file.exabgp.neighbors.iter().map(|neighbor| neighbor.get_ref().0.0).collect();
        let exabgp = self.exabgp(&file.exabgp);
        for (name, backend) in &file.backend {
            let targets = self.targets_of(name.get_ref(), file);
            match self.backend(name, backend, &targets) {
                Ok(backend) => self.backends.push(Arc::new(backend)),
                Err(Refused) => self.refused_backends.push(name.get_ref().clone()),
            }
        }
        let services = self.services(file);
        let state = self.absolute(&file.control.state);
        let control = self.absolute(&file.control.directory);
        let recorder = self.recorder(&file.control.recorder);
        let metrics = self.metrics(file);
        neighbors?;
        Ok(Config {
            node: Node { name: self.node.clone(), management: management? },
            exabgp: exabgp?,
            state: state?.unwrap_or_else(|| DEFAULT_STATE.into()),
            control: control?.unwrap_or_else(|| DEFAULT_DIRECTORY.into()),
            metrics: metrics?,
            recorder: recorder?,
            backends: std::mem::take(&mut self.backends),
            services: services?,
            since: self.since,
            compat: Compat::NONE,
            origin: None,
        })
    }

    fn management(&self, node: Option<&Spanned<file::Node>>) -> Result<Vec<IpAddr>> {
        if self.survey.has_invalid(&["node", "management"])
            || (node.is_none() && self.survey.has_invalid(&["node"]))
        {
            return Err(Refused);
        }
        let Some(node) = node else {
            let message = "no [node], expected this table with `management = [\"…\"]`, the addresses of this host alone";
            return Err(self.error(&(0..0), message));
        };
        let management = &node.get_ref().management;
        let list = addresses(&management.get_ref().0);
        if list.is_empty() {
            return Err(self.error(&management.span(), "no management address, expected at least one"));
        }
        let repeated = (1..).zip(&list).filter(|(next, address)| list[*next..].contains(address));
        let repeated = repeated.map(|(_, address)| self.value_error(&management.span(), duplicate(address)));
        let repeated = repeated.last();
        let shared = list.iter().filter(|address| self.own.contains(address)).map(|address| {
            let message = format!(
                "`{address}` is an address of a service, which other hosts with this service have, too; expected an \
                 address of this host alone"
            );
            self.rule_error(&["prefixes", "address"], &management.span(), message)
        });
        shared.last().or(repeated).map_or(Ok(list.clone()), Err)
    }

    /// Resolves all services. Their names are unique, and so are their prefixes; one prefix may contain another.
    fn services(&self, file: &File) -> Result<Vec<Service>> {
        if file.service.is_empty() && !self.survey.has_invalid(&["service"]) {
            return Err(self.error(&(0..0), "no [[service]], expected at least one"));
        }
        let mut prefixes: BTreeMap<IpNet, String> = BTreeMap::new();
        let mut names: Vec<&str> = vec![];
        let mut services = vec![];
        for service in file.service.iter().map(Spanned::get_ref) {
            let name = service.name.get_ref();
            let mut own = self.name(&service.name, "service");
            if names.contains(&name.as_str()) {
                let message = format!("there is another service called `{name}`");
                own = Err(self.value_error(&service.name.span(), message));
            }
            names.push(name);
            for prefix in service.prefixes.get_ref() {
                let network = prefix.get_ref().0.0;
                if let Some(owner) = prefixes.insert(network, name.clone()) {
                    let message = format!("`{network}` is a prefix of service `{owner}` already");
                    own = Err(self.value_error(&prefix.span(), message));
                }
            }
            let resolved = self.service(service, &file.defaults);
            services.push(own.and(resolved));
        }
        services.into_iter().collect()
    }

    /// Records an error that may be a consequence of any invalid value of the same service, check, backend or table.
    pub(super) fn error(&self, span: &Range<usize>, message: impl Into<String>) -> Refused {
        self.error_on(Basis::Item, span, message)
    }

    /// Records an error of one value, independent of all others.
    pub(super) fn value_error(&self, span: &Range<usize>, message: impl Into<String>) -> Refused {
        self.error_on(Basis::Value, span, message)
    }

    /// Records an error of a rule that depends on these keys only.
    pub(super) fn rule_error(
        &self,
        keys: &'static [&'static str],
        span: &Range<usize>,
        message: impl Into<String>,
    ) -> Refused {
        self.error_on(Basis::Keys(keys), span, message)
    }

    fn error_on(&self, basis: Basis, span: &Range<usize>, message: impl Into<String>) -> Refused {
        self.faults.borrow_mut().push((self.source.fault(span.clone(), message), basis));
        Refused
    }

    fn exabgp(&self, written: &file::ExaBgp) -> Result<ExaBgp> {
        let ack_timeout = self.period(&written.ack_timeout, bounds::ACK_TIMEOUT, defaults::ACK_TIMEOUT);
        let refresh = match &written.refresh {
            Some(never) if never.get_ref().0.is_zero() => Ok(Duration::ZERO),
            written => self.period(written, bounds::REFRESH, defaults::REFRESH),
        };
        Ok(ExaBgp {
            dialect: written.api.0,
            ack_timeout: ack_timeout?,
            refresh: refresh?,
            end_of_rib: written.end_of_rib,
        })
    }

    fn service(&self, written: &file::Service, defaults: &file::Timing) -> Result<Service> {
        let announcements = self.announcements(written);
        let backend = written.backend.as_ref().map(|name| self.backend_called(name)).transpose();
        // Read the checks even if the backend is refused, so that all errors are reported.
        let own_backend = backend.as_ref().ok().and_then(Option::as_deref);
        let checks = self.checks_with_defaults(Scope { service: written, backend: own_backend, defaults });
        let unknown_after =
            self.period(&written.unknown_after, bounds::UNKNOWN_AFTER, defaults::UNKNOWN_AFTER);
        let after = written.recovery.as_ref().and_then(|recovery| recovery.get_ref().after.clone());
        let unset = if written.recovery.is_some() { defaults::RECOVERY } else { Duration::ZERO };
        let recovery = self.period(&after, bounds::RECOVERY, unset);
        let warm_up = self.warm_up(written);
        let addresses = self.addresses_fit(written);
        let start = self.start(written);
        let disable_file = self.absolute(&written.disable_file);
        let on_change = self.on_change(written);
        let dampening = self.dampening(&written.dampening);
        let (routes, ladders) = announcements?.into_iter().unzip();
        Ok(Service {
            name: written.name.get_ref().clone(),
            enabled: written.enabled.unwrap_or(true),
            routes,
            ladders,
            backend: backend?,
            role: file::value(&written.role),
            zones: role::zones(&written.zones),
            checks: checks?,
            addresses: addresses.map(|()| service_addresses(written))?,
            unknown_after: unknown_after?,
            recovery: recovery?,
            warm_up: warm_up?,
            start: start?,
            disable_file: disable_file?,
            on_change: on_change?,
            dampening: dampening?,
        })
    }

    /// The checks of the file or of the role, and the default checks of the sockets and addresses.
    fn checks_with_defaults(&self, of: Scope<'_>) -> Result<Vec<Check>> {
        let checks = self.checks(of).and_then(|checks| {
            self.require_deciding_check(of.service, &checks)?;
            Ok(checks)
        });
        // A refused check may be the one of the addresses: do not supply another.
        let watches_addresses = |check: &Spanned<file::Check>| check.get_ref().address.is_some();
        if checks.is_err() && of.service.check.iter().any(watches_addresses) {
            return Err(Refused);
        }
        let address = self.default_address_check(of, checks.as_deref().unwrap_or_default());
        let (mut checks, address) = (checks?, address?);
        checks.extend(self.default_listener_checks(of, &checks)?);
        checks.extend(address);
        since::observe_newer(&mut checks, of.service, self.since);
        checks.iter_mut().for_each(|check| check.on_fail.absorbs_overload = of.service.absorb);
        Ok(checks)
    }

    /// The program needs an absolute path, since ExaBGP's search path is not the operator's.
    fn on_change(&self, written: &file::Service) -> Result<Vec<String>> {
        let Some(command) = &written.on_change else { return Ok(vec![]) };
        self.without_nul(&command.span(), command.get_ref())?;
        match command.get_ref().first() {
            Some(program) if program.starts_with('/') => Ok(command.get_ref().clone()),
            _ => Err(self.value_error(
                &command.span(),
                "expected the absolute path of a program and its arguments, such as [\"/usr/local/bin/notify\"]",
            )),
        }
    }

    fn start(&self, written: &file::Service) -> Result<StartPolicy> {
        if let (Some(age), Start::Probe | Start::Withdraw) = (&written.adopt_max_age, written.start) {
            let message = "adopt-max-age means something only with start = \"adopt\"";
            return Err(self.rule_error(&["start"], &age.span(), message));
        }
        let max_age = self.period(&written.adopt_max_age, bounds::ADOPT_MAX_AGE, defaults::ADOPT_MAX_AGE)?;
        Ok(match written.start {
            Start::Probe => StartPolicy::Probe,
            Start::Withdraw => StartPolicy::Withdraw,
            Start::Adopt => StartPolicy::Adopt { max_age },
        })
    }
}

pub(super) fn addresses(written: &[Unscoped]) -> Vec<IpAddr> {
    written.iter().map(|address| address.0).collect()
}
