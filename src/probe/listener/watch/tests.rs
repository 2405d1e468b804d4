//! The thread beside real sockets.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::engine::probe_only::{Reads, Sockets};
use crate::probe::counters::tests::answering;
use crate::probe::dns::{DnsProbe, Expectation, Finding, Question, Transport};
use crate::probe::locality::Locality;

const DEADLINE: Duration = Duration::from_secs(20);

fn probe(at: SocketAddr, protocol: Protocol) -> ListenerProbe {
    let stall = Duration::from_millis(300);
    ListenerProbe { addresses: vec![at.ip()], port: at.port(), protocol, stall, process: None }
}

fn watching(probe: &ListenerProbe, work: Option<Work>) -> (Watch, Receiver<Report>) {
    let (reported, events) = channel();
    let report: Callback = Box::new(move |what| reported.send(what).unwrap());
    let watch = Watch::start().unwrap();
    watch.assign([(probe.clone(), report, Box::new(move || work) as WorkOf)]);
    (watch, events)
}

fn comes_to_be(watch: &Watch, probe: &ListenerProbe, wanted: Option<Cause>) {
    let began = Instant::now();
    let cause = || watch.outcome(probe).map(|outcome| outcome.failure().map(|failure| failure.cause));
    while cause() != Some(wanted) {
        assert!(began.elapsed() < DEADLINE, "{:?}", cause());
        thread::yield_now();
    }
}

fn next_failure(events: &Receiver<Report>) -> Failure {
    loop {
        if let Report::Failed(failure) = events.recv_timeout(DEADLINE).unwrap() {
            return failure;
        }
    }
}

const STOPPED: Option<Work> = Some(Work { used: Duration::ZERO, runnable: false, stopped: true });

#[test]
fn an_unread_udp_socket_is_reported_once_and_passes_once_it_is_read() {
    for (work, cause) in [(STOPPED, Cause::NotReading), (None, Cause::Stalled)] {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap();
        let probe = probe(at, Protocol::Udp);
        let (watch, events) = watching(&probe, work);
        comes_to_be(&watch, &probe, None);
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"query", at).unwrap();
        watch.sample_now();
        assert_eq!(events.recv_timeout(DEADLINE).unwrap(), Report::ProbeNow);
        let failure = next_failure(&events);
        assert_eq!(failure.cause, cause, "{failure}");
        assert!(failure.detail.starts_with(&format!("{at} udp: the server")), "{failure}");
        assert!(failure.detail.contains("the socket was not read for"), "{failure}");
        server.recv(&mut [0; 9]).unwrap();
        comes_to_be(&watch, &probe, None);
        assert!(events.try_recv().is_err());
    }
}

#[test]
fn there_is_no_outcome_before_the_first_sample() {
    let probe = probe("127.0.0.1:53".parse().unwrap(), Protocol::Udp);
    let mut watched = Watched::new(probe, Box::new(|_| ()), Box::new(|| None));
    assert_eq!(watched.outcome(), None);
    watched.sample(Moment::after_start(Duration::ZERO), &Ok(vec![]));
    assert!(matches!(watched.outcome(), Some(Outcome::Unknown(_))), "{:?}", watched.outcome());
}

#[test]
fn a_tcp_listener_that_does_not_accept_is_reported() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let probe = probe(server.local_addr().unwrap(), Protocol::Tcp);
    let (watch, events) = watching(&probe, STOPPED);
    comes_to_be(&watch, &probe, None);
    let _connection = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    assert_eq!(next_failure(&events).cause, Cause::NotReading);
}

/// Two sockets of one address that share its port, as those of two threads.
fn sharing() -> [UdpSocket; 2] {
    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt::ReusePort,
    };
    use std::os::fd::AsRawFd;
    let mut at: std::net::SocketAddrV4 = "127.0.0.1:0".parse().unwrap();
    [(); 2].map(|()| {
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None).unwrap();
        setsockopt(&socket, ReusePort, &true).unwrap();
        bind(socket.as_raw_fd(), &SockaddrIn::from(at)).unwrap();
        let socket = UdpSocket::from(socket);
        at.set_port(socket.local_addr().unwrap().port());
        socket
    })
}

