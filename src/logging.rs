//! The log: one line per event on standard error.
//!
//! Under systemd standard error is ExaBGP's, which leads to the journal: there each line carries its priority and no
//! time. Anywhere else it carries the time. `RUST_LOG` chooses what is shown; by default everything from `info` up.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use log::{Level, LevelFilter};

/// Starts logging. Called once.
pub fn start(default: LevelFilter) {
    let journal = stderr_is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref());
    let mut builder = env_logger::Builder::new();
    builder.filter_level(default).parse_default_env();
    builder.format(move |line, record| {
        let (level, message) = (record.level(), record.args().to_string());
        // A message of several lines stays one entry: the lines that follow are indented.
        let message = message.replace('\n', "\n    ");
        if journal {
            writeln!(line, "<{}>dnsherald: {message}", priority(level))
        } else {
            let time = humantime::format_rfc3339_millis(SystemTime::now());
            writeln!(line, "{time} {level:<5} dnsherald: {message}")
        }
    });
    builder.init();
}

/// The syslog priority (RFC 5424, table 2) that systemd takes from the head of a line.
const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// systemd says in `JOURNAL_STREAM` which device and inode lead to the journal; standard error may have been sent
/// elsewhere since.
fn stderr_is_journal(stream: Option<&str>) -> bool {
    let actual = || -> io::Result<String> {
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let metadata = stderr.metadata()?;
        Ok(format!("{}:{}", metadata.dev(), metadata.ino()))
    };
    stream.is_some_and(|stream| actual().is_ok_and(|actual| actual == stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_stream_is_the_journal() {
        assert!(!stderr_is_journal(None));
        assert!(!stderr_is_journal(Some("")));
        assert!(!stderr_is_journal(Some("0:0")));
    }

    #[test]
    fn errors_are_more_urgent_than_information() {
        assert!(priority(Level::Error) < priority(Level::Warn));
        assert!(priority(Level::Warn) < priority(Level::Info));
    }
}
