//! The client of the control sockets. A command sends one request, waits for the reply up to a deadline, and reports
//! why none arrives.

use std::io::{self, ErrorKind, Write};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::{timeout, timeout_at};

use super::{CLIENT_TIMEOUT, CONVERSATION, Envelope, Expiry, Reply, Request, control_socket, status_socket};
use crate::status::Document;
use crate::text::period::Period;
use crate::text::{self, foreign, parse_json, sentences};

/// Maximum length of a status document, in bytes.
const LONGEST_DOCUMENT: u64 = 16 << 20;

/// Maximum length of a reply to a request, in bytes.
const LONGEST_REPLY: u64 = 16 << 20;

/// The helper may be absent for this time: ExaBGP starts another one within a second, which restores the drains.
pub(crate) const ABSENT: Duration = Duration::from_secs(3);

/// The interval of attempts to find a helper.
const PAUSE: Duration = Duration::from_millis(20);

/// Why a request was not carried out.
#[derive(Debug)]
pub enum AskError {
    /// No helper listens, or none answered.
    Absent(anyhow::Error),
    /// The helper refused. Not retried here, although some refusals are temporary; the text says which.
    Refused(String),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(error) => write!(f, "{error:#}"),
            Self::Refused(why) => f.write_str(&sentences(why)),
        }
    }
}

impl std::error::Error for AskError {}

/// The sockets of one helper.
#[derive(Clone, Debug)]
pub struct Client {
    directory: PathBuf,
}

impl Client {
    /// The helper whose sockets are in this directory.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Whether a helper listens here, or may: it may be busy, or its sockets not accessible to this user. Do not call
    /// it on a runtime.
    pub(crate) fn is_there(&self) -> bool {
        let connected = async { timeout(CLIENT_TIMEOUT, connected(&status_socket(&self.directory))).await };
        match block_on(connected) {
            Ok(Ok(Ok(Err(error)))) => {
                !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
            }
            _ => true,
        }
    }

    /// The status document of the helper. Do not call it on a runtime, where [`Client::look`] does the same.
    ///
    /// # Errors
    /// If no helper answers in time, or the answer is not valid.
    pub fn status(&self) -> anyhow::Result<Document> {
        block_on(self.look())?
    }

    /// The same as [`Client::request`]. Do not call it on a runtime.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub fn ask(&self, request: &Request) -> Result<Vec<String>, AskError> {
        block_on(self.request(request)).map_err(AskError::Absent)?
    }

    /// Sends a request, and returns what the helper has done: for most requests the names of the services concerned
    /// ([`Reply::Done`]).
    ///
    /// # Errors
    /// If no helper answers in time, or the helper refuses. In both cases nothing is changed, then or later, unless the
    /// reply was lost.
    pub(crate) async fn request(&self, request: &Request) -> Result<Vec<String>, AskError> {
        match self.exchange(request).await.map_err(AskError::Absent)? {
            Reply::Done(services) => Ok(services),
            Reply::Unsaved(services) => {
                let _ = writeln!(
                    text::stderr(),
                    "dnsherald: note: done, but the state is not on disk yet: a helper that starts now would not know of it. \
                     The helper keeps trying; `dnsherald status` shows the error"
                );
                Ok(services)
            }
            Reply::Refused(why) => Err(AskError::Refused(why)),
        }
    }

    /// Whether there is a socket: of a running helper, or of one that was killed and may be replaced.
    pub(crate) fn has_a_socket(&self) -> bool {
        control_socket(&self.directory).exists()
    }

    /// As [`Client::request`], but waits for the next helper if ExaBGP is replacing this one.
    ///
    /// # Errors
    /// If no helper has answered for [`ABSENT`], or the helper refuses.
    pub(crate) async fn ask_until_answered(&self, request: &Request) -> Result<Vec<String>, AskError> {
        let began = Instant::now();
        loop {
            match self.request(request).await {
                Err(AskError::Absent(_)) if began.elapsed() < ABSENT => tokio::time::sleep(PAUSE).await,
                outcome => return outcome,
            }
        }
    }

    /// The status document of the helper.
    ///
    /// # Errors
    /// If no helper answers in time, or the answer is not valid.
    pub(crate) async fn look(&self) -> anyhow::Result<Document> {
        let socket = status_socket(&self.directory);
        let text = converse(&socket, "", LONGEST_DOCUMENT).await?;
        parse_json(&text).map_err(|error| cited(&error)).with_context(|| {
            format!("cannot parse the status from {}: is the helper another version?", socket.display())
        })
    }

    /// The number of the helper's process, in the process namespace of this one; `None` if it is not there.
    pub(crate) async fn process(&self) -> Option<i32> {
        let connected = timeout(CLIENT_TIMEOUT, connect(&status_socket(&self.directory))).await;
        process_of(&connected.ok()?.ok()?)
    }

    async fn exchange(&self, request: &Request) -> anyhow::Result<Reply> {
        let socket = control_socket(&self.directory);
        let envelope = Envelope { expires: Expiry::soon(), request: request.clone() };
        let line = serde_json::to_string(&envelope)? + "\n";
        let answer = converse(&socket, &line, LONGEST_REPLY).await?;
        parse_json(&answer)
            .map_err(|error| cited(&error))
            .with_context(|| format!("cannot parse the reply from {}", socket.display()))
    }
}

/// Runs the future on a runtime of its own.
fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("cannot start the event loop")?.block_on(future))
}

