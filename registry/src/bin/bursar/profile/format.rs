//! [`Format`]: the forms that a profile is written in.

use std::path::Path;

use bursar::{Error, HeapProfile};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Pprof,
    FlameGraph,
    Collapsed,
    Text,
}

/// A format by its name, for options.
pub(super) fn named(given: &str) -> Result<Format, String> {
    match given {
        "pprof" => Ok(Format::Pprof),
        "flamegraph" => Ok(Format::FlameGraph),
        "collapsed" => Ok(Format::Collapsed),
        "text" => Ok(Format::Text),
        _ => Err("allowed is pprof, flamegraph, collapsed or text".to_owned()),
    }
}

impl Format {
    /// The one that a file's name asks for; text for the standard output.
    pub(super) fn of_file(path: Option<&Path>) -> Self {
        let Some(path) = path else { return Self::Text };
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.unwrap_or_default().to_ascii_lowercase().as_str() {
            "svg" => Self::FlameGraph,
            "txt" | "folded" => Self::Collapsed,
            _ => Self::Pprof,
        }
    }

    pub(super) fn write(self, profile: &HeapProfile) -> Result<Vec<u8>, Error> {
        match self {
            Self::Pprof => Ok(profile.to_pprof()),
            Self::FlameGraph => profile.to_flame_graph().map(String::into_bytes),
            Self::Collapsed => Ok(profile.to_collapsed().into_bytes()),
            Self::Text => Ok(format!("{profile}\n").into_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_says_what_it_is() {
        for (name, format) in [
            ("heap.svg", Format::FlameGraph),
            ("a.b/HEAP.SVG", Format::FlameGraph),
            ("heap.txt", Format::Collapsed),
            ("heap.folded", Format::Collapsed),
            ("heap.pb.gz", Format::Pprof),
            ("heap", Format::Pprof),
            ("svg", Format::Pprof),
        ] {
            assert_eq!(Format::of_file(Some(Path::new(name))), format, "{name}");
        }
        assert_eq!(Format::of_file(None), Format::Text);
    }

    #[test]
    fn formats_have_names() {
        assert_eq!(named("flamegraph"), Ok(Format::FlameGraph));
        assert!(named("svg").unwrap_err().contains("flamegraph"));
    }
}
