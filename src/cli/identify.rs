//! Options of `identify`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::probe::dns::Query;
use crate::text::period::Period;

/// The port of DNS (RFC 1035 §4.2).
const PORT: u16 = 53;

/// The longest wait for one answer.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Options of `identify`.
#[derive(Args, Debug)]
pub(crate) struct Identify {
    /// The addresses to ask, such as 192.0.2.53, 192.0.2.53:5353 or 2001:db8::53
    #[arg(required = true, value_name = "ADDRESS", value_parser = server)]
    pub(crate) servers: Vec<SocketAddr>,
    /// Ask each address on N flows, each with its own source port, and show how they split over nodes
    ///
    /// Routers with equal-cost paths choose the path of a flow by its addresses and ports. At most 16 of the flows are
    /// repeated as TCP connections.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) flows: Option<u16>,
    /// Ask again every second on the same flows, and print a line when another node answers, until interrupted
    #[arg(long, conflicts_with = "expect")]
    pub(crate) watch: bool,
    /// Compare the nodes with those in FILE: a name on each line, empty lines and `#` comments are skipped
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,
    /// The question with a large answer: whether it arrives over UDP, in fragments, or over TCP after truncation
    ///
    /// A server that is not asked by clients for the root refuses the default. Name a signed zone of yours, such as
    /// "example.org DNSKEY".
    #[arg(long, value_name = "QUESTION", default_value = ". DNSKEY", conflicts_with = "watch")]
    pub(crate) large: Query,
    /// Ask from this address of this host
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) source: Option<IpAddr>,
    /// The longest wait for a connection, and for each answer, from 10ms to 60s
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = timeout)]
    pub(crate) timeout: Period,
    /// Print JSON; with `--watch`, a line for each change
    #[arg(long)]
    pub(crate) json: bool,
}

fn timeout(text: &str) -> Result<Period, String> {
    let period: Period = text.parse()?;
    match period.0 {
        time if (Duration::from_millis(10)..=LONGEST_TIMEOUT).contains(&time) => Ok(period),
        _ => Err(format!("`{text}` is out of range, expected 10ms to 60s")),
    }
}

/// Parses the address of a server, with its port unless that is 53.
fn server(text: &str) -> Result<SocketAddr, String> {
    let server = match text.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, PORT),
        Err(_) => text.parse().map_err(|_| {
            format!(
                "`{text}` is no address, expected one such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53; a name would \
                 ask the resolver of this host"
            )
        })?,
    };
    match server.port() {
        0 => Err(format!("`{text}` has port 0, expected 1 to 65535")),
        _ => Ok(server),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_address_with_or_without_a_port() {
        let port = |text: &str| server(text).map(|server| server.port());
        assert_eq!(port("192.0.2.53"), Ok(53));
        assert_eq!(port("192.0.2.53:5353"), Ok(5353));
        assert_eq!(port("2001:db8::53"), Ok(53));
        assert_eq!(port("[2001:db8::53]:853"), Ok(853));
        assert!(port("dns.example.org").unwrap_err().contains("is no address"));
        assert!(port("192.0.2.53:0").unwrap_err().contains("port 0"));
    }

    #[test]
    fn the_timeout_is_bounded() {
        assert!(timeout("2s").is_ok());
        for bad in ["0s", "61s", "2"] {
            assert!(timeout(bad).is_err(), "{bad}");
        }
    }
}
