//! The control channels of the servers, and the reply of each.
//!
//! Every channel has the same four replies: a text, a stopped server, no answer in time, or unknown.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hickory_resolver::proto::rr::RData;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{timeout, timeout_at};

use super::targets::Target;
use super::{Facts, Trouble, privilege};
use crate::outcome::{Cause, Outcome};
use crate::probe::dns::{Question, Transport};
use crate::program::{End, Ended, KEPT_OUTPUT, Limit, Program, run_within};
use crate::text::foreign;
use crate::text::period::Period;

/// Octets of an HTTP document that are kept, at least: one that is cut is no JSON. Counters take some kilobytes.
const HTTP_KEPT: usize = 16 * KEPT_OUTPUT;

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
    /// Sends the request and waits for the reply, for everything at most this long. At most `kept` octets of it count; of
    /// an HTTP document [`HTTP_KEPT`] if that is more. CHAOS answers count whole: each is one DNS message.
    pub(crate) async fn ask(&self, kept: usize, facts: &Facts, limit: Duration) -> Reply {
        match self {
            Self::Program(program) => {
                let ended = run_within(program, Limit::Kill(limit), kept).await;
                read(program, &ended, facts)
            }
            Self::Socket { path, line } => {
                let asked = async {
                    let stream = UnixStream::connect(path).await?;
                    prompted(stream, line, kept).await
                };
                self.exchanged(timeout(limit, asked).await.ok(), limit, facts)
            }
            Self::Http { server, path } => {
                let asked = async { http(TcpStream::connect(server).await?, path, kept).await };
                self.exchanged(timeout(limit, asked).await.ok(), limit, facts)
            }
            Self::Chaos { targets, names } => chaos(targets, names, limit, || self.hung(limit)).await,
        }
    }

    fn hung(&self, limit: Duration) -> Reply {
        Reply::Hung(format!("{self}: no answer within {}", Period(limit)))
    }

    /// The reply that an exchange over a stream stands for; `None` if it took too long.
    fn exchanged(&self, exchange: Option<io::Result<String>>, limit: Duration, facts: &Facts) -> Reply {
        let error = match exchange {
            None => return self.hung(limit),
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

/// Writes a line, and reads until the prompt that follows the answer, at most `kept` octets.
async fn prompted(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    line: &str,
    kept: usize,
) -> io::Result<String> {
    // One write: the server reads a line at a time.
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    let mut said = vec![];
    let mut chunk = [0; 4096];
    while !said.ends_with(b"\n> ") && said.len() < kept {
        match stream.read(&mut chunk).await? {
            0 => break,
            length => said.extend_from_slice(&chunk[..length]),
        }
    }
    said.truncate(kept);
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
    stream.take(kept.max(HTTP_KEPT) as u64).read_to_end(&mut said).await?;
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
/// counts each query. Each address has an equal share of the time that is left. If none answers, returns the result of
/// the first address; a hang replaces a closed port.
async fn chaos(targets: &[Target], names: &[String], limit: Duration, hung: impl Fn() -> Reply) -> Reply {
    let deadline = Instant::now() + limit;
    let mut first = None;
    let addresses_left = (1..=u32::try_from(targets.len()).unwrap_or(u32::MAX)).rev();
    for (target, addresses) in targets.iter().zip(addresses_left) {
        let asked = chaos_at(target, names, left(deadline, addresses));
        match timeout_at(deadline.into(), asked).await.unwrap_or_else(|_| hung()) {
            reply @ Reply::Text(_) => return reply,
            reply @ Reply::Hung(_) if matches!(first, Some(Reply::Stopped(_))) => first = Some(reply),
            reply => first = first.or(Some(reply)),
        }
    }
    first.unwrap_or_else(|| Reply::Unknown(Trouble::new("no address to ask")))
}

/// One of equal parts of the time until `deadline`, in whole milliseconds, which messages name; rounded up.
fn left(deadline: Instant, parts: u32) -> Duration {
    let share = deadline.saturating_duration_since(Instant::now()) / parts;
    Duration::from_millis(share.as_micros().div_ceil(1000).try_into().unwrap_or(u64::MAX))
}

/// Over TCP, since BIND drops all but three such queries a second over UDP, and others may do so. All names have one
/// limit together.
async fn chaos_at(target: &Target, names: &[String], limit: Duration) -> Reply {
    let deadline = Instant::now() + limit;
    let mut lines = vec![];
    for name in names {
        let question = format!("{name} TXT CH").parse().and_then(Question::observing);
        let question = match question {
            Ok(question) => question,
            Err(why) => return Reply::Unknown(Trouble::new(why)),
        };
        let finding = target.ask(question, Transport::Tcp, left(deadline, 1)).await;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::TcpListener;

    use super::*;
    use crate::backend::Kind;

    fn target(listener: &TcpListener) -> Target {
        let server = listener.local_addr().unwrap();
        Target { server, source: server.ip(), locality: Arc::default(), is_service: false }
    }

    async fn asks(targets: Vec<Target>, names: usize, limit: Duration) -> Reply {
        let names = (0..names).map(|name| format!("{name}.bind.")).collect();
        Request::Chaos { targets, names }.ask(KEPT_OUTPUT, Kind::Dnsmasq.facts(), limit).await
    }

    /// Answers each query with a TXT record.
    async fn answers(listener: TcpListener) {
        loop {
            let mut stream = listener.accept().await.unwrap().0;
            let mut query = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut query).await.unwrap();
            // Header, question and one record; the other sections are empty.
            let name = query[12..].iter().position(|octet| *octet == 0).unwrap();
            query.truncate(12 + name + 5);
            query[2] |= 0x80;
            query[6..12].copy_from_slice(&[0, 1, 0, 0, 0, 0]);
            query.extend(b"\xc0\x0c\0\x10\0\x03\0\0\0\0\0\x02\x017");
            stream.write_u16(u16::try_from(query.len()).unwrap()).await.unwrap();
            stream.write_all(&query).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_hung_server_takes_one_limit_at_all_its_addresses() {
        // It accepts connections, and never answers.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (limit, began) = (Duration::from_millis(600), Instant::now());
        let reply = asks(vec![target(&listener); 40], 1, limit).await;
        assert!(!matches!(reply, Reply::Text(_)), "{reply:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn an_address_without_an_answer_leaves_time_for_the_next() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let targets = vec![target(&silent), target(&listener)];
        let server = tokio::spawn(answers(listener));
        // The silent address takes half of the limit, if the test runs in time.
        let mut limit = Duration::from_secs(1);
        let mut reply = asks(targets.clone(), 2, limit).await;
        while !matches!(reply, Reply::Text(_)) && limit < Duration::from_secs(20) {
            limit *= 4;
            reply = asks(targets.clone(), 2, limit).await;
        }
        assert_eq!(reply, Reply::Text("7\n7".to_owned()));
        server.abort();
    }

    #[tokio::test]
    async fn a_hang_tells_more_than_a_closed_port_elsewhere() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let targets = vec![target(&closed), target(&silent)];
        drop(closed);
        // On a busy machine the state is unknown.
        let reply = asks(targets, 1, Duration::from_millis(600)).await;
        assert!(matches!(reply, Reply::Hung(_) | Reply::Unknown(_)), "{reply:?}");
    }

    #[tokio::test]
    async fn of_a_long_answer_the_beginning_counts() {
        let (client, mut server) = tokio::io::duplex(64 * 1024);
        server.write_all(&[b'x'; 5000]).await.unwrap();
        assert_eq!(prompted(client, "help", 100).await.unwrap(), "x".repeat(100));
    }
}
