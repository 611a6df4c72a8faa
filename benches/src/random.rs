//! Random numbers that are the same in every run and in every program.

/// An xorshift: quick enough that the allocator is what is measured.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The one sequence there is.
    pub(crate) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number from `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: usize, most: usize) -> usize {
        least + (self.next() >> 32) as usize % (most - least + 1)
    }
}
