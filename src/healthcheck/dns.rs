//! The DNS query of `--dns`, which replaces a check command such as `dig`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::config::value::Server;
use crate::probe::dns::{DnsProbe, Expectation, Query, Question, Rcodes, Transport};
use crate::probe::set::{Pace, ProbeSet};

/// The default server.
const DEFAULT_SERVER: Server = Server(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53), false);

/// Parses the response codes that count as success: `NOERROR,NXDOMAIN`, `!SERVFAIL`.
pub(super) fn expected(text: &str) -> Result<Rcodes, String> {
    Rcodes::from_words(text.split(',').map(str::trim))
}

/// Builds one UDP probe for each server, or for 127.0.0.1 if none is given. All of them must pass.
///
/// # Errors
/// Returns an error that says why `query` cannot be sent.
pub(crate) fn probe_set(
    query: Query,
    servers: &[Server],
    expected: Option<Rcodes>,
    timeout: Duration,
) -> Result<ProbeSet, String> {
    let default = Expectation::default();
    let rcodes = expected.unwrap_or_else(|| default.rcodes.clone());
    let question = Arc::new(Question::new(query, true, Expectation { rcodes, ..default })?);
    let probe = |server: &Server| DnsProbe {
        question: Arc::clone(&question),
        server: server.0,
        source: None,
        transport: Transport::Udp,
        timeout,
        locality: Arc::default(),
    };
    let servers = if servers.is_empty() { &[DEFAULT_SERVER] } else { servers };
    let probes: Vec<_> = servers.iter().map(probe).collect();
    let need = probes.len();
    ProbeSet::new(probes, need, Pace::BURST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_codes_are_separated_by_commas() {
        let codes = expected("NOERROR, nxdomain").unwrap();
        assert_eq!(codes.to_string(), "NOERROR or NXDOMAIN");
        assert!(expected("NOERROR,").unwrap_err().contains("unknown response code ``"));
    }

    #[test]
    fn sends_the_query_to_every_server() {
        let servers = ["127.0.0.1".parse().unwrap(), "[::1]:5353".parse().unwrap()];
        let query = "localhost. A".parse().unwrap();
        let set = probe_set(query, &servers, None, Duration::from_secs(1)).unwrap();
        let shown: Vec<_> = set.probes().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.1:53 udp localhost. A", "[::1]:5353 udp localhost. A"]);
        assert_eq!(set.need(), 2);
    }

    #[test]
    fn the_default_server_is_this_host() {
        let set = probe_set("localhost. A".parse().unwrap(), &[], None, Duration::from_secs(1)).unwrap();
        assert_eq!(set.probes()[0].server.to_string(), "127.0.0.1:53");
    }
}
