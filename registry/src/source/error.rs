//! What a usage source says when it does not know.

use std::io;

/// Why a usage source gave no figure.
///
/// Files are named as seen from the root the source was opened under:
/// `/sys/fs/cgroup/memory.max` is the same name on the real system and in a
/// fixture tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// This operating system has no such source. Asking again is pointless.
    #[error("{what} cannot be read on this operating system")]
    Unsupported {
        /// The figure that was asked for.
        what: &'static str,
    },

    /// No memory cgroup of this process is visible: none is mounted, or the
    /// mounted ones do not control memory. Usual outside containers, and in
    /// sandboxes that hide `/sys/fs/cgroup`.
    #[error("no memory cgroup is visible to this process ({found})")]
    NoMemoryController {
        /// What was found in its place.
        found: &'static str,
    },

    /// A file that has to be there is missing or cannot be read.
    #[error("{file} cannot be read: {kind}")]
    Unreadable {
        /// The file, as seen from the source's root.
        file: String,
        /// What the operating system answered.
        kind: io::ErrorKind,
    },

    /// A file was read and does not hold what it has to hold.
    #[error("{file} holds {found:?} instead of {expected}")]
    Garbled {
        /// The file, as seen from the source's root.
        file: String,
        /// What would have been right.
        expected: &'static str,
        /// What was there, cut to its first 64 characters.
        found: String,
    },
}

/// Characters of a garbled file that are repeated in the error.
const FOUND_CHARS: usize = 64;

impl SourceError {
    /// `file` could not be opened or read.
    pub(super) fn unreadable(file: &str, error: &io::Error) -> Self {
        Self::Unreadable { file: file.to_owned(), kind: error.kind() }
    }

    /// `file` holds `found` where `expected` had to be.
    pub(super) fn garbled(file: &str, expected: &'static str, found: &[u8]) -> Self {
        let found = String::from_utf8_lossy(found);
        Self::Garbled {
            file: file.to_owned(),
            expected,
            found: found.chars().take(FOUND_CHARS).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_file_and_what_was_found() {
        let error = SourceError::garbled("/sys/fs/cgroup/memory.max", "a number of bytes", b"1 k");
        assert_eq!(
            error.to_string(),
            "/sys/fs/cgroup/memory.max holds \"1 k\" instead of a number of bytes"
        );
    }

    #[test]
    fn a_long_or_binary_file_is_cut_and_stays_printable() {
        let error = SourceError::garbled("/f", "a number of bytes", &[0xff; 5000]);
        let SourceError::Garbled { found, .. } = &error else {
            panic!("garbled gave {error:?}");
        };
        assert_eq!(found.chars().count(), FOUND_CHARS);
        assert!(error.to_string().len() < 400, "{error}");
    }
}
