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
    /// complete or `read` wants no more. Open another connection after a dump that has ended early, by an error or
    /// `NoMore`: the kernel goes on with it. Any other request has one answer, after which the connection stays usable,
    /// also if that is an error number.
    ///
    /// # Errors
    /// Returns the error number of the kernel's answer, `EINTR` if a change interrupted a dump, `ENOBUFS` if objects were
    /// lost, `EMSGSIZE` if the answer is too large, `EAGAIN` if there is no answer or no end of it, an error without a
    /// number if a message is cut short, and those of `read`.
    pub(super) fn ask(
        &mut self,
        kind: u16,
        flags: u16,
        body: &[u8],
        read: impl FnMut(u16, &[u8]) -> io::Result<Wanted>,
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        send(&self.socket, &message::request(kind, flags, self.sequence, body), SendFlags::empty())?;
        let socket = &self.socket;
        let receive = |buffer: &mut [u8]| Ok(recv(socket, buffer, RecvFlags::TRUNC)?.1);
        read_answer(self.sequence, flags & message::DUMP != 0, receive, read)
    }

    /// Sends an `RTM_GET…` request, and passes the body of the object in the answer to `read`.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask), and an error without a number if `read` finds no object.
    pub(super) fn get<T>(&mut self, kind: u16, body: &[u8], read: fn(&[u8]) -> Option<T>) -> io::Result<T> {
        // The answer is `RTM_NEW…`, whose number is less by 2 (`linux/rtnetlink.h`).
        let mut found = None;
        self.ask(kind, 0, body, |answer, octets| {
            found = (answer == kind - 2).then(|| read(octets)).flatten();
            Ok(Wanted::NoMore)
        })?;
        found.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// Reads the datagrams that `receive` writes and whose whole size it returns, until the answer is complete.
fn read_answer(
    sequence: u32,
    dumps: bool,
    mut receive: impl FnMut(&mut [u8]) -> io::Result<usize>,
    mut read: impl FnMut(u16, &[u8]) -> io::Result<Wanted>,
) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    for _ in 0..MAX_DATAGRAMS {
        let length = receive(&mut buffer)?;
        let mut octets = buffer.get(..length).ok_or(Errno::MSGSIZE)?;
        while let Some(message) = message::take(&mut octets) {
            if message.sequence != sequence {
                continue;
            }
            if message.interrupted {
                return Err(Errno::INTR.into());
            }
            match message.content {
                Content::Nothing => {}
                Content::Done(0) => return Ok(()),
                Content::Done(number) | Content::Error(number) => {
                    return Err(io::Error::from_raw_os_error(number));
                }
                Content::Object(kind, body) => {
                    if read(kind, body)? == Wanted::NoMore || !dumps {
                        return Ok(());
                    }
                }
            }
        }
        // A message that is cut short hides objects.
        if !octets.is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Err(Errno::MSGSIZE.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: u16 = 20;
    const DONE: u16 = 3;
    const OVERRUN: u16 = 4;
    const INTERRUPTED: u16 = 0x10;

    fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        // The kernel does not set NLM_F_REQUEST, which is not read.
        message::request(kind, flags, 7, body)
    }

    /// The objects of a dump in these datagrams, or the error.
    fn dumped(datagrams: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, io::Error> {
        let (mut datagrams, mut objects) = (datagrams.iter(), vec![]);
        let receive = |buffer: &mut [u8]| {
            let datagram = datagrams.next().ok_or(Errno::AGAIN)?;
            let length = datagram.len().min(buffer.len());
            buffer[..length].copy_from_slice(&datagram[..length]);
            Ok(datagram.len())
        };
        read_answer(7, true, receive, |kind, body| {
            assert_eq!(kind, OBJECT);
            objects.push(body.to_vec());
            Ok(Wanted::More)
        })?;
        Ok(objects)
    }

    fn errno(datagrams: &[Vec<u8>]) -> Option<i32> {
        dumped(datagrams).unwrap_err().raw_os_error()
    }

    #[test]
    fn a_dump_may_take_several_datagrams() {
        let (one, done) = (message(OBJECT, 0, b"one"), message(DONE, 0, &[0; 4]));
        let two = [one.as_slice(), &[0], &message(1, 0, &[0; 4]), &message(OBJECT, 0, b"four")].concat();
        assert_eq!(dumped(&[two, done]).unwrap(), [&b"one"[..], b"four"]);
    }

    #[test]
    fn a_dump_that_is_not_whole_is_no_answer() {
        let (one, done) = (message(OBJECT, 0, b"four"), message(DONE, 0, &[0; 4]));
        let interrupted = message(OBJECT, INTERRUPTED, b"four");
        assert_eq!(errno(&[one.clone(), interrupted, done.clone()]), Some(Errno::INTR.raw_os_error()));
        let is_interrupted_at_its_end = message(DONE, INTERRUPTED, &[0; 4]);
        assert_eq!(errno(&[one.clone(), is_interrupted_at_its_end]), Some(Errno::INTR.raw_os_error()));
        let lost = [one.clone(), message(OVERRUN, 0, &[0; 4]), done.clone()];
        assert_eq!(errno(&lost), Some(Errno::NOBUFS.raw_os_error()));
        assert_eq!(errno(std::slice::from_ref(&one)), Some(Errno::AGAIN.raw_os_error()), "without an end");
        assert_eq!(errno(&[vec![0; BUFFER + 1], done.clone()]), Some(Errno::MSGSIZE.raw_os_error()));
        for length in 1..one.len() {
            let cut = [one.as_slice(), &one[..length]].concat();
            let error = dumped(&[cut, done.clone()]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{length}");
        }
    }

    #[test]
    fn a_dump_without_an_end_is_given_up() {
        let (one, mut received) = (message(OBJECT, 0, &[0; 72]), 0);
        let receive = |buffer: &mut [u8]| {
            received += 1;
            buffer[..one.len()].copy_from_slice(&one);
            Ok(one.len())
        };
        let error = read_answer(7, true, receive, |_, _| Ok(Wanted::More)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::MSGSIZE.raw_os_error()));
        assert_eq!(received, MAX_DATAGRAMS);
    }
}
