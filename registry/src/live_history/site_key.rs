//! The key that a place in the code is known by from one reading to the next.

/// What lies beyond the outermost address of a stack, as it goes into a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum StackTail {
    /// Nothing.
    Root = 0,
    /// Calls that did not fit.
    TooDeep = 1,
    /// Nobody knows.
    NotUnwound = 2,
}

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;
/// No tag's name has it, so that no address is taken for a part of one.
const AFTER_TAG: u8 = 0xff;

/// FNV-1a of 64 bits over the tag's name, a byte of 0xff, each address in eight bytes with the
/// lowest first, and a byte for what lies beyond.
pub(crate) fn site_key(tag: &str, stack: impl IntoIterator<Item = u64>, tail: StackTail) -> u64 {
    let addresses = stack.into_iter().flat_map(u64::to_le_bytes);
    let bytes = tag.bytes().chain([AFTER_TAG]).chain(addresses).chain([tail as u8]);
    bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV's own test vectors are of bytes alone: here the bytes are those that go in.
    #[test]
    fn it_is_fnv_1a_of_the_bytes_that_are_said() {
        let fnv = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
        };
        assert_eq!(fnv(b"foobar"), 0x8594_4171_f739_67e8);
        let bytes = b"ab\xff\x02\x01\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(site_key("ab", [0x0102, u64::MAX], StackTail::TooDeep), fnv(bytes));
    }

    #[test]
    fn tag_address_order_and_end_all_count() {
        let keys = [
            site_key("a", [1, 2], StackTail::Root),
            site_key("b", [1, 2], StackTail::Root),
            site_key("a", [2, 1], StackTail::Root),
            site_key("a", [1], StackTail::Root),
            site_key("a", [1, 2], StackTail::TooDeep),
            site_key("a", [1, 2], StackTail::NotUnwound),
            site_key("", [1, 2], StackTail::Root),
        ];
        let different: std::collections::BTreeSet<u64> = keys.into_iter().collect();
        assert_eq!(different.len(), keys.len());
    }
}
