//! The flame graph: a picture of who keeps how many bytes.

use inferno::flamegraph::{Options, from_lines};

use super::HeapProfile;
use super::text::{at, estimate};
use crate::error::Error;

/// The most text of stacks that is drawn.
const MAX_TEXT_BYTES: usize = 16 << 20;

impl HeapProfile {
    /// A flame graph as SVG, to be looked at in a browser: a click zooms, Ctrl-F searches. At the
    /// bottom are all bytes, above them the tags, then the calls, outermost first; the wider, the
    /// more bytes. The same profile gives the same picture.
    ///
    /// Of a difference there is what has grown. Stacks that are too narrow to be seen are left
    /// out, and beyond 16 MiB of names summed as in [`to_collapsed`](Self::to_collapsed). Names as
    /// [`resolve_symbols`](Self::resolve_symbols) has found them. Some milliseconds, and from tens
    /// of kilobytes to some megabytes.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyProfile`] if there is nothing to draw: no live sample, or of a difference
    /// nothing that has grown.
    pub fn to_flame_graph(&self) -> Result<String, Error> {
        let stacks = self.collapsed(MAX_TEXT_BYTES);
        if stacks.is_empty() {
            return Err(Error::EmptyProfile);
        }
        let lines: Vec<_> =
            stacks.iter().map(|(stack, bytes)| format!("{stack} {bytes}")).collect();
        let mut svg = Vec::new();
        from_lines(&mut self.drawing(), lines.iter().map(String::as_str), &mut svg)
            .map_err(|_| Error::EmptyProfile)?;
        Ok(String::from_utf8_lossy(&svg).into_owned())
    }

    fn drawing(&self) -> Options<'static> {
        let mut options = Options::default();
        options.title = match self.since {
            Some(since) => format!("Live heap bytes added since {}", at(since)),
            None => "Live heap bytes by tag and stack".to_owned(),
        };
        options.subtitle = Some(format!("{}, {}", at(self.taken_at), estimate(self)));
        options.count_name = "bytes".to_owned();
        options.deterministic = true;
        options
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{profile, site};
    use super::*;

    #[test]
    fn tags_and_calls_are_drawn_with_their_bytes() {
        let sites = [site("images", &[2, 1], 1000), site("sounds", &[1], 3000)];
        let profile = profile(&sites).named(&[(1, &["main"]), (2, &["shop::load"])]);
        let svg = profile.to_flame_graph().unwrap();
        assert!(svg.starts_with("<?xml") && svg.trim_end().ends_with("</svg>"), "{svg}");
        for part in [
            "all (4,000 bytes, 100%)",
            "tag:images (1,000 bytes, 25.00%)",
            "tag:sounds (3,000 bytes, 75.00%)",
            "shop::load (1,000 bytes, 25.00%)",
            "Live heap bytes by tag and stack",
        ] {
            assert!(svg.contains(part), "no {part} in {svg}");
        }
        assert_eq!(profile.to_flame_graph().unwrap(), svg);
    }

    #[test]
    fn names_are_text_in_it_whatever_they_are() {
        let name = "</title></g><script>alert(1)</script>\"'&";
        let profile = profile(&[site("images", &[1], 1000)]).named(&[(1, &[name])]);
        let svg = profile.to_flame_graph().unwrap();
        assert!(svg.contains("&lt;script&gt;alert(1)") && !svg.contains("<script>alert"), "{svg}");
    }

    #[test]
    fn of_a_difference_there_is_what_has_grown() {
        let earlier = profile(&[site("images", &[1], 1000), site("images", &[2], 50)]);
        let now = profile(&[site("images", &[1], 1500), site("images", &[2], 5)]);
        let svg = now.since(&earlier).unwrap().to_flame_graph().unwrap();
        assert!(svg.contains("all (500 bytes, 100%)"), "{svg}");
        assert!(svg.contains("added since 1970-01-02T00:00:00Z"), "{svg}");
    }

    #[test]
    fn where_nothing_has_grown_there_is_nothing_to_draw() {
        let now = profile(&[site("images", &[1], 1000)]);
        assert_eq!(now.since(&now).unwrap().to_flame_graph(), Err(Error::EmptyProfile));
        assert_eq!(profile(&[]).to_flame_graph(), Err(Error::EmptyProfile));
    }

    #[test]
    fn figures_at_the_end_of_their_range_are_drawn_and_make_no_panic() {
        let sites = [site("a", &[1], i64::MAX), site("a", &[2], i64::MAX), site("a", &[3], 1)];
        assert!(profile(&sites).to_flame_graph().unwrap().contains("tag:a"));
    }
}
