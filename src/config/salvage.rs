//! What can be read of a file that is not in order: which prefixes must not stay announced meanwhile.

use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::value::Prefix;
use super::{Config, DEFAULT_STATE, ExaBgp, Node, Service, defaults};
use crate::engine::dampening::Policy;
use crate::engine::ladder::Ladder;
use crate::engine::service::StartPolicy;
use crate::exabgp::{Advertisement, NextHop, Route};

/// What a broken file still says.
#[derive(Debug)]
pub struct Salvage {
    /// Where the state is kept.
    pub state: PathBuf,
    /// Every prefix that can be made out, of whatever service.
    pub routes: Vec<Route>,
}

impl Salvage {
    /// Reads as much as can be read.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let (table, _) = DeTable::parse_recoverable(text);
        let table = table.get_ref();
        let state = table.get("control").and_then(|control| control.get_ref().get("state"));
        let state = state.and_then(|state| state.get_ref().as_str());
        let services = table.get("service").and_then(|services| services.get_ref().as_array());
        let prefixes = services.into_iter().flatten().filter_map(|service| service.get_ref().get("prefixes"));
        Self {
            state: state.unwrap_or(DEFAULT_STATE).into(),
            routes: prefixes.flat_map(|prefixes| strings(prefixes)).filter_map(route).collect(),
        }
    }

    /// A configuration that withdraws these routes and nothing else.
    #[must_use]
    pub fn withdrawing(self, host: &str, more: impl IntoIterator<Item = Route>) -> Config {
        let mut routes = self.routes;
        for route in more {
            if !routes
                .iter()
                .any(|known| known.prefix == route.prefix && known.path_information == route.path_information)
            {
                routes.push(route);
            }
        }
        let withdraw = || Advertisement::Withdraw;
        Config {
            node: Node { name: host.to_owned(), management: vec![] },
            exabgp: ExaBgp {
                dialect: None,
                ack_timeout: defaults::ACK_TIMEOUT,
                refresh: defaults::REFRESH,
                end_of_rib: false,
            },
            state: self.state,
            services: vec![Service {
                name: "(no configuration)".to_owned(),
                routes,
                checks: vec![],
                ladder: Ladder {
                    up: withdraw(),
                    degraded: withdraw(),
                    down: withdraw(),
                    drained: withdraw(),
                },
                start: StartPolicy::Withdraw,
                disable_file: None,
                dampening: Policy::off(),
            }],
        }
    }
}

fn strings<'a>(value: &'a Spanned<DeValue<'_>>) -> Vec<&'a str> {
    match value.get_ref() {
        DeValue::String(text) => vec![text],
        DeValue::Array(items) => items.iter().filter_map(|item| item.get_ref().as_str()).collect(),
        _ => vec![],
    }
}

/// A withdraw needs the prefix alone.
fn route(text: &str) -> Option<Route> {
    let Prefix(prefix) = text.parse().ok()?;
    Some(Route { prefix, next_hop: NextHop::Itself, path_information: None, neighbors: vec![] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(text: &str) -> Vec<String> {
        Salvage::of(text).routes.iter().map(|route| route.prefix.to_string()).collect()
    }

    #[test]
    fn finds_prefixes_whatever_else_is_wrong() {
        let text = "[node]\nmanagement = [\"10.1.0.2\"\n[[service]]\nname = \nprefixes = [\"192.0.2.53/32\", \"nonsense\"]\n";
        assert_eq!(prefixes(text), ["192.0.2.53/32"]);
        assert_eq!(prefixes("[[service]]\nprefixes = \"2001:db8::/48\"\nfall = 0\n"), ["2001:db8::/48"]);
        assert!(prefixes("").is_empty() && prefixes("\u{0}]]]==").is_empty());
    }

    #[test]
    fn finds_where_the_state_is() {
        let text = "[control]\nstate = \"/tmp/x\"\n[node\n";
        assert_eq!(Salvage::of(text).state, PathBuf::from("/tmp/x"));
        assert_eq!(Salvage::of("garbage").state, PathBuf::from(DEFAULT_STATE));
    }
}
