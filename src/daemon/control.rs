//! The helper's side of the control sockets, and its questions to the loop.
//!
//! Each connection is a task with a deadline and holds a [place](places) of its user. The loop gets only complete,
//! valid requests, each with a channel for the reply.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use self::earlier::{Earlier, await_free};
use self::places::{Spare, serve};
pub(crate) use self::requests::Caller;
use self::requests::{ConfigReader, serve_client};
use self::socket::Socket;
use super::document::Subject;
use crate::config::Config;
use crate::control::{Request, control_socket, status_socket};
use crate::status::Document;
use crate::sys::lock;
use crate::sys::trusted_path::make_for_root;
use crate::text::json;

mod earlier;
mod places;
mod requests;
mod socket;

/// Capacity of the queue of questions to the loop.
const QUESTIONS: usize = 4;

/// A status document is reused for this many times as long as it took to write.
const REUSE: u32 = 20;

/// If the state keeps changing, the next document is written after this many times as long as the last one took:
/// clients that never stop asking get at most a fifth of the loop's time.
const PAUSE: u32 = 4;

/// ExaBGP passes on a umask under which the directory and the sockets would be inaccessible, so modes are set
/// explicitly.
const DIRECTORY_MODE: u32 = 0o755;
const STATUS_MODE: u32 = 0o666;
const CONTROL_MODE: u32 = 0o660;

/// A question to the loop.
#[derive(Debug)]
pub(crate) enum ControlEvent {
    Status(oneshot::Sender<Arc<[u8]>>),
    /// The status document for the clients that wait for the next one.
    DocumentDue,
    /// A request for services.
    Request(Request, Caller),
    /// [`Request::Reload`], with the configuration that was read for it and is valid.
    Reload(Box<Config>, Caller),
    /// [`Request::Reload`] of a configuration that has errors or cannot be read. The client has its reply.
    ReloadRefused(String),
}

/// The open sockets.
#[derive(Debug)]
pub(crate) struct Control {
    asked: mpsc::Receiver<ControlEvent>,
    sockets: Arc<Mutex<Vec<Socket>>>,
    tasks: JoinSet<()>,
    written: Option<(Instant, Duration, Arc<[u8]>)>,
    /// Why the state is not on the disk, if it is not.
    unwritten: Option<String>,
    /// The clients that wait for a document.
    waiting: Vec<oneshot::Sender<Arc<[u8]>>>,
    /// When the next document may be written.
    document_due: Instant,
}

impl Control {
    /// Opens the sockets in this directory, and creates the directory if needed. They replace those of an earlier
    /// helper.
    ///
    /// # Errors
    /// A sentence with the obstacle. Then clients cannot connect; the helper runs without sockets.
    pub(crate) fn open(directory: &Path, subject: &Subject) -> Result<Self, String> {
        make_for_root(directory, DIRECTORY_MODE)
            .map_err(|error| format!("cannot use the directory {}: {error}", directory.display()))?;
        if is_writable_for_others(directory) {
            log::warn!(
                "every user may write to the directory {}, and so answer `dnsherald status` and `dnsherald drain` in \
                 place of this helper: remove that permission with `chmod o-w`",
                directory.display()
            );
        }
        let earlier = Earlier::at(&status_socket(directory));
        let bound = Bound::new(directory)?;
        let sockets = Arc::new(Mutex::new(bound.sockets()));
        let (events, asked) = mpsc::channel(QUESTIONS);
        let mut tasks = JoinSet::new();
        if let Some(earlier) = earlier {
            let directory = directory.to_owned();
            tasks.spawn(async move { earlier.report_takeover(&directory).await });
        }
        let reader = ConfigReader::new(subject);
        tasks.spawn(keep(directory.to_owned(), bound, events, reader, Arc::clone(&sockets)));
        Ok(Self {
            asked,
            sockets,
            tasks,
            written: None,
            unwritten: None,
            waiting: vec![],
            document_due: Instant::now(),
        })
    }

    /// The next question to the loop. Waits for ever without sockets.
    pub(crate) async fn next(&mut self) -> ControlEvent {
        tokio::select! {
            Some(asked) = self.asked.recv() => asked,
            () = sleep_until(self.document_due), if !self.waiting.is_empty() => ControlEvent::DocumentDue,
            else => std::future::pending().await,
        }
    }

    /// A client requests the status document and gets it with the next [`Control::send_document`] that can write one.
    pub(crate) fn request_document(&mut self, answer: oneshot::Sender<Arc<[u8]>>) {
        self.waiting.push(answer);
    }

    /// Why the state is not on the disk, if it is not, for the next document.
    pub(crate) fn set_unwritten(&mut self, why: Option<String>) {
        if self.unwritten != why {
            self.unwritten = why;
            self.forget_document();
        }
    }

    /// Sends the document to all waiting clients, unless it is too early for another one.
    pub(crate) fn send_document(&mut self, document: impl FnOnce() -> Document) {
        let text = match self.recent() {
            Some(text) => text,
            None if Instant::now() < self.document_due => return,
            None => self.write(document),
        };
        for answer in self.waiting.drain(..) {
            // The client may have disconnected; that changes nothing.
            let _ = answer.send(Arc::clone(&text));
        }
    }

