//! A DNS server that does as it is told: for demonstrations and tests, on loopback, with faults on demand.
//!
//! A [`Responder`] answers over UDP and TCP on one port, every name with the same few records, until a [`Fault`] is
//! set. Each transport has a task (`serve`) that keeps its socket open while the fault leaves it open, and sends for
//! every query the messages that the script (`script`) makes of it. What was asked is kept, all of it: this is no
//! server to run for long.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::Message;
#[cfg(test)]
use hickory_resolver::proto::rr::RData;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::script::Script;
use crate::handoff::lock;
use crate::probe::dns::Transport;

mod script;
mod serve;

pub use self::script::Fault;

/// A query as it arrived.
#[derive(Clone, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "unit tests read each field"))]
pub(crate) struct Received {
    /// Over what.
    pub(crate) transport: Transport,
    /// From which address and port.
    pub(crate) from: SocketAddr,
    /// What was asked, and under which ID.
    pub(crate) query: Message,
}

/// A running server. It ends when it is dropped.
#[derive(Debug)]
pub struct Responder {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Responder {
    /// Serves `ip` on a port that is free for both transports. To be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// Those of the sockets: the address is not on this host, or there is no port left.
    pub async fn bind(ip: IpAddr) -> io::Result<Self> {
        let (address, sockets) = serve::open_both(ip).await?;
        let shared = Arc::new(Shared {
            script: watch::Sender::new(Script::default()),
            open: watch::Sender::new([true; 2]),
            received: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for socket in sockets {
            tasks.spawn(serve::serve(socket, address, shared.clone()));
        }
        Ok(Self { address, shared, _tasks: tasks })
    }

    /// Where it is to be asked.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks or mends the server, and returns when its sockets are closed or open as the fault has it.
    pub async fn set(&self, fault: Fault) {
        let wanted = [Transport::Udp, Transport::Tcp].map(|transport| fault.leaves_open(transport));
        self.shared.script.send_modify(|script| script.fault = fault);
        // An error would mean that the sender is gone, and it is in `self`.
        let _ = self.shared.open.subscribe().wait_for(|open| *open == wanted).await;
    }

    #[cfg(test)]
    /// Replaces all records. Every name has those of the type it is asked for.
    pub(crate) fn answer_with(&self, answers: Vec<RData>) {
        self.shared.script.send_modify(|script| script.answers = answers);
    }

    #[cfg(test)]
    /// Gives the server an identifier (RFC 5001).
    pub(crate) fn identify_as(&self, nsid: impl Into<String>) {
        self.shared.script.send_modify(|script| script.nsid = Some(nsid.into()));
    }

    #[cfg(test)]
    /// Every query so far, in the order of arrival.
    #[must_use]
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.with_received(|received| received.clone())
    }

    /// How many queries have come over `transport`.
    #[must_use]
    pub fn count(&self, transport: Transport) -> usize {
        self.shared
            .with_received(|received| received.iter().filter(|query| query.transport == transport).count())
    }
}

/// What the tasks of a responder and its owner both see.
#[derive(Debug)]
struct Shared {
    script: watch::Sender<Script>,
    /// Whether the sockets of UDP and TCP are open.
    open: watch::Sender<[bool; 2]>,
    received: Mutex<Vec<Received>>,
}

impl Shared {
    fn with_received<T>(&self, look: impl FnOnce(&mut Vec<Received>) -> T) -> T {
        look(&mut lock(&self.received))
    }

    /// Keeps the query and makes up the messages that answer it, none if it is no query.
    fn receive(&self, transport: Transport, from: SocketAddr, octets: &[u8]) -> (Fault, Vec<Vec<u8>>) {
        let script = self.script.borrow();
        let Ok(query) = Message::from_vec(octets) else {
            return (script.fault.clone(), Vec::new());
        };
        let messages = self.with_received(|received| {
            received.push(Received { transport, from, query: query.clone() });
            script.messages(&query, transport, received.len())
        });
        (script.fault.clone(), messages)
    }
}
