//! Links, addresses, routes and rules, as they change.
//!
//! What changed is not read: whoever waits looks everything up again, for the kernel drops messages where they come
//! too fast, and only a look-up says what is true now.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

/// `RTMGRP_LINK`, then `IPV4_IFADDR`, `IPV4_ROUTE`, `IPV4_RULE`, `IPV6_IFADDR`, `IPV6_ROUTE` and `IPV6_RULE`
/// (`linux/rtnetlink.h`: group n is bit n - 1).
const GROUPS: u32 = 1 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 18;

/// So many messages are discarded at once: a router that loads its table has hundreds of thousands.
const AT_ONCE: usize = 256;

/// A socket that hears of every change, and is readable from then on until the change is [taken](Self::take).
#[derive(Debug)]
pub(crate) struct Changes(OwnedFd);

impl Changes {
    /// Hears of every change from now on.
    ///
    /// # Errors
    /// When netlink is not permitted, or no descriptor is left.
    pub(crate) fn subscribe() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self(socket))
    }

    /// Whether anything has changed since the last time, without waiting. Messages that the kernel dropped (`ENOBUFS`)
    /// are a change, too. Takes a bounded number of messages; if there are more, the socket stays readable.
    ///
    /// # Errors
    /// When the socket is of no further use.
    pub(crate) fn take(&self) -> io::Result<bool> {
        let mut changed = false;
        let mut start = [0; 16];
        for _ in 0..AT_ONCE {
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
    fn every_kind_of_change_is_heard() {
        let name = "netlink::changes::tests::every_kind_of_change_is_heard";
        in_namespace(name, "", || {
            let changes = Changes::subscribe().unwrap();
            assert!(!changes.take().unwrap());
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
                assert!(changes.take().unwrap(), "{change}");
            }
        });
    }

    #[test]
    fn what_was_dropped_is_a_change() {
        in_namespace("netlink::changes::tests::what_was_dropped_is_a_change", "", || {
            let changes = Changes::subscribe().unwrap();
            shell("seq 1000 5095 | sed 's|.*|route add blackhole 10.0.0.0/24 table &|' | ip -batch -");
            assert_eq!(recv(&changes.0, &mut [0; 16][..], RecvFlags::TRUNC).unwrap_err(), Errno::NOBUFS);
            assert!(changes.take().unwrap());
            while changes.take().unwrap() {}
            shell("ip link set lo down");
            assert!(changes.take().unwrap(), "it goes on");
        });
    }
}
