//! Checks of the sockets on which the DNS server listens: whether they are there, and whether it reads them.
//!
//! `dnsherald check` looks at them once ([`ListenerProbe::ask`]). The daemon keeps a [watch] on them, which reports a
//! server that stops reading within a fraction of a second.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::engine::listener::Verdict;
use crate::netlink::queues::Reader;
use crate::netlink::sockets::{Protocol, Socket};
use crate::outcome::{Cause, Failure, Outcome};
use crate::process::ProcessSource;
use crate::text::{counted, joined};

pub(crate) mod watch;
mod weigh;

/// Enough for more sockets than any server has.
const MOST_QUERIES: u32 = 10_000;

/// The sockets of a server, by the addresses at which it has to listen.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct ListenerProbe {
    /// At least one.
    pub(crate) addresses: Vec<IpAddr>,
    /// The port at all of them.
    pub(crate) port: u16,
    pub(crate) protocol: Protocol,
    /// The longest time for which a working server may stop reading.
    pub(crate) stall: Duration,
    /// The process that reads, if it is known.
    pub(crate) process: Option<ProcessSource>,
}

impl ListenerProbe {
    /// Looks once, and folds the outcomes.
    pub(crate) fn ask(&self) -> Outcome {
        folded(self.ask_all().into_iter().map(|(_, outcome)| outcome))
    }

    /// Looks once. Returns the outcome of each address behind its label. Sockets that are not seen prove nothing: the
    /// server may be in another network namespace.
    pub(crate) fn ask_all(&self) -> Vec<(String, Outcome)> {
        let began = Instant::now();
        let wanted = |socket: &Socket| self.addresses.iter().any(|address| socket.covers(*address));
        let all = Reader::default().read(self.port, self.protocol, wanted);
        let look = |address: &IpAddr| {
            let at = Place(SocketAddr::new(*address, self.port), self.protocol);
            match &all {
                Ok(all) => match receivers(all, *address).as_slice() {
                    [] => (at.to_string(), at.outcome(Verdict::Unseen)),
                    sockets => {
                        let waits =
                            if sockets.iter().any(|socket| socket.queue > 0) { ", queries wait" } else { "" };
                        let met = match queries_to_meet(sockets.len()) {
                            1 => String::new(),
                            queries => format!(" ({queries} queries meet each with 99 %)"),
                        };
                        let label = format!("{at}, {}{met}{waits}", counted(sockets.len(), "socket"));
                        (label, Outcome::pass(began.elapsed()))
                    }
                },
                Err(error) => (at.to_string(), at.unknown(error)),
            }
        };
        self.addresses.iter().map(look).collect()
    }
}

/// How many queries, each from a fresh port, meet each of the sockets of an address with a probability of at least 99 %:
/// the kernel chooses one by a hash of addresses and ports (`SO_REUSEPORT`).
fn queries_to_meet(sockets: usize) -> u32 {
    let count = sockets as f64;
    // The probability that one query misses a given socket. That all queries miss any of the sockets has at most the
    // probability `count` × `missed`^queries.
    let missed = 1.0 - 1.0 / count;
    (1..=MOST_QUERIES)
        .find(|queries| count * libm::pow(missed, f64::from(*queries)) <= 0.01)
        .unwrap_or(MOST_QUERIES)
}

/// The sockets that receive packets to this address: those bound to it, or those bound to all addresses.
fn receivers(all: &[Socket], address: IpAddr) -> Vec<Socket> {
    let bound: Vec<_> = all.iter().filter(|socket| socket.is_bound_to(address)).copied().collect();
    if !bound.is_empty() {
        return bound;
    }
    let covering = || all.iter().filter(|socket| socket.covers(address)).copied();
    let of_family: Vec<_> =
        covering().filter(|socket| socket.address.is_ipv4() == address.is_ipv4()).collect();
    if of_family.is_empty() { covering().collect() } else { of_family }
}

/// The address of sockets. Shown as `192.0.2.53:53 udp`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Place(pub(crate) SocketAddr, pub(crate) Protocol);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

impl Place {
    /// The outcome for a verdict on the sockets there.
    fn outcome(self, verdict: Verdict) -> Outcome {
        let (cause, why) = match verdict {
            Verdict::Reading | Verdict::Hidden => return Outcome::pass(Duration::ZERO),
            Verdict::Unseen => (
                Cause::ListenerUnknown,
                "no socket in this network namespace; let the server listen there, or set `address = false` if it is in another \
                 one"
                    .into(),
            ),
            Verdict::NeverRead => (
                Cause::ListenerUnknown,
                "queries have waited since the socket was first seen: it was never read, and proves nothing".to_owned(),
            ),
            Verdict::Missing => {
                (Cause::ListenerMissing, "the server has closed its sockets there".to_owned())
            }
            Verdict::NotReading(unread) => {
                (Cause::NotReading, format!("the server hangs: {}, and it uses no CPU", unread.phrase()))
            }
            Verdict::Stalled(unread) => {
                (Cause::Stalled, format!("the server does not read: {}", unread.phrase()))
            }
            Verdict::PartlyHung(unread) => {
                (Cause::PartlyHung, format!("a part of the server hangs: {}", unread.phrase()))
            }
            Verdict::Overload(dropped) => (
                Cause::Overload,
                format!("overload: the kernel dropped {dropped} queries that the server had no time to read"),
            ),
        };
        Outcome::from_cause(cause, format!("{self}: {why}"))
    }

