//! TLS: the handshake, and what is expected of the certificate.
//!
//! A certificate never ends the handshake, and a wrong one is reported with its reason. The server must prove that it has
//! the key; the certificate is then compared with the configuration. Its issuer is not verified: a pin of the key
//! proves more than the name (RFC 7858 §4.2). Each probe has a session of its own, without resumption.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::{IpAddr as TlsAddress, ServerName};
use tokio_rustls::rustls::{ClientConfig, crypto};

use super::exchange::{Path, Trouble};
use super::{Transport, text};
use crate::outcome::{Cause, Failure};

mod certificate;
mod verifier;

/// The protocol of HTTP/2 in ALPN (RFC 9113 §3.1).
const H2: &[u8] = b"h2";

/// The hash of a public key, as `sha256/` and base64 (RFC 7469 §2.4 calls it a pin).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pin(String);

impl FromStr for Pin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_base64 = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/');
        let digits = text.strip_prefix("sha256/").and_then(|hash| hash.strip_suffix('='));
        match digits {
            Some(digits) if digits.len() == 43 && digits.bytes().all(is_base64) => Ok(Self(text.to_owned())),
            _ => Err(format!(
                "`{text}` is not a pin, expected `sha256/` and 44 characters of base64, the hash of the public key"
            )),
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The expected certificate, and the path of HTTPS.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tls {
    /// The name or address that the certificate must be for, also sent as SNI.
    pub(crate) name: Option<ServerName<'static>>,
    /// One of these, if there are any, must be the hash of the public key.
    pub(crate) pins: Vec<Pin>,
    /// The certificate must be valid for so long.
    pub(crate) left: Option<Duration>,
    /// The path of DNS over HTTPS (RFC 8484).
    pub(crate) path: String,
}

impl Default for Tls {
    fn default() -> Self {
        Self { name: None, pins: Vec::new(), left: None, path: "/dns-query".to_owned() }
    }
}

/// Reads a host name or an address that a certificate can be for.
///
/// # Errors
///
/// Returns a sentence about a text that is neither.
pub(crate) fn tls_name(text: &str) -> Result<ServerName<'static>, String> {
    let refuse =
        |_| format!("`{text}` is not a name of a certificate, expected one such as `dns.example.org`");
    ServerName::try_from(text.to_owned()).map_err(refuse)
}

impl Tls {
    /// Connects and shakes hands; with the time of the first packet.
    pub(super) async fn connect(
        &self,
        path: Path<'_>,
        transport: Transport,
    ) -> Result<(TlsStream<TcpStream>, std::time::Instant), Trouble> {
        let name =
            self.name.clone().unwrap_or_else(|| ServerName::IpAddress(TlsAddress::from(path.server.ip())));
        let connector = TlsConnector::from(config(transport)?);
        let (stream, start) = path.connect().await?;
        let stream = connector.connect(name, stream).await.map_err(refused)?;
        let session = stream.get_ref().1;
        let chain = session.peer_certificates().unwrap_or_default();
        certificate::judge(self, chain, SystemTime::now())?;
        if transport == Transport::Https && session.alpn_protocol() != Some(H2) {
            let detail = "the server does not speak HTTP/2, expected `h2` in ALPN";
            return Err(Failure::new(Cause::Tls, detail).into());
        }
        Ok((stream, start))
    }

    /// The authority of a request to this server.
    pub(super) fn authority(&self, path: Path<'_>) -> String {
        match &self.name {
            Some(ServerName::DnsName(name)) => name.as_ref().to_owned(),
            _ => path.server.to_string(),
        }
    }
}

/// The settings of the handshake, made once for each protocol.
fn config(transport: Transport) -> Result<Arc<ClientConfig>, Failure> {
    static DOT: OnceLock<Result<Arc<ClientConfig>, rustls::Error>> = OnceLock::new();
    static DOH: OnceLock<Result<Arc<ClientConfig>, rustls::Error>> = OnceLock::new();
    let (cell, protocols) = match transport {
        Transport::Https => (&DOH, vec![H2.to_vec()]),
        _ => (&DOT, vec![]),
    };
    let made = cell.get_or_init(|| {
        let provider = Arc::new(crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier::KeyOnly(provider)))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = protocols;
        Ok(Arc::new(config))
    });
    made.clone().map_err(|error| Failure::new(Cause::Local, format!("cannot use TLS: {error}")))
}

/// The meaning of an error of the handshake.
fn refused(error: std::io::Error) -> Trouble {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(why) => {
            let detail = format!("TLS handshake failed: {}", text::printable(&why.to_string()));
            Failure::new(Cause::Tls, detail).into()
        }
        None => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_a_hash_in_base64() {
        let pin = "sha256/HFA652k+cns3BHUWwU7gVSLSBf+osA66809EhamiKPw=";
        assert_eq!(pin.parse::<Pin>().unwrap().to_string(), pin);
        for bad in ["HFA652k+cns3BHUWwU7gVSLSBf+osA66809EhamiKPw=", "sha256/HFA6", &pin[..50], "sha1/HFA6="] {
            assert!(bad.parse::<Pin>().unwrap_err().contains("is not a pin"), "{bad}");
        }
    }
}
