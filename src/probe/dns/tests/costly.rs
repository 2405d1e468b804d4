//! Answers that are legal to send and costly to read: each is settled in little time and memory.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hickory_resolver::proto::rr::{Name, Record};

use crate::probe::dns::request::{Arrival, Request};
use crate::probe::dns::{Expectation, Question, Transport};

/// What a debug build on a busy machine needs at most for one answer.
const LITTLE: Duration = Duration::from_secs(20);

fn stamped(expect: Expectation) -> (Question, Request) {
    let question = Question::new("localhost. A".parse().unwrap(), true, expect).unwrap();
    let request = question.stamp((SocketAddr::from(([127, 0, 0, 1], 53)), None));
    (question, request)
}

/// The header and question of an answer that claims to have this many records in each section.
fn head(request: &Request, records: u16) -> Vec<u8> {
    // Without OPT.
    let question = 12 + "9localhost0".len() + 4;
    let mut octets = request.octets()[..question].to_vec();
    octets[2] |= 0x80;
    for count in [6, 8, 10] {
        octets[count..count + 2].copy_from_slice(&records.to_be_bytes());
    }
    octets
}

/// A record of type A whose owner is a pointer.
fn record(owner: usize) -> Vec<u8> {
    let pointer = (0xc000 | owner as u16).to_be_bytes();
    [&pointer[..], &[0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]].concat()
}

#[test]
fn counts_without_records_are_malformed() {
    let (_, request) = stamped(Expectation::default());
    let mut octets = head(&request, u16::MAX);
    octets.extend(record(12));
    assert!(matches!(request.sort(Transport::Tcp, &octets), Arrival::Malformed(_)));
}

#[test]
fn as_many_records_as_fit_are_judged() {
    let expect =
        Expectation { signature_left: Some(Duration::ZERO), no_cname: true, ..Expectation::default() };
    let (question, request) = stamped(expect);
    let mut octets = head(&request, 0);
    let mut count = 0_u16;
    while octets.len() + 16 <= usize::from(u16::MAX) {
        octets.extend(record(12));
        count += 1;
    }
    octets[6..8].copy_from_slice(&count.to_be_bytes());
    let began = Instant::now();
    let Arrival::Response(response) = request.sort(Transport::Tcp, &octets) else { panic!("malformed") };
    assert_eq!(response.answers.len(), usize::from(count));
    assert!(!question.judge(&response, Duration::ZERO).passed(), "without a signature");
    assert!(began.elapsed() < LITTLE);
}

#[test]
fn sixty_four_kilobytes_of_pointers_are_malformed() {
    let (_, request) = stamped(Expectation::default());
    let mut octets = head(&request, 0);
    // One record with a chain of pointers as its data, and thousands whose owner is the end of it.
    let data = octets.len() + 12;
    let chain: Vec<u8> = (0..8000_usize)
        .map(|link| if link == 0 { 12 } else { data + 2 * (link - 1) })
        .flat_map(|target| (0xc000 | target as u16).to_be_bytes())
        .collect();
    octets.extend([0xc0, 12, 0xff, 0, 0, 1, 0, 0, 0, 0]);
    octets.extend((chain.len() as u16).to_be_bytes());
    octets.extend(&chain);
    let end = data + chain.len() - 2;
    let mut count = 1_u16;
    while octets.len() + 16 <= usize::from(u16::MAX) {
        octets.extend(record(end));
        count += 1;
    }
    octets[6..8].copy_from_slice(&count.to_be_bytes());
    let began = Instant::now();
    let arrival = request.sort(Transport::Tcp, &octets);
    assert!(
        matches!(&arrival, Arrival::Malformed(why) if why.contains("compression pointers")),
        "{arrival:?}"
    );
    assert!(began.elapsed() < LITTLE);
}

#[test]
fn a_large_sound_answer_is_read_although_its_names_are_compressed() {
    let (_, request) = stamped(Expectation::default());
    let mut answer = hickory_resolver::proto::op::Message::from_vec(&head(&request, 0)).unwrap();
    for number in 0..2000 {
        let owner: Name = format!("a{number}.b.c.d.e.f.g.h.localhost.").parse().unwrap();
        answer.add_answer(Record::from_rdata(owner, 60, std::net::Ipv4Addr::LOCALHOST.into()));
    }
    let octets = answer.to_vec().unwrap();
    assert!(octets.len() > 40_000);
    assert!(matches!(request.sort(Transport::Tcp, &octets), Arrival::Response(_)));
}
