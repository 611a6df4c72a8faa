//! [`TagSeries`]: a tag's live bytes over time.

use std::borrow::Cow;

use super::largest::Kept;
use super::series::{LivePoint, Series};

/// What one tag held at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagReading {
    pub(crate) name: Cow<'static, str>,
    pub(crate) live_bytes: u64,
}

/// A tag's live bytes over time: those of [`TagUsage::live_bytes`](crate::TagUsage::live_bytes),
/// without the tag's parts and what it is charged for.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "super::wire::WireTag", from = "super::wire::WireTag"))]
pub struct TagSeries {
    pub(super) tag: String,
    pub(super) series: Series,
}

impl TagSeries {
    /// The tag's name.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Live bytes since the tag was first seen, oldest first, 64 points at most: the lowest in
    /// each span of time. Spans begin with ten seconds and double whenever there are too many; the
    /// last is still going on.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = LivePoint> + ExactSizeIterator {
        self.series.points()
    }
}

/// A series is by name: a tag made at run time that is gone and comes back under it goes on.
impl Kept for TagSeries {
    type Reading = TagReading;
    type Key = str;

    fn key(&self) -> &str {
        &self.tag
    }

    fn key_of(reading: &TagReading) -> &str {
        &reading.name
    }

    fn bytes_of(reading: &TagReading) -> u64 {
        reading.live_bytes
    }

    fn begin(reading: &TagReading) -> Self {
        Self { tag: String::from(&*reading.name), series: Series::new() }
    }

    fn series(&self) -> &Series {
        &self.series
    }

    fn series_mut(&mut self) -> &mut Series {
        &mut self.series
    }
}
