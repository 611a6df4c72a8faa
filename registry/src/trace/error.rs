//! [`TraceError`]: why a file is no trace.

/// Why a trace could not be read, with the line at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The reader failed.
    #[error("line {line} of the trace could not be read: {reason}")]
    Unreadable {
        /// Counted from 1.
        line: usize,
        /// What the reader said.
        reason: String,
    },

    /// The first line is not that of a trace.
    #[error(
        "line 1 of the trace is {found:?} ({reason}); allowed is an object with bursar_trace \
         (the version), soft_limit_bytes, limit_bytes and profile"
    )]
    InvalidHeader {
        /// The line, or its beginning.
        found: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The trace is of a version that is not known here.
    #[error("line 1 of the trace says version {found}; allowed is {allowed}")]
    UnknownVersion {
        /// What the trace says.
        found: u64,
        /// The version that is known.
        allowed: u64,
    },

    /// A line is no event.
    #[error(
        "line {line} of the trace is {found:?} ({reason}); allowed is an object with at_ms, event \
         (sample, purgeable, level, cleanup or futile) and that event's fields"
    )]
    InvalidLine {
        /// Counted from 1.
        line: usize,
        /// The line, or its beginning.
        found: String,
        /// What is wrong with it.
        reason: String,
    },
}
