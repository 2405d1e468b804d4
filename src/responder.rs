//! A scripted DNS server on loopback, for demonstrations and tests.
//!
//! A [`Responder`] listens on one port over UDP and TCP and answers every name with the same records, until a test sets
//! a [`Fault`]. Each transport has a task (`serve`) that opens and closes its socket as the fault demands and sends the
//! messages that the script (`script`) builds for each query. The responder stores every query it receives and never
//! forgets one, so it suits short runs only.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::Message;
#[cfg(test)]
use hickory_resolver::proto::rr::RData;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::script::Script;
use crate::probe::dns::Transport;
use crate::sys::lock;

mod script;
mod serve;

pub use self::script::Fault;

/// A query that the responder received.
#[derive(Clone, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "unit tests read each field"))]
pub(crate) struct Received {
    /// The transport that carried it.
    pub(crate) transport: Transport,
    /// The client's address and port.
    pub(crate) from: SocketAddr,
    /// The decoded message, with its ID.
    pub(crate) query: Message,
}

/// A running server. Dropping it closes its sockets.
#[derive(Debug)]
pub struct Responder {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Responder {
    /// Listens at `ip` on a port that is free for UDP and TCP. Must run on a tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns the socket error if the address is not on this host or no port is free.
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

    /// The address and port to send queries to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the fault, and returns once the sockets are open or closed as the fault demands.
    pub async fn set(&self, fault: Fault) {
        let wanted = [Transport::Udp, Transport::Tcp].map(|transport| fault.leaves_open(transport));
        self.shared.script.send_modify(|script| script.fault = fault);
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.shared.open.subscribe().wait_for(|open| *open == wanted).await;
    }

    #[cfg(test)]
    /// Replaces all records. Every name has the records of the queried type.
    pub(crate) fn answer_with(&self, answers: Vec<RData>) {
        self.shared.script.send_modify(|script| script.answers = answers);
    }

    #[cfg(test)]
    /// Sets the NSID of the server (RFC 5001).
    pub(crate) fn identify_as(&self, nsid: impl Into<String>) {
        self.shared.script.send_modify(|script| script.nsid = Some(nsid.into()));
    }

    #[cfg(test)]
    /// All queries received so far, in order of arrival.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.with_received(|received| received.clone())
    }

    /// The number of queries received over `transport`.
    #[must_use]
    pub fn count(&self, transport: Transport) -> usize {
        self.shared
            .with_received(|received| received.iter().filter(|query| query.transport == transport).count())
    }
}

/// State that the tasks and the owner of a responder share.
#[derive(Debug)]
struct Shared {
    script: watch::Sender<Script>,
    /// Whether the UDP and the TCP socket are open.
    open: watch::Sender<[bool; 2]>,
    received: Mutex<Vec<Received>>,
}

impl Shared {
    fn with_received<T>(&self, look: impl FnOnce(&mut Vec<Received>) -> T) -> T {
        look(&mut lock(&self.received))
    }

    /// Stores the query and builds the messages that answer it. Builds none if the octets are not a DNS message.
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
