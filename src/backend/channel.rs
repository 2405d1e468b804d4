//! The control channels of the servers, and the reply of each.
//!
//! Every channel has the same four replies: a text, a stopped server, no answer in time, or unknown.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hickory_resolver::proto::rr::RData;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::targets::Target;
use super::{Facts, Trouble, privilege};
use crate::outcome::{Cause, Outcome};
use crate::probe::dns::{Question, Transport};
use crate::program::{End, Ended, KEPT, Limit, Program, run_within};
use crate::text::foreign;
use crate::text::period::Period;

/// A request to the server and its channel, displayed as an operator would type it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Request {
    Program(Program),
    /// A line to a Unix socket.
    Socket {
        /// The path of the socket.
        path: PathBuf,
        /// The line without its line break.
        line: String,
    },
    /// A document over HTTP.
    Http {
        server: SocketAddr,
        /// The path, with its first slash.
        path: String,
    },
    /// TXT queries in class CHAOS over TCP, one line of text for each.
    Chaos {
        /// The addresses of the server; the first that answers counts.
        targets: Vec<Target>,
        names: Vec<String>,
    },
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(program) => program.fmt(f),
            Self::Socket { path, line } => write!(f, "`{line}` to {}", path.display()),
            Self::Http { server, path } => write!(f, "http://{server}{path}"),
            Self::Chaos { names, .. } => write!(f, "{} TXT CH", names.join(", ")),
        }
    }
}

/// The reply to a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reply {
    /// The server answered.
    Text(String),
    /// No server runs, for this reason.
    Stopped(String),
    /// The server did not answer in time, for this reason.
    Hung(String),
    /// The state of the server is not known, for this reason.
    Unknown(Trouble),
}

impl Reply {
    /// The text of the answer.
    ///
    /// # Errors
    /// Returns the reason of any other reply.
    pub(crate) fn text(self) -> Result<String, Trouble> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Stopped(why) | Self::Hung(why) => Err(Trouble::new(why)),
            Self::Unknown(trouble) => Err(trouble),
        }
    }
}

impl Request {
    /// Sends the request and waits for the reply, at most this long. At most `kept` octets of it count.
    pub(crate) async fn ask(&self, kept: usize, facts: &Facts, limit: Duration) -> Reply {
        match self {
            Self::Program(program) => {
                let ended = run_within(program, Limit::Kill(limit), kept).await;
                read(program, &ended, facts)
            }
            Self::Socket { path, line } => {
                let asked = async {
                    let stream = UnixStream::connect(path).await?;
                    prompted(stream, line).await
                };
                self.exchanged(timeout(limit, asked).await.ok(), limit, facts)
            }
            Self::Http { server, path } => {
                let asked = async { http(TcpStream::connect(server).await?, path, kept).await };
                self.exchanged(timeout(limit, asked).await.ok(), limit, facts)
            }
            Self::Chaos { targets, names } => chaos(targets, names, limit).await,
        }
    }

    /// The reply that an exchange over a stream stands for; `None` if it took too long.
    fn exchanged(&self, exchange: Option<io::Result<String>>, limit: Duration, facts: &Facts) -> Reply {
        let error = match exchange {
            None => return Reply::Hung(format!("{self}: no answer within {}", Period(limit))),
            Some(Ok(text)) => return Reply::Text(text),
            Some(Err(error)) => error,
        };
        let why = format!("{self}: {error}");
        let is_socket = matches!(self, Self::Socket { .. });
        match error.kind() {
            ErrorKind::ConnectionRefused if is_socket => Reply::Stopped(why),
            ErrorKind::NotFound if is_socket && facts.always_on => Reply::Stopped(why),
            ErrorKind::PermissionDenied => {
                Reply::Unknown(Trouble::with(why, privilege::control_channel(facts)))
            }
            _ if is_socket => Reply::Unknown(Trouble::with(why, enable(facts))),
            _ => Reply::Unknown(Trouble::with(why, facts.no_counters)),
        }
    }
}

/// The reply that the exit of a control program stands for.
pub(super) fn read(program: &Program, ended: &Ended, facts: &Facts) -> Reply {
    let why = format!("{program}: {ended}");
    match &ended.end {
        End::TimedOut(..) => Reply::Hung(why),
        // dnsdist without a console key exits with 0 and reports it only on standard error.
        End::Exited(status) if status.success() && ended.out.trim().is_empty() => {
            Reply::Text(ended.err.clone())
        }
        End::Exited(status) if status.success() => Reply::Text(ended.out.clone()),
        End::Exited(status) => {
            let is_code_of_stopped = status.code().is_some_and(|code| facts.stopped.contains(&code));
            if is_denied(ended) {
                Reply::Unknown(Trouble::with(why, privilege::control_channel(facts)))
            } else if is_code_of_stopped || ended.prints("connection refused") {
                Reply::Stopped(why)
            } else if ended.prints("timed out") || ended.prints("timeout") {
                Reply::Hung(why)
            } else if ended.prints("no such file") || (ended.prints("socket") && ended.prints("not exist")) {
                let remedy = enable(facts);
                if facts.always_on { Reply::Stopped(why) } else { Reply::Unknown(Trouble::with(why, remedy)) }
            } else {
                Reply::Unknown(Trouble::new(why))
            }
        }
        End::Missing => Reply::Unknown(Trouble::with(why, install(facts))),
        End::NotPermitted => Reply::Unknown(Trouble::with(why, privilege::control_channel(facts))),
        End::NotStarted(_) => Reply::Unknown(Trouble::new(why)),
    }
}

