//! A netlink connection to the kernel: sends a request and reads the answer.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
};

use super::message::{self, Content};

/// Maximum size of a datagram from the kernel (`NLMSG_GOODSIZE`, and 32 KiB for dumps).
pub(super) const BUFFER: usize = 32 * 1024;

/// Maximum number of datagrams in a dump: about a million sockets.
const MAX_DATAGRAMS: usize = 8192;

/// Whether the reader wants further objects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    More,
    NoMore,
}

/// A netlink socket that receives messages only from the kernel.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    sequence: u32,
}

impl Connection {
    /// Opens a socket. Without a `protocol` it uses `NETLINK_ROUTE`, whose number is 0.
    ///
    /// # Errors
    /// Returns an error if no descriptor is left or netlink is not permitted.
    pub(super) fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        // A connected socket receives no messages of other processes.
        connect(&socket, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends a request and passes the kind and body of each object in the answer to `read`, until the answer is
    /// complete or `read` wants no more. After an error or `NoMore` the socket is no longer usable.
    ///
    /// # Errors
    /// Returns the error number of the kernel's answer, `EINTR` if a change interrupted a dump, `EMSGSIZE` if the
    /// answer is too large, and `EAGAIN` if there is no answer.
    pub(super) fn ask(
        &mut self,
        kind: u16,
        flags: u16,
        body: &[u8],
        mut read: impl FnMut(u16, &[u8]) -> Wanted,
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        send(&self.socket, &message::request(kind, flags, self.sequence, body), SendFlags::empty())?;
        let dumps = flags & message::DUMP != 0;
        let mut buffer = [0; BUFFER];
        for _ in 0..MAX_DATAGRAMS {
            let (_, length) = recv(&self.socket, &mut buffer[..], RecvFlags::TRUNC)?;
            let mut octets = buffer.get(..length).ok_or(Errno::MSGSIZE)?;
            while let Some(message) = message::take(&mut octets) {
                if message.sequence != self.sequence {
                    continue;
                }
                if message.interrupted {
                    return Err(Errno::INTR.into());
                }
                match message.content {
                    Content::Done(0) => return Ok(()),
                    Content::Done(number) | Content::Error(number) => {
                        return Err(io::Error::from_raw_os_error(number));
                    }
                    Content::Object(kind, body) => {
                        if read(kind, body) == Wanted::NoMore || !dumps {
                            return Ok(());
                        }
                    }
                }
            }
        }
        Err(Errno::MSGSIZE.into())
    }
}
