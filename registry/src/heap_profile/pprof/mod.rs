//! pprof's format: `header` is what it has no place for, `bounds` what may be read of it, `schema`
//! its messages.

mod bounds;
mod header;
mod read;
mod schema;
mod write;

/// The figures of a sample, with their units. Tools show the last one, or the default, unless they
/// are asked for another.
const SAMPLE_TYPES: [(&str, &str); 3] =
    [("samples", "count"), ("inuse_objects", "count"), (IN_USE, "bytes")];
const IN_USE: &str = "inuse_space";

/// The key of the label that a sample's tag is.
const TAG_LABEL: &str = "tag";

#[cfg(test)]
mod tests;
