//! Reads the sockets of a port with their receive queues, again and again.
//!
//! It asks netlink. Where that is not permitted (`RestrictAddressFamilies=` without `AF_NETLINK`, a filter on system
//! calls, a kernel without `sock_diag`), it reads `/proc/self/net`, which costs far more. A namespace without sockets is
//! no error: the server may be in another one.

use std::io;

use nix::errno::Errno;
use rustix::net::AddressFamily;

use super::connection::{Connection, Wanted};
use super::proc_net;
use super::sockets::{Protocol, Socket, dump};

/// Maximum number of sockets of one port. A server has as many for each address as it has threads.
const MAX_SOCKETS: usize = 4096;

/// Reads sockets, and keeps the connection to the kernel.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    connection: Option<Connection>,
    /// Why netlink is not used, if it is not.
    refused: Option<String>,
}

impl Reader {
    /// All sockets of this port for which `wanted` holds.
    ///
    /// # Errors
    /// Returns an error if the sockets are not known: the kernel cannot be asked, its answer is no list of sockets, or
    /// there are too many.
    pub(crate) fn read(
        &mut self,
        port: u16,
        protocol: Protocol,
        wanted: impl Fn(&Socket) -> bool,
    ) -> io::Result<Vec<Socket>> {
        if self.refused.is_none() {
            match self.ask(port, protocol, &wanted) {
                Err(error) if is_lasting(&error) => self.refused = Some(error.to_string()),
                answer => return answer,
            }
        }
        let mut found = vec![];
        proc_net::sockets(port, protocol, |socket| {
            if found.len() <= MAX_SOCKETS {
                add(&mut found, 0, socket, &wanted);
            }
        })?;
        limited(found)
    }

    /// Why it reads `/proc/self/net` instead of asking netlink; `None` while it asks.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    fn ask(
        &mut self,
        port: u16,
        protocol: Protocol,
        wanted: impl Fn(&Socket) -> bool,
    ) -> io::Result<Vec<Socket>> {
        let mut found: Vec<Socket> = vec![];
        for family in [AddressFamily::INET, AddressFamily::INET6] {
            let first = found.len();
            dump(&mut self.connection, family, port, protocol, |socket| {
                add(&mut found, first, socket, &wanted);
                if found.len() > MAX_SOCKETS { Wanted::NoMore } else { Wanted::More }
            })?;
        }
        limited(found)
    }
}

/// Adds a wanted socket, or replaces its entry from `first` on: the kernel may list a socket again if its table changes
/// meanwhile.
fn add(found: &mut Vec<Socket>, first: usize, socket: Socket, wanted: impl Fn(&Socket) -> bool) {
    match found[first..].iter_mut().find(|known| known.inode == socket.inode) {
        Some(known) => *known = socket,
        None if wanted(&socket) => found.push(socket),
        None => {}
    }
}

fn limited(found: Vec<Socket>) -> io::Result<Vec<Socket>> {
    if found.len() <= MAX_SOCKETS {
        return Ok(found);
    }
    Err(io::Error::other(format!("more than {MAX_SOCKETS} sockets of one port")))
}

