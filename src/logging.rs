//! The log: one line per event on standard error.
//!
//! Under systemd standard error is that of ExaBGP and leads to the journal: there each line carries its priority and no
//! time. Otherwise it carries the time. `RUST_LOG` selects the levels; the default is `info` and above.
//!
//! Log lines contain foreign text: control characters are escaped. A reader of the log that stops reading must not block
//! the probes: `run` logs [through a thread](aside).

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use env_logger::Target;
use log::LevelFilter;

use self::entry::Urgency;
use self::syslog::Syslog;
use crate::text::show;

pub(crate) mod aside;
pub(crate) mod entry;
pub(crate) mod facility;
pub(crate) mod syslog;

/// How lines reach standard error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// The logging thread writes them itself and waits if standard error blocks.
    Directly,
    /// A separate thread writes them; lines are lost if it cannot keep up.
    Aside,
}

/// Starts logging to standard error. Called once.
pub(crate) fn start(default: LevelFilter, way: Way) {
    start_with(default, way, true, None);
}

/// Starts logging to standard error if `console` says so, and to syslog if there is one. Called once.
pub(crate) fn start_with(default: LevelFilter, way: Way, console: bool, syslog: Option<Syslog>) {
    let form = Form { journal: stderr_is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref()) };
    let mut builder = env_logger::Builder::new();
    builder.filter_level(default).parse_default_env();
    builder.format(move |line, record| {
        let message = record.args().to_string();
        let urgency = Urgency::of(record);
        if let Some(syslog) = &syslog {
            syslog.send(urgency, &message);
        }
        if console { line.write_all(form.entry(urgency, &message).as_bytes()) } else { Ok(()) }
    });
    // Without that thread the log is written directly: a late line is better than none.
    if way == Way::Aside
        && let Ok(writer) = aside::start(form)
    {
        builder.target(Target::Pipe(Box::new(writer)));
    }
    builder.init();
}

/// The format of a line.
#[derive(Clone, Copy, Debug)]
struct Form {
    journal: bool,
}

impl Form {
    /// A message as one entry, with its line break.
    fn entry(self, urgency: Urgency, message: &str) -> String {
        let (first, further) = if self.journal {
            let head = format!("<{}>dnsherald: ", urgency.severity());
            // The journal makes an entry of each line, so that each line needs a priority.
            (head.clone(), format!("{head}    "))
        } else {
            let time = humantime::format_rfc3339_millis(SystemTime::now());
            (format!("{time} {:<5} dnsherald: ", urgency.word()), "    ".to_owned())
        };
        let mut entry = String::with_capacity(first.len() + message.len() + 1);
        for (nth, line) in message.split('\n').enumerate() {
            entry.push_str(if nth == 0 { &first } else { &further });
            line.chars().for_each(|character| show(character, &mut entry));
            entry.push('\n');
        }
        entry
    }
}

/// systemd sets `JOURNAL_STREAM` to the device and inode of the journal's stream; standard error may have been
/// redirected since.
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
    fn each_line_in_the_journal_has_its_priority() {
        let entry = Form { journal: true }.entry(Urgency::Error, "a.toml:2:8: bad\n  |\n2 | x");
        assert_eq!(entry, "<3>dnsherald: a.toml:2:8: bad\n<3>dnsherald:       |\n<3>dnsherald:     2 | x\n");
    }

    #[test]
    fn elsewhere_further_lines_are_indented() {
        let entry = Form { journal: false }.entry(Urgency::Warning, "bad\n  |");
        assert!(entry.ends_with("Z WARN  dnsherald: bad\n      |\n"), "{entry}");
    }

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        let entry =
            Form { journal: true }.entry(Urgency::Info, "a\x1b[2J\r\0\u{9b}\u{202e}ö\t\u{2028}<0>forged");
        let shown = "a\\u{1b}[2J\\r\\u{0}\\u{9b}\\u{202e}ö\\t\\u{2028}<0>forged";
        assert_eq!(entry, format!("<6>dnsherald: {shown}\n"));
    }
}
