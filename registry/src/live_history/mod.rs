//! [`LiveHistory`]: live bytes over the whole run, of the tags and of the places in the code that
//! hold most, in bounded memory.
//!
//! `series` is what is kept of one, `largest` which are kept, `tag` and `site` what they are of,
//! `wire` what of them is read from elsewhere.

mod largest;
mod series;
mod site;
mod tag;
#[cfg(feature = "serde")]
mod wire;

use std::time::Duration;

pub use self::series::LivePoint;
pub use self::site::SiteSeries;
pub use self::tag::TagSeries;

pub(crate) use self::series::SPACING;
pub(crate) use self::site::SiteReading;
pub(crate) use self::tag::TagReading;

/// Series of either kind that are kept. Below a 64th of the budget growth is worth no finding, and
/// no more than 64 tags, or places, can hold as much each.
const SERIES: usize = 64;

/// The series of the tags and of the sites with the most live bytes.
///
/// Bounded: 64 series of each kind, of 64 points of 16 bytes, and for a site 32 addresses: less
/// than 200 KiB.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct LiveHistory {
    #[cfg_attr(feature = "serde", serde(default, deserialize_with = "wire::at_most_64"))]
    tags: Vec<TagSeries>,
    #[cfg_attr(feature = "serde", serde(default, deserialize_with = "wire::at_most_64"))]
    sites: Vec<SiteSeries>,
}

impl LiveHistory {
    /// Takes in what all tags, and all sites, hold at one moment.
    pub(crate) fn add(&mut self, at: Duration, tags: Vec<TagReading>, sites: Vec<SiteReading>) {
        largest::take_in(&mut self.tags, tags, at, SERIES);
        largest::take_in(&mut self.sites, sites, at, SERIES);
    }

    pub(crate) fn tags(&self) -> &[TagSeries] {
        &self.tags
    }

    pub(crate) fn sites(&self) -> &[SiteSeries] {
        &self.sites
    }
}

#[cfg(test)]
mod tests;
