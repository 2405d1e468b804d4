//! One connection to the control socket: reads a request, passes it on to the loop, and writes the reply.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::{ControlEvent, Subject};
use crate::config::Config;
use crate::control::{Envelope, Expiry, LONGEST_REQUEST, Reply, Request};
use crate::history::file::lines;
use crate::text::period::{Period, Shown};
use crate::text::{foreign, json, parse_json, sentence};

/// How long the helper waits for the disk when it reads a file for a request. The rest of
/// [`CLIENT_TIMEOUT`](crate::control::CLIENT_TIMEOUT) is for the reply.
const READING: Duration = Duration::from_millis(1500);

/// The client that waits for the reply to a request, and the expiry of the request.
#[derive(Debug)]
pub(crate) struct Caller {
    expires: Expiry,
    reply: oneshot::Sender<Reply>,
}

impl Caller {
    /// The channel for the reply; `None` if the request has expired; the client then gets that reply.
    pub(crate) fn in_time(self) -> Option<oneshot::Sender<Reply>> {
        let Some(late) = self.expires.late_by() else { return Some(self.reply) };
        // The client may have disconnected, which changes nothing.
        let _ = self.reply.send(Reply::Refused(format!(
            "the request came to its turn {} too late: the helper was stopped or overloaded; nothing is changed, ask again",
            Shown(late)
        )));
        None
    }
}

/// Reads a request, passes it on, and writes the result.
pub(super) async fn serve_client(
    stream: UnixStream,
    questions: mpsc::Sender<ControlEvent>,
    configuration: ConfigReader,
) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    let (reader, mut writer) = stream.into_split();
    let mut line = vec![];
    BufReader::new(reader.take(LONGEST_REQUEST)).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Ok(());
    }
    let reply = match parse_json(&line) {
        Ok(envelope) => carry_out(envelope, uid, &questions, configuration).await,
        Err(error) => Reply::Refused(foreign(&format!("not a request: {error}"))),
    };
    let answer = json(serde_json::to_string(&reply)?) + "\n";
    writer.write_all(answer.as_bytes()).await
}

/// Reads the configuration on a thread: the file may be on a disk that is slow or hangs. One read at a time.
#[derive(Clone, Debug)]
pub(super) struct ConfigReader {
    configuration: PathBuf,
    host: String,
    history: Option<PathBuf>,
    turn: Arc<Semaphore>,
}

impl ConfigReader {
    pub(super) fn new(subject: &Subject) -> Self {
        let Subject { configuration, host, history, .. } = subject.clone();
        Self { configuration, host, history, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Runs `read` on a thread, unless another request is reading.
    async fn on_thread<T: Send + 'static>(
        self,
        what: String,
        read: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let Ok(turn) = self.turn.try_acquire_owned() else {
            return Err(format!("cannot read {what} while another request reads a file; try again"));
        };
        let read = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            read()
        });
        match timeout(READING, read).await {
            Ok(read) => read.map_err(|error| format!("cannot read {what}: {error}"))?,
            Err(_) => Err(format!("cannot read {what} within {}", Period(READING))),
        }
    }

    /// The lines of the history file.
    async fn history(self) -> Reply {
        let Some(history) = self.history.clone() else {
            return Reply::Refused("this helper keeps no history".to_owned());
        };
        let what = format!("the history in {}", history.display());
        let cannot = format!("cannot read {what}");
        let read = move || lines(&history).map_err(|error| format!("{cannot}: {error}"));
        self.on_thread(what, read).await.map_or_else(Reply::Refused, Reply::Done)
    }

    async fn read(self) -> Result<Config, String> {
        let (configuration, host) = (self.configuration.clone(), self.host.clone());
        let what = configuration.display().to_string();
        let read = move || {
            Config::load_file(&configuration, &host).map_err(|error| match configuration.try_exists() {
                // A file that is gone is a decision of the operator: the next helper withdraws.
                Ok(false) => {
                    format!("{error}; a helper that starts without this file withdraws every prefix that may be announced")
                }
                _ => error.to_string(),
            })
        };
        self.on_thread(what, read).await
    }
}

/// Passes a request of the process with this user id to the loop. An order carries the user id; the log shows it for
/// requests that end orders, undampen or reload, and for each request that the loop refuses.
async fn carry_out(
    envelope: Envelope,
    uid: u32,
    questions: &mpsc::Sender<ControlEvent>,
    configuration: ConfigReader,
) -> Reply {
    let Envelope { expires, mut request } = envelope;
    let asks_to_end =
        matches!(request, Request::Undrain { .. } | Request::Unhold { .. } | Request::Undampen { .. });
    let shown = request.to_string();
    match &mut request {
        Request::Drain { order, .. } => order.uid = Some(uid),
        Request::Hold { order, .. } => order.uid = Some(uid),
        Request::Undrain { .. } | Request::Unhold { .. } | Request::Undampen { .. } | Request::Reload => {
            log::info!("uid {uid} asks: {request}");
        }
        Request::RestartFailed { .. } | Request::Restarted { .. } | Request::Dump => {}
        Request::Asked(asked) => {
            asked.count_as_ours();
            return Reply::Done(vec![]);
        }
        Request::History => return configuration.history().await,
    }
    let (reply, replied) = oneshot::channel();
    let caller = Caller { expires, reply };
    let asked = match request {
        Request::Reload => match configuration.read().await {
            Ok(config) => ControlEvent::Reload(Box::new(config), caller),
            Err(why) => {
                let reply = Reply::Refused(format!("nothing is changed: {why}"));
                // A helper that is ending logs no refusal.
                let _ = questions.send(ControlEvent::ReloadRefused(why)).await;
                return reply;
            }
        },
        request => ControlEvent::Request(request, caller),
    };
    let ending = || Reply::Refused("the helper is ending".to_owned());
    if questions.send(asked).await.is_err() {
        return ending();
    }
    let reply = replied.await.unwrap_or_else(|_| ending());
    match &reply {
        Reply::Done(none) if none.is_empty() && asks_to_end => {
            log::info!("uid {uid} asked: {shown}: there was nothing to do");
        }
        Reply::Refused(why) => log::info!("uid {uid} asked: {shown}: refused: {}", sentence(why)),
        Reply::Done(_) | Reply::Unsaved(_) => {}
    }
    reply
}
