//! Serves the metrics over HTTP: `GET /metrics`, and nothing else.
//!
//! A thread of its own serves at most [`CLIENTS`] connections at a time, at most [`EACH`] of one address, each for
//! [`LIMIT`] at most. It asks the loop for a document at most once in [`FRESH`], however many clients there are.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use self::http::{Asked, LONGEST_HEAD, is_whole, refusal, response};
use super::exposition;
use crate::status::Document;
use crate::sys::places::{Held, Places};

mod http;

/// Connections at a time. A further one is closed at once.
const CLIENTS: usize = 16;

/// Connections of one address, so that a client that floods does not shut out the others.
const EACH: usize = 4;

/// How long a client is served, from its connection to the last octet of the answer.
const LIMIT: Duration = Duration::from_secs(5);

/// How long the server waits for a client to close. A connection that is closed with unread data is reset, and the client
/// may lose the answer.
const CLOSING: Duration = Duration::from_millis(200);

/// How long metrics are served again without a question to the loop.
const FRESH: Duration = Duration::from_secs(1);

/// How long the loop may take to answer.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(2);

/// Between two attempts to listen.
const RETRY: Duration = Duration::from_secs(1);

/// Before the second attempt. At a reload the predecessor may still close, so the first failure is not logged.
const SOON: Duration = Duration::from_millis(100);

/// Who wants a document of the loop.
pub(crate) type Wish = oneshot::Sender<Document>;

/// Serves until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    /// Dropped to end the thread.
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// Starts the thread that listens at this address. An address that cannot be used is logged once and tried again.
    pub(crate) fn start(address: SocketAddr, wishes: mpsc::Sender<Wish>) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let work = move || {
            let served = async {
                tokio::select! {
                    () = async { serve(&listen(address).await, wishes).await } => {}
                    _ = stopped => {}
                }
            };
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(served),
                Err(error) => log::warn!("cannot serve metrics at {address}: {error}; all else goes on"),
            }
        };
        if let Err(error) = thread::Builder::new().name("metrics".into()).spawn(work) {
            log::warn!("cannot start the thread that serves metrics at {address}: {error}; all else goes on");
        }
        Self { _stop: stop }
    }
}

/// Listens as soon as the address is on this host and free.
async fn listen(address: SocketAddr) -> TcpListener {
    for attempt in 0_u64.. {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                log::info!("metrics are served at http://{address}/metrics");
                return listener;
            }
            Err(error) if attempt == 1 => log::warn!(
                "cannot serve metrics at {address}: {error}; tried again every second, all else goes on"
            ),
            Err(_) => {}
        }
        sleep(if attempt == 0 { SOON } else { RETRY }).await;
    }
    std::future::pending().await
}

/// Accepts connections without end.
async fn serve(listener: &TcpListener, wishes: mpsc::Sender<Wish>) {
    let (page, places) = (Arc::new(AsyncMutex::new(Page { wishes, text: None })), Places::<IpAddr>::new());
    loop {
        let Ok((stream, client)) = listener.accept().await else {
            // There is probably no descriptor left.
            sleep(RETRY).await;
            continue;
        };
        let client = client.ip();
        let Some(place) = places.take(client, |held| has_place(held, client)) else {
            drop(stream);
            tokio::task::yield_now().await;
            continue;
        };
        let page = Arc::clone(&page);
        tokio::spawn(async move {
            // A client that is slow or gone affects only itself.
            drop(timeout(LIMIT, attend(stream, &page)).await);
            drop(place);
        });
    }
}

/// Whether there is a place for this client.
fn has_place(held: &Held<IpAddr>, client: IpAddr) -> bool {
    held.get(&client).is_none_or(|own| *own < EACH) && held.values().sum::<usize>() < CLIENTS
}

/// The metrics that were served last.
#[derive(Debug)]
struct Page {
    wishes: mpsc::Sender<Wish>,
    text: Option<(Instant, Arc<str>)>,
}

impl Page {
    /// `None` if the loop does not answer.
    async fn text(&mut self) -> Option<Arc<str>> {
        if let Some((at, text)) = &self.text
            && at.elapsed() < FRESH
        {
            return Some(Arc::clone(text));
        }
        let (wish, granted) = oneshot::channel();
        let asked = async {
            self.wishes.send(wish).await.ok()?;
            granted.await.ok()
        };
        let text: Arc<str> = exposition(timeout(SCRAPE_TIMEOUT, asked).await.ok()??).into();
        self.text = Some((Instant::now(), Arc::clone(&text)));
        Some(text)
    }
}

async fn attend(mut stream: TcpStream, page: &AsyncMutex<Page>) -> io::Result<()> {
    let answer = match Asked::from_head(&head(&mut stream).await?) {
        Asked::Metrics { with_body } => match page.lock().await.text().await {
            Some(text) => response("200 OK", CONTENT_TYPE, &text, with_body),
            None => refusal("503 Service Unavailable"),
        },
        Asked::Other(status) => refusal(status),
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let mut unread = [0; 1024];
    let closed = async { while stream.read(&mut unread).await.is_ok_and(|count| count > 0) {} };
    drop(timeout(CLOSING, closed).await);
    Ok(())
}

/// Reads up to the end of the head, at most a little more than a head may have.
async fn head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut head, mut piece) = (vec![], [0; 1024]);
    while !is_whole(&head) && head.len() <= LONGEST_HEAD {
        match stream.read(&mut piece).await? {
            0 => break,
            count => head.extend_from_slice(&piece[..count]),
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests;