/// Whether a program reports that this user may not read a file or use a socket.
pub(super) fn is_denied(ended: &Ended) -> bool {
    // rndc does not report why it cannot read its key.
    ["permission denied", "operation not permitted", "could not load rndc configuration"]
        .into_iter()
        .any(|words| ended.prints(words))
}

/// How to install a missing program.
pub(super) fn install(facts: &Facts) -> String {
    match facts.package {
        "" => String::new(),
        package => format!("install it: apt-get install {package}; or name another in the configuration"),
    }
}

/// The remedy that switches the control channel on.
pub(super) fn enable(facts: &Facts) -> String {
    match facts.access.enable {
        "" => String::new(),
        lines => {
            format!("{} is stopped, or its control channel is off; to switch it on:\n{lines}", facts.name)
        }
    }
}

/// Writes a line, and reads until the prompt that follows the answer.
async fn prompted(mut stream: impl AsyncRead + AsyncWrite + Unpin, line: &str) -> io::Result<String> {
    // One write: the server reads a line at a time.
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    let mut said = vec![];
    let mut chunk = [0; 4096];
    while !said.ends_with(b"\n> ") && said.len() < KEPT {
        match stream.read(&mut chunk).await? {
            0 => break,
            length => said.extend_from_slice(&chunk[..length]),
        }
    }
    let said = String::from_utf8_lossy(&said);
    let answer = said.strip_suffix("> ").unwrap_or(&said);
    Ok(answer.strip_prefix("> ").unwrap_or(answer).trim().to_owned())
}

/// One GET (RFC 9112, in its oldest form, which ends with the connection).
async fn http(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
    kept: usize,
) -> io::Result<String> {
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
    let mut said = vec![];
    // A longer document would be cut and no longer be JSON; counters take some kilobytes.
    stream.take(kept.max(16 * KEPT) as u64).read_to_end(&mut said).await?;
    let said = String::from_utf8_lossy(&said);
    let refuse = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
    let (head, body) = said.split_once("\r\n\r\n").ok_or_else(|| refuse("answered other than HTTP"))?;
    let status = head.lines().next().unwrap_or_default();
    match status.split_whitespace().nth(1) {
        Some("200") => Ok(body.to_owned()),
        _ => Err(refuse(&format!("answered `{}`, expected status 200", foreign(status)))),
    }
}

/// Queries one address after the other until one answers: the server may not listen at the management address, and it
/// counts each query. If none answers, returns the result of the first address.
async fn chaos(targets: &[Target], names: &[String], limit: Duration) -> Reply {
    let mut first = None;
    for target in targets {
        match chaos_at(target, names, limit).await {
            reply @ Reply::Text(_) => return reply,
            reply => first = first.or(Some(reply)),
        }
    }
    first.unwrap_or_else(|| Reply::Unknown(Trouble::new("no address to ask")))
}

/// Over TCP, since BIND drops all but three such queries a second over UDP, and others may do so.
async fn chaos_at(target: &Target, names: &[String], limit: Duration) -> Reply {
    let mut lines = vec![];
    for name in names {
        let question = format!("{name} TXT CH").parse().and_then(Question::observing);
        let question = match question {
            Ok(question) => question,
            Err(why) => return Reply::Unknown(Trouble::new(why)),
        };
        let finding = target.ask(question, Transport::Tcp, limit).await;
        let failure = match finding.outcome {
            Outcome::Fail(failure) | Outcome::Unknown(failure) => failure,
            Outcome::Pass { .. } => {
                let answers = finding.response.into_iter().flat_map(|response| response.answers);
                let texts = answers.filter_map(|record| match record.data {
                    RData::TXT(text) => Some(text.txt_data.concat()),
                    _ => None,
                });
                lines.push(String::from_utf8_lossy(&texts.collect::<Vec<_>>().concat()).into_owned());
                continue;
            }
        };
        return match failure.cause {
            Cause::PortClosed => Reply::Stopped(failure.detail),
            Cause::Timeout => Reply::Hung(failure.detail),
            _ => Reply::Unknown(Trouble::new(failure.detail)),
        };
    }
    Reply::Text(lines.join("\n"))
}
