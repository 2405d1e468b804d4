//! Probes to addresses of this host: they do not leave it, and ICMP errors count only with evidence.
//!
//! If the address were missing, another host of the anycast service would answer. So each probe first looks up whether
//! the kernel delivers the address locally. On IPv4 `SO_DONTROUTE` also keeps the packet from a router; on IPv6, where
//! it does not, the hop limit is 1.
//!
//! An ICMP error contains the port of the probe, which another host can guess. For a packet that does not leave the
//! host, the only real error is a closed port, and then the kernel has no socket there.

use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Add;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};

use super::Transport;
use super::exchange::{Path, Trouble};
use crate::netlink::route::{Delivery, look_up};
use crate::netlink::sockets::{Protocol, listener};
use crate::outcome::{Cause, Failure};
use crate::probe::address::APART;
use crate::probe::locality::Place;
use crate::text::{counted, joined};

/// Maximum number of socket look-ups for ICMP errors in one exchange. A closed port causes one error.
const DOUBTS: u32 = 4;

/// The failure for an address that a probe needs on this host and that is missing. A host without its service address
/// surely does not serve. A missing management address says nothing about the server.
pub(super) fn missing(place: Place, why: String) -> Failure {
    let cause = if place == Place::Service { Cause::AddressMissing } else { Cause::SourceAddress };
    Failure::new(cause, why)
}

/// The sentence about an address that the kernel does not deliver locally; `device` is the VRF of the look-up.
pub(crate) fn not_here(address: IpAddr, device: Option<&str>, delivery: Delivery) -> String {
    match delivery {
        Delivery::Here => format!("{address} is on this host"),
        Delivery::Elsewhere(_) => {
            format!("{address} is not on this host: the kernel would send to another one")
        }
        Delivery::Nowhere(_) => format!("{address} is not on this host: the kernel has no route to it"),
        Delivery::NoDevice => {
            format!("{address} is not on this host: it has no device `{}`", device.unwrap_or_default())
        }
    }
}

/// Runs the attempt. If it misses an address of this host, a second attempt decides: the address may be moving between
/// two interfaces.
pub(super) async fn twice_if_missing<T, F>(attempt: impl Fn() -> F) -> Result<T, Trouble>
where
    F: Future<Output = Result<T, Trouble>>,
{
    match attempt().await {
        Err(Trouble::Explained(failure))
            if matches!(failure.cause, Cause::AddressMissing | Cause::SourceAddress) =>
        {
            tokio::time::sleep(APART).await;
            attempt().await
        }
        done => done,
    }
}

/// Whether the server has to be on this host.
const fn is_of_this_host(place: Place) -> bool {
    matches!(place, Place::Service | Place::Management)
}

