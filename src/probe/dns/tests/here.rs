//! Probes to addresses of this host: where their packets go, and which ICMP errors count.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with};

use super::{BOTH, HASTY, PATIENT, broken, probe};
use crate::netlink::filtered::without_sock_diag;
use crate::netlink::namespace::{in_namespace, shell};
use crate::outcome::{Cause, Outcome};
use crate::probe::dns::{DnsProbe, Expectation, Finding, Transport};
use crate::probe::locality::Locality;
use crate::responder::{Fault, Responder};

const SERVICE: [&str; 2] = ["192.0.2.53", "2001:db8:53::53"];

/// Behind a router that is another host of the service, with neither of the service addresses.
const BESIDE_A_ROUTER: &str = "
    ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up
    ip addr add 10.0.0.1/24 dev v0; ip -6 addr add 2001:db8:1::1/64 dev v0 nodad
    ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev v0; ip route add default via 10.0.0.2
    ip -6 neigh add 2001:db8:1::2 lladdr 02:00:00:00:00:02 dev v0; ip -6 route add default via 2001:db8:1::2";

fn run(asking: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(asking);
}

fn at(responder: &Responder, address: &str, transport: Transport, locality: Locality) -> DnsProbe {
    let server = SocketAddr::new(address.parse().unwrap(), responder.address().port());
    let common = probe(responder, transport, HASTY, Expectation::default());
    DnsProbe { server, locality: Arc::new(locality), ..common }
}

fn service(addresses: &[&str]) -> Locality {
    let service = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Locality { service, ..Locality::default() }
}

fn management(addresses: &[&str]) -> Locality {
    Locality { management: service(addresses).service, ..Locality::default() }
}

/// The datagrams and segments that were sent. The kernel itself sends others, such as router solicitations.
fn sent() -> u64 {
    let text = ["snmp", "snmp6"].map(|file| fs::read_to_string(format!("/proc/self/net/{file}")).unwrap());
    let column = |protocol: &str, name: &str| -> u64 {
        let mut lines = text[0].lines().filter(|line| line.starts_with(protocol));
        let mut words = || lines.next().unwrap().split_whitespace();
        let place = words().position(|word| word == name).unwrap();
        words().nth(place).unwrap().parse().unwrap()
    };
    let six = text[1].lines().find_map(|line| line.strip_prefix("Udp6OutDatagrams")).unwrap();
    column("Udp:", "OutDatagrams") + column("Tcp:", "OutSegs") + six.trim().parse::<u64>().unwrap()
}

fn cause(finding: &Finding) -> Option<Cause> {
    finding.outcome.failure().map(|failure| failure.cause)
}

#[test]
fn no_probe_to_a_missing_address_leaves_the_host() {
    let name = "probe::dns::tests::here::no_probe_to_a_missing_address_leaves_the_host";
    in_namespace(name, BESIDE_A_ROUTER, || {
        run(async {
            let responder = broken(Fault::None).await;
            for address in SERVICE {
                for transport in BOTH {
                    let before = sent();
                    let finding = at(&responder, address, transport, service(&[address])).ask().await;
                    assert_eq!(cause(&finding), Some(Cause::AddressMissing), "{finding:?}");
                    let detail = &finding.outcome.failure().unwrap().detail;
                    assert!(detail.contains("is not on this host"), "{detail}");
                    let finding = at(&responder, address, transport, management(&[address])).ask().await;
                    assert_eq!(cause(&finding), Some(Cause::SourceAddress), "{finding:?}");
                    assert!(matches!(finding.outcome, Outcome::Unknown(_)), "{finding:?}");
                    assert_eq!(sent(), before, "{address} {transport}");
                    // A probe of another server, such as a reference, may leave the host.
                    at(&responder, address, transport, Locality::default()).ask().await;
                    assert!(sent() > before, "{address} {transport}");
                }
            }
        });
    });
}

/// As long as the address is there: on an interface, or by a route that makes it local.
#[test]
fn an_address_that_is_here_is_asked() {
    let name = "probe::dns::tests::here::an_address_that_is_here_is_asked";
    let setup = "ip -6 addr add 2001:db8:53::53/128 dev lo nodad; ip route add local 192.0.2.0/24 dev lo";
    in_namespace(name, &format!("{BESIDE_A_ROUTER}\n{setup}"), || {
        run(async {
            for address in SERVICE {
                let mut bound = Responder::bind(address.parse().unwrap()).await;
                // The kernel makes an IPv6 address its own in the background.
                while bound.is_err() {
                    tokio::task::yield_now().await;
                    bound = Responder::bind(address.parse().unwrap()).await;
                }
                let responder = bound.unwrap();
                for transport in BOTH {
                    let probe = at(&responder, address, transport, service(&[address]));
                    let finding = DnsProbe { timeout: PATIENT, ..probe }.ask().await;
                    assert!(finding.outcome.passed(), "{finding:?}");
                }
            }
            shell("ip -6 addr del 2001:db8:53::53/128 dev lo; ip route del local 192.0.2.0/24 dev lo");
            let responder = broken(Fault::None).await;
            for address in SERVICE {
                let finding = at(&responder, address, Transport::Udp, service(&[address])).ask().await;
                assert_eq!(cause(&finding), Some(Cause::AddressMissing), "{finding:?}");
            }
        });
    });
}

