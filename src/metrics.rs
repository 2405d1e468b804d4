//! Metrics: the status document in the text format of Prometheus (version 0.0.4).
//!
//! ```text
//!   events ──► Tally ──► Document ──► exposition ──┬─► `dnsherald metrics`, through status.sock
//!                                                  ├─► a file for node_exporter (textfile)
//!                                                  └─► HTTP (server)
//! ```
//!
//! Every name is listed in [`families`]. The examples of dashboards and alerts use no other name; a test compares them.

use std::net::SocketAddr;
use std::path::PathBuf;

use prometheus_client::encoding::prometheus_text;
use prometheus_client::registry::Registry;

use self::families::Page;
use crate::status::Document;

mod families;
mod family;
pub(crate) mod server;
pub(crate) mod tally;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod textfile;

/// Where a helper publishes its metrics, besides `status.sock`. By default nowhere.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Outlets {
    /// A file for the textfile collector of node_exporter. An absolute path that ends in `.prom`.
    pub(crate) textfile: Option<PathBuf>,
    /// The address at which HTTP is served.
    pub(crate) listen: Option<SocketAddr>,
}

/// The metrics of a helper at the moment of this document.
pub(crate) fn exposition(document: Document) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page(document)));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = prometheus_text::encode(&mut text, &registry);
    text
}
