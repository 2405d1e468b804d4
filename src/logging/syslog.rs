//! Writes to the host's syslog through its socket.
//!
//! A message is a datagram in the format of RFC 3164, as the original sends it: the priority in angle brackets, the
//! ident and the text. The receiver adds the time.
//!
//! Sending never blocks and never fails: a message that the socket does not accept is lost. Each message looks the
//! socket up again, so a socket that appears later, or that a restarted syslog creates, works. The original exits
//! without one.

use std::fmt::Write as _;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use super::entry::Urgency;
use super::facility::Facility;
use crate::text::show;

/// The syslog socket on Linux.
pub(crate) const SOCKET: &str = "/dev/log";

/// Maximum length of a message, in octets. Most receivers cut at 8192.
const LONGEST: usize = 8000;

/// A connection to syslog. Several threads may share it.
#[derive(Debug)]
pub(crate) struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
    facility: Facility,
    ident: String,
}

/// The ident: `healthcheck-NAME[PID]`, or `healthcheck[PID]` without a name.
pub(crate) fn ident(name: Option<&str>) -> String {
    let name = name.filter(|name| !name.is_empty()).map(|name| format!("-{name}")).unwrap_or_default();
    format!("healthcheck{name}[{}]", std::process::id())
}

impl Syslog {
    /// Opens the syslog behind this socket with this facility and [`ident`], even if nothing listens there.
    ///
    /// # Errors
    /// Returns an error if the system has no descriptor left.
    pub(crate) fn open(path: impl Into<PathBuf>, facility: Facility, ident: String) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, path: path.into(), facility, ident })
    }

    /// Sends each line of `message` as one datagram, with control characters escaped. Drops it if the socket would
    /// block.
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

    /// A directory for a socket, removed at the end.
    struct TestDirectory(PathBuf);

    impl TestDirectory {
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
            Syslog::open(self.socket(), Facility::DAEMON, "healthcheck-dns[7]".to_owned()).unwrap()
        }
    }

    impl Drop for TestDirectory {
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
        let directory = TestDirectory::new("lines");
        let (listener, syslog) = (directory.listen(), directory.syslog());
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
    fn finds_a_socket_that_is_created_later() {
        let directory = TestDirectory::new("again");
        let syslog = directory.syslog();
        syslog.send(Urgency::Info, "lost");
        let first = directory.listen();
        syslog.send(Urgency::Info, "first");
        assert_eq!(received(&first), ["<30>healthcheck-dns[7]: first"]);
        drop(first);
        syslog.send(Urgency::Info, "lost");
        fs::remove_file(directory.socket()).unwrap();
        let second = directory.listen();
        syslog.send(Urgency::Debug, "second");
        assert_eq!(received(&second), ["<31>healthcheck-dns[7]: second"]);
    }

    #[test]
    fn does_not_wait_for_a_receiver_that_does_not_read() {
        let directory = TestDirectory::new("full");
        let (listener, syslog) = (directory.listen(), directory.syslog());
        // A sender that waited would wait for ever.
        for _ in 0..2000 {
            syslog.send(Urgency::Info, &"x".repeat(1000));
        }
        let count = received(&listener).len();
        assert!((1..2000).contains(&count), "{count}");
    }

    #[test]
    fn cuts_long_messages() {
        let directory = TestDirectory::new("long");
        let (listener, syslog) = (directory.listen(), directory.syslog());
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
