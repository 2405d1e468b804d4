//! DNS cookies (RFC 7873): a client cookie that an off-path attacker does not know, and the server cookie of the last
//! answer.
//!
//! A server that insists on cookies answers BADCOOKIE to the first question, with its cookie; the question is then
//! repeated with it. A server cookie holds for one address, asked from one address.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use crate::sys::lock;

/// Octets of a client cookie (RFC 7873 §4).
pub(super) const CLIENT: usize = 8;

/// The least and the most octets of a whole COOKIE option with a server cookie.
const WHOLE: std::ops::RangeInclusive<usize> = 16..=40;

/// The server address and the source address.
type Path = (SocketAddr, Option<IpAddr>);

/// The server cookies, each with its client cookie.
#[derive(Debug, Default)]
pub(super) struct CookieStore(Mutex<HashMap<Path, Vec<u8>>>);

impl CookieStore {
    /// The whole cookie to send to this server, if it gave one.
    pub(super) fn get(&self, path: Path) -> Option<Vec<u8>> {
        lock(&self.0).get(&path).cloned()
    }

    /// Keeps the cookie of a response. Returns whether it is a new one.
    pub(super) fn keep(&self, path: Path, response: &Message) -> bool {
        let Some(given) = option(response).filter(|given| WHOLE.contains(&given.len())) else {
            return false;
        };
        lock(&self.0).insert(path, given.to_vec()).is_none_or(|known| known != given)
    }
}

/// A copy begins without cookies.
impl Clone for CookieStore {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Two questions are equal whatever cookies they hold.
impl PartialEq for CookieStore {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The COOKIE option of a message.
fn option(message: &Message) -> Option<&[u8]> {
    match message.edns.as_ref()?.option(EdnsCode::Cookie)? {
        EdnsOption::Unknown(_, octets) => Some(octets),
        _ => None,
    }
}

/// Whether the response has no cookie, or the one that was sent. With another client cookie it answers another client
/// (RFC 7873 §5.3).
pub(super) fn is_ours(response: &Message, sent: &[u8]) -> bool {
    option(response).is_none_or(|given| given.get(..CLIENT) == sent.get(..CLIENT))
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::{Edns, OpCode};

    use super::*;

    fn with(cookie: &[u8]) -> Message {
        let mut message = Message::response(0, OpCode::Query);
        let mut edns = Edns::new();
        edns.options_mut().insert(EdnsOption::Unknown(10, cookie.to_vec()));
        message.set_edns(edns);
        message
    }

    #[test]
    fn a_cookie_is_kept_for_its_path_and_only_if_it_is_whole() {
        let (jar, path) = (CookieStore::default(), ("192.0.2.53:53".parse().unwrap(), None));
        for broken in [&[1; 8][..], &[1; 15], &[1; 41], &[]] {
            assert!(!jar.keep(path, &with(broken)), "{broken:?}");
        }
        assert!(jar.keep(path, &with(&[1; 16])) && !jar.keep(path, &with(&[1; 16])));
        assert_eq!(jar.get(path), Some(vec![1; 16]));
        assert_eq!(jar.get(("192.0.2.54:53".parse().unwrap(), None)), None);
    }

    #[test]
    fn a_response_with_the_cookie_of_another_client_is_not_ours() {
        assert!(is_ours(&with(&[1; 16]), &[1; 8]));
        assert!(is_ours(&Message::response(0, OpCode::Query), &[1; 8]));
        assert!(!is_ours(&with(&[2; 16]), &[1; 8]));
        assert!(!is_ours(&with(&[1; 3]), &[1; 8]));
    }
}