#[test]
fn one_of_two_sockets_that_is_not_read_is_a_part_and_half_for_long() {
    let [read, unread] = sharing();
    let at = read.local_addr().unwrap();
    let probe = probe(at, Protocol::Udp);
    let (watch, events) = watching(&probe, None);
    comes_to_be(&watch, &probe, None);
    // The kernel spreads clients by their port.
    let is_over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let ends = Arc::clone(&is_over);
    let traffic = thread::spawn(move || {
        let clients: Vec<_> = (0..16).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        read.set_nonblocking(true).unwrap();
        while !ends.load(std::sync::atomic::Ordering::Relaxed) {
            for client in &clients {
                client.send_to(b"query", at).unwrap();
            }
            // Each sample finds it decreasing or empty.
            while read.recv(&mut [0; 9]).is_ok() {}
            thread::park_timeout(Duration::from_millis(1));
        }
    });
    let failure = next_failure(&events);
    assert!(matches!(failure.cause, Cause::PartlyHung | Cause::Stalled), "{failure}");
    assert!(failure.detail.contains("1 of 2 sockets not read"), "{failure}");
    comes_to_be(&watch, &probe, Some(Cause::Stalled));
    is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    traffic.join().unwrap();
    drop(unread);
}

#[test]
fn a_socket_that_closes_is_reported_and_one_never_seen_is_not() {
    let server = UdpSocket::bind("[::1]:0").unwrap();
    let at = server.local_addr().unwrap();
    let probe = probe(at, Protocol::Udp);
    let (watch, events) = watching(&probe, None);
    comes_to_be(&watch, &probe, None);
    drop(server);
    let failure = next_failure(&events);
    assert_eq!(failure.to_string(), format!("{at} udp: the server has closed its sockets there"));
    // Another watch has never seen it.
    let (late, events) = watching(&probe, None);
    comes_to_be(&late, &probe, Some(Cause::ListenerUnknown));
    let _server = UdpSocket::bind(at).unwrap();
    comes_to_be(&watch, &probe, None);
    comes_to_be(&late, &probe, None);
    assert!(events.try_recv().is_err());
}

#[test]
fn a_probe_that_stays_watched_keeps_its_state() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let probe = probe(server.local_addr().unwrap(), Protocol::Udp);
    let (watch, _) = watching(&probe, None);
    comes_to_be(&watch, &probe, None);
    drop(server);
    let (reported, events) = channel();
    watch.assign([(
        probe.clone(),
        Box::new(move |what| reported.send(what).unwrap()) as Callback,
        Box::new(|| None) as WorkOf,
    )]);
    comes_to_be(&watch, &probe, Some(Cause::ListenerMissing));
    drop(events);
    watch.assign([]);
    assert_eq!(watch.outcome(&probe), None);
}

/// How the kernel shows the sockets of a server at `at`.
fn seen(at: SocketAddr, sockets: Sockets) -> Watch {
    let listens = probe(at, Protocol::Udp);
    let (watch, events) = watching(&listens, STOPPED);
    comes_to_be(&watch, &listens, None);
    match sockets {
        Sockets::Read => {}
        Sockets::NotRead => {
            UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"query", at).unwrap();
            comes_to_be(&watch, &listens, Some(Cause::NotReading));
        }
        Sockets::NotSeen => watch.assign([]),
    }
    drop(events);
    // The helper has run for twenty seconds.
    watch.since(Instant::now().checked_sub(Duration::from_secs(20)).unwrap())
}

/// A probe of this server from `source` to a service address.
fn asking(at: SocketAddr, source: &str) -> DnsProbe {
    let locality = Locality {
        service: vec!["127.0.0.2".parse().unwrap()],
        management: vec!["127.0.0.3".parse().unwrap()],
        device: None,
    };
    let question = Question::new("localhost. A".parse().unwrap(), true, Expectation::default()).unwrap();
    DnsProbe {
        question: Arc::new(question),
        server: at,
        source: Some(source.parse().unwrap()),
        transport: Transport::Udp,
        timeout: Duration::from_millis(500),
        locality: Arc::new(locality),
    }
}

