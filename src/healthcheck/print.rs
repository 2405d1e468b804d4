//! `--print-config`: prints the options as a configuration for `dnsherald run`, for operators who migrate.
//!
//! The configuration has the same options in the words of [`crate::config`], but the behavior of dnsherald: a pass
//! while falling returns to up, and commands are not repeated in every round. Options without a counterpart become
//! comments.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::advertising::Advertised;
use super::options::{Check, Options};
use crate::config::defaults;
use crate::exabgp::attributes::{Attributes, PathInformation};
use crate::exabgp::{Advertisement, NextHop};
use crate::probe::dns::DnsProbe;
use crate::text::period::Period;
use crate::text::{foreign_within, ordered, toml_string, toml_strings};

/// Options and their routes, displayed as TOML.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printed<'a> {
    /// The options.
    pub(crate) options: &'a Options,
    /// The routes.
    pub(crate) advertised: &'a Advertised,
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Written by `dnsherald healthcheck --print-config`; see `dnsherald check-config`.")?;
        self.without_counterpart(f)?;
        self.node(f)?;
        self.timing(f)?;
        self.service(f)?;
        self.check(f)
    }
}

impl Printed<'_> {
    /// Options without a counterpart in `dnsherald run`.
    fn without_counterpart(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { setup, identity, pid_file, acknowledged, .. } = self.options;
        if setup.at_start || setup.dynamic {
            writeln!(
                f,
                "# `dnsherald run` sets up no addresses: the host needs those of all prefixes, for instance on lo."
            )?;
        }
        if setup.dynamic {
            writeln!(
                f,
                "# --dynamic-ip-setup: an on-change hook can add and remove them, depending on STATE."
            )?;
        }
        for (option, name) in [("--user", &identity.user), ("--group", &identity.group)] {
            if let Some(name) = name {
                let name = one_line(name);
                writeln!(
                    f,
                    "# {option} {name}: the helper runs as the user of ExaBGP; see exabgp.daemon.user."
                )?;
            }
        }
        if let Some(file) = pid_file {
            writeln!(
                f,
                "# --pid {}: `dnsherald run` writes no pid file.",
                one_line(&file.display().to_string())
            )?;
        }
        if !acknowledged {
            writeln!(f, "# --no-ack: `dnsherald run` detects whether ExaBGP answers.")?;
        }
        Ok(())
    }

    fn node(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = &self.advertised.routes;
        let own = routes.iter().find_map(|route| match route.next_hop {
            NextHop::Address(address) => Some(address.to_string()),
            NextHop::Itself => None,
        });
        let family = |v6| routes.iter().any(|route| route.prefix.addr().is_ipv6() == v6);
        let mut management = vec![own.clone().unwrap_or_else(|| "127.0.0.1".to_owned())];
        if own.is_none() && family(true) {
            management.push("::1".to_owned());
        }
        writeln!(
            f,
            "\n[node]\nmanagement = {}  # put this host's own addresses here",
            toml_strings(&management)
        )?;
        if let Some(dialect) = self.options.dialect {
            writeln!(f, "\n[exabgp]\napi = {}", dialect.api())?;
        }
        Ok(())
    }

    fn timing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shortest = Duration::from_millis(1);
        let interval = self.options.interval.unwrap_or(defaults::TIMING.interval).max(shortest);
        let fast_interval = self.options.fast_interval.clamp(shortest, interval);
        let timeout = match &self.options.check {
            Check::Command(command) => command.timeout.unwrap_or(interval),
            Check::Dns(set) => set.probes().first().map_or(interval, |probe| probe.timeout),
            Check::Nothing => interval,
        };
        let thresholds = self.options.thresholds;
        writeln!(
            f,
            "\n[defaults]\ninterval = \"{}\"\nfast-interval = \"{}\"\ntimeout = \"{}\"\nrise = {}\nfall = {}",
            period(interval),
            period(fast_interval),
            period(timeout.clamp(shortest, interval)),
            thresholds.rise,
            thresholds.fall
        )
    }

    fn service(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Advertised { routes, repeated: _, up, down, disabled } = self.advertised;
        let mut routes: Vec<_> = routes.iter().collect();
        routes.sort_by_key(|route| route.med_offset);
        let prefixes: Vec<_> = routes.iter().map(|route| route.prefix.to_string()).collect();
        writeln!(f, "\n[[service]]\nname = {}", toml_string(&one_word(&self.options.service_name())))?;
        writeln!(f, "prefixes = {}", toml_strings(&prefixes))?;
        if let Some(first) = routes.first() {
            // `self` works for sessions over IPv4; for IPv6 the management address replaces it.
            if first.next_hop == NextHop::Itself && routes.iter().all(|route| route.prefix.addr().is_ipv4()) {
                writeln!(f, "next-hop = \"self\"")?;
            }
            if !first.neighbors.is_empty() {
                let neighbors: Vec<_> = first.neighbors.iter().map(ToString::to_string).collect();
                writeln!(f, "neighbors = {}", toml_strings(&neighbors))?;
            }
        }
        let pairs = routes.iter().zip(&routes[1.min(routes.len())..]);
        let steps: BTreeSet<_> = ordered(pairs.map(|(one, next)| next.med_offset - one.med_offset));
        if let Some(step) = steps.first() {
            writeln!(f, "med-increase = {step}")?;
        }
        if steps.len() > 1 {
            writeln!(f, "# the metrics of healthcheck are not evenly spaced, because a prefix occurs twice")?;
        }
        let path = routes.first().and_then(|route| route.path_information);
        let offset = routes.first().map_or(0, |route| route.med_offset);
        for (name, advertisement) in [("up", up), ("down", down), ("drained", disabled)] {
            writeln!(f, "{name} = {}", Rung { advertisement, offset, path })?;
        }
        if let Some(file) = &self.options.disable_file {
            writeln!(f, "disable-file = {}", toml_string(&file.display().to_string()))?;
        }
        self.hooks(f)?;
        writeln!(
            f,
            "\n[service.dampening]\nmode = \"observe\"  # \"enforce\" holds a flapping service down, \"off\" also returns as fast after any number of falls"
        )
    }

    fn hooks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hooks = &self.options.hooks;
        let any = hooks.execute.join("; ");
        if !any.is_empty() {
            writeln!(f, "on-change = [\"/bin/sh\", \"-c\", {}]", toml_string(&any))?;
        }
        for (option, commands) in
            [("up", &hooks.up_execute), ("down", &hooks.down_execute), ("disabled", &hooks.disabled_execute)]
        {
            for command in commands {
                let command = toml_string(command);
                writeln!(f, "# --{option}-execute {command}: an on-change hook gets the state in STATE")?;
            }
        }
        Ok(())
    }

    fn check(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n[[service.check]]\nname = \"check\"")?;
        match &self.options.check {
            Check::Command(command) => writeln!(f, "command = {}", command.line.in_toml()),
            Check::Nothing => writeln!(f, "command = \"true\"  # healthcheck had no check"),
            Check::Dns(set) => {
                let servers: Vec<_> = set.probes().iter().map(|probe| probe.server.to_string()).collect();
                let Some(DnsProbe { question, transport, .. }) = set.probes().first() else { return Ok(()) };
                writeln!(
                    f,
                    "dns = {{ query = {}, server = {}, transport = \"{transport}\", expect = {{ rcode = {} }} }}",
                    toml_string(&question.query().to_string()),
                    toml_strings(&servers),
                    toml_strings(&question.expect().rcodes.words())
                )
            }
        }
    }
}

