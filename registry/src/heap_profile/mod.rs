//! [`HeapProfile`]: which code keeps which tag's bytes alive, and the formats it is looked at in.
//!
//! The allocator samples allocations and keeps the stacks of those that live; a profile is what is
//! there of them at one moment. Lowest first: `site` is one stack under one tag; `symbols`,
//! `modules` and `trim` are what is known of addresses and names; `resolve` looks names up in the
//! running process, `qualified` has them with their modules; `shown` puts them together into the calls that people see; `difference` is of
//! two profiles; `text`, `collapsed`, `flame_graph` and `pprof` are formats.
//!
//! Profiles come from files and from other processes, too: what is read is bounded, and nothing
//! here panics on it.

mod collapsed;
mod difference;
mod flame_graph;
mod modules;
mod pprof;
#[cfg(feature = "profile")]
mod qualified;
#[cfg(feature = "profile")]
mod resolve;
mod shown;
mod site;
mod symbols;
#[cfg(feature = "profile")]
mod take;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod trim;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::Error;
use modules::Module;
pub use site::{Site, StackEnd};
use symbols::Symbols;
#[cfg(feature = "profile")]
pub(crate) use take::take;

/// The most tags that an error lists.
const MAX_LISTED: usize = 20;

/// Which code keeps which tag's bytes alive, by samples: a reading of one moment, or the
/// difference of two. From [`Bursar::heap_profile`], or from a file.
///
/// The figures are estimates. One allocation in [`interval_bytes`](Self::interval_bytes) bytes is
/// sampled on average, and stands for as much: a site of one sample may as well have half of what
/// it shows or thrice that, one of a hundred is right to a tenth or so.
///
/// It has addresses, and no names until [`resolve_symbols`] has looked them up; without them the
/// formats show `module+0x1a2b`. A profile is a value of its own: it can be sent to other threads,
/// and lives as long as you like. It takes some hundred bytes for each site, and as much for each
/// name.
///
/// [`Bursar::heap_profile`]: crate::Bursar::heap_profile
/// [`resolve_symbols`]: Self::resolve_symbols
///
/// # Examples
///
/// A flame graph of what one tag keeps:
///
/// ```no_run
/// # #[cfg(feature = "profile")]
/// fn draw(bursar: &bursar::Bursar) -> Result<(), Box<dyn std::error::Error>> {
///     let mut profile = bursar.heap_profile()?.of_tag("images")?;
///     profile.resolve_symbols()?;
///     std::fs::write("images.svg", profile.to_flame_graph()?)?;
///     println!("{profile}");
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct HeapProfile {
    /// In whole milliseconds.
    taken_at: SystemTime,
    /// When the earlier one was taken, of a difference.
    since: Option<SystemTime>,
    /// Which process's run it is of.
    run: u64,
    interval_bytes: u64,
    samples_total: u64,
    samples_lost_total: u64,
    /// The largest first.
    sites: Vec<Site>,
    modules: Arc<[Module]>,
    symbols: Arc<Symbols>,
}

impl HeapProfile {
    /// When it was taken, in whole milliseconds of the system's clock.
    #[must_use]
    pub fn taken_at(&self) -> SystemTime {
        self.taken_at
    }

    /// When the earlier profile was taken, if this is what has been added since.
    #[must_use]
    pub fn difference_since(&self) -> Option<SystemTime> {
        self.since
    }

    /// The mean number of bytes from one sample to the next.
    #[must_use]
    pub fn interval_bytes(&self) -> u64 {
        self.interval_bytes
    }

    /// Samples taken since the process began, whether their blocks live or not; of a difference,
    /// in between.
    #[must_use]
    pub fn samples_total(&self) -> u64 {
        self.samples_total
    }

    /// Samples that there was no room for, likewise. What they stand for is in no figure.
    #[must_use]
    pub fn samples_lost_total(&self) -> u64 {
        self.samples_lost_total
    }

    /// Each tag and stack, the most bytes first: of a difference, what has grown most first, and
    /// what has shrunk most last.
    #[must_use]
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// All live bytes by its samples; of a difference, how many more there are. A pass over the
    /// sites.
    #[must_use]
    pub fn total_bytes(&self) -> i64 {
        self.sites.iter().fold(0, |sum, site| sum.saturating_add(site.live_bytes))
    }

    /// The tags that have sites, each with its bytes, the most first. A pass over the sites.
    #[must_use]
    pub fn tags(&self) -> Vec<(&str, i64)> {
        let mut tags: HashMap<&str, i64> = HashMap::new();
        for site in &self.sites {
            let bytes = tags.entry(&site.tag).or_default();
            *bytes = bytes.saturating_add(site.live_bytes);
        }
        let mut tags: Vec<_> = tags.into_iter().collect();
        tags.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        tags
    }