/// Sends the request, and reads until the helper closes. One deadline covers everything, so that a helper that sends a
/// few bytes now and then cannot extend it. Cancelled when dropped.
async fn converse(socket: &Path, line: &str, longest: u64) -> anyhow::Result<Vec<u8>> {
    let deadline = tokio::time::Instant::now() + CONVERSATION;
    let mut stream = timeout_at(deadline, connect(socket)).await.with_context(|| {
        format!("the helper behind {} accepts no connection: is it stopped or overloaded?", socket.display())
    })??;
    let helper = peer(&stream);
    let mut said = vec![];
    let exchange = async {
        if !line.is_empty() {
            stream.write_all(line.as_bytes()).await?;
        }
        (&mut stream).take(longest + 1).read_to_end(&mut said).await
    };
    let outcome = timeout_at(deadline, exchange).await;
    if said.len() as u64 > longest {
        bail!("{helper} behind {} sent more than {longest} bytes: is it another program?", socket.display());
    }
    match outcome {
        // A helper that is exiting, or has not read the whole request, resets the connection, also after its answer.
        Ok(Err(_)) if said.ends_with(b"\n") => Ok(said),
        Ok(Ok(_) | Err(_)) if said.is_empty() => bail!(
            "{helper} behind {} closed without an answer: it is busy or ending, or serves as many connections of this \
             user as it serves at a time; try again",
            socket.display()
        ),
        Ok(Ok(_)) => Ok(said),
        Ok(Err(error)) => Err(error).with_context(|| format!("no answer from {}", socket.display())),
        Err(_) => bail!(
            "{helper} behind {} does not respond: no whole answer within {}; is it stopped or overloaded?",
            socket.display(),
            Period(CONVERSATION)
        ),
    }
}

/// The listening process, as the kernel reports it.
fn peer(stream: &UnixStream) -> String {
    match process_of(stream) {
        Some(pid) => format!("the helper (pid {pid})"),
        None => "the helper".to_owned(),
    }
}

fn process_of(stream: &UnixStream) -> Option<i32> {
    stream.peer_cred().ok()?.pid().filter(|pid| *pid > 0)
}

async fn connect(socket: &Path) -> anyhow::Result<UnixStream> {
    let stream = connected(socket).await?.map_err(|error| unreachable(socket, &error))?;
    stream.set_nonblocking(true)?;
    Ok(UnixStream::from_std(stream)?)
}

/// Connects on a thread: if the helper is stopped and its queue is full, connecting blocks until the helper accepts.
async fn connected(socket: &Path) -> anyhow::Result<io::Result<StdStream>> {
    let (connected, outcome) = oneshot::channel();
    let path = socket.to_owned();
    let connect = move || drop(connected.send(StdStream::connect(path)));
    thread::Builder::new().name("connect".into()).spawn(connect).context("cannot start a thread")?;
    Ok(outcome.await?)
}

/// An error that cites text of the helper.
fn cited(error: &serde_json::Error) -> anyhow::Error {
    anyhow::anyhow!(foreign(&error.to_string()))
}

/// No helper listens on this socket.
#[derive(Debug)]
pub(crate) struct NotRunning(String);

impl fmt::Display for NotRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = "start ExaBGP, with a process section that runs `dnsherald run`";
        write!(f, "no helper is running: {}; {start}", self.0)
    }
}

impl std::error::Error for NotRunning {}

fn unreachable(socket: &Path, error: &io::Error) -> anyhow::Error {
    let socket = socket.display();
    match error.kind() {
        ErrorKind::NotFound => NotRunning(format!(
            "there is no {socket}; if the helper reads another file, name that with -c (a changed control.directory takes \
             effect at the next start of the helper)"
        ))
        .into(),
        ErrorKind::ConnectionRefused => {
            NotRunning(format!("{socket} is there, but no process listens on it")).into()
        }
        ErrorKind::PermissionDenied => anyhow::anyhow!(
            "not permitted to connect to {socket}: only root, the user whom ExaBGP runs helpers as, and its group may"
        ),
        _ => anyhow::anyhow!("cannot connect to {socket}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixSocket;

    use super::*;

    /// A helper that has not read the whole request resets the connection when it closes.
    #[tokio::test]
    async fn an_answer_before_a_reset_counts() {
        let directory = std::env::temp_dir().join(format!("dnsherald-client-reset-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir(&directory).unwrap();
        let listener = tokio::net::UnixListener::bind(control_socket(&directory)).unwrap();
        for (answer, is_whole) in
            [(&b"{\"refused\":\"too long\"}\n"[..], true), (b"{\"refused\":\"too", false)]
        {
            let answers = async {
                let mut stream = listener.accept().await.unwrap().0;
                stream.read_u8().await.unwrap();
                stream.write_all(answer).await.unwrap();
            };
            let client = Client::new(&directory);
            let error = tokio::join!(client.request(&Request::Reload), answers).0.unwrap_err();
            assert_eq!(matches!(error, AskError::Refused(_)), is_whole, "{error}");
        }
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[tokio::test]
    async fn a_request_to_a_stopped_helper_times_out() {
        let directory = std::env::temp_dir().join(format!("dnsherald-client-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir(&directory).unwrap();
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(status_socket(&directory)).unwrap();
        let _frozen = socket.listen(0).unwrap();
        let _queued = StdStream::connect(status_socket(&directory)).unwrap();
        let error = Client::new(&directory).look().await.unwrap_err();
        assert!(format!("{error:#}").contains("accepts no connection"), "{error:#}");
        std::fs::remove_dir_all(directory).unwrap();
    }
}
