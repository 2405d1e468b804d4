//! DNS cookies (RFC 7873): a client cookie that an off-path attacker does not know, and the server cookie of the last
//! answer.
//!
//! A server that insists on cookies answers BADCOOKIE to the first question, with its cookie; the question is then
//! repeated with it. A server cookie holds for one address, asked from one address.

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};

/// Octets of a client cookie (RFC 7873 §4).
pub(super) const CLIENT: usize = 8;

/// The least and the most octets of a whole COOKIE option with a server cookie.
const WHOLE: std::ops::RangeInclusive<usize> = 16..=40;

/// The whole cookie of a response.
pub(super) fn whole(response: &Message) -> Option<&[u8]> {
    option(response).filter(|given| WHOLE.contains(&given.len()))
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

    use super::super::memory::Memory;
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
        let (memory, path) = (Memory::default(), ("192.0.2.53:53".parse().unwrap(), None));
        for broken in [&[1; 8][..], &[1; 15], &[1; 41], &[]] {
            assert!(!memory.keep_cookie(path, &with(broken)), "{broken:?}");
        }
        assert!(memory.keep_cookie(path, &with(&[1; 16])) && !memory.keep_cookie(path, &with(&[1; 16])));
        assert_eq!(memory.cookie(path), Some(vec![1; 16]));
        assert_eq!(memory.cookie(("192.0.2.54:53".parse().unwrap(), None)), None);
    }

    #[test]
    fn a_response_with_the_cookie_of_another_client_is_not_ours() {
        assert!(is_ours(&with(&[1; 16]), &[1; 8]));
        assert!(is_ours(&Message::response(0, OpCode::Query), &[1; 8]));
        assert!(!is_ours(&with(&[2; 16]), &[1; 8]));
        assert!(!is_ours(&with(&[1; 3]), &[1; 8]));
    }
}
