//! The sockets: sends one datagram or opens one connection for each probe, and receives until a response arrives.
//!
//! Each exchange has its own socket, and so a fresh port. The socket is connected: the kernel drops answers of other
//! addresses and reports ICMP errors. An exchange has no deadline; its caller drops it.
//!
//! An orderly close of a TCP connection keeps its port for a minute (TIME_WAIT). Linux has 28,232 such ports,
//! which a few hundred probes per second would use up. Therefore we reset a connection once the answer is read or its
//! caller has dropped it.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpSocket, TcpStream};

use super::here::{Ignored, twice_if_missing};
use super::request::{Arrival, Request};
use super::response::Response;
use super::{Rcode, Tls, Transport, https};
use crate::outcome::{Cause, Failure};
use crate::probe::locality::{Locality, Place};
use crate::probe::own;

thread_local! {
    /// The receive buffer: one per thread, since a probe should not allocate and clear 64 KiB.
    static DATAGRAM: RefCell<Vec<u8>> = RefCell::new(vec![0; 65_535]);
}

/// What a failure says that is due to a closed port.
pub(crate) const PORT_CLOSED: &str = "port closed";

/// The addresses of the exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path<'a> {
    pub(super) server: SocketAddr,
    pub(super) source: Option<IpAddr>,
    pub(super) locality: &'a Locality,
}

/// A response, and the time from the first packet until it was received.
pub(super) type Answered = Result<(Response, Duration), Trouble>;

impl Path<'_> {
    /// Sends one datagram and receives until a response arrives; counts the other messages in `ignored`.
    pub(super) async fn udp(self, request: &Request, ignored: &mut Ignored) -> Answered {
        let (socket, start) = twice_if_missing(|| async move { self.send(request) }).await?;
        let is_here = self.locality.place(self.server.ip()) != Place::Anywhere;
        let waiting = own::note_question(self.server.ip(), is_here);
        // Registers the socket only after sending: the latency is then the server's alone.
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        let response = self.response_on(&socket, request, ignored).await;
        // At a timeout the caller has dropped this future.
        waiting.end();
        Ok((response?, start.elapsed()))
    }

    /// Sends the request from a socket of its own; with the time of sending.
    fn send(self, request: &Request) -> Result<(UdpSocket, Instant), Trouble> {
        self.look()?;
        let socket = self.datagram_socket()?;
        let start = Instant::now();
        socket.send(request.octets()).map_err(|error| self.cannot_send(error))?;
        Ok((socket, start))
    }

    /// A non-blocking socket at the source address, connected to the server.
    pub(super) fn datagram_socket(self) -> Result<UdpSocket, Trouble> {
        let family = if self.server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let open = || -> io::Result<UdpSocket> {
            let socket: OwnedFd = socket_with(family, SocketType::DGRAM, flags, None)?;
            self.confine(&socket)?;
            bind(&socket, &self.local())?;
            Ok(socket.into())
        };
        let socket = open().map_err(|error| self.cannot_bind(error))?;
        socket.connect(self.server).map_err(|error| self.cannot_send(error))?;
        Ok(socket)
    }

    /// Receives on a connected socket until a response arrives.
    pub(super) async fn response_on(
        self,
        socket: &tokio::net::UdpSocket,
        request: &Request,
        ignored: &mut Ignored,
    ) -> Result<Response, Trouble> {
        loop {
            match receive(socket, request).await {
                Ok(arrival) => {
                    own::note_answer();
                    if let Some(response) = accept(request, arrival, ignored)? {
                        return Ok(response);
                    }
                }
                Err(error) => self.on_socket_error(error, ignored)?,
            }
        }
    }

    /// Connects, writes the request in one write, and reads messages until a response arrives.
    pub(super) async fn tcp(self, request: &Request, ignored: &mut Ignored) -> Answered {
        let (mut stream, start) = self.connect().await?;
        stream.write_all(&request.framed()).await?;
        Ok((read_response(&mut stream, request, ignored).await?, start.elapsed()))
    }

    /// The same over TLS, with a session of its own.
    pub(super) async fn tls(self, request: &Request, ignored: &mut Ignored, tls: &Tls) -> Answered {
        let (mut stream, start) = tls.connect(self, Transport::Tls).await?;
        stream.write_all(&request.framed()).await?;
        stream.flush().await?;
        Ok((read_response(&mut stream, request, ignored).await?, start.elapsed()))
    }

    /// The same as one request over HTTPS.
    pub(super) async fn https(self, request: &Request, ignored: &mut Ignored, tls: &Tls) -> Answered {
        let (mut stream, start) = tls.connect(self, Transport::Https).await?;
        let message = https::post(&mut stream, &tls.authority(self), &tls.path, request.octets()).await?;
        match accept(request, request.sort(Transport::Https, &message), ignored)? {
            Some(response) => Ok((response, start.elapsed())),
            None => Err(malformed("an answer to another question over HTTPS").into()),
        }
    }

    /// Opens a connection that sends each write at once; with the time of its first packet.
    pub(super) async fn connect(self) -> Result<(TcpStream, Instant), Trouble> {
        twice_if_missing(|| self.connect_once()).await
    }

    async fn connect_once(self) -> Result<(TcpStream, Instant), Trouble> {
        self.look()?;
        let socket = match self.server {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }
        .map_err(|error| self.cannot_bind(error))?;
        socket.set_zero_linger()?;
        self.confine(&socket)?;
        if self.source.is_some() {
            // The kernel chooses the port in connect: it may share a port that is in use for other servers.
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true).map_err(io::Error::from)?;
            socket.bind(self.local()).map_err(|error| self.cannot_bind(error))?;
        }
        let start = Instant::now();
        let stream = socket.connect(self.server).await.map_err(|error| self.refused(error))?;
        own::note_connection(self.server.ip());
        stream.set_nodelay(true)?;
        Ok((stream, start))
    }

    /// The address to bind to, with a port for the kernel to choose.
    fn local(self) -> SocketAddr {
        let any = match self.server {
            SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        SocketAddr::new(self.source.unwrap_or(any), 0)
    }

    pub(super) fn cannot_bind(self, error: io::Error) -> Trouble {
        match self.source {
            Some(address) if error.kind() == ErrorKind::AddrNotAvailable => self.missing_source(address),
            _ if error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32) => {
                let family = if self.server.is_ipv4() { "IPv4" } else { "IPv6" };
                let why = "here, the kernel or RestrictAddressFamilies= refuses it";
                Failure::new(Cause::Local, format!("cannot ask: no {family} {why}")).into()
            }
            // A policy forbids the socket; no packet was sent, so this says nothing about the server.
            _ if error.raw_os_error() == Some(Errno::EACCES as i32) => {
                let why = "cannot ask: a policy of this host forbids the socket (permission denied)";
                Failure::new(Cause::Local, why).into()
            }
            _ => Trouble::Socket(error),
        }
    }
}