    /// What one tag alone keeps, without the tags that are parts of it. Copies its sites.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownTag`] if no live sample has that tag, with the tags that there are.
    pub fn of_tag(&self, tag: &str) -> Result<Self, Error> {
        let of_tag = self.with(self.sites.iter().filter(|site| site.tag == tag).cloned());
        if !of_tag.sites.is_empty() {
            return Ok(of_tag);
        }
        let tags = self.tags();
        let mut known: Vec<_> = tags.iter().take(MAX_LISTED).map(|(tag, _)| *tag).collect();
        let more = tags.len().saturating_sub(MAX_LISTED);
        let more = format!("and {more} more");
        if tags.len() > MAX_LISTED {
            known.push(&more);
        }
        Err(Error::UnknownTag { given: tag.to_owned(), known: known.join(", ") })
    }

    /// The sites of these [keys](Site::key) alone: fewer names to look up, for one. A key that is
    /// not there is passed over.
    #[must_use]
    pub fn of_sites(&self, keys: &[u64]) -> Self {
        self.with(self.sites.iter().filter(|site| keys.contains(&site.key())).cloned())
    }

    /// The same profile with other sites.
    fn with(&self, sites: impl Iterator<Item = Site>) -> Self {
        let mut profile = Self {
            sites: sites.collect(),
            modules: Arc::clone(&self.modules),
            symbols: Arc::clone(&self.symbols),
            ..*self
        };
        profile.sort();
        profile
    }

    /// The program's innermost calls of a site, `most` at most, the innermost first: without those
    /// of the allocator and of the standard library, unless there are no others. Each with its
    /// file and line where they are known, and named as
    /// [`resolve_symbols`](Self::resolve_symbols) has found it. Empty if there is no such site. A
    /// pass over the sites.
    #[must_use]
    pub fn top_frames(&self, key: u64, most: usize) -> Vec<String> {
        let site = self.sites.iter().find(|site| site.key() == key);
        site.map(|site| self.top_frames_of(site, most)).unwrap_or_default()
    }

    fn module_of(&self, address: u64) -> Option<&Module> {
        self.modules.iter().find(|module| module.holds(address))
    }

    /// The largest first, in one order whatever the allocator's was.
    fn sort(&mut self) {
        self.sites.sort_by_cached_key(|site| {
            (-i128::from(site.live_bytes), -i128::from(site.live_blocks), site.key())
        });
    }
}

/// A tag as a call beneath all others of a stack, so that whose bytes they are is seen first.
fn tag_frame(tag: &str) -> String {
    format!("tag:{tag}")
}

/// The tag of such a call.
fn tag_of_frame(name: &str) -> Option<Cow<'static, str>> {
    name.strip_prefix("tag:").map(|tag| tag.to_owned().into())
}

#[cfg(test)]
mod tests {
    use super::testing::{profile, site};

    #[test]
    fn sites_are_in_the_order_of_their_bytes_and_summed_by_tag() {
        let sites = [
            site("images", &[1], 10),
            site("sounds", &[1], 300),
            site("images", &[2], 500),
            site("images", &[3], -20),
        ];
        let profile = profile(&sites);
        let bytes: Vec<_> = profile.sites().iter().map(|site| site.live_bytes).collect();
        assert_eq!(bytes, [500, 300, 10, -20]);
        assert_eq!(profile.total_bytes(), 790);
        assert_eq!(profile.tags(), [("images", 490), ("sounds", 300)]);
    }

    #[test]
    fn the_order_is_the_same_whatever_order_the_allocator_had() {
        let mut sites: Vec<_> = (0..20).map(|at| site("images", &[at], 5)).collect();
        let one = profile(&sites);
        sites.reverse();
        assert_eq!(profile(&sites), one);
    }

    #[test]
    fn a_tag_alone_has_its_sites_and_no_others() {
        let profile = profile(&[site("images", &[1], 10), site("images/thumbs", &[1], 300)]);
        let images = profile.of_tag("images").unwrap();
        assert_eq!(images.sites(), [site("images", &[1], 10)]);
        assert_eq!((images.taken_at(), images.samples_total()), (profile.taken_at(), 100));
    }

    #[test]
    fn an_unknown_tag_is_named_beside_those_that_there_are() {
        let of_two = profile(&[site("images", &[1], 10), site("sounds", &[1], 300)]);
        let error = of_two.of_tag("imagse").unwrap_err();
        assert_eq!(error.code(), "unknown_tag");
        let text = error.to_string();
        assert!(text.contains("\"imagse\"") && text.contains("sounds, images"), "{text}");

        let sites: Vec<_> = (0..50).map(|at| site(&format!("t{at}"), &[1], 50 - at)).collect();
        let text = profile(&sites).of_tag("none").unwrap_err().to_string();
        assert!(text.contains("t0, t1, ") && text.contains("t19, and 30 more"), "{text}");
    }

    #[test]
    fn sites_are_chosen_by_their_keys() {
        let sites = [site("images", &[1], 10), site("sounds", &[1], 300)];
        let profile = profile(&sites);
        assert_eq!(profile.of_sites(&[7, sites[0].key()]).sites(), [sites[0].clone()]);
    }

    #[test]
    fn sums_of_figures_at_the_ends_of_their_range_stay_within_it() {
        let profile = profile(&[site("a", &[1], i64::MAX), site("a", &[2], i64::MAX)]);
        assert_eq!(profile.total_bytes(), i64::MAX);
        assert_eq!(profile.tags(), [("a", i64::MAX)]);
    }
}
