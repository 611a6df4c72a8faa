//! Everything that a monitor reads and does outside of itself, behind one trait, so that tests
//! can put a made-up process in its place.

use std::sync::Arc;

#[cfg(feature = "profile")]
use bursar_alloc::HeapSite;
use bursar_alloc::{Collect, Collected, TagHandle, TagUsage, Watch};

use super::surroundings::{Surroundings, Unavailable};
use super::{LimitReport, Limits, Process};
use crate::budget::Budget;
use crate::clock::Clock;
#[cfg(feature = "profile")]
use crate::heap_profile::Site;
use crate::live_history::{SiteReading, TagReading};
use crate::pressure::{Sample, TagExcess};

/// What a monitor sees of the process, and how it has pages given back.
pub(crate) trait Sources: Send {
    /// Whether the allocator has raised its flag since this was last asked.
    fn take_pending(&mut self) -> bool;

    /// Has the next sample read anew what a cleanup has changed, however lately it was read.
    fn refresh(&mut self) {}

    /// Reads everything, and gives the allocator its new headroom.
    fn sample(&mut self, budget: &Budget) -> Sample;

    /// The limit in force at the last sample. Another `Arc` when something about it changed.
    fn limits(&self) -> Arc<LimitReport>;

    /// Whether the limit is another than at the last sample, by a look at the limit alone. Then the
    /// next sample reads it anew, however lately it was read.
    fn has_limit_changed(&mut self) -> bool {
        false
    }

    /// What the last sample could not read, and why. Another `Arc` when that changed.
    fn unavailable(&self) -> Arc<Unavailable>;

    /// Reads the live and charged bytes alone.
    fn held_bytes(&mut self) -> u64;

    /// Reads what a tag and its parts hold, live and charged.
    fn held_bytes_of(&mut self, tag: &str) -> u64;

    /// The tags that are over budgets of their own.
    fn tags_over_budget(&mut self) -> Vec<TagExcess>;

    /// Reads the live bytes of each tag.
    fn live_bytes_of_tags(&mut self) -> Vec<TagReading> {
        Vec::new()
    }

    /// Reads what each place in the code keeps alive, while the heap is sampled.
    fn live_bytes_of_sites(&mut self) -> Vec<SiteReading> {
        Vec::new()
    }

    /// Reads the allocator's dirty bytes alone.
    fn dirty_bytes(&mut self) -> Option<u64>;

    /// Has the allocator give free pages back.
    fn collect(&mut self, how: Collect) -> Collected;

    /// As `collect`, for one part of the allocator; `None` past the last.
    fn collect_part(&mut self, how: Collect, part: usize) -> Option<Collected>;

    /// Has the allocator give back the free pages of this tag's own memory, if it is isolated.
    fn collect_tag(&mut self, _tag: &TagHandle) {}

    /// Bytes that the calling thread has freed so far less those it has allocated, under `tag`
    /// and its parts or under any. Only differences mean anything.
    fn net_freed_by_this_thread(&mut self, tag: Option<&TagHandle>) -> Option<i64>;

    /// Bytes charged outside the heap, under `tag` and its parts or under any.
    fn charged_bytes(&mut self, tag: Option<&TagHandle>) -> u64;
}

/// The process that this is.
#[derive(Debug)]
pub(crate) struct Sampler {
    watch: Watch,
    surroundings: Surroundings,
    clock: Arc<dyn Clock>,
}

/// The headroom is at least this part of the budget, so that at a watermark the allocator does
/// not wake the monitor for every few bytes: it is part of how far a level can be passed.
const MIN_ROOM_PART: u64 = 256;

impl Sampler {
    pub(crate) fn new(watch: Watch, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self { watch, surroundings: Surroundings::new(Process::open(), limits), clock }
    }
}

impl Sources for Sampler {
    fn take_pending(&mut self) -> bool {
        self.watch.take_pending()
    }

    fn refresh(&mut self) {
        self.surroundings.refresh();
    }

    fn sample(&mut self, budget: &Budget) -> Sample {
        let mut sample = Sample::default();
        self.watch.scan(|live_bytes| {
            read_heap(&mut sample, live_bytes);
            room_for_live(&sample, budget)
        });
        self.surroundings.read(self.clock.now(), &mut sample);
        sample
    }

    fn limits(&self) -> Arc<LimitReport> {
        self.surroundings.limits()
    }

    fn has_limit_changed(&mut self) -> bool {
        self.surroundings.has_limit_changed()
    }

    fn unavailable(&self) -> Arc<Unavailable> {
        self.surroundings.unavailable()
    }

    fn held_bytes(&mut self) -> u64 {
        bursar_alloc::live_bytes().saturating_add(bursar_alloc::charged_bytes())
    }

    fn held_bytes_of(&mut self, tag: &str) -> u64 {
        let usage = bursar_alloc::usage();
        usage.tags.iter().find(|usage| usage.name == tag).map_or(0, TagUsage::subtree_bytes)
    }

    fn tags_over_budget(&mut self) -> Vec<TagExcess> {
        let over = bursar_alloc::tags_over_budget();
        if over.is_empty() {
            return Vec::new();
        }
        let tags = bursar_alloc::usage().tags;
        over.iter().map(|tag| excess(tag, &tags)).collect()
    }

    fn live_bytes_of_tags(&mut self) -> Vec<TagReading> {
        let tags = bursar_alloc::usage().tags.into_iter();
        tags.map(|tag| TagReading { name: tag.name, live_bytes: tag.live_bytes }).collect()
    }

