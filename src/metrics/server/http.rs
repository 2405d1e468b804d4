//! The part of HTTP/1.1 (RFC 9112) that a scraper needs: one request, one answer, then the connection closes.

/// The longest head of a request, in octets.
pub(super) const LONGEST_HEAD: usize = 8 * 1024;

/// Whether the head of a request has ended.
pub(super) fn is_whole(head: &[u8]) -> bool {
    head.windows(4).any(|window| window == b"\r\n\r\n")
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asked {
    /// The metrics, by GET or HEAD.
    Metrics { with_body: bool },
    /// What is not served, by the status of its answer.
    Other(&'static str),
}

impl Asked {
    pub(super) fn from_head(head: &[u8]) -> Self {
        if !is_whole(head) {
            let is_long = head.len() > LONGEST_HEAD;
            return Self::Other(if is_long {
                "431 Request Header Fields Too Large"
            } else {
                "400 Bad Request"
            });
        }
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.split(' ');
        let (Some(method), Some(target), Some("HTTP/1.0" | "HTTP/1.1"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Self::Other("400 Bad Request");
        };
        match (target.split('?').next(), method) {
            (Some("/metrics"), "GET") => Self::Metrics { with_body: true },
            (Some("/metrics"), "HEAD") => Self::Metrics { with_body: false },
            (Some("/metrics"), _) => Self::Other("405 Method Not Allowed"),
            _ => Self::Other("404 Not Found"),
        }
    }
}

/// The answer to what is not served.
pub(super) fn refusal(status: &str) -> String {
    response(status, "text/plain; charset=utf-8", &format!("{status}\n"), true)
}

pub(super) fn response(status: &str, media: &str, body: &str, with_body: bool) -> String {
    let (allow, length) = (if status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" }, body.len());
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {length}\r\n{allow}Connection: close\r\n\r\n"
    );
    if with_body { head + body } else { head }
}
