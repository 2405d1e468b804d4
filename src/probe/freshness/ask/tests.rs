use std::net::Ipv4Addr;

use hickory_resolver::proto::op::Edns;
use hickory_resolver::proto::rr::{Record, RecordType};

use super::*;
use crate::probe::dns::record_data;

fn server(number: u8) -> Server {
    let address = SocketAddr::new(Ipv4Addr::new(10, 2, 0, number).into(), 53);
    Server { address, source: None, locality: Arc::default() }
}

fn soa(serial: u32) -> Here {
    let (refresh, expire) = (Duration::from_secs(1), Duration::from_secs(2));
    Here::Serves(Soa { serial, refresh, expire, left: None })
}

fn silent() -> Here {
    Here::Unknown("10.2.0.9:53 udp a. SOA: no answer within 500ms".to_owned())
}

#[test]
fn the_newest_primary_counts_and_most_siblings() {
    let servers = || vec![server(1), server(2), server(3)];
    let (primaries, siblings) = (References::Primaries(servers()), References::Siblings(servers()));
    let one_ahead = || vec![soa(1), soa(1), soa(2)];
    assert_eq!(primaries.serial(one_ahead()), Ok(2));
    assert_eq!(siblings.serial(one_ahead()), Ok(1));
    let one_left = || vec![silent(), Here::ServesNot("answers REFUSED without a SOA".to_owned()), soa(2)];
    assert_eq!(primaries.serial(one_left()), Ok(2));
    let why = siblings.serial(one_left()).unwrap_err();
    assert!(
        why.starts_with("no serial that more than half of the siblings have reached: 10.2.0.9:53"),
        "{why}"
    );
    let refused = vec![Here::ServesNot("answers REFUSED without a SOA".to_owned()), silent(), silent()];
    assert_eq!(primaries.serial(refused), Err("10.2.0.1:53 answers REFUSED without a SOA".to_owned()));
}

/// A response to `a. SOA`, changed by `change`.
fn response(change: impl FnOnce(&mut Message)) -> Here {
    let mut message = Message::query();
    let name: hickory_resolver::proto::rr::Name = "a.".parse().unwrap();
    message.add_query(Query::query(name.clone(), RecordType::SOA));
    message.metadata.authoritative = true;
    let data = record_data(RecordType::SOA, "ns.a. h.a. 7 3600 600 604800 60").unwrap();
    message.add_answer(Record::from_rdata(name, 60, data));
    change(&mut message);
    read(&message)
}

#[test]
fn only_an_answer_with_authority_serves_the_zone() {
    let Here::Serves(soa) = response(|_| ()) else { panic!() };
    assert_eq!((soa.serial, soa.refresh.as_secs(), soa.expire.as_secs(), soa.left), (7, 3600, 604_800, None));
    assert!(matches!(response(|message| message.metadata.authoritative = false), Here::ServesNot(_)));
    let bare = |code| {
        response(|message| {
            message.answers.clear();
            message.metadata.response_code = code;
        })
    };
    for code in [ResponseCode::Refused, ResponseCode::ServFail, ResponseCode::NXDomain, ResponseCode::NoError]
    {
        assert!(matches!(bare(code), Here::ServesNot(_)), "{code}");
    }
    for code in [ResponseCode::FormErr, ResponseCode::NotImp, ResponseCode::BADVERS] {
        assert!(matches!(bare(code), Here::Unknown(_)), "a server that does not understand EXPIRE: {code}");
    }
    let of_another = |message: &mut Message| message.answers[0].name = "b.".parse().unwrap();
    assert!(matches!(response(of_another), Here::ServesNot(_)));
}

#[test]
fn expire_has_four_octets() {
    let left = |octets: &[u8]| {
        let option = EdnsOption::Unknown(9, octets.to_vec());
        let with_option = |message: &mut Message| {
            let mut edns = Edns::new();
            edns.options_mut().insert(option);
            message.set_edns(edns);
        };
        match response(with_option) {
            Here::Serves(soa) => soa.left,
            here => panic!("{here:?}"),
        }
    };
    assert_eq!(left(&[0, 0, 1, 0]), Some(Duration::from_secs(256)));
    assert_eq!(left(&[]), None);
    assert_eq!(left(&[0, 1, 0]), None);
}
