//! The scripted DNS server in its own thread, for tests that start programs.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use dnsherald::responder::{Fault, Responder};
use tokio::sync::oneshot;

/// A DNS server on loopback with a fault, stopped when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn with(fault: Fault) -> Self {
        let (bound, address) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let serve = async move {
            let responder = Responder::bind("127.0.0.1".parse().unwrap()).await.unwrap();
            responder.set(fault).await;
            bound.send(responder.address()).unwrap();
            let _ = stopped.await;
        };
        let thread = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(serve);
        });
        Self { address: address.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