/// The outcome of such a probe that fails while the same question from the server's own address passes. Others sent
/// `before` datagrams in the ten seconds before the failures, which began a second ago; `None` if the kernel tells nothing.
fn asked_alone(sockets: Sockets, before: Option<i64>, counters: Option<i64>, source: &str) -> Outcome {
    let server = UdpSocket::bind("127.0.0.2:0").unwrap();
    let at = server.local_addr().unwrap();
    let watch = seen(at, sockets);
    let probe = asking(at, source);
    let path = (at, probe.source, Transport::Udp);
    if let Some(before) = before {
        let others = crate::probe::own::reads_of_others().unwrap();
        let mut failures = lock(&watch.failures);
        failures.passed(path);
        for (second, udp) in [(9, others.udp - before - 30), (19, others.udp - 30)] {
            failures.add_reading(Moment::after_start(Duration::from_secs(second)), Reads { udp, ..others });
        }
    }
    let counters = counters.map(|then| answering(path, then));
    let outcome = Outcome::from_cause(Cause::Timeout, "no answer");
    let finding = Finding { outcome, strays: 0, lost: 3, passes_from_itself: true, response: None };
    watch.weigh(&probe, Moment::after_start(Duration::from_secs(19)), finding, counters.as_ref())
}

#[test]
fn a_failure_is_that_of_the_probe_while_others_are_read() {
    let asked = |before, source| asked_alone(Sockets::Read, Some(before), None, source);
    let cause = |outcome: &Outcome| outcome.failure().unwrap().cause;
    // 10 datagrams a second before, and 30 since.
    let alone = asked(100, "127.0.0.3");
    assert_eq!(cause(&alone), Cause::ProbeOnly, "{alone:?}");
    assert!(alone.failure().unwrap().detail.ends_with("or a rate limit hits 127.0.0.3"), "{alone:?}");
    assert_eq!(cause(&asked(100_000_000, "127.0.0.3")), Cause::Timeout, "others are dropped, too");
    assert_eq!(cause(&asked(100, "127.0.0.4")), Cause::Timeout, "it asks as a client");
}

#[test]
fn the_counters_of_the_server_stand_in_for_sockets_that_are_not_seen() {
    let asked = |sockets, before, counters| asked_alone(sockets, before, counters, "127.0.0.3");
    let cause = |outcome: &Outcome| outcome.failure().unwrap().cause;
    let alone = asked(Sockets::NotSeen, None, Some(100));
    assert_eq!(cause(&alone), Cause::ProbeOnly, "{alone:?}");
    let by = "the server answers 100 queries per second of others by its own counters: probably ";
    assert!(alone.failure().unwrap().detail.contains(by), "{alone:?}");
    for counters in [None, Some(0)] {
        let outcome = asked(Sockets::NotSeen, None, counters);
        assert_eq!(cause(&outcome), Cause::Timeout, "{counters:?}");
        let outcome = asked(Sockets::NotSeen, Some(100), counters);
        assert_eq!(cause(&outcome), Cause::Timeout, "the kernel may count for other servers: {counters:?}");
    }
    assert_eq!(cause(&asked(Sockets::Read, None, Some(100))), Cause::ProbeOnly, "the kernel tells nothing");
}

#[test]
fn the_counters_of_the_server_overrule_nothing() {
    let asked = |sockets, before| asked_alone(sockets, before, Some(100), "127.0.0.3");
    let cause = |outcome: &Outcome| outcome.failure().unwrap().cause;
    for before in [None, Some(100)] {
        assert_eq!(cause(&asked(Sockets::NotRead, before)), Cause::Timeout, "it hangs: {before:?}");
    }
    for sockets in [Sockets::Read, Sockets::NotSeen] {
        assert_eq!(
            cause(&asked(sockets, Some(100_000_000))),
            Cause::Timeout,
            "others are dropped: {sockets:?}"
        );
    }
}

