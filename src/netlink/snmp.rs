//! What the sockets of this network namespace have read, as `/proc/self/net/snmp` and `snmp6` count it.
//!
//! Every user can read them, also where `ProcSubset=pid` hides `/proc/net`.

use std::fs;

/// Since the namespace exists.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counted {
    /// Datagrams that a program has read (`InDatagrams`, RFC 4113), in both families.
    pub(crate) datagrams: u64,
    /// Connections of others that were opened (`PassiveOpens`, RFC 4022), in both families.
    pub(crate) connections: u64,
}

/// Reads the counters; `None` if the kernel does not show them. A kernel without IPv6 has none of it.
pub(crate) fn counted() -> Option<Counted> {
    let both = fs::read_to_string("/proc/self/net/snmp").ok()?;
    let of_ipv6 = fs::read_to_string("/proc/self/net/snmp6").unwrap_or_default();
    parse(&both, &of_ipv6)
}

fn parse(both: &str, of_ipv6: &str) -> Option<Counted> {
    let of_ipv6 = of_ipv6.lines().find_map(|line| line.strip_prefix("Udp6InDatagrams"));
    let of_ipv6: u64 = of_ipv6.and_then(|number| number.trim().parse().ok()).unwrap_or_default();
    Some(Counted {
        datagrams: field(both, "Udp:", "InDatagrams")?.wrapping_add(of_ipv6),
        connections: field(both, "Tcp:", "PassiveOpens")?,
    })
}

/// The table has two lines for each protocol: the names, and the values below them.
fn field(table: &str, protocol: &str, name: &str) -> Option<u64> {
    let mut lines = table.lines().filter(|line| line.split_ascii_whitespace().next() == Some(protocol));
    let place = lines.next()?.split_ascii_whitespace().position(|word| word == name)?;
    lines.next()?.split_ascii_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn the_counters_are_found_by_their_names() {
        let both = "Tcp: RtoAlgorithm MaxConn ActiveOpens PassiveOpens\nTcp: 1 -1 5 6\nUdp: InDatagrams NoPorts\n\
                    Udp: 70 3\nUdpLite: InDatagrams NoPorts\nUdpLite: 0 0\n";
        let of_ipv6 = "Ip6InReceives                   \t9\nUdp6InDatagrams                 \t8\n";
        assert_eq!(parse(both, of_ipv6), Some(Counted { datagrams: 78, connections: 6 }));
        assert_eq!(parse(both, ""), Some(Counted { datagrams: 70, connections: 6 }));
        assert_eq!(parse("Udp: InDatagrams\n", ""), None);
    }

    #[test]
    fn a_datagram_counts_once_it_is_read() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let before = counted().unwrap().datagrams;
        socket.send_to(&[0], socket.local_addr().unwrap()).unwrap();
        socket.recv(&mut [0]).unwrap();
        assert!(counted().unwrap().datagrams > before);
    }
}
