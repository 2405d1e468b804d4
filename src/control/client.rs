//! The side of the commands: asks, waits a moment, and says what is wrong where nobody answers.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use anyhow::{Context, bail};

use super::{PATIENCE, Reply, Request, control_socket, status_socket};
use crate::status::Document;
use crate::text::{self, foreign, foreign_lines};

/// No status document is longer, in bytes.
const LONGEST_DOCUMENT: u64 = 64 << 20;

/// So long there may be no helper: ExaBGP starts another within a second, and that one knows of the drains.
pub const ABSENT: Duration = Duration::from_secs(3);

/// Between two attempts to find one.
const PAUSE: Duration = Duration::from_millis(20);

/// Why a request was not carried out.
#[derive(Debug)]
pub enum AskError {
    /// Nobody is there, or no answer came.
    Absent(anyhow::Error),
    /// The helper says why not, and will again.
    Refused(String),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(error) => write!(f, "{error:#}"),
            Self::Refused(why) => f.write_str(&foreign_lines(why)),
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

    /// Whether a helper listens here, or may: one that is busy, or whose sockets are not for this user.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let socket = status_socket(&self.directory);
        match connected(&socket) {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused),
            Err(_) => true,
        }
    }

    /// What the helper says of itself.
    ///
    /// # Errors
    /// When nobody answers, or not in a way that we understand.
    pub fn status(&self) -> anyhow::Result<Document> {
        let socket = status_socket(&self.directory);
        let mut text = String::new();
        connect(&socket)?
            .take(LONGEST_DOCUMENT)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read the status from {}", socket.display()))?;
        if text.is_empty() {
            bail!(
                "the helper behind {} closed without a word: it is busy or ending; try again",
                socket.display()
            );
        }
        serde_json::from_str(&text).map_err(|error| cited(&error)).with_context(|| {
            format!("what {} says is not understood: is it another version?", socket.display())
        })
    }

    /// Has a request carried out, and returns the names of the services concerned.
    ///
    /// # Errors
    /// When nobody answers, or the helper refuses.
    pub fn ask(&self, request: &Request) -> Result<Vec<String>, AskError> {
        match self.exchange(request).map_err(AskError::Absent)? {
            Reply::Done(services) => Ok(services),
            Reply::Unsaved(services) => {
                let _ = writeln!(
                    text::stderr(),
                    "dnsherald: note: it is done, but the state could not be written so far: should the helper be \
                     restarted now, it would not know of it. It goes on trying; `dnsherald status` says what is in the \
                     way, as long as anything is"
                );
                Ok(services)
            }
            Reply::Refused(why) => Err(AskError::Refused(why)),
        }
    }

    /// Whether there is something to ask at: of a helper that runs, or of one that was killed and may be replaced.
    #[must_use]
    pub fn has_a_socket(&self) -> bool {
        control_socket(&self.directory).exists()
    }

    /// [`Client::ask`], where a helper that is just being replaced is waited for. Others go on meanwhile.
    ///
    /// # Errors
    /// When nobody has answered for [`ABSENT`], or the helper refuses.
    pub async fn insist(&self, request: &Request) -> Result<Vec<String>, AskError> {
        let began = Instant::now();
        loop {
            let (client, request) = (self.clone(), request.clone());
            let asked = tokio::task::spawn_blocking(move || client.ask(&request)).await;
            match asked.unwrap_or_else(|error| Err(AskError::Absent(error.into()))) {
                Err(AskError::Absent(_)) if began.elapsed() < ABSENT => tokio::time::sleep(PAUSE).await,
                outcome => return outcome,
            }
        }
    }

    /// [`Client::status`], while others go on.
    ///
    /// # Errors
    /// As there.
    pub async fn look(&self) -> anyhow::Result<Document> {
        let client = self.clone();
        tokio::task::spawn_blocking(move || client.status()).await?
    }

    fn exchange(&self, request: &Request) -> anyhow::Result<Reply> {
        let socket = control_socket(&self.directory);
        let mut stream = connect(&socket)?;
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        let mut answer = String::new();
        stream
            .write_all(line.as_bytes())
            .and_then(|()| BufReader::new(stream.take(LONGEST_DOCUMENT)).read_line(&mut answer))
            .with_context(|| format!("no answer from {}", socket.display()))?;
        if answer.is_empty() {
            bail!(
                "the helper behind {} closed without an answer: it is busy or ending; try again",
                socket.display()
            );
        }
        serde_json::from_str(&answer)
            .map_err(|error| cited(&error))
            .with_context(|| format!("what {} answers is not understood", socket.display()))
    }
}

/// Where the queue of a helper that is frozen is full, connecting takes for ever.
fn connected(socket: &Path) -> Result<io::Result<UnixStream>, mpsc::RecvTimeoutError> {
    let (connected, outcome) = mpsc::channel();
    let path = socket.to_owned();
    thread::spawn(move || drop(connected.send(UnixStream::connect(path))));
    outcome.recv_timeout(PATIENCE)
}

fn connect(socket: &Path) -> anyhow::Result<UnixStream> {
    let stream = connected(socket)
        .with_context(|| {
            format!("the helper behind {} takes no connection: is it frozen?", socket.display())
        })?
        .map_err(|error| unreachable(socket, &error))?;
    // Reloading reads a file that may be on a slow disk.
    stream.set_read_timeout(Some(2 * PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// An error that cites what the other side has said.
fn cited(error: &serde_json::Error) -> anyhow::Error {
    anyhow::anyhow!(foreign(&error.to_string()))
}

fn unreachable(socket: &Path, error: &io::Error) -> anyhow::Error {
    let socket = socket.display();
    match error.kind() {
        ErrorKind::NotFound => anyhow::anyhow!(
            "no helper is running: there is no {socket}. Is exabgp running, and does its process section start \
             `dnsherald run`? Another directory is given by control.directory in the file behind -c; one that is changed \
             there counts from the next start of the helper"
        ),
        ErrorKind::ConnectionRefused => {
            anyhow::anyhow!("no helper is running: nobody listens at {socket}; exabgp will have started none")
        }
        ErrorKind::PermissionDenied => anyhow::anyhow!(
            "not permitted to connect to {socket}: only root, the user whom exabgp runs helpers as, and its group may"
        ),
        _ => anyhow::anyhow!("cannot connect to {socket}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixSocket;

    use super::*;

    #[tokio::test]
    async fn a_helper_that_is_frozen_is_not_waited_for_for_ever() {
        let directory = std::env::temp_dir().join(format!("dnsherald-client-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir(&directory).unwrap();
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(status_socket(&directory)).unwrap();
        let _frozen = socket.listen(0).unwrap();
        let _queued = UnixStream::connect(status_socket(&directory)).unwrap();
        let error = Client::new(&directory).status().unwrap_err();
        assert!(format!("{error:#}").contains("takes no connection"), "{error:#}");
        std::fs::remove_dir_all(directory).unwrap();
    }
}
