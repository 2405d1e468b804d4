//! One request of DNS over HTTPS (RFC 8484) over HTTP/2 (RFC 9113), which every stock DNS server with HTTPS speaks; several of
//! them speak nothing else.
//!
//! This is as much of HTTP/2 as one POST takes: one stream, no header compression of our own, and of the headers of the
//! response only the status, which comes first. A DNS message fits into the initial flow-control window.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::exchange::{Trouble, hung_up, malformed};
use crate::outcome::{Cause, Failure};

mod hpack;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

/// Also `ACK`, of SETTINGS and PING.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// The stream of the request.
const STREAM: u32 = 1;

/// The longest frame that a server may send unless it is allowed more (RFC 9113 §4.2).
const LONGEST_FRAME: usize = 16_384;

/// Octets of all headers of a response, at most.
const LONGEST_HEADERS: usize = 65_536;

/// The longest DNS message.
const LONGEST_MESSAGE: usize = 65_535;

/// Sends `message` to `path` at `authority`, and returns the body of the response with status 200.
pub(super) async fn post<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    authority: &str,
    path: &str,
    message: &[u8],
) -> Result<Vec<u8>, Trouble> {
    let mut opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS_HEADER_TABLE_SIZE and SETTINGS_ENABLE_PUSH are 0.
    opening.extend(frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]));
    opening.extend(frame(HEADERS, END_HEADERS, STREAM, &hpack::request(authority, path, message.len())));
    opening.extend(frame(DATA, END_STREAM, STREAM, message));
    stream.write_all(&opening).await?;
    stream.flush().await?;
    let mut response = Response::default();
    let mut payload = Vec::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [high, middle, low, kind, flags, id @ ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        if length > LONGEST_FRAME {
            let why = format!("an HTTP/2 frame of {length} octets, expected at most {LONGEST_FRAME}");
            return Err(malformed(&why).into());
        }
        payload.resize(length, 0);
        stream.read_exact(&mut payload).await?;
        let mut is_last = false;
        let of_stream = u32::from_be_bytes(id) & 0x7fff_ffff == STREAM;
        match kind {
            SETTINGS | PING if flags & END_STREAM == 0 => {
                let answer = if kind == PING { &payload[..] } else { &[] };
                stream.write_all(&frame(kind, END_STREAM, 0, answer)).await?;
                stream.flush().await?;
            }
            GOAWAY if payload.get(4..8) != Some(&[0; 4]) => return Err(hung_up().into()),
            RST_STREAM if of_stream => return Err(hung_up().into()),
            HEADERS | CONTINUATION | DATA if of_stream => {
                is_last = response.add_frame(kind, flags, &payload)?;
            }
            _ => {}
        }
        if is_last {
            return Ok(response.body);
        }
    }
}

/// The received part of a response.
#[derive(Debug, Default)]
struct Response {
    /// Whether status 200 was read.
    is_ok: bool,
    headers: usize,
    body: Vec<u8>,
}

impl Response {
    /// Adds one frame of the stream. Returns whether it was the last.
    fn add_frame(&mut self, kind: u8, flags: u8, payload: &[u8]) -> Result<bool, Failure> {
        let content = content(kind, flags, payload).ok_or_else(|| malformed("a padded HTTP/2 frame"))?;
        match kind {
            DATA => {
                self.body.extend(content);
                if self.body.len() > LONGEST_MESSAGE {
                    return Err(malformed(&format!("more than {LONGEST_MESSAGE} octets over HTTPS")));
                }
            }
            _ => {
                self.headers += content.len().max(1);
                if self.headers > LONGEST_HEADERS {
                    return Err(malformed(&format!("HTTP headers of more than {LONGEST_HEADERS} octets")));
                }
            }
        }
        if kind == HEADERS && !self.is_ok {
            match hpack::status(content) {
                Some(200) => self.is_ok = true,
                // Informational: the response follows.
                Some(100..=199) => {}
                Some(status) => {
                    let detail = format!("HTTP status {status}, expected 200");
                    return Err(Failure::new(Cause::Http, detail));
                }
                None => return Err(malformed("HTTP headers without a status")),
            }
        }
        let is_last = kind != CONTINUATION && flags & END_STREAM != 0;
        if is_last && !self.is_ok {
            return Err(malformed("an HTTP response without headers"));
        }
        Ok(is_last)
    }
}

/// The payload without padding and priority.
fn content(kind: u8, flags: u8, payload: &[u8]) -> Option<&[u8]> {
    if kind == CONTINUATION {
        return Some(payload);
    }
    let (padding, rest) = match flags & PADDED {
        0 => (0, payload),
        _ => payload.split_first().map(|(padding, rest)| (usize::from(*padding), rest))?,
    };
    let skipped = if kind == HEADERS && flags & PRIORITY != 0 { 5 } else { 0 };
    rest.get(skipped..rest.len().checked_sub(padding)?)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    // A request is shorter than 1024 octets.
    let [_, high, middle, low] = (payload.len() as u32).to_be_bytes();
    let mut octets = vec![high, middle, low, kind, flags];
    octets.extend(stream.to_be_bytes());
    octets.extend(payload);
    octets
}

#[cfg(test)]
mod tests;
