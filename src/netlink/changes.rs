//! Notices changes of links, addresses, routes and rules.
//!
//! The content of a change is not read. The kernel drops messages if they arrive too fast, so the caller looks up the
//! current state after each change.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

/// `RTMGRP_LINK`, then `IPV4_IFADDR`, `IPV4_ROUTE`, `IPV4_RULE`, `IPV6_IFADDR`, `IPV6_ROUTE` and `IPV6_RULE`
/// (`linux/rtnetlink.h`: group n is bit n - 1).
const GROUPS: u32 = 1 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 18;

/// Maximum number of messages to discard in one call; a router that loads its table causes hundreds of thousands.
const MAX_MESSAGES: usize = 256;

/// A socket that receives every change. It is readable until the change is [received](Self::receive).
#[derive(Debug)]
pub(crate) struct Changes(OwnedFd);

impl Changes {
    /// Subscribes to all changes from now on.
    ///
    /// # Errors
    /// Returns an error if netlink is not permitted or no descriptor is left.
    pub(crate) fn subscribe() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self(socket))
    }

    /// Whether anything changed since the last call. Never waits. Messages that the kernel dropped (`ENOBUFS`) count as
    /// a change. Reads a limited number of messages; if there are more, the socket stays readable.
    ///
    /// # Errors
    /// Returns an error if the socket is no longer usable.
    pub(crate) fn receive(&self) -> io::Result<bool> {
        let mut changed = false;
        let mut start = [0; 16];
        for _ in 0..MAX_MESSAGES {
            match recv(&self.0, &mut start[..], RecvFlags::TRUNC) {
                Ok(_) | Err(Errno::NOBUFS | Errno::INTR) => changed = true,
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(changed)
    }
}

impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;
    use crate::netlink::namespace::{in_namespace, shell};

    #[test]
    fn receives_every_kind_of_change() {
        let name = "netlink::changes::tests::receives_every_kind_of_change";
        in_namespace(name, "", || {
            let changes = Changes::subscribe().unwrap();
            assert!(!changes.receive().unwrap());
            for change in [
                "ip addr add 192.0.2.53/32 dev lo",
                "ip addr del 192.0.2.53/32 dev lo",
                "ip -6 addr add 2001:db8::53/128 dev lo",
                "ip route add blackhole 192.0.2.0/24",
                "ip -6 route add blackhole 2001:db8:1::/64",
                "ip rule add to 192.0.2.0/24 lookup 100",
                "ip -6 rule add to 2001:db8::/64 lookup 100",
                "ip link set lo down",
            ] {
                shell(change);
                let limit = rustix::time::Timespec { tv_sec: 20, tv_nsec: 0 };
                poll(&mut [PollFd::new(&changes, PollFlags::IN)], Some(&limit)).unwrap();
                assert!(changes.receive().unwrap(), "{change}");
            }
        });
    }

    #[test]
    fn dropped_messages_are_a_change() {
        in_namespace("netlink::changes::tests::dropped_messages_are_a_change", "", || {
            let changes = Changes::subscribe().unwrap();
            shell("seq 1000 5095 | sed 's|.*|route add blackhole 10.0.0.0/24 table &|' | ip -batch -");
            assert_eq!(recv(&changes.0, &mut [0; 16][..], RecvFlags::TRUNC).unwrap_err(), Errno::NOBUFS);
            assert!(changes.receive().unwrap());
            while changes.receive().unwrap() {}
            shell("ip link set lo down");
            assert!(changes.receive().unwrap(), "the socket still works");
        });
    }
}
