//! Which part of a cache has a key.

/// The number, below `parts`, of the part that has the keys of this hash.
pub(super) fn part_of(hash: u64, parts: usize) -> usize {
    // `lru`'s hasher is made for speed: for some seeds its low bits follow the keys' own pattern,
    // and for others its high ones. The product's high half hangs on every bit.
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let mixed = hash.wrapping_mul(GOLDEN) >> 32;
    ((mixed * parts as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn keys_of_any_pattern_are_spread_evenly_whatever_the_hashers_seed() {
        const KEYS: u64 = 2000;
        for parts in [2, 12, 16] {
            for shift in [0, 3, 12, 32, 50] {
                for _ in 0..50 {
                    let hasher = lru::DefaultHasher::default();
                    let mut keys_of = vec![0; parts];
                    for key in 0..KEYS {
                        keys_of[part_of(hasher.hash_one(key << shift), parts)] += 1;
                    }
                    // By chance alone, 1.7 times the mean is not seen in years.
                    let most = *keys_of.iter().max().unwrap_or(&0);
                    assert!(most * parts as u64 <= KEYS * 17 / 10, "{keys_of:?}, << {shift}");
                }
            }
        }
    }
}
