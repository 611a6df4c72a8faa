//! Isolated tags, as the text of [`Stats`] has them.

use std::fmt;

use bursar_alloc::{Isolation, TagUsage};
use bytesize::ByteSize;

use super::Stats;

impl Stats {
    /// A line for each tag that asked for memory of its own; nothing where none did.
    pub(super) fn write_isolated(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut asked = self.tags.iter().filter(|tag| tag.isolation != Isolation::Off).peekable();
        if asked.peek().is_none() {
            return Ok(());
        }
        let [tag, active, dirty, resident] = ["isolated", "active", "dirty", "resident"];
        write!(f, "\n{tag:<24} {active:>12} {dirty:>12} {resident:>12}")?;
        asked.try_for_each(|tag| write_line(f, tag))?;
        match self.isolation_caches_in_use {
            0 => Ok(()),
            count => write!(f, "\ncaches of threads for isolated tags: {count}"),
        }
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, tag: &TagUsage) -> fmt::Result {
    let name = &tag.name;
    match tag.isolation {
        Isolation::Unsupported => {
            write!(f, "\n{name:<24} not isolated: the allocator cannot")
        }
        Isolation::Exhausted => {
            write!(f, "\n{name:<24} not isolated: no arena was left for it")
        }
        _ => {
            let [active, dirty, resident] = [tag.active_bytes, tag.dirty_bytes, tag.resident_bytes]
                .map(|bytes| {
                    bytes.map_or_else(|| "-".to_owned(), |bytes| ByteSize(bytes).to_string())
                });
            write!(f, "\n{name:<24} {active:>12} {dirty:>12} {resident:>12}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::budget::Budget;
    use crate::registry::Registry;
    use crate::status::Shared;
    use crate::testing::MIB;

    fn stats() -> Stats {
        let (registry, shared) = (Registry::default(), Shared::default());
        let mut stats =
            Stats::read(&Budget::new(100 * MIB).unwrap(), &registry, &shared, Duration::ZERO);
        stats.tags.truncate(1);
        stats.isolation_caches_in_use = 0;
        stats
    }

    fn tag(name: &'static str, isolation: Isolation) -> TagUsage {
        let mut tag = stats().tags.remove(0);
        (tag.name, tag.isolation) = (name.into(), isolation);
        tag
    }

    #[test]
    fn isolated_tags_say_so_with_their_pages_and_others_say_why_they_are_not() {
        let mut stats = stats();
        let mut images = tag("images", Isolation::Arena);
        (images.active_bytes, images.dirty_bytes) = (Some(70 * MIB), Some(2 * MIB));
        stats.tags.push(images);
        stats.tags.push(tag("sounds", Isolation::Unsupported));
        stats.tags.push(tag("films", Isolation::Exhausted));
        stats.isolation_caches_in_use = 9;
        let text = stats.to_string();
        let from = text.find("isolated").unwrap();
        let lines: Vec<_> = text[from..].lines().take(5).collect();
        assert_eq!(
            lines,
            [
                "isolated                       active        dirty     resident",
                "images                       70.0 MiB      2.0 MiB            -",
                "sounds                   not isolated: the allocator cannot",
                "films                    not isolated: no arena was left for it",
                "caches of threads for isolated tags: 9",
            ]
        );
    }

    #[test]
    fn where_no_tag_is_isolated_nothing_is_said_of_it() {
        assert!(!stats().to_string().contains("isolated"));
    }
}
