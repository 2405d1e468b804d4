//! The log of the host, through the socket that it listens on.
//!
//! A message is a datagram in the form of RFC 3164, as the original sends it: the priority in angle brackets, the
//! ident and the text. The time is left to the receiver, which knows it as well.
//!
//! Nothing here waits, and nothing fails: what the socket does not take is lost. A socket that is missing, at which the
//! original dies, is looked for again with each message, and so is one that was made anew by a syslog that restarted.

use std::fmt::Write as _;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use super::facility::Facility;
use crate::logging::entry::Urgency;
use crate::text::show;

/// Where Linux has it.
const SOCKET: &str = "/dev/log";

/// How long a message may be, in octets. Most receivers cut at 8192.
const LONGEST: usize = 8000;

/// A way to the log of the host. Can be used by several threads.
#[derive(Debug)]
pub(crate) struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
    facility: Facility,
    ident: String,
}

/// Who speaks: `healthcheck-NAME[PID]`, or without a name `healthcheck[PID]`.
#[must_use]
pub(crate) fn ident(name: Option<&str>) -> String {
    let name = name.filter(|name| !name.is_empty()).map(|name| format!("-{name}")).unwrap_or_default();
    format!("healthcheck{name}[{}]", std::process::id())
}

impl Syslog {
    /// Messages of `facility` by [`ident`], whether or not anybody listens.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub(crate) fn open(facility: Facility, ident: String) -> io::Result<Self> {
        Self::at(Path::new(SOCKET), facility, ident)
    }

    fn at(path: &Path, facility: Facility, ident: String) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, path: path.to_owned(), facility, ident })
    }

    /// Sends each line of `message` as one, with control characters shown. Lost, if it cannot be sent at once.
    pub(crate) fn send(&self, urgency: Urgency, message: &str) {
        for line in message.lines() {
            let _ = self.socket.send_to(self.entry(urgency, line).as_bytes(), &self.path);
        }
    }

    fn entry(&self, urgency: Urgency, line: &str) -> String {
        let mut entry = String::with_capacity(line.len() + self.ident.len() + 8);
        let _ = write!(entry, "<{}>", u16::from(self.facility.number()) * 8 + u16::from(urgency.severity()));
        for character in self.ident.chars().chain(": ".chars()).chain(line.chars()) {
            show(character, &mut entry);
            if entry.len() > LONGEST {
                entry.push('…');
                break;
            }
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A folder for a socket, gone at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("dnsherald-syslog-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("log")
        }

        fn listen(&self) -> UnixDatagram {
            let socket = UnixDatagram::bind(self.socket()).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        }

        fn syslog(&self) -> Syslog {
            Syslog::at(&self.socket(), Facility::DAEMON, "healthcheck-dns[7]".to_owned()).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn received(socket: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 2 * LONGEST];
        let mut messages = vec![];
        while let Ok(count) = socket.recv(&mut buffer) {
            messages.push(String::from_utf8(buffer[..count].to_vec()).unwrap());
        }
        messages
    }

    #[test]
    fn each_line_is_a_message() {
        let folder = Folder::new("lines");
        let (listener, syslog) = (folder.listen(), folder.syslog());
        syslog.send(Urgency::Warning, "down\n\tbad\x1b\u{202e}");
        syslog.send(Urgency::Error, "ö");
        assert_eq!(
            received(&listener),
            [
                "<28>healthcheck-dns[7]: down",
                "<28>healthcheck-dns[7]: \\tbad\\u{1b}\\u{202e}",
                "<27>healthcheck-dns[7]: ö"
            ]
        );
    }

    #[test]
    fn a_socket_that_is_missing_or_made_anew_is_found_again() {
        let folder = Folder::new("again");
        let syslog = folder.syslog();
        syslog.send(Urgency::Info, "to nobody");
        let first = folder.listen();
        syslog.send(Urgency::Info, "first");
        assert_eq!(received(&first), ["<30>healthcheck-dns[7]: first"]);
        drop(first);
        syslog.send(Urgency::Info, "to nobody");
        fs::remove_file(folder.socket()).unwrap();
        let second = folder.listen();
        syslog.send(Urgency::Debug, "second");
        assert_eq!(received(&second), ["<31>healthcheck-dns[7]: second"]);
    }

    #[test]
    fn a_receiver_that_does_not_read_is_not_waited_for() {
        let folder = Folder::new("full");
        let (listener, syslog) = (folder.listen(), folder.syslog());
        // Whoever waited here would wait for ever.
        for _ in 0..2000 {
            syslog.send(Urgency::Info, &"x".repeat(1000));
        }
        let count = received(&listener).len();
        assert!((1..2000).contains(&count), "{count}");
    }

    #[test]
    fn a_message_has_an_end() {
        let folder = Folder::new("long");
        let (listener, syslog) = (folder.listen(), folder.syslog());
        syslog.send(Urgency::Info, &"ö".repeat(100_000));
        let message = &received(&listener)[0];
        assert!(message.len() <= LONGEST + 8 && message.ends_with("ö…"));
    }

    #[test]
    fn an_ident_may_have_a_name() {
        let pid = std::process::id();
        assert_eq!(ident(Some("dns")), format!("healthcheck-dns[{pid}]"));
        for name in [None, Some("")] {
            assert_eq!(ident(name), format!("healthcheck[{pid}]"));
        }
    }
}
