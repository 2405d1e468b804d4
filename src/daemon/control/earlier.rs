//! Two helpers with one directory of sockets: for a moment that before a reload of ExaBGP and that after it; for long those of
//! two ExaBGPs, or one that was started by hand. The later one takes the sockets over. Each warns, and the earlier one takes
//! its sockets back once the later one has ended.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::socket::Socket;
use crate::control::CLIENT_TIMEOUT;
use crate::status::Document;
use crate::sys::pidfd::Pidfd;
use crate::text::period::Period;
use crate::text::{foreign, parse_json};

/// How long the helper before may take to end.
const OVERLAP: Duration = Duration::from_secs(10);

const REMEDY: &str = "end the ExaBGP that is too many, or give each helper a file with its own `directory` and `state` \
                      under [control]";

/// Maximum length of a status document, in bytes.
const LONGEST_DOCUMENT: u64 = 16 << 20;

/// Another helper that listens.
#[derive(Debug)]
pub(super) struct Earlier {
    pid: i32,
    process: Pidfd,
    stream: UnixStream,
}

impl Earlier {
    /// The process that listens at this path, and is not this one. `None` also if it cannot be known.
    pub(super) fn at(path: &Path) -> Option<Self> {
        let stream = connected(path).ok()?;
        // The credentials of the process that began to listen (unix(7)).
        let pid = stream.peer_cred().ok()?.pid().filter(|pid| *pid > 0)?;
        let is_own = u32::try_from(pid).is_ok_and(|pid| pid == std::process::id());
        let process = Pidfd::open(pid).ok().filter(|process| !is_own && !process.has_exited())?;
        Some(Self { pid, process, stream })
    }

    /// Logs that its sockets are taken over, waits for its end, and warns if that does not come.
    pub(super) async fn report_takeover(mut self, directory: &Path) {
        let (pid, directory) = (self.pid, directory.display());
        log::info!("takes over the sockets in {directory} from the helper (process {pid})");
        let file = self.configuration().await.unwrap_or_default();
        let Ok(process) = self.process.watch() else { return };
        if timeout(OVERLAP, process.exited()).await.is_err() {
            log::warn!(
                "another helper (process {pid}{file}) still runs {} after the start of this one (process {}): this one has \
                 the control sockets in {directory} now, so that `dnsherald status` and requests do not reach the other, \
                 which goes on announcing; {REMEDY}",
                Period(OVERLAP),
                std::process::id()
            );
        }
    }

    /// The file with which it was started, for a sentence.
    async fn configuration(&mut self) -> Option<String> {
        let mut text = vec![];
        let mut stream = (&mut self.stream).take(LONGEST_DOCUMENT);
        timeout(CLIENT_TIMEOUT, stream.read_to_end(&mut text)).await.ok()?.ok()?;
        let document: Document = parse_json(&text).ok()?;
        Some(format!(" with {}", foreign(&document.configuration.display().to_string())))
    }
}

/// Who has the path of a socket of this helper.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Owner {
    This,
    Another,
    Unowned,
}

impl Owner {
    fn from_socket(socket: &Socket) -> Self {
        if socket.is_there() {
            return Self::This;
        }
        match connected(socket.path()) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                Self::Unowned
            }
            // A helper that hangs accepts no connection.
            Ok(_) | Err(_) => Self::Another,
        }
    }
}

/// Waits until this status socket is lost and no helper has it, on two looks with half of [`OVERLAP`] between them: then it can
/// be taken back. Warns once if another helper has it for so long: in a reload of ExaBGP this one would have ended.
pub(super) async fn await_free(socket: &Socket) {
    let (mut before, mut is_warned) = (Owner::This, false);
    loop {
        sleep(OVERLAP / 2).await;
        let looked_at = socket.clone();
        // The disk may hang.
        let owner = spawn_blocking(move || Owner::from_socket(&looked_at)).await.unwrap_or(Owner::This);
        if owner == before {
            match owner {
                Owner::Unowned => return,
                Owner::Another if !is_warned => {
                    warn_of_loss(socket);
                    is_warned = true;
                }
                Owner::Another | Owner::This => {}
            }
        }
        before = owner;
    }
}

fn warn_of_loss(socket: &Socket) {
    let later = Earlier::at(socket.path()).map_or_else(String::new, |it| format!(" (process {})", it.pid));
    log::warn!(
        "another helper{later} has taken over {}, and this one (process {}) still runs: `dnsherald status` and requests do \
         not reach this one, which goes on announcing; it takes the sockets back once that one has ended; {REMEDY}",
        socket.path().display(),
        std::process::id()
    );
}

/// Connects without waiting: the queue of a helper that hangs may be full.
fn connected(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&socket, &SocketAddrUnix::new(path)?) {
        Ok(()) => UnixStream::from_std(socket.into()),
        Err(error) => Err(Errno::into(error)),
    }
}