#[test]
fn silence_by_a_rate_limit_does_not_show_that_the_server_reads() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = server.local_addr().unwrap();
    let listens = probe(at, Protocol::Udp);
    let (watch, events) = watching(&listens, STOPPED);
    comes_to_be(&watch, &listens, None);
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"query", at).unwrap();
    let outcome = Outcome::from_cause(Cause::RateLimited, "no answer, but over TCP");
    let silent = Finding { outcome, strays: 0, lost: 3, passes_from_itself: false, response: None };
    let (asking, began) = (asking(at, "127.0.0.1"), Instant::now());
    while watch.outcome(&listens).is_some_and(|outcome| outcome.passed()) {
        assert!(began.elapsed() < DEADLINE);
        watch.weigh(&asking, watch.now(), silent.clone(), None);
    }
    assert_eq!(next_failure(&events).cause, Cause::NotReading);
}

/// Too many sockets, a filter on system calls, an answer of the kernel that is cut short or was interrupted.
#[test]
fn sockets_that_cannot_be_read_say_nothing_and_a_bad_verdict_stands() {
    let at: SocketAddr = "192.0.2.53:53".parse().unwrap();
    let listens = probe(at, Protocol::Udp);
    let (reported, events) = channel();
    let report: Callback = Box::new(move |what| reported.send(what).unwrap());
    // Without its thread.
    let watch = Watch {
        began: Instant::now(),
        watched: Arc::new(Mutex::new(vec![Watched::new(listens.clone(), report, Box::new(|| STOPPED))])),
        waker: wake::pair().unwrap().0,
        failures: Mutex::new(Failures::from_kernel()),
    };
    let place = Place(at, Protocol::Udp);
    let mut millis = 0;
    let mut sample = |found: io::Result<Vec<Socket>>| {
        millis += 20;
        lock(&watch.watched)[0].sample(Moment::after_start(Duration::from_millis(millis)), &found);
        (watch.sockets(place), watch.outcome(&listens).unwrap().failure().map(|failure| failure.cause))
    };
    let unread = [
        io::Error::other("more than 4096 sockets of one port"),
        io::Error::from_raw_os_error(rustix::io::Errno::PERM.raw_os_error()),
        io::ErrorKind::InvalidData.into(),
        io::Error::from_raw_os_error(rustix::io::Errno::INTR.raw_os_error()),
    ];
    for error in unread {
        assert_eq!(sample(Ok(vec![socket(at, 0)])), (Sockets::Read, None));
        assert_eq!(sample(Err(error)), (Sockets::NotSeen, Some(Cause::ListenerUnknown)));
    }
    sample(Ok(vec![socket(at, 0)]));
    while sample(Ok(vec![socket(at, 832)])).1 != Some(Cause::NotReading) {}
    let error = io::ErrorKind::InvalidData.into();
    assert_eq!(sample(Err(error)), (Sockets::NotRead, Some(Cause::ListenerUnknown)));
    let failures: Vec<_> = events.try_iter().filter(|report| matches!(report, Report::Failed(_))).collect();
    assert_eq!(failures.len(), 1, "of the sockets that were not read: {failures:?}");
}

/// A socket with this many octets in its queue.
const fn socket(at: SocketAddr, queue: u32) -> Socket {
    Socket { address: at.ip(), v6_only: false, queue, backlog: None, drops: 0, inode: 7, cookie: 7 }
}

#[test]
fn what_a_tcp_listener_drops_is_overload_only_while_half_of_its_connections_wait() {
    let is_crowded = |queue, backlog| {
        let at: SocketAddr = "192.0.2.53:53".parse().unwrap();
        sample_of(&Socket { backlog, ..socket(at, queue) }).is_crowded
    };
    for (queue, backlog) in [(5, 10), (11, 10), (1, 1), (1, 0), (2, 3)] {
        assert!(is_crowded(queue, Some(backlog)), "{queue} of {backlog}");
    }
    for (queue, backlog) in [(0, 0), (0, 1), (4, 10), (1, 3), (0, 256)] {
        assert!(!is_crowded(queue, Some(backlog)), "{queue} of {backlog}");
    }
    assert!(is_crowded(0, None), "a datagram is dropped for lack of room");
}
