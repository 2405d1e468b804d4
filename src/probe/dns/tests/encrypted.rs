//! Probes over TLS and HTTPS, against a server with a certificate for dns.example.org and 127.0.0.1 until 2099.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

use super::{HASTY, PATIENT, V4, broken, failure_of, probe};
use crate::outcome::Cause;
use crate::probe::dns::{DnsProbe, Expectation, Question, Tls, Transport, tls_name};
use crate::responder::{Fault, Responder};

const CERTIFICATE: &[u8] = include_bytes!("../tls/fixtures/certificate.der");
const KEY: &[u8] = include_bytes!("../tls/fixtures/key.der");

fn acceptor(protocols: &[&[u8]]) -> TlsAcceptor {
    let provider = Arc::new(crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(KEY).unwrap();
    let chain = vec![CertificateDer::from(CERTIFICATE)];
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// Serves TLS in front of `backend`, as a proxy that hands the octets of one connection after the other on.
async fn tls_before(backend: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind((V4, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let acceptor = acceptor(&[]);
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut front) = acceptor.accept(stream).await else { continue };
            let mut back = tokio::net::TcpStream::connect(backend).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut front, &mut back).await;
        }
    });
    (address, task)
}

fn encrypted(responder: &Responder, server: SocketAddr, transport: Transport, tls: Tls) -> DnsProbe {
    let question = Question::new("localhost. A".parse().unwrap(), true, Expectation::default()).unwrap();
    let question = Arc::new(question.over(tls.into()));
    DnsProbe { question, server, ..probe(responder, transport, PATIENT, Expectation::default()) }
}

#[tokio::test]
async fn the_answer_and_the_certificate_are_judged_over_tls() {
    let responder = broken(Fault::None).await;
    let (server, task) = tls_before(responder.address()).await;
    let ask = async |tls| encrypted(&responder, server, Transport::Tls, tls).ask().await;
    let named = |name| Tls { name: Some(tls_name(name).unwrap()), ..Tls::default() };
    assert!(ask(Tls::default()).await.outcome.passed());
    let finding = ask(named("dns.example.org")).await;
    assert!(finding.outcome.passed(), "{finding:?}");
    let failure = failure_of(ask(named("ns.example.org")).await);
    assert_eq!(failure.cause, Cause::Certificate, "{failure}");
    assert!(failure.detail.contains("is not for `ns.example.org`"), "{failure}");
    let left = Tls { left: Some(Duration::from_secs(300 * 31_557_600)), ..Tls::default() };
    assert_eq!(failure_of(ask(left).await).cause, Cause::Certificate);
    let other = Tls { pins: vec![format!("sha256/{}=", "A".repeat(43)).parse().unwrap()], ..Tls::default() };
    assert_eq!(failure_of(ask(other).await).cause, Cause::Certificate);
    responder.set(Fault::Refuse).await;
    assert_eq!(failure_of(ask(Tls::default()).await).cause, Cause::Refused);
    task.abort();
}

#[tokio::test]
async fn a_server_without_tls_is_named() {
    let listener = TcpListener::bind((V4, 0)).unwrap();
    let server = listener.local_addr().unwrap();
    let plain = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        // Until the probe closes the connection.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let responder = broken(Fault::None).await;
    let failure = failure_of(encrypted(&responder, server, Transport::Tls, Tls::default()).ask().await);
    assert_eq!(failure.cause, Cause::Tls, "{failure}");
    assert!(failure.detail.contains("TLS handshake failed"), "{failure}");
    plain.join().unwrap();
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_with_the_timeout() {
    let listener = TcpListener::bind((V4, 0)).unwrap();
    let server = listener.local_addr().unwrap();
    let responder = broken(Fault::None).await;
    for transport in [Transport::Tls, Transport::Https] {
        let probe = DnsProbe { timeout: HASTY, ..encrypted(&responder, server, transport, Tls::default()) };
        let asked = Instant::now();
        assert_eq!(failure_of(probe.ask().await).cause, Cause::Timeout);
        assert!(asked.elapsed() < Duration::from_secs(20));
    }
}

#[tokio::test]
async fn a_message_is_posted_over_http_2() {
    let listener = tokio::net::TcpListener::bind((V4, 0)).await.unwrap();
    let server = listener.local_addr().unwrap();
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor(&[b"h2"]).accept(stream).await.unwrap();
        let mut octets = vec![0; 24];
        stream.read_exact(&mut octets).await.unwrap();
        assert_eq!(octets, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let message = loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            stream.read_exact(&mut payload).await.unwrap();
            if head[3] == 0 {
                break payload;
            }
        };
        let mut answer = message;
        answer[2] |= 0x80;
        let mut frames = vec![0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88];
        frames.extend([0, 0, answer.len() as u8, 0, 1, 0, 0, 0, 1]);
        frames.extend(answer);
        stream.write_all(&frames).await.unwrap();
        // Until the probe closes the connection.
        let _ = stream.read_u8().await;
    };
    let responder = broken(Fault::None).await;
    let probe = encrypted(&responder, server, Transport::Https, Tls::default());
    let (finding, ()) = tokio::join!(probe.ask(), serve);
    assert!(finding.outcome.passed(), "{finding:?}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_http_2_is_named() {
    let responder = broken(Fault::None).await;
    let (server, task) = tls_before(responder.address()).await;
    let failure = failure_of(encrypted(&responder, server, Transport::Https, Tls::default()).ask().await);
    assert_eq!(failure.cause, Cause::Tls, "{failure}");
    assert!(failure.detail.contains("does not speak HTTP/2"), "{failure}");
    task.abort();
}
