//! Random octets: no panic, and no verdict on a message without the ID of the request.

use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, MessageType};
use hickory_resolver::proto::rr::rdata::opt::{EdnsOption, NSIDPayload};
use hickory_resolver::proto::rr::{Name, Record, RecordType};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::probe::dns::request::{Arrival, Request};
use crate::probe::dns::{Expectation, Question, Transport, record_data};

fn stamped() -> (Question, Request) {
    let question = Question::new("localhost. A".parse().unwrap(), true, Expectation::default()).unwrap();
    let request = question.stamp((std::net::SocketAddr::from(([127, 0, 0, 1], 53)), None));
    (question, request)
}

/// A response with much in it that has a structure to be damaged.
fn rich(request: &Request) -> Vec<u8> {
    let mut answer = Message::from_vec(request.octets()).unwrap();
    answer.metadata.message_type = MessageType::Response;
    let records = [
        (RecordType::A, "127.0.0.1"),
        (RecordType::SOA, "ns.example.org. root.example.org. 1 2 3 4 5"),
        (RecordType::TXT, "one two"),
        (RecordType::SRV, "1 2 53 ns.example.org."),
        (RecordType::CAA, "0 issue \"example.org\""),
        (RecordType::SVCB, "1 ns.example.org. alpn=dot port=853"),
    ];
    for (record_type, text) in records {
        let data = record_data(record_type, text).unwrap();
        answer.add_answer(Record::from_rdata(Name::root(), 0, data));
    }
    let mut edns = Edns::new();
    edns.options_mut().insert(EdnsOption::NSID(NSIDPayload::new("fra1").unwrap()));
    answer.set_edns(edns);
    answer.to_vec().unwrap()
}

/// Sorts and judges as a probe would, and asserts that only what bears the ID of the request is judged.
fn digest(question: &Question, request: &Request, octets: &[u8]) {
    for transport in [Transport::Udp, Transport::Tcp] {
        if let Arrival::Response(response) = request.sort(transport, octets) {
            assert_eq!(response.id.to_be_bytes(), request.octets()[..2]);
            let _ = question.judge(&response, Duration::ZERO);
        }
    }
}

#[test]
fn the_answer_that_is_damaged_below_is_sound() {
    let (question, request) = stamped();
    let Arrival::Response(response) = request.sort(Transport::Udp, &rich(&request)) else {
        panic!("not taken for an answer");
    };
    assert!(question.judge(&response, Duration::ZERO).passed());
}

proptest! {
    #[test]
    fn arbitrary_octets_do_no_harm(octets in vec(any::<u8>(), 0..600)) {
        let (question, request) = stamped();
        digest(&question, &request, &octets);
    }

    #[test]
    fn a_damaged_answer_does_no_harm(
        damage in vec((any::<Index>(), any::<u8>()), 1..8),
        length in any::<Index>(),
    ) {
        let (question, request) = stamped();
        let mut octets = rich(&request);
        for (place, octet) in damage {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        octets.truncate(length.index(octets.len() + 1));
        digest(&question, &request, &octets);
    }

    #[test]
    fn a_record_of_any_type_and_content_does_no_harm(
        record_type in 0..300_u16,
        data in vec(any::<u8>(), 0..100),
    ) {
        let (question, request) = stamped();
        let mut octets = request.octets().to_vec();
        octets[2] |= 0x80;
        octets[7] = 1;
        octets.push(0);
        octets.extend(record_type.to_be_bytes());
        octets.extend([0, 1, 0, 0, 0, 0, 0, data.len() as u8]);
        octets.extend(data);
        digest(&question, &request, &octets);
    }
}
