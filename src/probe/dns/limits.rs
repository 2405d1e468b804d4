//! Detects response rate limiting: truncated answers although the whole answer would have fitted.
//!
//! A server that limits the rate of its answers to our network drops some and truncates some. A truncated answer proves
//! that it reads and answers. The proof holds for one server address and one source address, for [`WINDOW`].

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::sys::lock;

/// How long a truncated answer explains missing answers after it.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// The server address and the source address.
type Path = (SocketAddr, Option<IpAddr>);

/// For each server the time when it was last seen to limit its answers to a question.
#[derive(Debug, Default)]
pub(super) struct Limits(Mutex<HashMap<Path, Instant>>);

impl Limits {
    /// Records a truncated answer at `now` although the whole one would have fitted.
    pub(super) fn note(&self, path: Path, now: Instant) {
        lock(&self.0).insert(path, now);
    }

    /// The time since the last truncated answer, if within the window.
    pub(super) fn ago(&self, path: Path, now: Instant) -> Option<Duration> {
        let seen = lock(&self.0).get(&path).copied()?;
        let ago = now.saturating_duration_since(seen);
        (ago <= WINDOW).then_some(ago)
    }
}

/// A copy starts empty.
impl Clone for Limits {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Two questions are equal regardless of these times.
impl PartialEq for Limits {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_of_one_path_and_lasts_for_the_window() {
        let (limits, now) = (Limits::default(), Instant::now());
        let path: Path = ("192.0.2.53:53".parse().unwrap(), None);
        let other = (path.0, Some(IpAddr::from([10, 1, 0, 2])));
        assert_eq!(limits.ago(path, now), None, "never without such an answer");
        limits.note(path, now);
        assert_eq!(limits.ago(path, now + WINDOW), Some(WINDOW));
        assert_eq!(limits.ago(path, now + WINDOW + Duration::from_millis(1)), None);
        assert_eq!(limits.ago(other, now), None);
    }
}
