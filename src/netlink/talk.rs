//! A conversation with the kernel: one request, and the messages that answer it.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
};

use super::message::{self, Content};

/// The kernel fills at most this much at a time (`NLMSG_GOODSIZE`, and 32 KiB for dumps).
pub(super) const BUFFER: usize = 32 * 1024;

/// A dump of more datagrams than this is given up: about a million sockets.
const DATAGRAMS: usize = 8192;

/// Whether the one who reads wants more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    More,
    NoMore,
}

/// A netlink socket that hears the kernel only.
#[derive(Debug)]
pub(super) struct Talk {
    socket: OwnedFd,
    sequence: u32,
}

impl Talk {
    /// Opens a socket; without a `protocol` that is `NETLINK_ROUTE`, whose number is 0.
    ///
    /// # Errors
    /// When the process has no descriptor left, or may not use netlink.
    pub(super) fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        // Connected, it takes no message of another process.
        connect(&socket, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends a request and hands each object of the answer to `read`, as its kind and its body, until the answer is
    /// complete or `read` wants no more. After an error or `NoMore` the socket is of no further use.
    ///
    /// # Errors
    /// The error number of the kernel's answer. `EINTR` for a dump that was interrupted by a change, `EMSGSIZE` for an
    /// answer that is too large, `EAGAIN` where no answer is there.
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
        for _ in 0..DATAGRAMS {
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
