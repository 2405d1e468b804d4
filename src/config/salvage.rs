//! Reads prefixes and directories from a configuration file that is invalid, so that its prefixes can be withdrawn.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::since::Since;
use super::value::Prefix;
use super::{Config, DEFAULT_STATE, Node, Service, bytes_of_file, defaults};
use crate::control::DEFAULT_DIRECTORY;
use crate::engine::compat::Compat;
use crate::engine::dampening::Policy;
use crate::engine::ladder::Ladder;
use crate::engine::plan::ExaBgp;
use crate::engine::service::StartPolicy;
use crate::exabgp::{NextHop, Route};
use crate::metrics::Outlets;

/// The readable parts of an invalid file.
#[derive(Debug)]
pub(crate) struct Salvage {
    /// The state directory.
    pub(crate) state: PathBuf,
    /// The directory of the sockets.
    pub(crate) control: PathBuf,
    /// Every prefix found in the file, of any service.
    pub(crate) routes: Vec<Route>,
}

impl Salvage {
    /// Reads a file. The result is empty if the path is not a regular file or cannot be read.
    pub(crate) fn from_file(path: &Path) -> Self {
        Self::from_text(&String::from_utf8_lossy(&bytes_of_file(path).unwrap_or_default()))
    }

    /// Reads as much as possible. Looks for quoted words, because the structure of the file may be broken.
    pub(crate) fn from_text(text: &str) -> Self {
        let legible = toml::from_str::<ControlOnly>(text).unwrap_or_default().control;
        let lines = || text.lines().map(|line| line.split_once('#').map_or(line, |(code, _comment)| code));
        let path = |wanted: &str| {
            lines().find_map(|line| {
                let (key, value) = line.split_once('=')?;
                let key = key.trim();
                (key.strip_prefix("control.").unwrap_or(key).trim() == wanted)
                    .then(|| value.trim().trim_matches(QUOTES))
                    .filter(|path| !path.is_empty())
            })
        };
        Self {
            state: legible.state.unwrap_or_else(|| path("state").unwrap_or(DEFAULT_STATE).into()),
            control: legible
                .directory
                .unwrap_or_else(|| path("directory").unwrap_or(DEFAULT_DIRECTORY).into()),
            routes: lines().flat_map(|line| line.split(QUOTES)).filter_map(route).collect(),
        }
    }

    /// Builds a configuration that withdraws these routes and does nothing else.
    #[must_use]
    pub(crate) fn withdrawing(self, host: &str, more: impl IntoIterator<Item = Route>) -> Config {
        let mut routes: Vec<Route> = vec![];
        for route in self.routes.into_iter().chain(more) {
            // A withdraw to every neighbor includes that to some.
            let includes = |known: &Route| {
                known.prefix == route.prefix
                    && known.path_information == route.path_information
                    && (known.neighbors.is_empty() || known.neighbors == route.neighbors)
            };
            if !routes.iter().any(includes) {
                routes.push(route);
            }
        }
        Config {
            node: Node { name: host.to_owned(), management: vec![] },
            exabgp: ExaBgp {
                dialect: None,
                ack_timeout: defaults::ACK_TIMEOUT,
                refresh: defaults::REFRESH,
                end_of_rib: false,
            },
            state: self.state,
            control: self.control,
            metrics: Outlets::default(),
            recorder: defaults::RECORDER,
            since: Since::default(),
            compat: Compat::NONE,
            origin: None,
            backends: vec![],
            services: vec![Service {
                name: "(no configuration)".to_owned(),
                enabled: true,
                ladders: vec![Ladder::withdrawn(); routes.len()],
                routes,
                backend: None,
                role: None,
                zones: vec![],
                checks: vec![],
                addresses: None,
                unknown_after: defaults::UNKNOWN_AFTER,
                recovery: std::time::Duration::ZERO,
                warm_up: None,
                start: StartPolicy::Withdraw,
                disable_file: None,
                on_change: vec![],
                dampening: Policy::off(),
            }],
        }
    }
}

