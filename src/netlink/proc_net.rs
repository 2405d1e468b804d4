//! The sockets of this network namespace, as `/proc/self/net` lists them.
//!
//! Every user can read it, also where netlink is not permitted and where `ProcSubset=pid` hides `/proc/net`. With
//! thousands of sockets one reading takes the kernel tens of milliseconds.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::sockets::{Protocol, Socket};

/// Maximum size of a table, in octets: more than 100,000 sockets.
const MAX_SIZE: u64 = 16 << 20;

/// Passes each socket of this local port to `read`. In this table, a socket for all IPv6 addresses looks as if it took
/// IPv4 as well.
///
/// # Errors
/// Returns an error if a table cannot be read, is too large, or is no table of sockets. A kernel without IPv6 has no
/// tables of it.
pub(crate) fn sockets(port: u16, protocol: Protocol, mut read: impl FnMut(Socket)) -> io::Result<()> {
    let names = match protocol {
        Protocol::Udp => ["udp", "udp6"],
        Protocol::Tcp => ["tcp", "tcp6"],
    };
    for name in names {
        match File::open(format!("/proc/self/net/{name}")) {
            Ok(table) => parse(&mut BufReader::new(table.take(MAX_SIZE)), port, protocol, &mut read)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && name.ends_with('6') => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads one table, which is that of `/proc/net/udp`, `udp6`, `tcp` or `tcp6`.
fn parse(
    table: &mut BufReader<io::Take<impl Read>>,
    port: u16,
    protocol: Protocol,
    read: &mut impl FnMut(Socket),
) -> io::Result<()> {
    let mut line = String::new();
    table.read_line(&mut line)?;
    if !line.trim_start().starts_with("sl") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    loop {
        line.clear();
        if table.read_line(&mut line)? == 0 {
            let is_complete = table.get_ref().limit() > 0;
            return if is_complete { Ok(()) } else { Err(io::ErrorKind::FileTooLarge.into()) };
        }
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        if let Some((at, socket)) = socket(&fields, protocol)
            && at.port() == port
        {
            read(socket);
        }
    }
}

/// One line of a table; `None` if the socket does not listen.
fn socket(fields: &[&str], protocol: Protocol) -> Option<(SocketAddr, Socket)> {
    // TCP_LISTEN; and TCP_CLOSE, the state of a UDP socket without a peer.
    let listening = if protocol == Protocol::Tcp { "0A" } else { "07" };
    if *fields.get(3)? != listening {
        return None;
    }
    let (_, queue) = fields.get(4)?.split_once(':')?;
    // The table of TCP has no drops, so it needs no backlog.
    let drops = if protocol == Protocol::Udp { fields.last()?.parse().ok()? } else { 0 };
    let at = address(fields.get(1)?)?;
    let (queue, inode) = (u32::from_str_radix(queue, 16).ok()?, fields.get(9)?.parse().ok()?);
    Some((at, Socket { address: at.ip(), v6_only: false, inode, cookie: 0, queue, backlog: None, drops }))
}

/// Reads `0105007F:0035`: 32 bits at a time in the order of this machine's bytes.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if !address.is_ascii() || address.len() % 8 != 0 {
        return None;
    }
    let words = address.as_bytes().chunks(8).map(|word| {
        let word = u32::from_str_radix(str::from_utf8(word).ok()?, 16).ok()?;
        Some(word.to_ne_bytes())
    });
    let octets = words.collect::<Option<Vec<_>>>()?.concat();
    let address: IpAddr = match octets.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).into(),
        16 => Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 1544: 0105007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 7464561 2 00000000998cbefb 0
 1544: 0405007F:0035 00000000:0000 07 00000000:00034000 00:00000000 00000000     0        0 7465457 2 0000000014840102 3
 5038: 0100007F:0035 0105007F:0035 01 00000000:00000000 00:00000000 00000000     0        0 7464856 2 00000000667edd28 0
 5038: 0100007F:CDDB 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 7464857 2 00000000667edd28 0
";
    const TCP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 7464562 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000001000000:14E7 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7464563 1 0000000000000000 100 0 0 10 0
";

    fn parsed(table: &str, protocol: Protocol, port: u16) -> io::Result<Vec<Socket>> {
        let mut all = vec![];
        parse(&mut BufReader::new(table.as_bytes().take(MAX_SIZE)), port, protocol, &mut |socket| {
            all.push(socket);
        })?;
        Ok(all)
    }

    #[test]
    fn reads_sockets_without_a_peer() {
        let numbers =
            |socket: &Socket| (socket.address.to_string(), socket.queue, socket.drops, socket.inode);
        let all: Vec<_> = parsed(UDP, Protocol::Udp, 53).unwrap().iter().map(numbers).collect();
        let expected =
            [("127.0.5.1".to_owned(), 0, 0, 7_464_561), ("127.0.5.4".to_owned(), 0x34000, 3, 7_465_457)];
        assert_eq!(all, expected);
        let all: Vec<_> = parsed(TCP6, Protocol::Tcp, 53).unwrap().iter().map(numbers).collect();
        assert_eq!(all, [("::".to_owned(), 2, 0, 7_464_562)]);
        assert_eq!(parsed(TCP6, Protocol::Tcp, 5351).unwrap()[0].address.to_string(), "::1");
    }

    #[test]
    fn nonsense_is_no_socket_and_another_file_is_no_table() {
        for line in ["", "x", "0: 0105007F 0 07 0:0", "0: é105007F:0035 0 07 0:0 0", "0: 01:0035 0 0A 0:0"] {
            assert_eq!(parsed(&format!("sl\n{line}\n"), Protocol::Tcp, 53).unwrap(), []);
        }
        for text in ["", "Tcp: 1 2 3\n"] {
            assert!(parsed(text, Protocol::Tcp, 53).is_err(), "{text}");
        }
    }

    #[test]
    fn a_table_is_read_up_to_a_size() {
        let mut table = BufReader::new(UDP.as_bytes().take(UDP.len() as u64 - 1));
        let error = parse(&mut table, 53, Protocol::Udp, &mut |_| {}).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
