//! Lookups at a server that a closure scripts.

use std::net::Ipv4Addr;

use hickory_resolver::proto::op::{MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;

/// Not to be reached.
const PATIENT: Duration = Duration::from_secs(20);

/// Builds the answer to the `n`th question over UDP, or over TCP; `None` for silence.
type Script = fn(&mut Message, Transport, usize) -> bool;

async fn serve(script: Script) -> SocketAddr {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let at = udp.local_addr().unwrap();
    let answer = move |octets: &[u8], transport, nth| {
        let mut message = Message::from_vec(octets).unwrap();
        message.metadata.message_type = MessageType::Response;
        script(&mut message, transport, nth).then(|| message.to_vec().unwrap())
    };
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        for nth in 1.. {
            let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
            if let Some(octets) = answer(&buffer[..length], Transport::Udp, nth) {
                udp.send_to(&octets, from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        for nth in 1.. {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let mut question = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut question).await.unwrap();
            if let Some(octets) = answer(&question, Transport::Tcp, nth) {
                stream.write_u16(octets.len() as u16).await.unwrap();
                stream.write_all(&octets).await.unwrap();
            }
        }
    });
    at
}

fn probe(servers: &[SocketAddr], timeout: Duration) -> LookupProbe {
    LookupProbe {
        names: vec!["www.example.org A".parse().unwrap()],
        servers: servers.iter().map(|server| (*server, None)).collect(),
        timeout,
        locality: Arc::default(),
    }
}

async fn found(script: Script) -> Outcome {
    let server = serve(script).await;
    probe(&[server], PATIENT).ask(|_| 0).await
}

#[track_caller]
fn failed(outcome: &Outcome) -> (Cause, &str) {
    let failure = outcome.failure().unwrap_or_else(|| panic!("{outcome:?}"));
    (failure.cause, &failure.detail)
}

fn asked(message: &Message) -> Name {
    message.queries[0].name.clone()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn address(message: &mut Message, of: Name) -> bool {
    message.add_answer(Record::from_rdata(of, 60, RData::A(Ipv4Addr::LOCALHOST.into())));
    true
}

fn alias(message: &mut Message, of: Name, target: &str) -> bool {
    message.add_answer(Record::from_rdata(of, 60, RData::CNAME(CNAME(name(target)))));
    true
}

fn refuses(message: &mut Message, code: ResponseCode) -> bool {
    message.metadata.response_code = code;
    true
}

#[tokio::test]
async fn a_record_passes_and_its_absence_fails() {
    assert!(found(|answer, _, _| address(answer, asked(answer))).await.passed());
    let empty = found(|_, _, _| true).await;
    let told = "lookup of www.example.org. A: answered no record for www.example.org. A";
    assert_eq!(failed(&empty), (Cause::TooFewAnswers, told));
    let gone = found(|answer, _, _| refuses(answer, ResponseCode::NXDomain)).await;
    assert_eq!(failed(&gone).0, Cause::Rcode);
    assert!(
        failed(&gone).1.ends_with("answered NXDOMAIN for www.example.org. A, expected records"),
        "{gone:?}"
    );
}

#[tokio::test]
async fn it_tries_again_after_a_loss_and_a_refusal() {
    let lossy: Script = |answer, _, nth| nth > 1 && address(answer, asked(answer));
    let server = serve(lossy).await;
    assert!(probe(&[server], Duration::from_secs(4)).ask(|_| 0).await.passed(), "the second attempt");
    let refusing = serve(|answer, _, _| refuses(answer, ResponseCode::Refused)).await;
    let answering = serve(|answer, _, _| address(answer, asked(answer))).await;
    assert!(probe(&[refusing, answering], PATIENT).ask(|_| 0).await.passed(), "the second server");
    let refused = probe(&[refusing], PATIENT).ask(|_| 0).await;
    assert_eq!(failed(&refused).0, Cause::Refused, "{refused:?}");
    let silent = serve(|_, _, _| false).await;
    let outcome = probe(&[silent], Duration::from_millis(200)).ask(|_| 0).await;
    assert_eq!(failed(&outcome).0, Cause::Timeout, "{outcome:?}");
}

#[tokio::test]
async fn a_truncated_answer_is_fetched_over_tcp() {
    let over_tcp: Script = |answer, transport, _| {
        answer.metadata.truncation = transport == Transport::Udp;
        transport == Transport::Udp || address(answer, asked(answer))
    };
    assert!(found(over_tcp).await.passed());
}

#[tokio::test]
async fn aliases_are_followed_within_an_answer_and_by_questions() {
    let within: Script = |answer, _, _| {
        // The order of the records does not matter.
        address(answer, name("c.example.net."));
        alias(answer, name("b.example.net."), "c.example.net.");
        alias(answer, asked(answer), "B.example.net.")
    };
    assert!(found(within).await.passed());
    let one_by_one: Script = |answer, _, nth| match nth {
        ..=8 => alias(answer, asked(answer), &format!("a{nth}.example.net.")),
        _ => address(answer, asked(answer)),
    };
    assert!(found(one_by_one).await.passed());
}

#[tokio::test]
async fn aliases_without_an_end_fail() {
    let endless = found(|answer, _, nth| alias(answer, asked(answer), &format!("a{nth}.example.net."))).await;
    assert_eq!(failed(&endless).0, Cause::WrongAnswer);
    assert!(failed(&endless).1.ends_with("more than 8 aliases (CNAME) one after the other"), "{endless:?}");
    let looping: Script = |answer, _, _| {
        alias(answer, name("www.example.org."), "b.example.net.");
        alias(answer, name("b.example.net."), "www.example.org.")
    };
    let looping = found(looping).await;
    assert_eq!(failed(&looping).0, Cause::WrongAnswer, "{looping:?}");
    assert!(failed(&looping).1.contains("lead back to"), "{looping:?}");
}

#[tokio::test]
async fn the_worst_name_decides() {
    let server = serve(|answer, _, _| match asked(answer).to_ascii().as_str() {
        "good." => address(answer, asked(answer)),
        "gone." => refuses(answer, ResponseCode::NXDomain),
        _ => refuses(answer, ResponseCode::ServFail),
    });
    let names = ["good. A", "gone. A", "bad. A"].map(|name| name.parse().unwrap());
    let probe = LookupProbe { names: names.into(), ..probe(&[server.await], PATIENT) };
    let all: Vec<_> = probe.ask_all().await.iter().map(|(_, outcome)| outcome.passed()).collect();
    assert_eq!(all, [true, false, false]);
    let outcome = probe.ask(|cause| u8::from(cause == Cause::Servfail)).await;
    assert_eq!(failed(&outcome).0, Cause::Servfail, "{outcome:?}");
}
