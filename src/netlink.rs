//! What the kernel knows about the addresses and sockets of this host, asked over netlink.
//!
//! * [`route::look_up`]: whether this host delivers to an address itself (`RTM_GETROUTE`, as `ip route get`).
//! * [`sockets::listener`]: whether a socket takes what arrives at an address and port (`sock_diag`, as `ss`).
//! * [`changes::Changes`]: links, addresses, routes and rules, as they change (as `ip monitor`).
//!
//! The kernel answers within the system call that asks or reads, so no call waits: a look-up takes microseconds, and
//! a missing answer is an error at once. Each answer is bounded in memory and in number of messages. An answer that
//! cannot be had is an [`io::Error`](std::io::Error): it says nothing about the host.

pub(crate) mod changes;
mod message;
#[cfg(test)]
pub(crate) mod namespace;
pub(crate) mod route;
pub(crate) mod sockets;
mod talk;
