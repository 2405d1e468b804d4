use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::metrics::tests::full;

/// Longer than any step takes on a busy machine.
const LONG: Duration = Duration::from_secs(20);

const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: pop1\r\n\r\n";

/// A server on a free port, and the wishes that reach the loop.
async fn server() -> (SocketAddr, mpsc::Receiver<Wish>) {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, wishes) = mpsc::channel(1);
    tokio::spawn(async move { serve(&listener, sender).await });
    (SocketAddr::new([127, 0, 0, 1].into(), port), wishes)
}

/// A server with a loop that answers, and the number of its answers.
async fn answered() -> (SocketAddr, Arc<AtomicUsize>) {
    let (address, mut wishes) = server().await;
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Some(wish) = wishes.recv().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let _ = wish.send(full());
        }
    });
    (address, count)
}

/// The answer to this text; empty if the connection is closed without one.
async fn ask(address: SocketAddr, text: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    drop(stream.write_all(text).await);
    let mut answer = vec![];
    drop(timeout(LONG, stream.read_to_end(&mut answer)).await.unwrap());
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn serves_metrics_and_refuses_all_else() {
    let (address, _) = answered().await;
    let text = ask(address, GET).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    assert!(body.contains("\ndnsherald_up 1.0\n"), "{body}");
    let head = ask(address, b"HEAD /metrics?x HTTP/1.0\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    let long = [b"GET /metrics HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 2 * LONGEST_HEAD]].concat();
    for (text, status) in [
        (b"GET / HTTP/1.1\r\n\r\n".as_slice(), "404"),
        (b"GET /metrics/../etc HTTP/1.1\r\n\r\n", "404"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "405"),
        (b"GET /metrics\r\n\r\n", "400"),
        (b"\0\xff\r\n\r\n", "400"),
        (&long, "431"),
    ] {
        let answer = ask(address, text).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn silent_clients_hold_the_places_of_their_address_for_a_while() {
    let (address, _) = answered().await;
    let mut silent = vec![];
    for _ in 0..EACH {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /met").await.unwrap();
        silent.push(stream);
    }
    let refused = ask(address, GET).await;
    assert!(refused.is_empty(), "no place is left: {refused}");
    let other = SocketAddr::new([127, 0, 0, 2].into(), address.port());
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut stream = socket.connect(other).await.unwrap();
    stream.write_all(GET).await.unwrap();
    let mut answer = vec![];
    timeout(LONG, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "another address has its own places");
    let began = Instant::now();
    while !ask(address, GET).await.starts_with("HTTP/1.1 200") {
        assert!(began.elapsed() < LONG, "the silent clients keep their places");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_flood_asks_the_loop_once_a_second() {
    let (address, count) = answered().await;
    let began = Instant::now();
    for _ in 0..300 {
        assert!(ask(address, GET).await.starts_with("HTTP/1.1 200"));
    }
    let (asked, most) = (count.load(Ordering::Relaxed), began.elapsed().as_secs() + 1);
    assert!(asked as u64 <= most, "{asked} times, expected at most {most}");
}

#[tokio::test]
async fn a_loop_that_does_not_answer_is_reported() {
    let (address, _unanswered) = server().await;
    assert!(ask(address, GET).await.starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn a_port_in_use_is_served_once_it_is_free() {
    let occupant = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = occupant.local_addr().unwrap();
    let listening = tokio::spawn(listen(address));
    sleep(3 * SOON).await;
    assert!(!listening.is_finished());
    drop(occupant);
    let listener = timeout(LONG, listening).await.unwrap().unwrap();
    assert_eq!(listener.local_addr().unwrap(), address);
}

#[test]
fn places_are_bounded_and_given_back() {
    let places = Places::<IpAddr>::new();
    let take = |client: IpAddr| places.take(client, |held| has_place(held, client));
    let taken: Vec<_> = (0..100_u8).filter_map(|last| take([10, 0, 0, last % 50].into())).collect();
    assert_eq!(taken.len(), CLIENTS);
    drop(taken);
    assert!(places.take([10, 0, 0, 1].into(), Held::is_empty).is_some());
    let one: Vec<_> = (0..100).filter_map(|_| take([10, 0, 0, 1].into())).collect();
    assert_eq!(one.len(), EACH);
}
