//! The sockets of a responder. Each query is answered in a task of its own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Fault, Shared};
use crate::probe::dns::Transport;

/// The pause between two octets that [`Fault::Drip`] sends.
const DRIP: Duration = Duration::from_millis(100);

/// The pause between two attempts to reopen a port.
const REOPEN_PAUSE: Duration = Duration::from_millis(10);

/// How often `open_both` tries to find a port that is free for both transports.
const ATTEMPTS: usize = 20;

/// An open socket. Tasks that answer late share the UDP socket.
pub(super) enum Socket {
    Udp(Arc<UdpSocket>),
    Tcp(TcpListener),
}

impl Socket {
    async fn open(transport: Transport, address: SocketAddr) -> io::Result<Self> {
        match transport {
            Transport::Udp => Ok(Self::Udp(Arc::new(UdpSocket::bind(address).await?))),
            _ => Ok(Self::Tcp(TcpListener::bind(address).await?)),
        }
    }

    const fn transport(&self) -> Transport {
        match self {
            Self::Udp(_) => Transport::Udp,
            Self::Tcp(_) => Transport::Tcp,
        }
    }

    /// Receives queries until the socket fails. Each query runs as a task in `exchanges`.
    async fn answer(&self, shared: &Arc<Shared>, exchanges: &mut JoinSet<io::Result<()>>) -> io::Result<()> {
        let mut datagram = vec![0; 65_535];
        loop {
            match self {
                Self::Udp(socket) => {
                    let (length, from) = socket.recv_from(&mut datagram).await?;
                    let (fault, messages) = shared.receive(Transport::Udp, from, &datagram[..length]);
                    exchanges.spawn(send(socket.clone(), from, fault, messages));
                }
                Self::Tcp(listener) => {
                    let (stream, from) = listener.accept().await?;
                    exchanges.spawn(converse(stream, from, shared.clone()));
                }
            }
            while exchanges.try_join_next().is_some() {}
        }
    }
}

/// Opens a UDP and a TCP socket on one port.
pub(super) async fn open_both(ip: IpAddr) -> io::Result<(SocketAddr, [Socket; 2])> {
    let mut attempt = 0;
    loop {
        let listener = TcpListener::bind((ip, 0)).await?;
        let address = listener.local_addr()?;
        match Socket::open(Transport::Udp, address).await {
            Ok(udp) => return Ok((address, [udp, Socket::Tcp(listener)])),
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Serves one transport for ever. Closes the socket and all its exchanges while the fault demands it.
pub(super) async fn serve(mut socket: Socket, address: SocketAddr, shared: Arc<Shared>) {
    let transport = socket.transport();
    let note = |is_open| {
        shared.open.send_modify(|open| open[transport as usize] = is_open);
    };
    let mut script = shared.script.subscribe();
    loop {
        let mut exchanges = JoinSet::new();
        tokio::select! {
            _ = socket.answer(&shared, &mut exchanges) => {}
            _ = script.wait_for(|script| !script.fault.leaves_open(transport)) => {}
        }
        exchanges.shutdown().await;
        drop(socket);
        note(false);
        let _ = script.wait_for(|script| script.fault.leaves_open(transport)).await;
        socket = loop {
            match Socket::open(transport, address).await {
                Ok(socket) => break socket,
                Err(_) => sleep(REOPEN_PAUSE).await,
            }
        };
        note(true);
    }
}

async fn send(
    socket: Arc<UdpSocket>,
    to: SocketAddr,
    fault: Fault,
    messages: Vec<Vec<u8>>,
) -> io::Result<()> {
    if let Some(delay) = fault.delay() {
        sleep(delay).await;
    }
    for message in messages {
        socket.send_to(&message, to).await?;
    }
    Ok(())
}

/// Answers all queries of one connection.
async fn converse(mut stream: TcpStream, from: SocketAddr, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let mut query = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut query).await?;
        let (fault, messages) = shared.receive(Transport::Tcp, from, &query);
        if fault == Fault::HangUp {
            return Ok(());
        }
        if let Some(delay) = fault.delay() {
            sleep(delay).await;
        }
        for message in messages {
            // No script builds a message longer than 65,535 octets.
            let framed = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
            let pieces = if fault == Fault::Drip { 1 } else { framed.len() };
            for piece in framed.chunks(pieces) {
                stream.write_all(piece).await?;
                if fault == Fault::Drip {
                    sleep(DRIP).await;
                }
            }
        }
    }
}