#[test]
fn a_missing_source_is_no_fault_of_the_server_unless_it_is_a_service_address() {
    run(async {
        let responder = broken(Fault::None).await;
        let source: IpAddr = "198.51.100.53".parse().unwrap();
        for (locality, expected) in [
            (service(&["198.51.100.53"]), Cause::AddressMissing),
            (management(&["198.51.100.53"]), Cause::SourceAddress),
        ] {
            for transport in BOTH {
                let probe = at(&responder, "127.0.0.1", transport, locality.clone());
                let finding = DnsProbe { source: Some(source), ..probe }.ask().await;
                assert_eq!(cause(&finding), Some(expected), "{finding:?}");
            }
        }
    });
}

/// The ICMP error of a closed port of `server`, sent to `client`.
fn forged(client: SocketAddr, server: SocketAddr) -> Vec<u8> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (client.ip(), server.ip()) else { panic!("IPv4 only") };
    let mut octets = vec![3, 3, 0, 0, 0, 0, 0, 0];
    octets.extend([0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0]);
    octets.extend([from.octets(), to.octets()].concat());
    octets.extend(client.port().to_be_bytes());
    octets.extend(server.port().to_be_bytes());
    octets.extend([0, 40, 0, 0]);
    let words = octets.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap();
    octets[2..4].copy_from_slice(&checksum.to_be_bytes());
    octets
}

#[test]
fn a_forged_icmp_error_is_ignored_while_the_server_has_its_socket() {
    let name = "probe::dns::tests::here::a_forged_icmp_error_is_ignored_while_the_server_has_its_socket";
    in_namespace(name, "ip addr add 192.0.2.53/32 dev lo", || {
        run(async {
            let responder = Responder::bind("192.0.2.53".parse().unwrap()).await.unwrap();
            responder.set(Fault::Silent).await;
            let raw =
                socket_with(AddressFamily::INET, SocketType::RAW, SocketFlags::CLOEXEC, Some(ipproto::ICMP));
            let raw = raw.unwrap();
            for (locality, expected) in [
                (service(&["192.0.2.53"]), Cause::Timeout),
                // For another host there is no evidence.
                (Locality::default(), Cause::PortClosed),
            ] {
                let asked = responder.received().len();
                let probe = DnsProbe {
                    timeout: PATIENT / 5,
                    ..at(&responder, "192.0.2.53", Transport::Udp, locality)
                };
                let attack = async {
                    while responder.received().len() == asked {
                        tokio::task::yield_now().await;
                    }
                    let client = responder.received()[asked].from;
                    let packet = forged(client, responder.address());
                    sendto(&raw, &packet, SendFlags::empty(), &SocketAddr::new(client.ip(), 0)).unwrap();
                };
                let (finding, ()) = tokio::join!(probe.ask(), attack);
                assert_eq!(cause(&finding), Some(expected), "{finding:?}");
                let detail = &finding.outcome.failure().unwrap().detail;
                assert_eq!(detail.contains("(1 ICMP error ignored)"), expected == Cause::Timeout, "{detail}");
            }
        });
    });
}

#[test]
fn a_closed_port_of_this_host_is_seen_at_once() {
    run(async {
        let responder = broken(Fault::Closed).await;
        for transport in BOTH {
            let finding = at(&responder, "127.0.0.1", transport, service(&["127.0.0.1"])).ask().await;
            assert_eq!(cause(&finding), Some(Cause::PortClosed), "{finding:?}");
        }
    });
}

#[test]
fn where_sock_diag_is_filtered_a_closed_port_is_no_hard_failure() {
    let name = "probe::dns::tests::here::where_sock_diag_is_filtered_a_closed_port_is_no_hard_failure";
    without_sock_diag(name, || {
        run(async {
            let responder = broken(Fault::None).await;
            let server = "127.0.0.1";
            for transport in BOTH {
                let finding = at(&responder, server, transport, service(&[server])).ask().await;
                assert!(finding.outcome.passed(), "{finding:?}");
            }
            responder.set(Fault::Closed).await;
            let finding = at(&responder, server, Transport::Udp, service(&[server])).ask().await;
            assert_eq!(cause(&finding), Some(Cause::Timeout), "{finding:?}");
        });
    });
}
