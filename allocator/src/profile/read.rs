//! [`heap_samples`]: what is alive of the samples, by where it was allocated.

use std::collections::HashMap;

use super::countdown::interval_bytes;
use super::samples::{LOST, TABLE, TAKEN, probability};
use super::site::{HeapSamples, HeapSite};
use super::stack::end_of;
use super::table::Block;
use crate::primitive::Ordering;
use crate::usage::name_of;

/// How the sampling of the heap goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SamplingStats {
    /// The mean number of bytes from one sample to the next.
    pub interval_bytes: u64,
    /// Samples that are kept now.
    pub live_samples: usize,
    /// Samples that there is room for.
    pub capacity: usize,
    /// Samples taken since the process began.
    pub samples_total: u64,
    /// Samples that were due and not kept since the process began, for want of room mostly.
    pub samples_lost_total: u64,
}

/// How the sampling goes; `None` while it is off. Some loads.
#[must_use]
pub fn sampling_stats() -> Option<SamplingStats> {
    let table = TABLE.get().filter(|_| interval_bytes() > 0)?;
    Some(SamplingStats {
        interval_bytes: interval_bytes(),
        live_samples: table.len(),
        capacity: table.capacity(),
        samples_total: TAKEN.load(Ordering::Relaxed),
        samples_lost_total: LOST.load(Ordering::Relaxed),
    })
}

/// What is alive of the samples, by tag and stack; `None` while sampling is off. Threads go on
/// allocating meanwhile: what is sampled or freed while it reads may be in it or not.
///
/// Costs less than a microsecond for each live sample, and allocates for each; takes no lock.
///
/// # Examples
///
/// ```
/// use bursar_alloc::{AccountingAllocator, Sampling, System, Tag, heap_samples, start_sampling};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// static IMAGES: Tag = Tag::new("images");
///
/// # #[cfg(unix)]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     start_sampling(Sampling { interval_bytes: 4096, ..Sampling::default() })?;
///     let images: Vec<Vec<u8>> = IMAGES.scope(|| (0..100).map(|_| vec![0; 20_000]).collect());
///     let samples = heap_samples().ok_or("it was switched on just now")?;
///     let mut sites = samples.sites.iter().filter(|site| site.tag == "images");
///     let estimate: u64 = sites.by_ref().map(|site| site.live_bytes).sum();
///     println!("some {estimate} of 2,000,000 bytes");
/// #   assert!(estimate > 1_000_000);
/// #   drop(images);
///     Ok(())
/// }
/// # #[cfg(not(unix))] fn main() {}
/// ```
#[must_use]
pub fn heap_samples() -> Option<HeapSamples> {
    let stats = sampling_stats()?;
    let table = TABLE.get()?;
    let mut sites: HashMap<Key, Sum> = HashMap::new();
    table.for_each(|block, stack, is_too_deep| {
        let key = Key { tag: block.tag, is_too_deep, stack: stack.to_vec() };
        sites.entry(key).or_default().add(&block);
    });
    Some(HeapSamples {
        sites: sites.into_iter().map(|(key, sum)| site(key, sum)).collect(),
        interval_bytes: stats.interval_bytes,
        samples_total: stats.samples_total,
        samples_lost_total: stats.samples_lost_total,
        capacity: stats.capacity,
    })
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    tag: u8,
    is_too_deep: bool,
    stack: Vec<usize>,
}

#[derive(Default)]
struct Sum {
    samples: u64,
    blocks: f64,
    bytes: f64,
}

impl Sum {
    fn add(&mut self, block: &Block) {
        let blocks = 1.0 / probability(block.size, block.interval_bytes);
        self.samples += 1;
        self.blocks += blocks;
        self.bytes += blocks * block.size as f64;
    }
}

fn site(key: Key, sum: Sum) -> HeapSite {
    let Key { tag, is_too_deep, mut stack } = key;
    for address in &mut stack {
        // A return address may be that of the next function; the call is before it.
        *address = address.saturating_sub(1);
    }
    HeapSite {
        tag: name_of(tag),
        stack_end: end_of(&stack, is_too_deep),
        stack,
        samples: sum.samples,
        live_bytes: sum.bytes.round() as u64,
        live_blocks: sum.blocks.round() as u64,
    }
}