    #[cfg(feature = "profile")]
    fn live_bytes_of_sites(&mut self) -> Vec<SiteReading> {
        let sites = bursar_alloc::heap_samples().map_or_else(Vec::new, |samples| samples.sites);
        sites.into_iter().map(site_reading).collect()
    }

    fn dirty_bytes(&mut self) -> Option<u64> {
        bursar_alloc::backend_stats().dirty_bytes
    }

    fn collect(&mut self, how: Collect) -> Collected {
        bursar_alloc::collect(how)
    }

    fn collect_part(&mut self, how: Collect, part: usize) -> Option<Collected> {
        bursar_alloc::collect_part(how, part)
    }

    fn collect_tag(&mut self, tag: &TagHandle) {
        tag.collect(Collect::Purge);
    }

    fn net_freed_by_this_thread(&mut self, tag: Option<&TagHandle>) -> Option<i64> {
        let usage = match tag {
            Some(tag) => bursar_alloc::thread_usage_subtree(tag),
            None => bursar_alloc::thread_usage_total(),
        };
        usage.map(|usage| usage.freed_bytes.wrapping_sub(usage.allocated_bytes) as i64)
    }

    fn charged_bytes(&mut self, tag: Option<&TagHandle>) -> u64 {
        match tag {
            Some(tag) => bursar_alloc::tag_usage(tag).subtree_charged_bytes,
            None => bursar_alloc::charged_bytes(),
        }
    }
}

fn read_heap(sample: &mut Sample, live_bytes: u64) {
    let backend = bursar_alloc::backend_stats();
    sample.live_bytes = live_bytes;
    sample.charged_bytes = bursar_alloc::charged_bytes();
    sample.active_bytes = backend.active_bytes;
    sample.dirty_bytes = backend.dirty_bytes;
}

#[cfg(feature = "profile")]
fn site_reading(site: HeapSite) -> SiteReading {
    let (samples, live_bytes) = (site.samples, site.live_bytes);
    let site = Site::from(site);
    SiteReading { key: site.key(), tag: site.tag, stack: site.stack, samples, live_bytes }
}

/// The footprint now, apart from any monitor.
pub(crate) fn footprint_bytes() -> u64 {
    let mut sample = Sample::default();
    read_heap(&mut sample, bursar_alloc::live_bytes());
    sample.footprint_bytes()
}

/// A tag over its budget, with the names of its parts: all whose parents lead to it.
fn excess(over: &TagUsage, tags: &[TagUsage]) -> TagExcess {
    let mut family = vec![over.name.to_string()];
    let mut next = 0;
    while let Some(parent) = family.get(next).cloned() {
        let is_new_part = |tag: &&TagUsage| {
            tag.parent.as_deref() == Some(&*parent) && family.iter().all(|own| *own != tag.name)
        };
        let parts: Vec<_> =
            tags.iter().filter(is_new_part).map(|tag| tag.name.to_string()).collect();
        family.extend(parts);
        next += 1;
    }
    TagExcess {
        tag: over.name.to_string(),
        held_bytes: over.subtree_bytes(),
        budget_bytes: over.budget_bytes.unwrap_or(u64::MAX),
        family,
    }
}

/// Live bytes that may come before the footprint reaches the next watermark: pages fill at the
/// rate at which they hold live bytes now.
fn room_for_live(sample: &Sample, budget: &Budget) -> u64 {
    let footprint = sample.footprint_bytes();
    let room = budget.room_bytes(footprint);
    if room == u64::MAX {
        return room;
    }
    let heap = sample.heap_bytes();
    let live_share = if heap == 0 { 1.0 } else { sample.live_bytes as f64 / heap as f64 };
    let scaled = (room as f64 * live_share) as u64;
    scaled.max(budget.soft_limit_bytes() / MIN_ROOM_PART)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_scaled_by_how_much_of_its_pages_is_live() {
        let budget = Budget::new(100 << 20).unwrap();
        let sample = |live_mib: u64, active_mib: u64| Sample {
            live_bytes: live_mib << 20,
            active_bytes: Some(active_mib << 20),
            ..Sample::default()
        };
        assert_eq!(room_for_live(&sample(0, 0), &budget), 70 << 20);
        assert_eq!(room_for_live(&sample(30, 60), &budget), 5 << 20);
        assert_eq!(room_for_live(&sample(60, 30), &budget), 10 << 20);
        assert_eq!(room_for_live(&sample(96, 96), &budget), u64::MAX);
    }

    #[test]
    fn bytes_outside_the_heap_take_room_and_leave_its_scale_alone() {
        let budget = Budget::new(100 << 20).unwrap();
        let sample = Sample {
            live_bytes: 20 << 20,
            active_bytes: Some(40 << 20),
            charged_bytes: 10 << 20,
            ..Sample::default()
        };
        assert_eq!(sample.footprint_bytes(), 50 << 20);
        assert_eq!(room_for_live(&sample, &budget), 10 << 20);
    }

    #[test]
    fn just_below_a_watermark_the_room_has_a_floor() {
        let budget = Budget::new(100 << 20).unwrap();
        let sample = Sample { live_bytes: (70 << 20) - 1, ..Sample::default() };
        assert_eq!(room_for_live(&sample, &budget), (100 << 20) / MIN_ROOM_PART);
    }
}
