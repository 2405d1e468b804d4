//! Response rate limiting as it shows to us: truncated answers whose whole answer would have fitted.
//!
//! A server that limits the rate of its answers to our network drops some and truncates some. A truncated one proves
//! that it reads and answers. The proof holds for one address, asked from one address, for [`WINDOW`].

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::sys::lock;

/// How long a truncated answer explains the silence after it.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// Who was asked, and from where.
type Path = (SocketAddr, Option<IpAddr>);

/// When which server was last seen to limit the rate of its answers to a question.
#[derive(Debug, Default)]
pub(super) struct Limits(Mutex<HashMap<Path, Instant>>);

impl Limits {
    /// A truncated answer came at `now`, and the whole one would have fitted.
    pub(super) fn note(&self, path: Path, now: Instant) {
        lock(&self.0).insert(path, now);
    }

    /// How long before `now` that was, if within the window.
    pub(super) fn ago(&self, path: Path, now: Instant) -> Option<Duration> {
        let seen = lock(&self.0).get(&path).copied()?;
        let ago = now.saturating_duration_since(seen);
        (ago <= WINDOW).then_some(ago)
    }
}

/// A copy begins without what was seen.
impl Clone for Limits {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What was seen of a server makes no other question.
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