/// Whether netlink is of no use here, as opposed to a shortage that passes.
fn is_lasting(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    !matches!(
        errno,
        None | Some(
            Errno::EINTR
                | Errno::EMFILE
                | Errno::ENFILE
                | Errno::ENOMEM
                | Errno::ENOBUFS
                | Errno::EAGAIN
                | Errno::EMSGSIZE
        )
    )
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    use super::*;
    use crate::netlink::filtered::without_sock_diag;
    use crate::netlink::namespace::in_namespace;
    use crate::netlink::route::{Delivery, look_up};
    use crate::netlink::sockets::listener;

    /// Both ways to read.
    fn readers() -> [Reader; 2] {
        [Reader::default(), Reader { refused: Some("test".into()), ..Reader::default() }]
    }

    #[test]
    fn a_socket_that_is_listed_twice_counts_once() {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let socket = |inode, queue| Socket {
            address,
            v6_only: false,
            inode,
            cookie: 0,
            queue,
            backlog: None,
            drops: 0,
        };
        let mut found = vec![];
        for (inode, queue) in [(7, 0), (8, 1), (7, 2)] {
            add(&mut found, 0, socket(inode, queue), |_| true);
        }
        let queues: Vec<_> = found.iter().map(|socket| (socket.inode, socket.queue)).collect();
        assert_eq!(queues, [(7, 2), (8, 1)]);
    }

    #[test]
    fn octets_in_a_udp_queue_count_until_they_are_read() {
        for mut reader in readers() {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let at = socket.local_addr().unwrap();
            let mut queue = || {
                let all = reader.read(at.port(), Protocol::Udp, |socket| socket.covers(at.ip())).unwrap();
                assert_eq!(all.len(), 1, "{all:?}");
                (all[0].queue, all[0].drops, all[0].inode)
            };
            let (empty, no_drops, inode) = queue();
            assert_eq!((empty, no_drops), (0, 0));
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client.send_to(b"x", at).unwrap();
            assert!(queue().0 > 0);
            socket.recv(&mut [0; 9]).unwrap();
            assert_eq!(queue(), (0, 0, inode));
            while queue().1 == 0 {
                client.send_to(&[0; 8192], at).unwrap();
            }
        }
    }

    #[test]
    fn connections_in_a_tcp_accept_queue_count() {
        for mut reader in readers() {
            let socket = TcpListener::bind("127.0.0.1:0").unwrap();
            let at = socket.local_addr().unwrap();
            let _connections = [(); 2].map(|()| TcpStream::connect(at).unwrap());
            let all = reader.read(at.port(), Protocol::Tcp, |_| true).unwrap();
            assert_eq!(all.iter().map(|socket| socket.queue).collect::<Vec<_>>(), [2]);
        }
    }

    #[test]
    fn a_wildcard_socket_covers_both_families_unless_it_is_for_ipv6_only() {
        let socket = UdpSocket::bind("[::]:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        for mut reader in readers() {
            for address in ["127.0.0.53", "::1"] {
                let address = address.parse().unwrap();
                let all = reader.read(port, Protocol::Udp, |socket| socket.covers(address)).unwrap();
                assert!(all.len() == 1 && !all[0].is_bound_to(address), "{address}");
            }
        }
    }

    #[test]
    fn only_lasting_errors_end_the_use_of_netlink() {
        let lasts = |errno: Errno| is_lasting(&errno.into());
        assert!([Errno::EAFNOSUPPORT, Errno::EPERM, Errno::ENOENT, Errno::ENOSYS].into_iter().all(lasts));
        assert!(![Errno::EMFILE, Errno::EINTR, Errno::EMSGSIZE, Errno::ENOBUFS].into_iter().any(lasts));
        assert!(!is_lasting(&io::ErrorKind::InvalidData.into()), "garbled");
    }

    #[test]
    fn a_filter_on_system_calls_leaves_the_tables() {
        without_sock_diag("netlink::queues::tests::a_filter_on_system_calls_leaves_the_tables", || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let at = socket.local_addr().unwrap();
            socket.send_to(b"x", at).unwrap();
            let mut reader = Reader::default();
            let all = reader.read(at.port(), Protocol::Udp, |socket| socket.covers(at.ip())).unwrap();
            assert!(all.len() == 1 && all[0].queue > 0, "{all:?}");
            assert!(reader.refused().is_some_and(|why| why.contains("not permitted")), "{reader:?}");
            assert_eq!(listener(at, Protocol::Udp).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
            assert_eq!(look_up(at.ip(), None).unwrap(), Delivery::Here);
        });
    }

    /// Opens UDP sockets at port 53 until its standard input ends: 10,000, or as many as one process may have.
    const CROWD: &str = "
import resource, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
kept = []
for number in range(min(10_000, hard - 100)):
    kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    kept[-1].bind((f'127.{sys.argv[1]}.{number >> 8}.{number & 255}', 53))
print(len(kept), flush=True)
sys.stdin.read()
";

    /// A process with many sockets at addresses of its own, and their number.
    fn crowd(net: u8) -> (Child, usize) {
        let mut command = Command::new("python3");
        command.args(["-c", CROWD, &net.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut count = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut count).unwrap();
        (child, count.trim().parse().unwrap())
    }

    /// What four looks at 50,000 sockets take at most, two of them by `/proc`, in a debug build: three times what they took.
    const LITTLE: Duration = Duration::from_secs(20);

    /// Of this thread: on a busy machine more time passes.
    fn cpu_time() -> Duration {
        Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
    }

    #[test]
    fn fifty_thousand_sockets_are_read_in_bounded_time_and_memory() {
        let name = "netlink::queues::tests::fifty_thousand_sockets_are_read_in_bounded_time_and_memory";
        in_namespace(name, "", || {
            let crowds: Vec<_> = (1..=5).map(crowd).collect();
            let count: usize = crowds.iter().map(|(_, count)| count).sum();
            assert!(count > MAX_SOCKETS, "{count} sockets");
            let began = cpu_time();
            for mut reader in readers() {
                let one = IpAddr::from(Ipv4Addr::new(127, 1, 0, 7));
                let all = reader.read(53, Protocol::Udp, |socket| socket.covers(one)).unwrap();
                assert_eq!(all.len(), 1, "of {count}");
                let error = reader.read(53, Protocol::Udp, |_| true).unwrap_err();
                assert_eq!(error.to_string(), format!("more than {MAX_SOCKETS} sockets of one port"));
            }
            let took = cpu_time() - began;
            assert!(took < LITTLE, "{took:?} for {count} sockets");
            for (mut child, _) in crowds {
                drop(child.stdin.take());
                child.wait().unwrap();
            }
        });
    }
}
