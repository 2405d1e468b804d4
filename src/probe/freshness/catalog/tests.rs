use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;

use super::*;
use crate::probe::dns::record_data;

const SOA: &str = "invalid. invalid. 1 3600 600 2147483646 0";

fn record(name: &str, record_type: RecordType, data: &str) -> Record {
    Record::from_rdata(name.parse().unwrap(), 0, record_data(record_type, data).unwrap())
}

/// The members of a catalog with these records between its two SOA.
fn read(records: &[Record]) -> Result<Vec<String>, String> {
    let soa = record("cat.example.", RecordType::SOA, SOA);
    let mut transfer = Transfer::new("cat.example.".parse().unwrap());
    for each in [std::slice::from_ref(&soa), records, std::slice::from_ref(&soa)].concat() {
        transfer.record(&each)?;
    }
    assert!(transfer.is_over());
    transfer.members()
}

fn version(text: &str) -> Record {
    record("version.cat.example.", RecordType::TXT, text)
}

fn member(label: &str, zone: &str) -> Record {
    record(&format!("{label}.zones.cat.example."), RecordType::PTR, zone)
}

#[test]
fn members_are_pointed_to_below_zones() {
    let properties = [
        record("group.a1.zones.cat.example.", RecordType::TXT, "g"),
        record("coo.a1.zones.cat.example.", RecordType::PTR, "old.example."),
        record("cat.example.", RecordType::NS, "invalid."),
        record("a9.zones.other.example.", RecordType::PTR, "other.example."),
    ];
    let records = [&[version("2"), member("a1", "B.example."), member("a2", "a.example.")], &properties[..]];
    assert_eq!(read(&records.concat()).unwrap(), ["a.example.", "b.example."]);
    assert_eq!(read(&[version("2")]).unwrap(), [""; 0]);
}

#[test]
fn a_broken_catalog_is_not_used() {
    let broken = |records: &[Record]| read(records).unwrap_err();
    assert_eq!(broken(&[member("a1", "a.")]), "no TXT record at `version`, expected version 2");
    assert_eq!(broken(&[version("1")]), "version `1`, expected 2");
    assert_eq!(broken(&[version("2"), version("2")]), "has several versions, expected one");
    let twice = [version("2"), member("a1", "a."), member("a2", "A.")];
    assert_eq!(broken(&twice), "a zone is a member twice");
    let several = [version("2"), member("a1", "a."), member("A1", "b.")];
    assert!(broken(&several).ends_with("has several PTR records, expected one"));
    let mut transfer = Transfer::new("cat.example.".parse().unwrap());
    assert_eq!(transfer.record(&version("2")).unwrap_err(), "does not begin with its SOA");
}

/// What comes of a server that sends these messages, given the query.
async fn transferred(
    answer: impl Fn(Message) -> Vec<Message> + Send + 'static,
) -> Result<Vec<String>, String> {
    sent(move |query| answer(query).iter().map(|message| message.to_vec().unwrap()).collect::<Vec<_>>()).await
}

/// The same of messages as octets, perhaps without end.
async fn sent<M: IntoIterator<Item = Vec<u8>, IntoIter: Send>>(
    answer: impl Fn(Message) -> M + Send + 'static,
) -> Result<Vec<String>, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let serve = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut query = vec![0; stream.read_u16().await.unwrap().into()];
        stream.read_exact(&mut query).await.unwrap();
        let messages = answer(Message::from_vec(&query).unwrap()).into_iter();
        for octets in messages {
            let length = u16::try_from(octets.len()).unwrap().to_be_bytes();
            // Until the client has enough.
            if stream.write_all(&[&length[..], &octets].concat()).await.is_err() {
                break;
            }
        }
    });
    let server = Server { address, source: None, locality: Arc::default() };
    let found = members(&server, "cat.example.").await;
    serve.await.unwrap();
    found
}

#[tokio::test]
async fn a_transfer_without_end_is_given_up() {
    let endless = |query: Message| {
        let mut message = Message::response(query.id, query.op_code);
        message.add_answer(record("cat.example.", RecordType::SOA, SOA));
        let mut first = Some(message.to_vec().unwrap());
        message.answers = vec![record("cat.example.", RecordType::NS, "invalid."); 4000];
        let next = message.to_vec().unwrap();
        std::iter::from_fn(move || Some(first.take().unwrap_or_else(|| next.clone())))
    };
    let why = sent(endless).await.unwrap_err();
    assert!(why.ends_with("more than 64 MiB"), "{why}");
}

#[tokio::test]
async fn a_message_that_is_costly_to_decode_is_not_decoded() {
    let costly = |query: Message| {
        let mut octets = Message::response(query.id, query.op_code).to_vec().unwrap();
        // Each pointer leads to the one before it, and the first to the end of a name.
        octets.extend([0; 2]);
        octets.extend((6..4000_u16).flat_map(|link| (0xc000 | (2 * link)).to_be_bytes()));
        [octets]
    };
    let why = sent(costly).await.unwrap_err();
    assert!(why.ends_with("names of endless compression pointers"), "{why}");
}

#[tokio::test]
async fn a_transfer_may_take_several_messages() {
    let soa = || record("cat.example.", RecordType::SOA, SOA);
    let found = transferred(move |query| {
        let answer = |records: Vec<Record>| {
            let mut message = Message::response(query.id, query.op_code);
            message.add_answers(records);
            message
        };
        vec![answer(vec![soa(), version("2")]), answer(vec![member("a1", "a.example.")]), answer(vec![soa()])]
    });
    assert_eq!(found.await.unwrap(), ["a.example."]);
}

#[tokio::test]
async fn a_server_that_hands_nothing_out_is_named() {
    let refused = transferred(|query| {
        let mut message = Message::response(query.id, query.op_code);
        message.metadata.response_code = ResponseCode::Refused;
        vec![message]
    });
    let why = refused.await.unwrap_err();
    assert!(
        why.starts_with("catalog zone cat.example. of 127.0.0.1:") && why.ends_with("answers REFUSED"),
        "{why}"
    );
    let empty = transferred(|query| vec![Message::response(query.id, query.op_code)]).await.unwrap_err();
    assert!(empty.ends_with("a message without records"), "{empty}");
    let closed = transferred(|_| vec![]).await.unwrap_err();
    assert!(closed.starts_with("catalog zone"), "{closed}");
    let stray = transferred(|query| vec![Message::response(query.id ^ 1, query.op_code)]).await.unwrap_err();
    assert!(stray.ends_with("no answer to the transfer"), "{stray}");
}
