//! Series in JSON. What is read may have been made up: it is cut to what a history keeps.

use bursar_alloc::MAX_TAG_NAME_LEN;
use serde::{Deserialize, Deserializer, Serialize};

use super::SERIES;
use super::series::WireSeries;
use super::site::{ADDRESSES, SiteSeries};
use super::tag::TagSeries;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireTag {
    tag: String,
    #[serde(flatten)]
    series: WireSeries,
}

impl From<TagSeries> for WireTag {
    fn from(of: TagSeries) -> Self {
        Self { tag: of.tag, series: of.series.into() }
    }
}

impl From<WireTag> for TagSeries {
    fn from(wire: WireTag) -> Self {
        Self { tag: name(wire.tag), series: wire.series.into() }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireSite {
    key: u64,
    tag: String,
    #[serde(default)]
    stack: Vec<u64>,
    #[serde(default)]
    samples: u64,
    #[serde(flatten)]
    series: WireSeries,
}

impl From<SiteSeries> for WireSite {
    fn from(of: SiteSeries) -> Self {
        let SiteSeries { key, tag, stack, samples, series } = of;
        Self { key, tag, stack, samples, series: series.into() }
    }
}

impl From<WireSite> for SiteSeries {
    fn from(wire: WireSite) -> Self {
        let WireSite { key, tag, mut stack, samples, series } = wire;
        stack.truncate(ADDRESSES);
        stack.shrink_to_fit();
        Self { key, tag: name(tag), stack, samples, series: series.into() }
    }
}

/// The first characters of what is too long for a tag's name.
fn name(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(MAX_TAG_NAME_LEN));
    name.shrink_to_fit();
    name
}

/// As many series as a history has.
pub(super) fn at_most_64<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let mut series = Vec::deserialize(deserializer)?;
    series.truncate(SERIES);
    series.shrink_to_fit();
    Ok(series)
}
