//! Entries of the journal with fields, in its native protocol: a datagram with a field on each line, and a value that
//! contains line breaks behind its length (systemd, "Native Journal Protocol").
//!
//! Sending never blocks. An entry that the journal does not take at once goes to standard error, which leads to the
//! journal as well, without its fields.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use super::entry::Urgency;
use super::fields::Fields;
use crate::text::show;

/// The socket of the journal of this host.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// The longest message, in octets. The journal takes a datagram of the size of a socket buffer, which is larger.
const LONGEST: usize = 32 * 1024;

/// A connection to the journal. Several threads may share it.
#[derive(Debug)]
pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journal {
    /// Opens the journal behind this socket, even if nothing listens there.
    ///
    /// # Errors
    /// Returns an error if the system has no descriptor left.
    pub(super) fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, path: path.into() })
    }

    /// Sends a message, and reports whether the journal took it.
    pub(super) fn send(&self, urgency: Urgency, message: &str, fields: &Fields) -> bool {
        self.socket.send_to(&entry(urgency, message, fields), &self.path).is_ok()
    }
}

fn entry(urgency: Urgency, message: &str, fields: &Fields) -> Vec<u8> {
    let mut entry = vec![];
    add(&mut entry, "MESSAGE", message);
    add(&mut entry, "PRIORITY", &urgency.severity().to_string());
    add(&mut entry, "SYSLOG_IDENTIFIER", "dnsherald");
    for (key, value) in fields.iter() {
        add(&mut entry, &format!("DNSHERALD_{}", key.to_ascii_uppercase().replace('-', "_")), value);
    }
    entry
}

/// Adds a field. Control characters other than line breaks are escaped, as in every log.
fn add(entry: &mut Vec<u8>, key: &str, value: &str) {
    let mut shown = String::with_capacity(value.len());
    for character in value.chars() {
        if character == '\n' {
            shown.push('\n');
        } else {
            show(character, &mut shown);
        }
        if shown.len() > LONGEST {
            shown.push('…');
            break;
        }
    }
    entry.extend(key.as_bytes());
    if shown.contains('\n') {
        entry.push(b'\n');
        entry.extend((shown.len() as u64).to_le_bytes());
    } else {
        entry.push(b'=');
    }
    entry.extend(shown.as_bytes());
    entry.push(b'\n');
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_entry_has_a_field_on_each_line() {
        let fields = Fields::new([("event", "check"), ("service", "a\x1bb")]);
        let entry = String::from_utf8(entry(Urgency::Warning, "falls", &fields)).unwrap();
        assert_eq!(
            entry,
            "MESSAGE=falls\nPRIORITY=4\nSYSLOG_IDENTIFIER=dnsherald\nDNSHERALD_EVENT=check\nDNSHERALD_SERVICE=a\\u{1b}b\n"
        );
    }

    #[test]
    fn a_value_with_line_breaks_stands_behind_its_length() {
        let entry = entry(Urgency::Error, "a.toml:2:8: bad\n  |\nPRIORITY=0", &Fields::default());
        let mut expected = b"MESSAGE\n".to_vec();
        expected.extend([30, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend(b"a.toml:2:8: bad\n  |\nPRIORITY=0\nPRIORITY=3\nSYSLOG_IDENTIFIER=dnsherald\n");
        assert_eq!(entry, expected);
    }

    #[test]
    fn a_long_message_is_cut() {
        let entry = entry(Urgency::Info, &"x".repeat(1_000_000), &Fields::default());
        assert!(entry.len() < LONGEST + 200, "{}", entry.len());
    }

    #[test]
    fn the_journal_takes_a_message_or_says_that_it_does_not() {
        let folder = std::env::temp_dir().join(format!("dnsherald-journal-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket");
        let journal = Journal::open(&path).unwrap();
        assert!(!journal.send(Urgency::Info, "no journal", &Fields::default()));
        let receiver = UnixDatagram::bind(&path).unwrap();
        assert!(journal.send(Urgency::Info, "a journal", &Fields::default()));
        let mut buffer = [0; 1000];
        let length = receiver.recv(&mut buffer).unwrap();
        assert!(buffer[..length].starts_with(b"MESSAGE=a journal\n"));
        // A journal that stopped reading blocks nothing.
        let taken =
            (0..100_000).take_while(|_| journal.send(Urgency::Info, "again", &Fields::default())).count();
        assert!(taken < 100_000);
        fs::remove_dir_all(folder).unwrap();
    }
}
