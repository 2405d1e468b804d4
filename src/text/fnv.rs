//! FNV-1a: a number from a name or a file, the same on every run and every host. It is no defense against a chosen collision.

/// In 64 bits.
pub(crate) fn fnv64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// In 32 bits, for names of files.
pub(crate) fn fnv32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that its authors publish.
    #[test]
    fn it_is_the_hash_that_others_know() {
        assert_eq!([fnv64(b""), fnv64(b"foobar")], [0xcbf2_9ce4_8422_2325, 0x8594_4171_f739_67e8]);
        assert_eq!([fnv32(b""), fnv32(b"foobar")], [0x811c_9dc5, 0xbf9c_f968]);
    }
}
