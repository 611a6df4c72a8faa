//! [`Symbols`]: the names of the functions at addresses.

use std::collections::HashMap;
use std::sync::Arc;

/// The longest name that is kept, in bytes: a generic one may be far longer, and its end says the
/// least.
const MAX_NAME_BYTES: usize = 1024;

/// A call: to which function, and where that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(super) name: Arc<str>,
    pub(super) file: Option<Arc<str>>,
    /// 0 if it is not known.
    pub(super) line: u32,
}

/// What is known of addresses: for each the function, before it those that are inlined there, the
/// innermost first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Symbols(HashMap<u64, Box<[Frame]>>);

impl Symbols {
    pub(super) fn of(frames: HashMap<u64, Box<[Frame]>>) -> Self {
        Self(frames)
    }

    /// What is at `address`; nothing if that is not known.
    pub(super) fn at(&self, address: u64) -> &[Frame] {
        self.0.get(&address).map_or(&[], |frames| frames)
    }

    #[cfg(feature = "profile")]
    pub(super) fn knows(&self, address: u64) -> bool {
        self.0.contains_key(&address)
    }

    /// With what `other` knows beside.
    pub(super) fn and(mut self, other: &Self) -> Self {
        for (address, frames) in &other.0 {
            self.0.entry(*address).or_insert_with(|| frames.clone());
        }
        self
    }
}

/// A name as it is kept and shown: without control characters, and not endless.
pub(super) fn fit(name: &str) -> String {
    let end = name.floor_char_boundary(MAX_NAME_BYTES);
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut fit: String = name[..end].chars().map(shown).collect();
    if end < name.len() {
        fit.push_str("...");
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_as_it_is_unless_it_is_endless_or_moves_the_cursor() {
        assert_eq!(fit("<[u8; 8]>::to_vec"), "<[u8; 8]>::to_vec");
        assert_eq!(fit("a\nb\u{1b}[2J"), "a\u{fffd}b\u{fffd}[2J");
        let long = fit(&"é".repeat(5000));
        assert_eq!(long.len(), MAX_NAME_BYTES + 3);
        assert!(long.ends_with("é..."));
    }
}
