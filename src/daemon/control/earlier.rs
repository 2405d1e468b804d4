//! The helper whose sockets this one takes over: for a moment the one before, in a reload of ExaBGP; for long a helper that
//! another ExaBGP has started.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::control::CLIENT_TIMEOUT;
use crate::status::Document;
use crate::sys::pidfd::Pidfd;
use crate::text::foreign;
use crate::text::period::Period;

/// How long the helper before may take to end.
const OVERLAP: Duration = Duration::from_secs(10);

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
                 which goes on announcing; end the ExaBGP that started it, or give each helper a file with its own \
                 `directory` and `state` under [control]",
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
        let document: Document = serde_json::from_slice(&text).ok()?;
        Some(format!(" with {}", foreign(&document.configuration.display().to_string())))
    }
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
