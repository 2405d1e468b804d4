//! Encodes and decodes netlink messages (`linux/netlink.h`): a header, a fixed body, attributes. Numbers are in host
//! byte order.

use rustix::io::Errno;

/// Octets of `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;

/// `NLM_F_REQUEST`: a message to the kernel.
pub(super) const REQUEST: u16 = 0x01;

/// `NLM_F_ROOT | NLM_F_MATCH`: all objects, in several messages.
pub(super) const DUMP: u16 = 0x300;

/// `NLM_F_DUMP_INTR`: the objects changed during the dump, which may be incomplete.
const INTERRUPTED: u16 = 0x10;

/// `NLMSG_NOOP`: to be skipped.
const NOOP: u16 = 1;

/// `NLMSG_ERROR`.
const ERROR: u16 = 2;

/// `NLMSG_DONE`: the end of a dump.
const DONE: u16 = 3;

/// `NLMSG_OVERRUN`: objects were lost.
const OVERRUN: u16 = 4;

/// Builds a message to the kernel.
pub(super) fn request(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut octets = Vec::with_capacity(HEADER + body.len());
    octets.extend(length.to_ne_bytes());
    octets.extend(kind.to_ne_bytes());
    octets.extend((REQUEST | flags).to_ne_bytes());
    octets.extend(sequence.to_ne_bytes());
    octets.extend([0; 4]);
    octets.extend(body);
    octets
}

/// Builds an attribute, padded to a multiple of four octets.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut octets = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// A message from the kernel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Message<'a> {
    pub(super) sequence: u32,
    pub(super) interrupted: bool,
    pub(super) content: Content<'a>,
}

/// The content of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Content<'a> {
    Nothing,
    /// The request failed with this error number; 0 is an acknowledgment.
    Error(i32),
    /// The dump is complete, or failed if the error number is not 0.
    Done(i32),
    /// An object of this kind, and its body.
    Object(u16, &'a [u8]),
}

/// Splits the first message off `octets`. Returns `None` at the end, and leaves octets behind that are no message.
pub(super) fn take<'a>(octets: &mut &'a [u8]) -> Option<Message<'a>> {
    let length = usize::try_from(u32::from_ne_bytes(array(octets, 0)?)).ok()?;
    let body = octets.get(HEADER..length)?;
    let kind = u16::from_ne_bytes(array(octets, 4)?);
    let flags = u16::from_ne_bytes(array(octets, 6)?);
    let sequence = u32::from_ne_bytes(array(octets, 8)?);
    let number = || array(body, 0).map_or(0, i32::from_ne_bytes).saturating_neg();
    let content = match kind {
        NOOP => Content::Nothing,
        OVERRUN => Content::Error(Errno::NOBUFS.raw_os_error()),
        ERROR => Content::Error(number()),
        DONE => Content::Done(number()),
        kind => Content::Object(kind, body),
    };
    *octets = octets.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(Message { sequence, interrupted: flags & INTERRUPTED != 0, content })
}

/// Finds the attribute of this kind in `octets`.
pub(super) fn find(mut octets: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(array(octets, 0)?));
        let kind = u16::from_ne_bytes(array(octets, 2)?);
        let value = octets.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        octets = octets.get(length.next_multiple_of(4)..)?;
    }
}

/// Reads `N` octets from `start` on.
pub(super) fn array<const N: usize>(octets: &[u8], start: usize) -> Option<[u8; N]> {
    octets.get(start..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds a header in host byte order.
    fn header(length: u32, kind: u16, flags: u16, sequence: u32) -> Vec<u8> {
        let mut octets = length.to_ne_bytes().to_vec();
        octets.extend(kind.to_ne_bytes());
        octets.extend(flags.to_ne_bytes());
        octets.extend(sequence.to_ne_bytes());
        octets.extend([0; 4]);
        octets
    }

    #[test]
    fn builds_a_request() {
        let expected = [header(20, 26, 0x301, 7), vec![1, 2, 3, 4]].concat();
        assert_eq!(request(26, DUMP, 7, &[1, 2, 3, 4]), expected);
    }

    #[test]
    fn pads_and_finds_attributes() {
        let pair = |kind: u16, length: u16| [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        let octets = attribute(1, &[9, 8, 7, 6, 5]);
        assert_eq!(octets, [pair(1, 9), vec![9, 8, 7, 6, 5, 0, 0, 0]].concat());
        let octets = [octets, attribute(4, &[2])].concat();
        assert_eq!(find(&octets, 4), Some(&[2][..]));
        assert_eq!(find(&octets, 1), Some(&[9, 8, 7, 6, 5][..]));
        assert_eq!(find(&octets, 3), None);
    }

    #[test]
    fn splits_messages() {
        let mut octets = header(18, 24, INTERRUPTED, 5);
        octets.extend([1, 2, 0, 0]);
        octets.extend(header(20, 2, 0, 6));
        octets.extend((-101_i32).to_ne_bytes());
        octets.extend(header(20, 3, 0, 6));
        octets.extend([0; 4]);
        let mut left = &octets[..];
        let object = Message { sequence: 5, interrupted: true, content: Content::Object(24, &[1, 2]) };
        assert_eq!(take(&mut left), Some(object));
        assert_eq!(take(&mut left).map(|message| message.content), Some(Content::Error(101)));
        assert_eq!(take(&mut left).map(|message| message.content), Some(Content::Done(0)));
        assert_eq!(take(&mut left), None);
    }

    #[test]
    fn stops_at_invalid_messages() {
        for length in [0, 15, 17, u32::MAX] {
            let octets = header(length, 24, 0, 1);
            assert_eq!(take(&mut &octets[..]), None, "{length}");
        }
        for length in [0, 3, 9] {
            let octets = [u16::to_ne_bytes(length), u16::to_ne_bytes(1)].concat();
            assert_eq!(find(&octets, 1), None, "{length}");
            assert_eq!(find(&octets, 2), None, "{length}");
        }
    }
}
