//! [`HeapSampling`]: how the sampling of the heap goes.

use std::fmt;

use bytesize::ByteSize;

use super::Stats;

/// How the heap is sampled for the heap profile. The profile itself is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HeapSampling {
    /// The mean number of bytes from one sample to the next.
    pub interval_bytes: u64,
    /// Samples whose blocks live.
    pub live_samples: u64,
    /// Samples that there is room for.
    pub capacity: u64,
    /// Samples taken since the process began.
    #[cfg_attr(feature = "serde", serde(default))]
    pub samples_total: u64,
    /// Samples that were due and not kept, for want of room mostly: missing in every profile since.
    #[cfg_attr(feature = "serde", serde(default))]
    pub samples_lost_total: u64,
}

impl HeapSampling {
    /// As it goes now; `None` while it is off, and where it is not compiled in.
    pub(super) fn read() -> Option<Self> {
        #[cfg(not(feature = "profile"))]
        return None;
        #[cfg(feature = "profile")]
        bursar_alloc::sampling_stats().map(|stats| Self {
            interval_bytes: stats.interval_bytes,
            live_samples: stats.live_samples as u64,
            capacity: stats.capacity as u64,
            samples_total: stats.samples_total,
            samples_lost_total: stats.samples_lost_total,
        })
    }
}

impl Stats {
    /// A line while the heap is sampled.
    pub(super) fn write_sampling(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(sampling) = &self.heap_sampling else { return Ok(()) };
        let HeapSampling { interval_bytes, live_samples, capacity, .. } = sampling;
        let interval = ByteSize(*interval_bytes);
        write!(f, "\nheap sampled each {interval}: {live_samples} samples of {capacity} at most")?;
        match sampling.samples_lost_total {
            0 => Ok(()),
            lost => write!(f, ", {lost} lost"),
        }
    }
}
