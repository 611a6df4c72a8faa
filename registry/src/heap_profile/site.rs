//! [`Site`]: what one place in the code keeps alive under one tag.

use std::borrow::Cow;

/// What one stack keeps alive under one tag, by the samples of it: a part of a
/// [`HeapProfile`](crate::HeapProfile).
///
/// In a difference the figures are what has been added, below zero if there is less than before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Site {
    /// The tag of the blocks.
    pub tag: Cow<'static, str>,
    /// Where they were allocated: the innermost call first, the allocator's own ones among them.
    /// Addresses within the instructions that called.
    pub stack: Vec<u64>,
    /// Whether the stack is whole.
    pub end: StackEnd,
    /// Live blocks that were sampled: of a few, the other figures are a rough guess.
    pub samples: i64,
    /// An estimate of all live bytes of this tag and stack.
    pub live_bytes: i64,
    /// Likewise of all live blocks.
    pub live_blocks: i64,
}

/// What lies beyond the outermost address of a [`Site`]'s stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum StackEnd {
    /// Nothing: it is where the thread or the process began.
    Root,
    /// Calls that were not kept, since the stack was too deep.
    TooDeep,
    /// Nobody knows: the function at the outermost address has no unwind information, as assembly
    /// and some C libraries have none.
    NotUnwound,
}

impl StackEnd {
    pub(super) const ALL: [Self; 3] = [Self::Root, Self::TooDeep, Self::NotUnwound];

    /// What stands in place of the calls that are missing; `None` if none are.
    pub(super) fn marker(self) -> Option<&'static str> {
        match self {
            Self::Root => None,
            Self::TooDeep => Some("[outer calls not kept: too deep]"),
            Self::NotUnwound => Some("[outer calls not known: no unwind information]"),
        }
    }
}

#[cfg(feature = "profile")]
impl From<bursar_alloc::StackEnd> for StackEnd {
    fn from(end: bursar_alloc::StackEnd) -> Self {
        match end {
            bursar_alloc::StackEnd::Root => Self::Root,
            bursar_alloc::StackEnd::TooDeep => Self::TooDeep,
            // What a later allocator calls otherwise is not whole either.
            _ => Self::NotUnwound,
        }
    }
}

impl Site {
    /// The number by which this tag and stack are known for as long as the process runs: the same
    /// in each profile of it, also when that was written to a file and read back. Two places share
    /// one by a chance of 1 in 2^64. A pass over the stack.
    #[must_use]
    pub fn key(&self) -> u64 {
        let end = match self.end {
            StackEnd::Root => 0,
            StackEnd::TooDeep => 1,
            StackEnd::NotUnwound => 2,
        };
        // No tag's name has 0xff, so that no address is taken for a part of one.
        let tag = self.tag.bytes().chain([0xff, end]);
        let stack = self.stack.iter().flat_map(|address| address.to_le_bytes());
        // FNV-1a: the same in whatever version of this program.
        tag.chain(stack).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// Whether no sample says anything of it.
    pub(super) fn is_nothing(&self) -> bool {
        (self.samples, self.live_bytes, self.live_blocks) == (0, 0, 0)
    }
}

#[cfg(feature = "profile")]
impl From<bursar_alloc::HeapSite> for Site {
    fn from(site: bursar_alloc::HeapSite) -> Self {
        let signed = |figure: u64| i64::try_from(figure).unwrap_or(i64::MAX);
        Self {
            tag: site.tag,
            stack: site.stack.into_iter().map(|address| address as u64).collect(),
            end: site.stack_end.into(),
            samples: signed(site.samples),
            live_bytes: signed(site.live_bytes),
            live_blocks: signed(site.live_blocks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::site;
    use super::*;

    #[test]
    fn a_key_is_of_tag_stack_and_end_and_of_nothing_else() {
        let one = site("images", &[1, 2, 3], 10);
        let mut grown = one.clone();
        (grown.samples, grown.live_bytes, grown.live_blocks) = (7, 7, 7);
        assert_eq!(one.key(), grown.key());
        let others = [
            site("image", &[1, 2, 3], 10),
            site("images", &[1, 2], 10),
            site("images", &[3, 2, 1], 10),
            Site { end: StackEnd::TooDeep, ..one.clone() },
            Site { end: StackEnd::NotUnwound, ..one.clone() },
        ];
        let mut keys: Vec<_> = others.iter().chain([&one]).map(Site::key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 6);
    }

    #[test]
    fn a_key_is_the_same_in_every_build() {
        assert_eq!(site("images", &[0x5555_0000_1234], 1).key(), 0xdcb8_1a5f_e01f_7674);
    }
}
