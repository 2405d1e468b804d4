use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

/// Longer than any of these takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// What a request finds of a server that sends `octets` again and again, `times` over.
async fn answered(octets: Vec<u8>, times: usize) -> Result<Vec<u8>, Failure> {
    let (mut client, server) = duplex(1 << 16);
    let serve = async move {
        let (mut reads, mut writes) = tokio::io::split::<DuplexStream>(server);
        let sends = async {
            for _ in 0..times {
                if writes.write_all(&octets).await.is_err() {
                    return;
                }
            }
            let _ = writes.shutdown().await;
        };
        let mut sink = vec![0; 4096];
        let drains = async { while reads.read(&mut sink).await.is_ok_and(|length| length > 0) {} };
        tokio::join!(sends, drains);
    };
    let ask = async move {
        let found = post(&mut client, "dns.example.org", "/dns-query", b"query").await;
        drop(client);
        found.map_err(Failure::from)
    };
    let both = async { tokio::join!(ask, serve).0 };
    tokio::time::timeout(DEADLINE, both).await.expect("endless")
}

fn ok() -> Vec<u8> {
    frame(HEADERS, END_HEADERS, STREAM, &[0x88])
}

#[tokio::test]
async fn the_body_is_joined_and_padding_is_left_out() {
    let frames = [
        frame(SETTINGS, 0, 0, &[]),
        frame(PING, 0, 0, &[1; 8]),
        frame(HEADERS, END_HEADERS, STREAM, b"\x48\x03103"),
        frame(HEADERS, END_HEADERS | PADDED | PRIORITY, STREAM, &[1, 0, 0, 0, 0, 0, 0x88, 0]),
        frame(8, 0, 0, &[0, 0, 1, 0]),
        frame(DATA, 0, STREAM, b"ans"),
        frame(DATA, PADDED | END_STREAM, STREAM, b"\x02wer\0\0"),
    ];
    assert_eq!(answered(frames.concat(), 1).await.unwrap(), b"answer");
}

#[tokio::test]
async fn a_status_that_is_no_success_is_named() {
    let failure = answered(frame(HEADERS, END_HEADERS | END_STREAM, STREAM, &[0x8d]), 1).await.unwrap_err();
    assert_eq!((failure.cause, failure.detail.as_str()), (Cause::Http, "HTTP status 404, expected 200"));
}

#[tokio::test]
async fn an_endless_response_is_malformed() {
    let endless = frame(CONTINUATION, 0, STREAM, &[0; 1000]);
    let headers = [frame(HEADERS, 0, STREAM, &[0x88]), endless.repeat(100)].concat();
    let body = [ok(), frame(DATA, 0, STREAM, &[0; 16_384]).repeat(5)].concat();
    for octets in [headers, body, vec![0xff; 9], frame(CONTINUATION, 0, STREAM, &[]).repeat(70_000)] {
        assert_eq!(answered(octets, 1).await.unwrap_err().cause, Cause::Malformed);
    }
    let huge = answered(frame(DATA, PADDED, STREAM, &[9, 0]), 1).await.unwrap_err();
    assert!(huge.detail.contains("padded"), "{huge}");
}

#[tokio::test]
async fn a_stream_that_ends_early_is_closed() {
    let reset = [ok(), frame(RST_STREAM, 0, STREAM, &[0, 0, 0, 7])].concat();
    let away = frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 1]);
    for octets in [ok(), reset, away] {
        assert_eq!(answered(octets, 1).await.unwrap_err().cause, Cause::Closed);
    }
    let without = answered(frame(DATA, END_STREAM, STREAM, b"answer"), 1).await.unwrap_err();
    assert_eq!(without.cause, Cause::Malformed);
}