/// Receives one datagram and sorts it.
async fn receive(socket: &tokio::net::UdpSocket, request: &Request) -> io::Result<Arrival> {
    // An ICMP error makes a socket neither readable nor writable, and has to be waited for by name.
    let interest = Interest::READABLE | Interest::ERROR;
    let attempt = || {
        DATAGRAM.with_borrow_mut(|buffer| match socket.try_recv(buffer) {
            Ok(length) => Ok(request.sort(Transport::Udp, &buffer[..length])),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(socket.take_error()?.unwrap_or(error)),
            Err(error) => Err(error),
        })
    };
    socket.async_io(interest, attempt).await
}

/// Reads messages, each behind its length (RFC 1035 §4.2.2), until a response arrives.
pub(super) async fn read_response(
    stream: &mut (impl AsyncRead + Unpin),
    request: &Request,
    ignored: &mut Ignored,
) -> Result<Response, Trouble> {
    let mut message = Vec::new();
    loop {
        let length = stream.read_u16().await?;
        message.resize(length.into(), 0);
        stream.read_exact(&mut message).await?;
        if let Some(response) = accept(request, request.sort(Transport::Tcp, &message), ignored)? {
            return Ok(response);
        }
    }
}

/// Returns the response and counts other messages.
fn accept(request: &Request, arrival: Arrival, ignored: &mut Ignored) -> Result<Option<Response>, Trouble> {
    match arrival {
        Arrival::Response(response) => {
            // A refusal needs no other server, and an error may mean that none has answered.
            let is_found = matches!(Rcode::from(response.response_code), Rcode::NOERROR | Rcode::NXDOMAIN);
            if request.needs_lookup && is_found {
                own::note_lookup();
            }
            Ok(Some(response))
        }
        Arrival::Malformed(why) => Err(malformed(&why).into()),
        Arrival::Stray => {
            ignored.messages = ignored.messages.saturating_add(1);
            Ok(None)
        }
    }
}

/// Why an exchange ended without a response.
#[derive(Debug)]
pub(super) enum Trouble {
    /// An error of a socket, with a meaning that [`explain`] finds.
    Socket(io::Error),
    /// A failure that is explained already.
    Explained(Failure),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => hung_up().into(),
            _ => Self::Socket(error),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Explained(failure)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Socket(error) => explain(&error),
            Trouble::Explained(failure) => failure,
        }
    }
}

/// The connection ended where a message was expected, or within one.
pub(super) fn hung_up() -> Failure {
    Failure::new(Cause::Closed, "connection closed before the answer")
}

/// The answer is no DNS message, or no HTTP.
pub(super) fn malformed(why: &str) -> Failure {
    Failure::new(Cause::Malformed, format!("malformed answer: {why}"))
}

