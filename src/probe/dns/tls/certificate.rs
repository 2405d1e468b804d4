//! The verdict on a certificate.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::ParsedCertificate;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::super::text::printable;
use super::Tls;
use crate::outcome::{Cause, Failure};
use crate::text::joined;
use crate::text::period::{Period, Shown};

/// Compares the certificate of the server, the first of `chain`, with what is expected at `now`: its key, its name, and
/// the time until it expires.
pub(super) fn judge(tls: &Tls, chain: &[CertificateDer<'_>], now: SystemTime) -> Result<(), Failure> {
    let refuse = |detail: String| Err(Failure::new(Cause::Certificate, detail));
    let Some(der) = chain.first() else { return refuse("the server has no certificate".to_owned()) };
    let Ok((_, parsed)) = X509Certificate::from_der(der) else {
        return refuse("the certificate cannot be read".to_owned());
    };
    if !tls.pins.is_empty() {
        let found = pin(parsed.tbs_certificate.subject_pki.raw);
        if !tls.pins.iter().any(|pin| pin.0 == found) {
            let expected = joined(&tls.pins, " or ");
            return refuse(format!("the certificate has the key {found}, expected {expected}"));
        }
    }
    if let Some(name) = &tls.name {
        let named = ParsedCertificate::try_from(der).and_then(|parsed| verify_server_name(&parsed, name));
        if named.is_err() {
            let subject = printable(&parsed.subject().to_string());
            return refuse(format!("the certificate of `{subject}` is not for `{}`", name.to_str()));
        }
    }
    period(tls, &parsed, seconds(now))
}

fn period(tls: &Tls, certificate: &X509Certificate<'_>, now: i64) -> Result<(), Failure> {
    let refuse = |detail: String| Err(Failure::new(Cause::Certificate, detail));
    let shown = |seconds: i64| Shown(Duration::from_secs(seconds.unsigned_abs()));
    let validity = certificate.validity();
    let begins = validity.not_before.timestamp().saturating_sub(now);
    let left = validity.not_after.timestamp().saturating_sub(now);
    if begins > 0 {
        return refuse(format!("the certificate is not valid yet: its period begins in {}", shown(begins)));
    }
    if left < 0 {
        return refuse(format!("the certificate expired {} ago", shown(left)));
    }
    match tls.left {
        Some(least) if Duration::from_secs(left.unsigned_abs()) < least => {
            refuse(format!("the certificate expires in {}, expected at least {}", shown(left), Period(least)))
        }
        _ => Ok(()),
    }
}

fn seconds(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().try_into().unwrap_or(i64::MAX))
}

/// The pin of a public key (`SubjectPublicKeyInfo`).
fn pin(key: &[u8]) -> String {
    let hash = TLS13_AES_128_GCM_SHA256.tls13().map(|suite| suite.common.hash_provider.hash(key));
    format!("sha256/{}", hash.map(|hash| base64(hash.as_ref())).unwrap_or_default())
}

fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        let digits = [18, 12, 6, 0].map(|shift| char::from(DIGITS[(bits >> shift & 63) as usize]));
        let filled = three.len() + 1;
        std::array::from_fn::<_, 4, _>(|at| if at < filled { digits[at] } else { '=' })
    };
    octets.chunks(3).flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For dns.example.org and 127.0.0.1, from 2020-01-01 to 2099-12-31.
    const CERTIFICATE: &[u8] = include_bytes!("fixtures/certificate.der");
    const PIN: &str = "sha256/HFA652k+cns3BHUWwU7gVSLSBf+osA66809EhamiKPw=";
    const BEGINS: u64 = 1_577_836_800;
    const ENDS: u64 = 4_102_444_799;

    fn judged(tls: &Tls, now: u64) -> Result<(), String> {
        let at = UNIX_EPOCH + Duration::from_secs(now);
        judge(tls, &[CERTIFICATE.into()], at).map_err(|failure| {
            assert_eq!(failure.cause, Cause::Certificate);
            failure.detail
        })
    }

    #[test]
    fn the_period_of_a_certificate_is_that_of_our_clock() {
        let tls = Tls::default();
        assert_eq!(judged(&tls, BEGINS), Ok(()));
        assert_eq!(judged(&tls, ENDS), Ok(()));
        assert_eq!(
            judged(&tls, BEGINS - 60),
            Err("the certificate is not valid yet: its period begins in 1m".to_owned())
        );
        assert_eq!(judged(&tls, ENDS + 3600), Err("the certificate expired 1h ago".to_owned()));
        let left = Tls { left: Some(Duration::from_secs(3 * 86_400)), ..Tls::default() };
        assert_eq!(judged(&left, ENDS - 3 * 86_400), Ok(()));
        let soon = "the certificate expires in 1day, expected at least 3days".to_owned();
        assert_eq!(judged(&left, ENDS - 86_400), Err(soon));
    }

    #[test]
    fn the_name_is_one_of_those_in_the_certificate() {
        let named = |name: &'static str| {
            judged(&Tls { name: Some(name.try_into().unwrap()), ..Tls::default() }, ENDS)
        };
        assert_eq!(named("dns.example.org"), Ok(()));
        assert_eq!(named("127.0.0.1"), Ok(()));
        let other = "the certificate of `CN=dns.example.org` is not for `ns.example.org`".to_owned();
        assert_eq!(named("ns.example.org"), Err(other));
        assert!(named("127.0.0.2").is_err());
    }

    #[test]
    fn the_key_is_one_of_those_pinned() {
        let other = "sha256/".to_owned() + &"A".repeat(43) + "=";
        let pinned = |pins: &[&str]| {
            let pins = pins.iter().map(|pin| pin.parse().unwrap()).collect();
            judged(&Tls { pins, ..Tls::default() }, ENDS)
        };
        assert_eq!(pinned(&[PIN]), Ok(()));
        assert_eq!(pinned(&[&other, PIN]), Ok(()));
        assert_eq!(pinned(&[&other]), Err(format!("the certificate has the key {PIN}, expected {other}")));
    }

    #[test]
    fn data_that_is_no_certificate_is_refused() {
        let tls = Tls::default();
        assert!(judge(&tls, &[], SystemTime::now()).is_err());
        assert!(judge(&tls, &[(&CERTIFICATE[..200]).into()], SystemTime::now()).is_err());
    }

    #[test]
    fn base64_is_filled_up() {
        assert_eq!([&b"f"[..], b"fo", b"foo", b"foob"].map(base64), ["Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    }
}