/// The control table of a file with valid TOML syntax.
#[derive(Default, Deserialize)]
struct ControlOnly {
    #[serde(default)]
    control: Directories,
}

#[derive(Default, Deserialize)]
struct Directories {
    directory: Option<PathBuf>,
    state: Option<PathBuf>,
}

const QUOTES: [char; 2] = ['"', '\''];

/// Builds a route for a withdraw, which needs only the prefix.
fn route(text: &str) -> Option<Route> {
    let Prefix(prefix) = text.parse().ok()?;
    Some(Route {
        prefix,
        next_hop: NextHop::Itself,
        path_information: None,
        neighbors: vec![],
        med_offset: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(text: &str) -> Vec<String> {
        Salvage::from_text(text).routes.iter().map(|route| route.prefix.to_string()).collect()
    }

    #[test]
    fn finds_prefixes_in_broken_files() {
        let text = "[node]\nmanagement = [\"10.1.0.2\"\n[[service]]\nname = \nprefixes = [\"192.0.2.53/32\", \"nonsense\"]\n";
        assert_eq!(prefixes(text), ["192.0.2.53/32"]);
        assert_eq!(prefixes("prefixes = ['2001:db8::/48'\nfall = 0\n"), ["2001:db8::/48"]);
        assert!(
            prefixes("# prefixes = [\"192.0.2.53/32\"]").is_empty(),
            "a comment may name prefixes of others"
        );
        assert!(prefixes("").is_empty() && prefixes("\u{0}]]]==").is_empty());
    }

    #[test]
    fn finds_the_directories_in_every_notation() {
        for text in [
            "[control]\ndirectory = \"/run/#x\"\nstate = '/x' # y\n[[service]]\nfall = 0\n",
            "control = { directory = \"/run/#x\", state = \"/x\" }\n",
            "control.directory = \"/run/#x\"\ncontrol.state = \"/x\"\n",
        ] {
            let salvage = Salvage::from_text(text);
            assert_eq!(salvage.control, PathBuf::from("/run/#x"), "{text}");
            assert_eq!(salvage.state, PathBuf::from("/x"), "{text}");
        }
        let broken = Salvage::from_text("control.directory = \"/run/x\"\n[node\n");
        assert_eq!(broken.control, PathBuf::from("/run/x"));
    }

    #[test]
    fn withdraws_each_prefix_once() {
        let text = "prefixes = [\"192.0.2.53/32\"]\n[[service]]\nprefixes = [\"192.0.2.53/32\", \"2001:db8::/48\"]\n";
        let salvage = Salvage::from_text(text);
        let announced = salvage.routes.clone();
        let config = salvage.withdrawing("host", announced);
        let prefixes: Vec<_> =
            config.services[0].routes.iter().map(|route| route.prefix.to_string()).collect();
        assert_eq!(prefixes, ["192.0.2.53/32", "2001:db8::/48"]);
    }

    #[test]
    fn withdraws_from_the_neighbors_that_had_the_route() {
        let one = route("192.0.2.53/32").unwrap();
        let to = |neighbor: [u8; 4]| Route { neighbors: vec![neighbor.into()], ..one.clone() };
        let withdrawn = |text: &str| {
            let config = Salvage::from_text(text).withdrawing("host", [[10, 0, 0, 1], [10, 0, 0, 2]].map(to));
            config.services[0].routes.clone()
        };
        assert_eq!(withdrawn(""), [[10, 0, 0, 1], [10, 0, 0, 2]].map(to));
        assert_eq!(withdrawn("prefixes = [\"192.0.2.53/32\"]"), std::slice::from_ref(&one));
    }

    #[test]
    fn finds_the_state_directory() {
        let text = "[control]\nstate = \"/tmp/x\"\n[node\n";
        assert_eq!(Salvage::from_text(text).state, PathBuf::from("/tmp/x"));
        assert_eq!(Salvage::from_text("garbage").state, PathBuf::from(DEFAULT_STATE));
    }
}
