//! Asks the kernel over netlink about addresses and sockets of this host.
//!
//! * [`route::look_up`]: whether the kernel delivers an address locally (`RTM_GETROUTE`, like `ip route get`).
//! * [`route::way`], [`route::drops_arrival`] and [`link`]: by which interface answers leave, and whether the kernel takes in
//!   what arrives (like `ip route get … from … iif …` and `ip link`).
//! * [`sockets::listener`]: whether a socket receives packets for an address and port (`sock_diag`, like `ss`).
//! * [`queues::Reader`]: the sockets of a port with what waits in them, also from `/proc/self/net` where netlink is not
//!   permitted.
//! * [`snmp::counted`]: how much was read, from `/proc/self/net/snmp`.
//! * [`changes::Changes`]: changes of links, addresses, routes and rules (like `ip monitor`).
//!
//! The kernel answers within the system call, so no call waits: a look-up takes microseconds, and a missing answer is
//! an error at once. Each answer is limited in size and in number of messages. An [`io::Error`](std::io::Error) says
//! nothing about the addresses and sockets.

pub(crate) mod changes;
mod connection;
#[cfg(test)]
pub(crate) mod filtered;
pub(crate) mod link;
mod message;
#[cfg(test)]
pub(crate) mod namespace;
pub(crate) mod proc_net;
pub(crate) mod queues;
pub(crate) mod route;
pub(crate) mod snmp;
pub(crate) mod sockets;
