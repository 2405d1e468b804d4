//! Parses the lines of ExaBGP on our standard input.
//!
//! The answer to a command is `done` or `error`, without a number; events may arrive between answers. ExaBGP 6 sends
//! `error: why` before `error`. An empty line follows a text event.

use std::fmt;

use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::Dialect;

/// One parsed line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reply {
    /// ExaBGP carried out the command. This does not mean that a neighbor received the route.
    Done,
    /// ExaBGP refused the command.
    Error,
    /// The reason for the `error` that follows (ExaBGP 6).
    Why(String),
    /// The answer to [`super::command::ASK_VERSION`].
    Version(Version),
    /// TCP to a neighbor is connected; the session is not established yet.
    SessionConnected(String),
    /// A BGP session came up: the desired routes must be sent again.
    SessionUp(String),
    /// A BGP session went down, for this reason.
    SessionDown(String, String),
    /// ExaBGP is stopping.
    Shutdown,
    /// Nothing to act on: an empty line, another event.
    Nothing,
    /// An unknown line.
    Odd,
}

/// The version of ExaBGP.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Version {
    text: String,
    /// Only api version 6 answers in JSON.
    json: bool,
}

impl Version {
    /// The grammar it understands.
    pub(crate) fn dialect(&self) -> Dialect {
        if self.json {
            return Dialect::Peer;
        }
        let mut numbers =
            self.text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0_u32));
        let mut number = || numbers.next().unwrap_or(0);
        Dialect::before_6(number(), number(), number())
    }

    /// Whether it acknowledges commands: ExaBGP 3 does not.
    pub(crate) fn acknowledges(&self) -> bool {
        !self.text.starts_with("3.")
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Reply {
    /// Parses one line without its line break.
    pub(crate) fn from_line(line: &str) -> Self {
        let line = line.trim();
        let words: Vec<_> = line.split_whitespace().take(4).collect();
        match words.as_slice() {
            [] => Self::Nothing,
            ["done"] => Self::Done,
            ["error"] => Self::Error,
            ["error:", ..] => Self::Why(line["error:".len()..].trim().to_owned()),
            ["exabgp", version, ..] if version.starts_with(|c: char| c.is_ascii_digit()) => {
                Self::Version(Version { text: (*version).to_owned(), json: false })
            }
            ["shutdown", ..] => Self::Shutdown,
            ["neighbor", who, "connected"] => Self::SessionConnected((*who).to_owned()),
            ["neighbor", who, "up"] => Self::SessionUp((*who).to_owned()),
            ["neighbor", who, "down", ..] => Self::SessionDown(
                (*who).to_owned(),
                line.split_once(" - ").map_or("", |(_, reason)| reason).to_owned(),
            ),
            ["neighbor", ..] => Self::Nothing,
            _ if line.starts_with('{') => {
                serde_json::from_str(line).map_or(Self::Odd, |json| Self::from_json(&json))
            }
            _ => Self::Odd,
        }
    }

    fn from_json(json: &Value) -> Self {
        let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if let (Some(version), "exabgp") = (json["version"].as_str(), text("/application")) {
            return Self::Version(Version { text: version.to_owned(), json: true });
        }
        match text("/type") {
            "notification" if text("/notification") == "shutdown" => Self::Shutdown,
            "state" => {
                let who = text("/neighbor/address/peer").to_owned();
                match text("/neighbor/state") {
                    "connected" => Self::SessionConnected(who),
                    "up" => Self::SessionUp(who),
                    "down" => Self::SessionDown(who, text("/neighbor/reason").to_owned()),
                    _ => Self::Nothing,
                }
            }
            "" => Self::Odd,
            _ => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(line: &str) -> Dialect {
        match Reply::from_line(line) {
            Reply::Version(version) => version.dialect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_version_selects_the_dialect() {
        assert_eq!(dialect("exabgp 3.4.28"), Dialect::Plain);
        assert_eq!(dialect("exabgp 4.2.21-71cea3ab"), Dialect::Plain);
        assert_eq!(dialect("exabgp 4.2.22"), Dialect::Neighbor);
        assert_eq!(dialect("exabgp 5.0.13-abc"), Dialect::Neighbor);
        assert_eq!(dialect(r#"{"version": "6.0.0-x", "application": "exabgp"}"#), Dialect::Peer);
    }

    #[test]
    fn answers_are_distinguished_from_events() {
        assert_eq!(Reply::from_line("done"), Reply::Done);
        assert_eq!(Reply::from_line("error"), Reply::Error);
        assert_eq!(Reply::from_line("error: no such peer"), Reply::Why("no such peer".into()));
        assert_eq!(Reply::from_line(""), Reply::Nothing);
        assert_eq!(Reply::from_line("neighbor 10.0.0.1 receive update"), Reply::Nothing);
        assert_eq!(
            Reply::from_line("neighbor 10.0.0.1 connected"),
            Reply::SessionConnected("10.0.0.1".into())
        );
        assert_eq!(Reply::from_line("neighbor 10.0.0.1 up"), Reply::SessionUp("10.0.0.1".into()));
        assert_eq!(
            Reply::from_line("neighbor 10.0.0.1 down - peer reset, message [closing connection]"),
            Reply::SessionDown("10.0.0.1".into(), "peer reset, message [closing connection]".into())
        );
        assert_eq!(Reply::from_line("shutdown 12 1"), Reply::Shutdown);
    }

    #[test]
    fn events_in_json_are_understood() {
        let up = r#"{ "exabgp": "5.0.0", "type": "state", "neighbor": { "address": { "local": "127.0.0.1",
            "peer": "10.0.0.1" }, "state": "up" } }"#;
        assert_eq!(Reply::from_line(&up.replace('\n', " ")), Reply::SessionUp("10.0.0.1".into()));
        let connected = up.replace('\n', " ").replace("\"up\"", "\"connected\"");
        assert_eq!(Reply::from_line(&connected), Reply::SessionConnected("10.0.0.1".into()));
        let stop = r#"{ "exabgp": "5.0.0", "type": "notification", "notification": "shutdown" }"#;
        assert_eq!(Reply::from_line(stop), Reply::Shutdown);
        assert_eq!(Reply::from_line(r#"{"type": "fsm", "state": "ESTABLISHED"}"#), Reply::Nothing);
    }

    #[test]
    fn odd_lines_are_odd_and_nothing_worse() {
        for line in ["{", "{}", "[1]", "done done", "announce", "exabgp", "\u{0}\u{7f}"] {
            assert_eq!(Reply::from_line(line), Reply::Odd, "{line:?}");
        }
    }
}
