//! The cost of decompressing the names of a message (RFC 1035 §4.1.4), bounded before it is decoded.
//!
//! Each pointer of a name of 255 octets at most is preceded by a label, so no sound name has more than [`MOST`]. A message of
//! 64 KB can have a chain of 8,000 pointers, and thousands of names that end in it: half a second for the thread that
//! decides.

/// The most pointers of a name: labels of one character, each but the last behind a pointer.
const MOST: usize = 127;

/// Octets that a pointer can point to: its offset has 14 bits.
const REACH: usize = 1 << 14;

/// Shorter messages cost little, whatever is in them.
const SHORT: usize = 2048;

/// Whether a name that begins anywhere in the message follows too many pointers.
///
/// It does not matter which octets are names: other data read as a name ends after a few octets.
pub(crate) fn are_endless(message: &[u8]) -> bool {
    message.len() > SHORT && (0..message.len().min(REACH)).any(|start| is_endless(message, start))
}

fn is_endless(message: &[u8], start: usize) -> bool {
    let (mut place, mut octets, mut pointers) = (start, 0, 0);
    while let Some(length) = message.get(place).copied() {
        match length >> 6 {
            0 if length == 0 => return false,
            0 => {
                octets += 1 + usize::from(length);
                place += 1 + usize::from(length);
            }
            3 => {
                let Some(low) = message.get(place + 1) else { return false };
                let target = usize::from(length & 0x3f) << 8 | usize::from(*low);
                // The decoder refuses one that points forward, or at itself.
                if target >= place {
                    return false;
                }
                place = target;
                pointers += 1;
            }
            _ => return false,
        }
        if pointers > MOST {
            return true;
        }
        if octets > 255 {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(to: usize) -> [u8; 2] {
        (0xc000 | to as u16).to_be_bytes()
    }

    #[test]
    fn a_chain_of_pointers_is_endless_and_a_compressed_name_is_not() {
        // A root, a chain, and padding.
        let mut chain = vec![0; 14];
        for place in (14..4000).step_by(2) {
            chain.extend(pointer(if place == 14 { 12 } else { place - 2 }));
        }
        assert!(are_endless(&chain));
        assert!(!are_endless(&chain[..SHORT]), "costs little");
        // Each name is a label before the name before it, 126 labels in all.
        let mut names = vec![0; 13];
        for label in 0..126 {
            let before = if label == 0 { 12 } else { 13 + (label - 1) * 4 };
            names.extend([1, b'a']);
            names.extend(pointer(before));
        }
        names.resize(SHORT + 1, 0);
        assert!(!are_endless(&names));
        assert!(!are_endless(&vec![0xff; 65_535]));
        assert!(!are_endless(&[pointer(0); 4000].concat()));
    }
}
