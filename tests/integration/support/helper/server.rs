//! The scripted DNS server, on a thread of its own, so that tests need no runtime.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use dnsherald::probe::dns::Transport;
use dnsherald::responder::{Fault, Responder};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::eventually;

/// A DNS server on loopback; it answers until a test breaks it, and ends when dropped.
pub(crate) struct Server {
    responder: Arc<Responder>,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let (started, starting) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let responder = Arc::new(Responder::bind(Ipv4Addr::LOCALHOST.into()).await.unwrap());
                started.send((responder, Handle::current())).unwrap();
                let _ = stopped.await;
            });
        });
        let (responder, runtime) = starting.recv().unwrap();
        Self { responder, runtime, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.responder.address()
    }

    /// From now on it is like this.
    pub(crate) fn becomes(&self, fault: Fault) {
        self.runtime.block_on(self.responder.set(fault));
    }

    /// How often it has been asked.
    pub(crate) fn queries(&self) -> usize {
        self.responder.count(Transport::Udp)
    }

    /// It goes on being asked, so many times more.
    #[track_caller]
    pub(crate) fn is_asked_again(&self, times: usize) {
        let before = self.queries();
        assert!(eventually(|| self.queries() >= before + times), "no probe arrives any more");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
