//! [`SiteSeries`]: what one place in the code keeps alive, over time.

use std::borrow::Cow;

use super::largest::Kept;
use super::series::{LivePoint, Series};

/// Addresses of a stack that are kept: the innermost, which are what tells one place from another.
pub(super) const ADDRESSES: usize = 32;

/// What one site held at one moment, by the samples of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SiteReading {
    pub(crate) key: u64,
    pub(crate) tag: Cow<'static, str>,
    /// The innermost address first.
    pub(crate) stack: Vec<u64>,
    pub(crate) samples: u64,
    pub(crate) live_bytes: u64,
}

/// The live bytes over time of what one place in the code has allocated under one tag, by a
/// sampled heap (feature `profile`).
///
/// Estimates: one of `n` samples has a standard error of about one part in the square root of `n`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(into = "super::wire::WireSite", from = "super::wire::WireSite")
)]
pub struct SiteSeries {
    pub(super) key: u64,
    pub(super) tag: String,
    pub(super) stack: Vec<u64>,
    pub(super) samples: u64,
    pub(super) series: Series,
}

impl SiteSeries {
    /// What the tag, the whole stack and what lies beyond it hash to: the same in each reading of
    /// one process, and in a heap profile of it.
    #[must_use]
    pub fn key(&self) -> u64 {
        self.key
    }

    /// The tag of the blocks.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Where they were allocated: addresses in the process, the innermost first, 32 at most.
    #[must_use]
    pub fn stack(&self) -> &[u64] {
        &self.stack
    }

    /// Live samples at the last reading that had any.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Estimated live bytes since the site was first seen, as [`TagSeries::points`] has them.
    ///
    /// [`TagSeries::points`]: crate::TagSeries::points
    pub fn points(&self) -> impl DoubleEndedIterator<Item = LivePoint> + ExactSizeIterator {
        self.series.points()
    }
}

impl Kept for SiteSeries {
    type Reading = SiteReading;
    type Key = u64;

    fn key(&self) -> &u64 {
        &self.key
    }

    fn key_of(reading: &SiteReading) -> &u64 {
        &reading.key
    }

    fn bytes_of(reading: &SiteReading) -> u64 {
        reading.live_bytes
    }

    fn begin(reading: &SiteReading) -> Self {
        Self {
            key: reading.key,
            tag: String::from(&*reading.tag),
            stack: reading.stack.iter().copied().take(ADDRESSES).collect(),
            samples: reading.samples,
            series: Series::new(),
        }
    }

    fn note(&mut self, reading: &SiteReading) {
        self.samples = reading.samples;
    }

    fn series(&self) -> &Series {
        &self.series
    }

    fn series_mut(&mut self) -> &mut Series {
        &mut self.series
    }
}
