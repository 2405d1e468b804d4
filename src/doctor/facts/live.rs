//! Facts about what runs now: the helper, the routes of the kernel, the processes behind sockets.

use std::net::SocketAddr;

use crate::netlink::sockets::Protocol;
use crate::outcome::Outcome;
use crate::status::Document;

/// The helper of the configuration.
#[derive(Debug)]
pub(crate) enum HelperFact {
    /// It has answered with its status.
    Answers(Box<Document>),
    /// None answers at its sockets, for this reason.
    Silent(String),
}

/// Whether a service can answer its clients.
#[derive(Debug)]
pub(crate) struct WayFact {
    pub(crate) service: String,
    /// The check that asks the same all the time, if there is one.
    pub(crate) check: Option<String>,
    /// Whether its failures count only once it has been up: clients may be in networks with routes of their own.
    pub(crate) once_up: bool,
    pub(crate) outcome: Outcome,
}

/// The processes with sockets at one address and port.
#[derive(Clone, Debug)]
pub(crate) struct SharedFact {
    pub(crate) at: SocketAddr,
    pub(crate) protocol: Protocol,
    /// Those that this user can see.
    pub(crate) holders: Vec<HolderFact>,
    /// The sockets whose process this user cannot see.
    pub(crate) unseen: usize,
}

/// A process that holds sockets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct HolderFact {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    /// The name of its program.
    pub(crate) name: String,
    /// The unit that it belongs to, unless this process does, too.
    pub(crate) unit: Option<String>,
    /// Its sockets.
    pub(crate) inodes: Vec<u64>,
}