/// The value of `up =`.
struct Rung<'a> {
    advertisement: &'a Advertisement,
    /// Difference between the metric of the state and that of the first prefix.
    offset: u32,
    path: Option<PathInformation>,
}

impl fmt::Display for Rung<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Advertisement::Announce(attributes) = self.advertisement else {
            return f.write_str("\"withdraw\"");
        };
        let Attributes {
            med,
            local_preference,
            communities,
            extended_communities,
            large_communities,
            as_path,
            origin: _,
        } = attributes;
        let mut parts = vec![];
        parts.extend(med.map(|med| format!("med = {}", med + self.offset)));
        parts.extend(local_preference.map(|preference| format!("local-preference = {preference}")));
        parts.extend(list("community", communities));
        parts.extend(list("extended-community", extended_communities));
        parts.extend(list("large-community", large_communities));
        parts.extend(as_path.as_ref().map(|path| format!("as-path = {path:?}")));
        parts.extend(self.path.map(|path| format!("path-information = {path}")));
        write!(f, "{{ {} }}", parts.join(", "))
    }
}

fn list<T: ToString>(name: &str, items: &[T]) -> Option<String> {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    (!items.is_empty()).then(|| format!("{name} = {}", toml_strings(&items)))
}

fn period(period: Duration) -> String {
    Period(period).in_one_word()
}

/// Escapes text for a comment.
fn one_line(text: &str) -> String {
    foreign_within(text, usize::MAX)
}

/// Replaces characters that a service name cannot contain.
fn one_word(name: &str) -> String {
    name.chars().map(|c| if c.is_whitespace() || c.is_control() || c == '/' { '-' } else { c }).collect()
}
