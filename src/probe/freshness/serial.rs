//! Serial numbers of zones (RFC 1982).

/// Whether serial `a` is newer than `b` (RFC 1982 section 3.2, 32 bits). Of two serials exactly 2^31 apart neither is.
pub(crate) const fn is_newer(a: u32, b: u32) -> bool {
    let ahead = a.wrapping_sub(b);
    ahead != 0 && ahead < 1 << 31
}

/// The newest of some serials; of two that cannot be compared, the first.
pub(super) fn newest(serials: impl IntoIterator<Item = u32>) -> Option<u32> {
    serials.into_iter().reduce(|newest, serial| if is_newer(serial, newest) { serial } else { newest })
}

/// The newest serial that more than half of `of` servers have reached, those without an answer included.
pub(super) fn reached_by_most(serials: &[u32], of: usize) -> Option<u32> {
    let has_most = |serial: &u32| {
        let reached = serials.iter().filter(|other| !is_newer(*serial, **other)).count();
        reached * 2 > of
    };
    newest(serials.iter().copied().filter(has_most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_wrap_around() {
        for (a, b) in [(2, 1), (0, u32::MAX), (0x8000_0000, 1), (5, 0xffff_fff0)] {
            assert!(is_newer(a, b) && !is_newer(b, a), "{a} {b}");
        }
        assert!(!is_newer(7, 7));
        assert!(!is_newer(0x8000_0000, 0) && !is_newer(0, 0x8000_0000), "undefined");
        assert_eq!(newest([u32::MAX, 3, u32::MAX - 1]), Some(3));
        assert_eq!(newest([]), None);
    }

    #[test]
    fn one_sibling_ahead_is_no_majority() {
        assert_eq!(reached_by_most(&[5, 5, 6], 3), Some(5));
        assert_eq!(reached_by_most(&[5, 6, 6], 3), Some(6));
        assert_eq!(reached_by_most(&[5, 6], 2), Some(5));
        assert_eq!(reached_by_most(&[6], 2), None, "half is not most");
        assert_eq!(reached_by_most(&[6, 6], 3), Some(6), "two of three answered");
        assert_eq!(reached_by_most(&[u32::MAX, 1, 1], 3), Some(1));
        assert_eq!(reached_by_most(&[], 1), None);
    }
}
