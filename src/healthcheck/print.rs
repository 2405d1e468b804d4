//! `--print-config`: the options as a configuration for `dnsherald run`, for those who want to move on.
//!
//! It says what the options say, in the words of [`crate::config`], with the habits of dnsherald: a pass while falling
//! returns to up, and nothing is repeated in every round. What has no counterpart becomes a comment.

use std::fmt;
use std::time::Duration;

use super::advertising::Advertised;
use super::options::{Check, Options};
use crate::config::defaults;
use crate::exabgp::attributes::{Attributes, PathInformation};
use crate::exabgp::{Advertisement, Dialect, NextHop};
use crate::period::Period;
use crate::probe::dns::{Probe, Transport};

/// Options, and what they advertise, to be shown as TOML.
#[derive(Clone, Copy, Debug)]
pub struct Printed<'a> {
    /// What was meant.
    pub options: &'a Options,
    /// For these prefixes.
    pub advertised: &'a Advertised,
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Written by `dnsherald healthcheck --print-config`; see `dnsherald check-config`.\n")?;
        self.node(f)?;
        self.timing(f)?;
        self.service(f)?;
        self.check(f)
    }
}

impl Printed<'_> {
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
        writeln!(f, "[node]\nmanagement = {}  # put this host's own addresses here", strings(&management))?;
        if let Some(dialect) = self.options.dialect {
            let api = match dialect {
                Dialect::Plain => 4,
                Dialect::Neighbor => 5,
                Dialect::Peer => 6,
            };
            writeln!(f, "\n[exabgp]\napi = {api}")?;
        }
        Ok(())
    }

    fn timing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shortest = Duration::from_millis(1);
        let interval = self.options.interval.unwrap_or(defaults::TIMING.interval).max(shortest);
        let fast_interval = self.options.fast_interval.clamp(shortest, interval);
        let timeout = match &self.options.check {
            Check::Command(command) => command.timeout.unwrap_or(interval),
            Check::Dns(round) => round.probes().first().map_or(interval, |probe| probe.timeout),
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
        writeln!(f, "\n[[service]]\nname = {}", string(&one_word(&self.options.service_name())))?;
        writeln!(f, "prefixes = {}", strings(&prefixes))?;
        if let Some(first) = routes.first() {
            // `self` is for sessions over IPv4; for IPv6 the management address takes its place.
            if first.next_hop == NextHop::Itself && routes.iter().all(|route| route.prefix.addr().is_ipv4()) {
                writeln!(f, "next-hop = \"self\"")?;
            }
            if !first.neighbors.is_empty() {
                let neighbors: Vec<_> = first.neighbors.iter().map(ToString::to_string).collect();
                writeln!(f, "neighbors = {}", strings(&neighbors))?;
            }
        }
        if let [first, second, ..] = routes.as_slice() {
            writeln!(f, "med-increase = {}", second.med_offset - first.med_offset)?;
        }
        let path = routes.first().and_then(|route| route.path_information);
        for (name, advertisement) in [("up", up), ("down", down), ("drained", disabled)] {
            writeln!(f, "{name} = {}", Rung(advertisement, path))?;
        }
        if let Some(file) = &self.options.disable_file {
            writeln!(f, "disable-file = {}", string(&file.display().to_string()))?;
        }
        self.hooks(f)?;
        writeln!(f, "\n[service.dampening]\nmode = \"observe\"  # \"enforce\" holds a flapping service down")
    }

    fn hooks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hooks = &self.options.hooks;
        let any = hooks.any.join("; ");
        if !any.is_empty() {
            writeln!(f, "on-change = [\"/bin/sh\", \"-c\", {}]", string(&any))?;
        }
        for (option, commands) in [("up", &hooks.up), ("down", &hooks.down), ("disabled", &hooks.disabled)] {
            for command in commands {
                let command = string(command);
                writeln!(f, "# --{option}-execute {command}: on-change gets the state in STATE")?;
            }
        }
        Ok(())
    }

    fn check(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n[[service.check]]\nname = \"check\"")?;
        match &self.options.check {
            Check::Command(command) => writeln!(f, "command = {}", string(&command.text)),
            Check::Nothing => writeln!(f, "command = \"true\"  # nothing was checked"),
            Check::Dns(round) => {
                let servers: Vec<_> = round.probes().iter().map(|probe| probe.server.to_string()).collect();
                let Some(Probe { question, transport, .. }) = round.probes().first() else { return Ok(()) };
                let transport = if *transport == Transport::Udp { "udp" } else { "tcp" };
                writeln!(
                    f,
                    "dns = {{ query = {}, server = {}, transport = \"{transport}\", expect = {{ rcode = {} }} }}",
                    string(&question.query().to_string()),
                    strings(&servers),
                    strings(&question.expect().rcodes.words())
                )
            }
        }
    }
}

/// What stands behind `up =`.
struct Rung<'a>(&'a Advertisement, Option<PathInformation>);

impl fmt::Display for Rung<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Advertisement::Announce(attributes) = self.0 else { return f.write_str("\"withdraw\"") };
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
        parts.extend(med.map(|med| format!("med = {med}")));
        parts.extend(local_preference.map(|preference| format!("local-preference = {preference}")));
        parts.extend(list("community", communities));
        parts.extend(list("extended-community", extended_communities));
        parts.extend(list("large-community", large_communities));
        parts.extend(as_path.as_ref().map(|path| format!("as-path = {path:?}")));
        parts.extend(self.1.map(|path| format!("path-information = {path}")));
        write!(f, "{{ {} }}", parts.join(", "))
    }
}

fn list<T: ToString>(name: &str, items: &[T]) -> Option<String> {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    (!items.is_empty()).then(|| format!("{name} = {}", strings(&items)))
}

fn strings<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(|item| string(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// A basic string of TOML, which takes every string of JSON as it is.
fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn period(period: Duration) -> String {
    Period(period).to_string().replace(' ', "")
}

/// Services are called by one word without a slash.
fn one_word(name: &str) -> String {
    name.chars().map(|c| if c.is_whitespace() || c.is_control() || c == '/' { '-' } else { c }).collect()
}