impl Path<'_> {
    fn place(self) -> Place {
        self.locality.place(self.server.ip())
    }

    /// Looks up whether both addresses of the probe are on this host. The server's comes first: a missing service address is
    /// a failure, a missing source leaves the outcome unknown.
    pub(super) fn look(self) -> Result<(), Trouble> {
        self.look_for_server()?;
        self.look_for_source()
    }

    /// Looks up whether the kernel delivers the address that the probe asks from locally. With `ip_nonlocal_bind=1` a missing
    /// one can be bound to, and no answer would arrive.
    fn look_for_source(self) -> Result<(), Trouble> {
        match self.source {
            Some(source)
                if look_up(source, self.locality.device.as_deref())
                    .is_ok_and(|found| found != Delivery::Here) =>
            {
                Err(self.missing_source(source))
            }
            _ => Ok(()),
        }
    }

    /// Looks up whether the kernel delivers the server's address locally, if the server has to be on this host.
    ///
    /// If the look-up fails, `SO_DONTROUTE` is enough on IPv4.
    fn look_for_server(self) -> Result<(), Trouble> {
        if !is_of_this_host(self.place()) {
            return Ok(());
        }
        match look_up(self.server.ip(), self.locality.device.as_deref()) {
            Ok(Delivery::Here) => Ok(()),
            Ok(delivery) => Err(self.missing(delivery)),
            Err(_) if self.server.is_ipv4() => Ok(()),
            Err(error) => {
                let detail = format!(
                    "cannot ask: the kernel does not say whether {} is on this host ({error}); without AF_NETLINK in \
                     RestrictAddressFamilies= it cannot be asked",
                    self.server.ip()
                );
                Err(Failure::new(Cause::Local, detail).into())
            }
        }
    }

    /// The failure of a probe whose source is not on this host.
    pub(super) fn missing_source(self, source: IpAddr) -> Trouble {
        let why = format!("cannot ask from {source}: the address is not on this host");
        missing(self.locality.place(source), why).into()
    }

    fn missing(self, delivery: Delivery) -> Trouble {
        let why = not_here(self.server.ip(), self.locality.device.as_deref(), delivery);
        missing(self.place(), why).into()
    }

    /// Keeps the packets of this socket in the VRF, and on this host if the server has to be there. Call it before the
    /// socket is bound.
    pub(super) fn confine(self, socket: &impl AsFd) -> io::Result<()> {
        if let Some(device) = &self.locality.device {
            setsockopt(socket, sockopt::BindToDevice, &OsString::from(device))?;
        }
        if is_of_this_host(self.place()) {
            match self.server {
                SocketAddr::V4(_) => setsockopt(socket, sockopt::DontRoute, &true)?,
                SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6Ttl, &1)?,
            }
        }
        Ok(())
    }

    /// The error of a failed send: the address is missing if the kernel has lost it since the look-up.
    pub(super) fn cannot_send(self, error: io::Error) -> Trouble {
        let is_unreachable =
            matches!(error.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable);
        if !(is_unreachable && is_of_this_host(self.place())) {
            return error.into();
        }
        match look_up(self.server.ip(), self.locality.device.as_deref()) {
            Ok(Delivery::Here) => error.into(),
            Ok(delivery) => self.missing(delivery),
            Err(_) => self.missing(Delivery::Nowhere("a route that is not known")),
        }
    }

    /// Whether to keep waiting although a connected UDP socket has this error; then counts it in `ignored`.
    pub(super) fn on_socket_error(self, error: io::Error, ignored: &mut Ignored) -> Result<(), Trouble> {
        if self.place() == Place::Anywhere || !is_of_the_network(&error) {
            return Err(error.into());
        }
        let is_closed = error.kind() == io::ErrorKind::ConnectionRefused
            && ignored.errors < DOUBTS
            && listener(self.server, Protocol::Udp).is_ok_and(|listens| !listens);
        if is_closed {
            return Err(error.into());
        }
        ignored.errors = ignored.errors.saturating_add(1);
        Ok(())
    }

    /// The error of a refused connection.
    pub(super) fn refused(self, error: io::Error) -> Trouble {
        let is_refused = error.kind() == io::ErrorKind::ConnectionRefused;
        if is_refused
            && self.place() != Place::Anywhere
            && listener(self.server, Protocol::Tcp).is_ok_and(|listens| listens)
        {
            let detail = "connection refused, although a socket listens on the port";
            return Failure::new(Cause::Closed, detail).into();
        }
        self.cannot_send(error)
    }
}

/// Whether an ICMP error can be the reason.
fn is_of_the_network(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(
            Errno::ECONNREFUSED
                | Errno::EHOSTUNREACH
                | Errno::ENETUNREACH
                | Errno::EACCES
                | Errno::ENOPROTOOPT
                | Errno::EPROTO
                | Errno::EMSGSIZE
                | Errno::EHOSTDOWN
                | Errno::ENONET
                | Errno::EOPNOTSUPP
        )
    )
}

/// The messages during an exchange that were no answer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Ignored {
    /// Messages that answer another request.
    pub(super) messages: u32,
    /// ICMP errors that may be forged: the kernel does not confirm that the port is closed.
    pub(super) errors: u32,
}

impl Ignored {
    pub(super) const fn sum(self) -> u32 {
        self.messages.saturating_add(self.errors)
    }

    /// The end of a sentence; empty if nothing was ignored.
    pub(super) fn phrase(self, transport: Transport) -> String {
        let stray = format!("stray {}", transport.unit());
        let all = [(self.messages, stray.as_str()), (self.errors, "ICMP error")];
        let some = all.iter().filter(|(number, _)| *number > 0);
        let some = joined(some.map(|(number, thing)| counted(*number as usize, thing)), " and ");
        if some.is_empty() { some } else { format!(" ({some} ignored)") }
    }
}

impl Add for Ignored {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let messages = self.messages.saturating_add(other.messages);
        Self { messages, errors: self.errors.saturating_add(other.errors) }
    }
}
