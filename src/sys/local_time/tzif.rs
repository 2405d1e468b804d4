//! A file of the time zone database (RFC 9636): the changes of a zone, and the rule that holds after them.

use super::Offset;

/// The changes of a zone that a file lists.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Before the first change.
    first: Option<Offset>,
    /// Seconds since 1970, and what holds from then on; in order.
    changes: Vec<(i64, Offset)>,
}

impl History {
    /// The offset in force at this time; `None` after the last change, where the rule decides, if there is one.
    pub(super) fn at(&self, unix: i64, has_rule: bool) -> Option<Offset> {
        let passed = self.changes.partition_point(|(at, _)| *at <= unix);
        if passed == self.changes.len() && has_rule {
            return None;
        }
        let last = passed.checked_sub(1).map(|index| &self.changes[index].1);
        last.or(self.first.as_ref()).cloned()
    }
}

/// Reads bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok()
    }
}

/// The numbers of the elements of a block.
struct Header {
    version: u8,
    indicators: usize,
    leaps: usize,
    times: usize,
    types: usize,
    characters: usize,
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let start = reader.take(20)?;
        if !start.starts_with(b"TZif") {
            return None;
        }
        let indicators = reader.number()?.checked_add(reader.number()?)?;
        let [leaps, times, types, characters] =
            [reader.number()?, reader.number()?, reader.number()?, reader.number()?];
        Some(Self { version: start[4], indicators, leaps, times, types, characters })
    }

    /// The size of its block in octets, with this size of each time.
    fn length(&self, width: usize) -> Option<usize> {
        let times = self.times.checked_mul(width + 1)?;
        let leaps = self.leaps.checked_mul(width + 4)?;
        let rest = self.types.checked_mul(6)?.checked_add(self.characters)?.checked_add(self.indicators)?;
        times.checked_add(leaps)?.checked_add(rest)
    }
}

/// The changes, and the text of the rule after them; `None` if this is no such file.
pub(super) fn parse(bytes: &[u8]) -> Option<(History, Option<&str>)> {
    let mut reader = Reader(bytes);
    let mut header = Header::read(&mut reader)?;
    let mut width = 4;
    // From version 2 on, a second block has 64-bit times, and a rule follows it.
    if header.version >= b'2' {
        let first = header.length(width)?;
        reader.take(first)?;
        header = Header::read(&mut reader)?;
        width = 8;
    }
    let block = reader.take(header.length(width)?)?;
    let history = history(&header, width, block)?;
    let footer = reader.0.strip_prefix(b"\n").and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    let rule = footer.and_then(|rule| std::str::from_utf8(rule).ok()).filter(|rule| !rule.is_empty());
    Some((history, rule))
}

fn history(header: &Header, width: usize, block: &[u8]) -> Option<History> {
    let mut block = Reader(block);
    let times = block.take(header.times.checked_mul(width)?)?;
    let indices = block.take(header.times)?;
    let types = block.take(header.types.checked_mul(6)?)?;
    let characters = block.take(header.characters)?;
    let offset = |index: usize| -> Option<Offset> {
        let entry = types.chunks_exact(6).nth(index)?;
        let seconds = i32::from_be_bytes(entry[..4].try_into().ok()?);
        let name = characters.get(usize::from(entry[5])..)?.split(|byte| *byte == 0).next()?;
        let name = std::str::from_utf8(name).ok()?;
        Some(Offset { seconds: seconds.into(), name: name.to_owned() })
    };
    let changes = times.chunks_exact(width).zip(indices).map(|(time, index)| {
        let at = match width {
            4 => i32::from_be_bytes(time.try_into().ok()?).into(),
            _ => i64::from_be_bytes(time.try_into().ok()?),
        };
        Some((at, offset(usize::from(*index))?))
    });
    Some(History { first: offset(0), changes: changes.collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one change, from local mean time to CET at `at`, and a rule.
    fn file(version: u8, at: i64, rule: &str) -> Vec<u8> {
        let header = |times: u32| {
            let mut bytes = [b"TZif".as_slice(), &[version], &[0; 15]].concat();
            for count in [0, 0, 0, times, 2, 8] {
                bytes.extend(u32::to_be_bytes(count));
            }
            bytes
        };
        let types = [&3208_i32.to_be_bytes()[..], &[0, 0], &3600_i32.to_be_bytes(), &[0, 4]].concat();
        let rest = [&types[..], b"LMT\0CET\0"].concat();
        let first = [&header(0)[..], &rest].concat();
        let second = [&header(1)[..], &at.to_be_bytes(), &[1], &rest].concat();
        [&first[..], &second, format!("\n{rule}\n").as_bytes()].concat()
    }

    #[test]
    fn a_change_of_64_bits_and_the_rule_behind_it_are_read() {
        let at = -2_422_054_408;
        let bytes = file(b'2', at, "CET-1CEST,M3.5.0,M10.5.0/3");
        let (history, rule) = parse(&bytes).unwrap();
        let name = |unix, has_rule| history.at(unix, has_rule).map(|offset| (offset.seconds, offset.name));
        assert_eq!(name(at - 1, true), Some((3208, "LMT".into())));
        assert_eq!(name(at, false), Some((3600, "CET".into())));
        assert_eq!(name(at, true), None, "the rule says it");
        assert_eq!(rule, Some("CET-1CEST,M3.5.0,M10.5.0/3"));
    }

    #[test]
    fn a_broken_file_is_no_zone() {
        let bytes = file(b'2', 0, "UTC0");
        for length in 0..bytes.len() - "\nUTC0\n".len() {
            assert!(parse(&bytes[..length]).is_none(), "{length}");
        }
        let mut huge = bytes.clone();
        huge[32..36].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(parse(&huge).is_none());
        assert!(parse(b"not a zone at all, but long enough for a header").is_none());
    }
}