    fn unknown(self, error: &dyn fmt::Display) -> Outcome {
        Outcome::from_cause(
            Cause::ListenerUnknown,
            format!("{self}: cannot read the sockets of this host: {error}"),
        )
    }
}

/// Folds the outcomes of the addresses of a probe: the worst failure, or a pass if any address passes.
fn folded(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
    let rank = |outcome: &Outcome| match outcome.failure().map(|failure| failure.cause) {
        Some(Cause::ListenerMissing) => 6,
        Some(Cause::NotReading) => 5,
        Some(Cause::Stalled) => 4,
        Some(Cause::PartlyHung) => 3,
        Some(Cause::Overload) => 2,
        None => 1,
        Some(_) => 0,
    };
    let all: Vec<_> = outcomes.into_iter().collect();
    let (of, worst) = (all.len(), all.iter().map(rank).max());
    let same = all.iter().filter(|outcome| Some(rank(outcome)) == worst).count();
    match all.into_iter().find(|outcome| Some(rank(outcome)) == worst) {
        None => Outcome::from_cause(Cause::ListenerUnknown, "no address"),
        Some(Outcome::Fail(Failure { cause, detail })) if same > 1 => {
            Outcome::from_cause(cause, format!("{detail}; and {} more of {of} addresses", same - 1))
        }
        Some(worst) => worst,
    }
}

impl fmt::Display for ListenerProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.addresses.iter().map(|address| SocketAddr::new(*address, self.port));
        write!(f, "{} {}", joined(places, ", "), self.protocol)
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn socket(address: &str, inode: u64) -> Socket {
        let address = address.parse().unwrap();
        Socket { address, v6_only: false, inode, cookie: 0, queue: 0, backlog: None, drops: 0 }
    }

    #[test]
    fn the_most_specific_sockets_receive() {
        let all = [socket("::", 1), socket("0.0.0.0", 2), socket("192.0.2.1", 3), socket("192.0.2.1", 4)];
        let inodes = |all: &[Socket], address: &str| {
            receivers(all, address.parse().unwrap()).iter().map(|socket| socket.inode).collect::<Vec<_>>()
        };
        assert_eq!(inodes(&all, "192.0.2.1"), [3, 4]);
        assert_eq!(inodes(&all, "192.0.2.2"), [2]);
        assert_eq!(inodes(&all[..1], "192.0.2.2"), [1]);
        assert_eq!(inodes(&all, "2001:db8::1"), [1]);
        assert_eq!(inodes(&all[1..], "2001:db8::1"), [0; 0]);
    }

    #[test]
    fn the_worst_address_decides_and_one_that_nothing_listens_at_does_not() {
        let place = Place("192.0.2.1:53".parse().unwrap(), Protocol::Udp);
        let found = |verdicts: &[Verdict]| {
            folded(verdicts.iter().map(|verdict| place.outcome(*verdict)))
                .failure()
                .map(|failure| (failure.cause, failure.detail.contains("and 1 more of 3")))
        };
        use Verdict::{Missing, Overload, Reading, Unseen};
        assert_eq!(found(&[Unseen, Reading]), None);
        assert_eq!(found(&[Unseen, Unseen]), Some((Cause::ListenerUnknown, false)));
        assert_eq!(found(&[Reading, Overload(3)]), Some((Cause::Overload, false)));
        assert_eq!(found(&[Missing, Overload(3), Missing]), Some((Cause::ListenerMissing, true)));
    }

    #[test]
    fn queries_enough_to_meet_each_socket_are_counted() {
        assert_eq!([1, 2, 4, 16].map(queries_to_meet), [1, 8, 21, 115]);
        assert_eq!(queries_to_meet(100_000), MOST_QUERIES);
    }

    #[test]
    fn one_look_counts_the_sockets() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let probe = ListenerProbe {
            addresses: vec!["127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap()],
            port: socket.local_addr().unwrap().port(),
            protocol: Protocol::Udp,
            stall: Duration::from_secs(1),
            process: None,
        };
        let [(first, here), (second, nowhere)] = &probe.ask_all()[..] else { panic!() };
        assert!(first.ends_with(" udp, 1 socket") && here.passed(), "{first} {here:?}");
        assert!(second.starts_with("127.0.0.2:") && matches!(nowhere, Outcome::Unknown(_)), "{nowhere:?}");
    }
}
