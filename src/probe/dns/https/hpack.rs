//! Header compression (RFC 7541), as far as one request needs it.

/// The headers of a request, without Huffman code and dynamic table.
pub(super) fn request(authority: &str, path: &str, length: usize) -> Vec<u8> {
    const TYPE: &str = "application/dns-message";
    // `:method: POST` and `:scheme: https` of the static table.
    let mut block = vec![0x83, 0x87];
    // Names of the static table: :authority, :path, content-type, accept, content-length.
    for (name, value) in [(1, authority), (4, path), (31, TYPE), (19, TYPE), (28, &length.to_string())] {
        integer(&mut block, 4, name);
        integer(&mut block, 7, value.len());
        block.extend(value.as_bytes());
    }
    block
}

/// Encodes an integer with a prefix of `bits`, the other bits of which are 0 (RFC 7541 §5.1).
fn integer(block: &mut Vec<u8>, bits: u32, number: usize) {
    let most = (1 << bits) - 1;
    if number < most {
        block.push(number as u8);
        return;
    }
    block.push(most as u8);
    let mut rest = number - most;
    while rest >= 128 {
        block.push((rest % 128 + 128) as u8);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// The status in the first header of a response, which precedes all others (RFC 9113 §8.3).
pub(super) fn status(mut block: &[u8]) -> Option<u16> {
    loop {
        let (first, rest) = block.split_first()?;
        return match first {
            0x88..=0x8e => Some([200, 204, 206, 304, 400, 404, 500][usize::from(first - 0x88)]),
            // A change of the size of the dynamic table: an integer with a prefix of five bits.
            0x20..=0x3f => {
                block = match first {
                    0x3f => rest.get(rest.iter().position(|octet| *octet < 0x80)? + 1..)?,
                    _ => rest,
                };
                continue;
            }
            // `:status` with a literal value: indexed, not indexed, never indexed.
            0x48 | 0x08 | 0x18 => literal(rest),
            _ => None,
        };
    }
}

/// Three digits, plain or in Huffman code.
fn literal(text: &[u8]) -> Option<u16> {
    let (length, rest) = text.split_first()?;
    let value = rest.get(..usize::from(length & 0x7f))?;
    let digits =
        if length & 0x80 == 0 { std::str::from_utf8(value).ok()?.to_owned() } else { huffman(value)? };
    digits.parse().ok().filter(|status| (100..=999).contains(status))
}

/// Decodes digits: 0 to 2 have five bits, 3 to 9 six (RFC 7541, appendix B).
fn huffman(octets: &[u8]) -> Option<String> {
    let bits: Vec<u8> =
        octets.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1)).collect();
    let mut bits = &bits[..];
    let mut digits = String::new();
    while digits.len() < 3 {
        let number =
            |count: usize| bits.get(..count).map(|bits| bits.iter().fold(0, |sum, bit| sum << 1 | bit));
        let (digit, taken) = match (number(5)?, number(6)) {
            (digit @ 0..=2, _) => (digit, 5),
            (_, Some(code @ 0x19..=0x1f)) => (code - 0x19 + 3, 6),
            _ => return None,
        };
        digits.push(char::from(b'0' + digit));
        bits = &bits[taken..];
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_however_it_is_encoded() {
        assert_eq!(status(&[0x88, 0x5f]), Some(200));
        assert_eq!(status(&[0x20, 0x8d]), Some(404));
        assert_eq!(status(&[0x3f, 0xe1, 0x1f, 0x8e]), Some(500));
        assert_eq!(status(b"\x48\x03502"), Some(502));
        assert_eq!(status(b"\x08\x03415"), Some(415));
        // RFC 7541, C.6.1: 302.
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), Some(302));
        for bad in
            [&[][..], &[0x20], &[0x3f, 0xff], &[0x82], b"\x48\x03ab1", b"\x48\x7f1", &[0x48, 0x81, 0xff]]
        {
            assert_eq!(status(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn long_values_have_long_lengths() {
        let mut block = vec![];
        integer(&mut block, 5, 1337);
        assert_eq!(block, [31, 154, 10], "RFC 7541, C.1.2");
        let path = "/".repeat(300);
        assert!(request("a", &path, 40).windows(3).any(|octets| octets == [0x7f, 0xad, 0x01]));
    }
}