/// The outcome for a socket error: a failure of the server or the network, or unknown for one of this host.
fn explain(error: &io::Error) -> Failure {
    let errno = error.raw_os_error().map(Errno::from_raw);
    let reason = errno.map_or_else(|| error.to_string(), |errno| errno.desc().to_lowercase());
    let (cause, sentence) = match (error.kind(), errno) {
        (ErrorKind::ConnectionRefused, _) => (Cause::PortClosed, PORT_CLOSED),
        (ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe, _) => {
            (Cause::Closed, "connection closed before the answer")
        }
        (ErrorKind::TimedOut, _) => (Cause::Timeout, "no answer"),
        (ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown, _)
        // ICMPv6 "administratively prohibited" (RFC 4443 §3.1) arrives as this.
        | (_, Some(Errno::EACCES)) => (Cause::Unreachable, "unreachable"),
        _ => (Cause::Local, "cannot ask"),
    };
    Failure::new(cause, format!("{sentence} ({reason})"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn an_error_of_the_network_is_distinguished_from_one_of_this_host() {
        let cause = |errno: Errno| explain(&io::Error::from_raw_os_error(errno as i32)).cause;
        assert_eq!(cause(Errno::ECONNREFUSED), Cause::PortClosed);
        assert_eq!(cause(Errno::ECONNRESET), Cause::Closed);
        assert_eq!(cause(Errno::EPIPE), Cause::Closed);
        assert_eq!(cause(Errno::EHOSTUNREACH), Cause::Unreachable);
        assert_eq!(cause(Errno::ENETUNREACH), Cause::Unreachable);
        assert_eq!(cause(Errno::EACCES), Cause::Unreachable);
        assert_eq!(cause(Errno::ETIMEDOUT), Cause::Timeout);
        for local in [Errno::EMFILE, Errno::EPERM, Errno::ENOBUFS, Errno::EADDRINUSE, Errno::EAFNOSUPPORT] {
            assert_eq!(cause(local), Cause::Local);
        }
    }

    /// A kernel without IPv6, or a unit that may not use it.
    #[test]
    fn a_family_that_is_not_here_is_named() {
        let locality = Locality::default();
        let path = |server: &str| Path { server: server.parse().unwrap(), source: None, locality: &locality };
        let told = |path: Path<'_>| {
            let trouble = path.cannot_bind(io::Error::from_raw_os_error(Errno::EAFNOSUPPORT as i32));
            Failure::from(trouble)
        };
        let failure = told(path("[2001:db8:1::2]:53"));
        assert_eq!(failure.cause, Cause::Local);
        assert!(failure.detail.starts_with("cannot ask: no IPv6 here"), "{}", failure.detail);
        assert!(told(path("10.1.0.2:53")).detail.contains("no IPv4 here"));
    }

    /// With `ip_nonlocal_bind=1` the bind would succeed.
    #[test]
    fn a_missing_source_is_found_before_the_bind() {
        let (server, locality) = ("127.0.0.1:53".parse().unwrap(), Locality::default());
        let from = |source: &str| Path { server, source: Some(source.parse().unwrap()), locality: &locality };
        assert!(from("127.0.0.1").look().is_ok());
        let failure = Failure::from(from("203.0.113.77").look().unwrap_err());
        assert_eq!(failure.cause, Cause::SourceAddress, "{failure}");
    }

    #[test]
    fn a_missing_service_address_counts_although_the_source_is_missing_too() {
        let address = "203.0.113.53".parse().unwrap();
        let locality = Locality { service: vec![address], ..Locality::default() };
        let source = Some("203.0.113.77".parse().unwrap());
        let path = Path { server: SocketAddr::new(address, 53), source, locality: &locality };
        let failure = Failure::from(path.look().unwrap_err());
        assert_eq!(failure.cause, Cause::AddressMissing, "{failure}");
    }

    /// The packet may be sent while an address moves between two interfaces: the second attempt decides.
    #[tokio::test]
    async fn an_attempt_without_its_address_runs_twice() {
        let attempts = |missing: u32, cause: Cause| async move {
            let count = Cell::new(0);
            let attempt = async || {
                count.set(count.get() + 1);
                let failed = count.get() <= missing;
                if failed { Err(Trouble::from(Failure::new(cause, "it failed"))) } else { Ok(()) }
            };
            (twice_if_missing(attempt).await.map_err(|trouble| Failure::from(trouble).cause), count.get())
        };
        assert_eq!(attempts(0, Cause::AddressMissing).await, (Ok(()), 1));
        for cause in [Cause::AddressMissing, Cause::SourceAddress] {
            assert_eq!(attempts(1, cause).await, (Ok(()), 2));
            assert_eq!(attempts(2, cause).await, (Err(cause), 2));
        }
        assert_eq!(attempts(1, Cause::PortClosed).await, (Err(Cause::PortClosed), 1));
    }

    /// As AppArmor and SELinux do.
    #[test]
    fn a_socket_that_a_policy_forbids_says_nothing_about_the_server() {
        let (server, locality) = ("192.0.2.53:53".parse().unwrap(), Locality::default());
        let path = Path { server, source: None, locality: &locality };
        let failure = Failure::from(path.cannot_bind(io::Error::from_raw_os_error(Errno::EACCES as i32)));
        assert_eq!(failure.cause, Cause::Local, "{failure}");
    }

    #[test]
    fn the_sentence_has_the_reason_in_plain_words() {
        let sentence = |errno: Errno| explain(&io::Error::from_raw_os_error(errno as i32)).detail;
        assert_eq!(sentence(Errno::ECONNREFUSED), "port closed (connection refused)");
        assert_eq!(sentence(Errno::EMFILE), "cannot ask (too many open files)");
    }
}