    /// The last document, if nothing has changed since and it is not too old.
    fn recent(&self) -> Option<Arc<[u8]>> {
        let (at, took, text) = self.written.as_ref()?;
        (at.elapsed() < *took * REUSE).then(|| Arc::clone(text))
    }

    /// Writes the document as JSON.
    fn write(&mut self, document: impl FnOnce() -> Document) -> Arc<[u8]> {
        let began = Instant::now();
        let text = json(serde_json::to_string(&document()).unwrap_or_default()) + "\n";
        let (text, took): (Arc<[u8]>, _) = (text.into_bytes().into(), began.elapsed());
        self.written = Some((Instant::now(), took, Arc::clone(&text)));
        self.document_due = Instant::now() + took * PAUSE;
        text
    }

    /// The state has changed, so that the next status document must be a new one.
    pub(crate) fn forget_document(&mut self) {
        self.written = None;
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.tasks.abort_all();
        lock(&self.sockets).iter().for_each(Socket::remove);
    }
}

/// The two sockets at their paths, each with its listener and the descriptor that is kept for its clients.
struct Bound {
    status: (Socket, UnixListener, Spare),
    control: (Socket, UnixListener, Spare),
}

impl Bound {
    fn new(directory: &Path) -> Result<Self, String> {
        let bind = |path: &Path, mode| {
            Socket::bind(path, mode).map(|(socket, listener)| (socket, listener, Spare::new()))
        };
        Ok(Self {
            status: bind(&status_socket(directory), STATUS_MODE)?,
            control: bind(&control_socket(directory), CONTROL_MODE)?,
        })
    }

    fn sockets(&self) -> Vec<Socket> {
        vec![self.status.0.clone(), self.control.0.clone()]
    }
}

/// Serves clients, and takes the sockets back once a later helper that had taken them over has ended.
async fn keep(
    directory: PathBuf,
    mut bound: Bound,
    events: mpsc::Sender<ControlEvent>,
    reader: ConfigReader,
    sockets: Arc<Mutex<Vec<Socket>>>,
) {
    loop {
        let Bound { status: (socket, status, first), control: (_, control, second) } = bound;
        let mut serving = JoinSet::new();
        let questions = events.clone();
        serving.spawn(serve(status, first, move |stream| show(stream, questions.clone())));
        let (questions, reader) = (events.clone(), reader.clone());
        serving.spawn(serve(control, second, move |stream| {
            serve_client(stream, questions.clone(), reader.clone())
        }));
        bound = loop {
            await_free(&socket).await;
            let place = directory.clone();
            // Without the directory there is nothing to take back until it is there again.
            if let Ok(Ok(bound)) = spawn_blocking(move || Bound::new(&place)).await {
                break bound;
            }
        };
        *lock(&sockets) = bound.sockets();
        log::info!("takes the sockets in {} back: no helper listens there any more", directory.display());
    }
}

/// Whether every user may replace our sockets: the directory is writable for others and not sticky.
fn is_writable_for_others(directory: &Path) -> bool {
    fs::metadata(directory).is_ok_and(|found| found.mode() & 0o1002 == 0o002)
}

async fn show(mut stream: UnixStream, events: mpsc::Sender<ControlEvent>) -> io::Result<()> {
    let (answer, answered) = oneshot::channel();
    events.send(ControlEvent::Status(answer)).await.map_err(io::Error::other)?;
    stream.write_all(&answered.await.map_err(io::Error::other)?).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::config::Config;
    use crate::engine::Engine;
    use crate::engine::api_session::Parent;
    use crate::engine::memory::Memory;
    use crate::engine::moment::Moment;
    use crate::status::time::Clock;

    #[tokio::test]
    async fn a_client_that_never_stops_gets_a_share_of_the_time() {
        let directory = std::env::temp_dir().join(format!("dnsherald-share-{}", std::process::id()));
        let prefixes: Vec<_> =
            (0..2_000).map(|nth| format!("198.18.{}.{}/32", nth / 256, nth % 256)).collect();
        let text = format!(
            "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"a\"\nprefixes = {prefixes:?}\n"
        );
        let config = Config::parse(Path::new("test.toml"), &text, "host").unwrap();
        let engine = Engine::new(&config.plan(), Parent::Terminal, Memory::default(), Duration::ZERO);
        let subject = Subject::new("test.toml".into(), "a".into(), None, &config);
        let mut control = Control::open(&directory, &subject).unwrap();
        let clock = Clock::new(Moment::START, SystemTime::now());
        let document = || Document::from_engine(&engine, &clock, "a", Path::new("test.toml"));
        let mut answers = vec![];
        for _ in 0..100 {
            let (answer, answered) = oneshot::channel();
            control.forget_document();
            control.request_document(answer);
            control.send_document(document);
            answers.push(answered);
        }
        let at_once = answers.iter_mut().map(|answer| answer.try_recv().is_ok()).filter(|is| *is).count();
        assert!((1..=20).contains(&at_once), "{at_once}: the others wait for their turn");
        assert!(matches!(control.next().await, ControlEvent::DocumentDue));
        control.send_document(document);
        assert!(answers[99].try_recv().is_ok());
        drop(control);
        fs::remove_dir_all(directory).unwrap();
    }
}
