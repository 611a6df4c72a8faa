//! [`Label`]: a route's name, within bounds whatever it is made of.

/// The bytes of a label that are kept.
const MAX_BYTES: usize = 128;

/// A name of at most 128 bytes with no control characters in it. On the stack: a path that someone
/// made up takes no memory.
#[derive(Debug)]
pub(crate) struct Label {
    bytes: [u8; MAX_BYTES],
    len: usize,
}

impl Label {
    /// The parts one after the other. What is too long is cut, control characters become `?`.
    pub(crate) fn new(parts: &[&str]) -> Self {
        let mut label = Self { bytes: [0; MAX_BYTES], len: 0 };
        // Up to the first that does not fit.
        let _ = parts.iter().all(|part| label.push(part));
        label
    }

    /// Whether all of it fits.
    fn push(&mut self, part: &str) -> bool {
        // Nearly all are plain text, and copied as they are.
        let is_plain = part.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        is_plain && self.push_bytes(part.as_bytes())
            || part.chars().all(|character| {
                let shown = if character.is_control() { '?' } else { character };
                self.push_bytes(shown.encode_utf8(&mut [0; 4]).as_bytes())
            })
    }

    /// All of them or none: whether they fit.
    fn push_bytes(&mut self, bytes: &[u8]) -> bool {
        let end = self.len + bytes.len();
        let Some(place) = self.bytes.get_mut(self.len..end) else { return false };
        place.copy_from_slice(bytes);
        self.len = end;
        true
    }

    pub(crate) fn as_str(&self) -> &str {
        // Whole characters were written, and no others.
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_put_together() {
        assert_eq!(Label::new(&["GET", " ", "/thumbnail/{id}"]).as_str(), "GET /thumbnail/{id}");
        assert_eq!(Label::new(&[]).as_str(), "");
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(Label::new(&["/a\r\nX: b\0\u{85}"]).as_str(), "/a??X: b??");
    }

    #[test]
    fn what_is_too_long_is_cut_before_a_character_that_does_not_fit() {
        let long = "x".repeat(127) + "ää";
        assert_eq!(Label::new(&[&long]).as_str(), &long[..127]);
        assert_eq!(Label::new(&["GET ", &"y".repeat(1 << 20)]).as_str().len(), 128);
    }

    proptest! {
        #[test]
        fn any_text_becomes_a_label_within_bounds(parts in prop::collection::vec(".*", 0..4)) {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let label = Label::new(&parts);
            prop_assert!(label.as_str().len() <= MAX_BYTES);
            prop_assert!(!label.as_str().contains(char::is_control));
            let whole = parts.concat().replace(char::is_control, "?");
            prop_assert!(whole.starts_with(label.as_str()));
            prop_assert!(whole.len() == label.as_str().len() || label.as_str().len() > 124);
        }
    }
}
