//! The forms of a line on standard error: text, text for the journal, JSON.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use clap::ValueEnum;

use super::entry::Urgency;
use super::fields::Fields;
use crate::text::{json, show};

/// The form that the operator asks for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Entries of the journal under systemd, else text
    #[default]
    Auto,
    /// A line of text for each message, with its time
    Text,
    /// A JSON object on each line
    Json,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// With the time and the level.
    Text,
    /// With the priority as systemd reads it, and without a time, which the journal adds.
    Journal,
    /// An object with `time`, `level`, `message` and the fields of the message.
    Json,
}

impl Form {
    /// The form for this standard error.
    pub(super) fn new(format: LogFormat) -> Self {
        match format {
            LogFormat::Json => Self::Json,
            LogFormat::Text => Self::Text,
            LogFormat::Auto => {
                let is_journal = stderr_is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref());
                if is_journal { Self::Journal } else { Self::Text }
            }
        }
    }

    /// A message as one entry, with its line break.
    pub(super) fn entry(self, urgency: Urgency, message: &str, fields: &Fields) -> String {
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        let (first, further) = match self {
            Self::Json => return json_entry(&time.to_string(), urgency, message, fields),
            Self::Journal => {
                let head = format!("<{}>dnsherald: ", urgency.severity());
                // The journal makes an entry of each line, so that each line needs a priority.
                (head.clone(), format!("{head}    "))
            }
            Self::Text => (format!("{time} {:<5} dnsherald: ", urgency.word()), "    ".to_owned()),
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

fn json_entry(time: &str, urgency: Urgency, message: &str, fields: &Fields) -> String {
    let mut object = serde_json::Map::new();
    let mut add = |key: &str, value: &str| object.insert(key.to_owned(), value.into());
    add("time", time);
    add("level", urgency.name());
    add("message", message);
    for (key, value) in fields.iter() {
        add(key, value);
    }
    json(serde_json::Value::Object(object).to_string()) + "\n"
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

    fn entry(form: Form, urgency: Urgency, message: &str) -> String {
        form.entry(urgency, message, &Fields::default())
    }

    #[test]
    fn only_the_very_stream_is_the_journal() {
        assert!(!stderr_is_journal(None));
        assert!(!stderr_is_journal(Some("")));
        assert!(!stderr_is_journal(Some("0:0")));
    }

    #[test]
    fn each_line_in_the_journal_has_its_priority() {
        let entry = entry(Form::Journal, Urgency::Error, "a.toml:2:8: bad\n  |\n2 | x");
        assert_eq!(entry, "<3>dnsherald: a.toml:2:8: bad\n<3>dnsherald:       |\n<3>dnsherald:     2 | x\n");
    }

    #[test]
    fn elsewhere_further_lines_are_indented() {
        let entry = entry(Form::Text, Urgency::Warning, "bad\n  |");
        assert!(entry.ends_with("Z WARN  dnsherald: bad\n      |\n"), "{entry}");
    }

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        let entry = entry(Form::Journal, Urgency::Info, "a\x1b[2J\r\0\u{9b}\u{202e}ö\t\u{2028}<0>forged");
        let shown = "a\\u{1b}[2J\\r\\u{0}\\u{9b}\\u{202e}ö\\t\\u{2028}<0>forged";
        assert_eq!(entry, format!("<6>dnsherald: {shown}\n"));
    }

    #[test]
    fn a_line_of_json_has_the_message_and_its_fields() {
        let fields = Fields::new([("event", "service"), ("service", "a\"b\n")]);
        let entry = Form::Json.entry(Urgency::Notice, "bad\n  | \x1b", &fields);
        assert_eq!(entry.matches('\n').count(), 1, "{entry}");
        let object: serde_json::Value = serde_json::from_str(&entry).unwrap();
        assert!(object["time"].as_str().unwrap().ends_with('Z'), "{entry}");
        let values = ["level", "message", "event", "service"].map(|key| object[key].as_str().unwrap());
        assert_eq!(values, ["notice", "bad\n  | \x1b", "service", "a\"b\n"]);
    }
}
