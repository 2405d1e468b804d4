//! What the probes of a question remember of a server: its cookie, and that it limits the rate of its answers.
//!
//! A server that limits the rate of its answers to our network drops some and truncates some. A truncated answer,
//! although the whole one would have fitted, proves that it reads and answers. The proof holds for [`WINDOW`].

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::Message;

use super::cookie;
use crate::sys::lock;

/// How long a truncated answer explains missing answers after it.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// The server address and the source address.
pub(super) type Path = (SocketAddr, Option<IpAddr>);

/// The memory of a question. A copy starts empty.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<HashMap<Path, Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    /// The cookie of the server behind the one of the client.
    cookie: Option<Vec<u8>>,
    /// When the server was last seen to limit its answers.
    limited: Option<Instant>,
}

impl Memory {
    /// The whole cookie to send to this server, if it gave one.
    pub(super) fn cookie(&self, path: Path) -> Option<Vec<u8>> {
        lock(&self.0).get(&path)?.cookie.clone()
    }

    /// Keeps the cookie of a response. Returns whether it is a new one.
    pub(super) fn keep_cookie(&self, path: Path, response: &Message) -> bool {
        let Some(given) = cookie::whole(response) else { return false };
        let mut memory = lock(&self.0);
        let known = memory.entry(path).or_default().cookie.replace(given.to_vec());
        known.is_none_or(|known| known != given)
    }

    /// Records a truncated answer at `now` although the whole one would have fitted.
    pub(super) fn note_limit(&self, path: Path, now: Instant) {
        lock(&self.0).entry(path).or_default().limited = Some(now);
    }

    /// The time since the last truncated answer, if within the window.
    pub(super) fn limited_since(&self, path: Path, now: Instant) -> Option<Duration> {
        let seen = lock(&self.0).get(&path)?.limited?;
        Some(now.saturating_duration_since(seen)).filter(|since| *since <= WINDOW)
    }
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Two questions are equal whatever they remember.
impl PartialEq for Memory {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_of_one_path_and_lasts_for_the_window() {
        let (memory, now) = (Memory::default(), Instant::now());
        let path: Path = ("192.0.2.53:53".parse().unwrap(), None);
        let other = (path.0, Some(IpAddr::from([10, 1, 0, 2])));
        assert_eq!(memory.limited_since(path, now), None, "never without such an answer");
        memory.note_limit(path, now);
        assert_eq!(memory.limited_since(path, now + WINDOW), Some(WINDOW));
        assert_eq!(memory.limited_since(path, now + WINDOW + Duration::from_millis(1)), None);
        assert_eq!(memory.limited_since(other, now), None);
    }
}
