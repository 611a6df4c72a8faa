//! Figures and names that nobody could have.

use bursar_alloc::{Isolation, Usage};
use proptest::prelude::*;

use super::*;
use crate::cooldown::Cooldown;
use crate::live_history::{SiteReading, TagReading};
use crate::reading::{CgroupEvents, MemoryStall, SystemUsage};
use crate::service::RouteStats;
use crate::stats::HeapSampling;
use crate::status::Stall;

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(MIB), Just(u64::MAX / 2), Just(u64::MAX), any::<u64>()]
}

fn share() -> impl Strategy<Value = f64> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e308, f64::MIN_POSITIVE];
    prop_oneof![proptest::sample::select(odd.to_vec()), 0.0..2.0]
}

/// Statistics with these figures wherever there is one.
fn of(sizes: &[u64], shares: &[f64]) -> Stats {
    let mut sizes = sizes.iter().copied().cycle();
    let mut size = move || sizes.next().unwrap_or(0);
    let mut shares = shares.iter().copied().cycle();
    let mut share = move || shares.next().unwrap_or(0.0);
    let levels = [PressureLevel::Normal, PressureLevel::Warning, PressureLevel::Emergency];
    let isolations =
        [Isolation::Off, Isolation::Arena, Isolation::Unsupported, Isolation::Exhausted];
    let mut stats = healthy();
    stats.level = levels[(size() % 3) as usize];
    (stats.usage_ratio, stats.watermarks.warning) = (share(), share());
    (stats.watermarks.critical, stats.watermarks.emergency) = (share(), share());
    (stats.soft_limit_bytes, stats.live_bytes, stats.charged_bytes) = (size(), size(), size());
    stats.uptime = Duration::from_secs(size());
    stats.limits.limit_bytes = Some(size());
    let sample = &mut stats.sample;
    (sample.live_bytes, sample.charged_bytes) = (size(), size());
    for bytes in [
        &mut sample.active_bytes,
        &mut sample.dirty_bytes,
        &mut sample.resident_bytes,
        &mut sample.working_set_bytes,
        &mut sample.limit_bytes,
        &mut sample.container_swap_bytes,
    ] {
        *bytes = Some(size()).filter(|bytes| bytes % 5 != 2);
    }
    sample.container_stall = Some(MemoryStall {
        some_avg10_percent: share(),
        full_avg10_percent: share(),
        ..MemoryStall::default()
    });
    sample.container_events =
        Some(CgroupEvents { oom_kill: Some(size()), max: Some(size()), ..Default::default() });
    let (swap_total_bytes, swap_free_bytes) = (Some(size()), Some(size()));
    sample.system = Some(SystemUsage { swap_total_bytes, swap_free_bytes, ..Default::default() });
    for tag in &mut stats.tags {
        (tag.live_bytes, tag.allocated_bytes_total) = (size(), size());
        (tag.subtree_live_bytes, tag.subtree_charged_bytes) = (size(), size());
        tag.budget_bytes = Some(size());
        tag.isolation = isolations[(size() % 4) as usize];
        (tag.peak_bytes, tag.live_blocks) = (size(), size());
        (tag.active_bytes, tag.dirty_bytes) = (Some(size()), Some(size()));
    }
    let (interval_bytes, live_samples, capacity) = (size(), size(), size());
    let (samples_total, samples_lost_total) = (size(), size());
    stats.heap_sampling = Some(HeapSampling {
        interval_bytes,
        live_samples,
        capacity,
        samples_total,
        samples_lost_total,
    });
    (stats.backend, stats.isolation_caches_in_use) = (Some("jemalloc".to_owned()), size());
    for name in ["a", "b\u{1b}[2J\n", "c"] {
        let mut purgeable = purgeable(name, 0);
        (purgeable.hits_total, purgeable.misses_total) = (Some(size()), Some(size()));
        (purgeable.purges_total, purgeable.busy_total) = (size(), size());
        (purgeable.claimed_bytes_total, purgeable.freed_bytes_total) = (size(), size());
        (purgeable.purgeable_bytes, purgeable.panics_total) = (size(), size());
        stats.purgeables.push(purgeable);
    }
    stats.routes = vec![RouteStats {
        route: "x".repeat(10_000),
        requests_total: size(),
        shed_total: size(),
        peak_bytes: size(),
        peak_bytes_total: size(),
        ..RouteStats::default()
    }];
    (stats.cleanups_total, stats.deferred_cleanups_total) = (size(), size());
    let time = Duration::from_secs(size());
    stats.stall = Some(Stall { name: "y".repeat(10_000), running_for: time });
    let (level, reason) = (PressureLevel::Warning, "\u{7}".repeat(10_000));
    stats.cooldown = Some(Cooldown { level, wait: time, until: time, reason });
    stats.bounds_unused = vec!["z".repeat(10_000); 1000];
    stats
}

/// Series of the tags that there are and of sites under them, some of which grow.
fn add_live_bytes(history: &mut History, sizes: &[u64]) {
    for minute in 0..60 {
        let size = sizes[minute as usize % sizes.len()];
        let live_bytes = if sizes.len().is_multiple_of(2) { size } else { minute * (size >> 8) };
        let names = ["pages", "untagged", "v\u{1b}"];
        let tags = names.map(|name| TagReading { name: name.into(), live_bytes });
        let site = |key| SiteReading {
            key,
            tag: "pages".into(),
            stack: vec![size; 127],
            samples: size,
            live_bytes,
        };
        let sites = [sizes[0], 1, 2, 3].map(site);
        history.add_live_bytes(Duration::from_secs(60 * minute), tags.into(), sites.into());
    }
}

fn usage(blocks: u64) -> Usage {
    let mut usage = bursar_alloc::usage();
    (usage.unattributed_blocks_total, usage.thread_slots_refused_total) = (blocks, blocks);
    usage
}

proptest! {
    #[test]
    fn no_figures_make_it_panic_and_what_it_says_is_short_and_can_be_shown(
        sizes in proptest::collection::vec(size(), 1..80),
        before in proptest::collection::vec(size(), 1..80),
        shares in proptest::collection::vec(share(), 1..20),
    ) {
        let sample = of(&sizes, &shares).sample;
        let mut past = History::default();
        for (index, &seconds) in sizes.iter().enumerate() {
            let usage = shares[index % shares.len()];
            let finding = Finding { usage, diagnosis: Diagnosis::Dirty };
            let level = PressureLevel::ABOVE_NORMAL[index % 3];
            past.add_reading(Duration::from_secs(seconds), sample, finding, level);
        }
        add_live_bytes(&mut past, &sizes);
        let checkup = Checkup::new(of(&sizes, &shares))
            .with_earlier(of(&before, &shares))
            .with_history(past)
            .with_usage(usage(sizes[0]))
            .with_stacks([(sizes[0], vec!["w\u{1b}\n".repeat(10_000); 1000])].into());
        let advice = examine(&checkup);
        prop_assert!(advice.is_sorted_by_key(|advice| std::cmp::Reverse(advice.severity)));
        let text: String = advice.iter().map(ToString::to_string).collect();
        prop_assert!(text.len() < 100_000, "{} bytes", text.len());
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    }
}
