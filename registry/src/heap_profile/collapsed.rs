//! Collapsed stacks: a line for each, which flame graphs are drawn from.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{HeapProfile, Site, tag_frame};

/// The most text that stacks are written out to. What is beyond, the smallest ones, is summed.
const MAX_TEXT_BYTES: usize = 32 << 20;

/// What stands for the sites of a tag that are not written out.
const SMALLER: &str = "[smaller sites]";

impl HeapProfile {
    /// Collapsed stacks: for each a line of its tag and its calls, the outermost first, with `;`
    /// in between, then a space and its bytes. As `inferno`, `flamegraph.pl`, speedscope and
    /// others read them; sorted, so that two profiles can be compared.
    ///
    /// The tag comes first, as `tag:images`. Calls have no addresses, so stacks of the same names
    /// are one line; a `;` in a name is written `,`. Of a difference there is what has grown.
    /// Where the whole would be more than 32 MiB, the smallest sites are summed up as
    /// `[smaller sites]` for each tag. Names as [`resolve_symbols`](Self::resolve_symbols) has
    /// found them. Some hundred bytes of text for each site.
    #[must_use]
    pub fn to_collapsed(&self) -> String {
        self.collapsed(MAX_TEXT_BYTES).iter().fold(String::new(), |mut text, (stack, bytes)| {
            // A string takes whatever is written.
            let _ = writeln!(text, "{stack} {bytes}");
            text
        })
    }

    /// Stacks of names with their bytes, in at most `max_bytes` of text or little more.
    pub(super) fn collapsed(&self, max_bytes: usize) -> BTreeMap<String, u64> {
        let mut stacks = BTreeMap::new();
        let mut text_bytes = 0;
        // The largest first.
        for site in &self.sites {
            let Ok(bytes @ 1..) = u64::try_from(site.live_bytes) else { continue };
            let stack = if text_bytes < max_bytes {
                self.stack(site)
            } else {
                format!("{};{SMALLER}", fit(&tag_frame(&site.tag)))
            };
            text_bytes += stack.len();
            let sum: &mut u64 = stacks.entry(stack).or_default();
            *sum = sum.saturating_add(bytes);
        }
        stacks
    }

    fn stack(&self, site: &Site) -> String {
        let mut stack = fit(&tag_frame(&site.tag));
        for call in self.shown(site).iter().rev() {
            stack.push(';');
            stack.push_str(&fit(&call.name));
        }
        stack
    }
}

/// A name without what separates names.
fn fit(name: &str) -> String {
    name.replace(';', ",").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{profile, site};

    #[test]
    fn each_stack_is_a_line_with_its_tag_first_and_its_bytes_last() {
        let sites = [site("images", &[2, 1], 10), site("sounds", &[1], 300)];
        let profile = profile(&sites).named(&[(1, &["inlined", "main"]), (2, &["load"])]);
        assert_eq!(
            profile.to_collapsed(),
            "tag:images;main;inlined;load 10\ntag:sounds;main;inlined 300\n"
        );
    }

    #[test]
    fn stacks_of_the_same_names_are_one_line() {
        let sites = [site("images", &[1], 10), site("images", &[2], 5)];
        let profile = profile(&sites).named(&[(1, &["main"]), (2, &["main"])]);
        assert_eq!(profile.to_collapsed(), "tag:images;main 15\n");
    }

    #[test]
    fn names_do_not_break_lines_or_stacks() {
        let name: &[&str] = &["<[u8; 8]>::to_vec\nx"];
        let profile = profile(&[site("images", &[1], 10)]).named(&[(1, name)]);
        assert_eq!(profile.to_collapsed(), "tag:images;<[u8, 8]>::to_vec x 10\n");
    }

    #[test]
    fn what_has_shrunk_is_left_out() {
        let profile = profile(&[site("images", &[1], -10), site("images", &[2], 0)]);
        assert_eq!(profile.to_collapsed(), "");
    }

    #[test]
    fn beyond_the_most_text_the_smallest_sites_are_summed_by_tag() {
        let sites: Vec<_> = (0..100).map(|at| site("images", &[at], 1000 - at as i64)).collect();
        let sounds = site("sounds", &[7], 1);
        let profile = profile(&[sites, vec![sounds]].concat());
        let stacks = profile.collapsed(200);
        assert!(stacks.len() < 20 && stacks.contains_key("tag:images;0x0"), "{stacks:?}");
        assert_eq!(stacks["tag:sounds;[smaller sites]"], 1);
        assert_eq!(stacks.values().sum::<u64>(), profile.total_bytes() as u64);
    }
}
