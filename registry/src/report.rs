//! What a cleanup did: [`CleanupReport`] and its parts.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;

use crate::ladder::Stage;
use crate::pressure::{Diagnosis, PressureLevel};

/// What a cleanup did, stage by stage.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CleanupReport {
    /// The level it was for.
    pub level: PressureLevel,
    /// What pressed.
    pub diagnosis: Diagnosis,
    /// The tag that was over its own budget, where that was what pressed.
    pub tag: Option<String>,
    /// Whether this is what would have been done: nothing was asked, and nothing freed.
    #[cfg_attr(feature = "serde", serde(default))]
    pub observed_only: bool,
    /// Whether it ended early, with pages left to give back, since usage reached the next
    /// watermark meanwhile.
    #[cfg_attr(feature = "serde", serde(default))]
    pub is_cut_short: bool,
    /// Held bytes it was to free; 0 where only pages were to be given back, `u64::MAX` for all.
    #[cfg_attr(feature = "serde", serde(default))]
    pub target_bytes: u64,
    /// Bytes that callbacks freed, heap and charged, as measured.
    pub freed_bytes: u64,
    /// What the process, or the tag, held before: live and charged bytes.
    #[cfg_attr(feature = "serde", serde(default))]
    pub held_bytes_before: u64,
    /// What it held after; other threads went on allocating meanwhile.
    #[cfg_attr(feature = "serde", serde(default))]
    pub held_bytes_after: u64,
    /// Bytes of freed pages that went back to the system, where the allocator knows.
    pub collected_bytes: Option<u64>,
    /// When it began, on the monitor's clock: since Bursar was started.
    pub started_at: Duration,
    /// How long it took.
    pub elapsed: Duration,
    /// Its stages, in order.
    #[cfg_attr(feature = "serde", serde(default))]
    pub stages: Vec<StageReport>,
}

/// What one stage of a cleanup did.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StageReport {
    /// Which stage.
    pub stage: Stage,
    /// Bytes that its callbacks freed, as measured.
    pub freed_bytes: u64,
    /// Bytes of freed pages that went back to the system at its end, where the allocator knows.
    pub collected_bytes: Option<u64>,
    /// How long it took.
    pub elapsed: Duration,
    /// Each callback that was made, in order.
    #[cfg_attr(feature = "serde", serde(default))]
    pub purges: Vec<PurgeReport>,
}

/// What one callback did.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PurgeReport {
    /// The purgeable's name.
    pub name: String,
    /// How it went.
    pub status: PurgeStatus,
    /// Bytes it was asked for; `u64::MAX` for all.
    #[cfg_attr(feature = "serde", serde(default))]
    pub asked_bytes: u64,
    /// Bytes it says it freed.
    pub claimed_bytes: u64,
    /// Bytes that the thread which called it freed while it ran less those it allocated, under
    /// the purgeable's tag if it has one, and those by which the tag is charged for less;
    /// `None` if that could not be measured.
    pub measured_bytes: Option<u64>,
    /// How long it took.
    pub elapsed: Duration,
}

/// How a callback went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum PurgeStatus {
    /// It freed something, by its own word.
    Freed,
    /// It had nothing.
    Empty,
    /// It could not be had at that moment.
    Busy,
    /// It panicked.
    Panicked,
    /// It would have been asked, and was not: nothing is purged in observe-only mode.
    Observed,
}

impl PurgeReport {
    /// Of one that was not asked.
    pub(crate) fn observed(name: &str, asked_bytes: u64) -> Self {
        Self {
            name: name.to_owned(),
            status: PurgeStatus::Observed,
            asked_bytes,
            claimed_bytes: 0,
            measured_bytes: None,
            elapsed: Duration::ZERO,
        }
    }

    /// What counts as freed: what was measured, or the claim where nothing could be.
    #[must_use]
    pub fn freed_bytes(&self) -> u64 {
        self.measured_bytes.unwrap_or(self.claimed_bytes)
    }
}

impl fmt::Display for CleanupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.observed_only { "cleanup that was not made" } else { "cleanup" };
        write!(f, "{what} at {} ({} pressure", self.level, self.diagnosis)?;
        if let Some(tag) = &self.tag {
            write!(f, " of {tag}")?;
        }
        write!(f, "): freed {} of {} asked", ByteSize(self.freed_bytes), Asked(self.target_bytes))?;
        if let Some(collected) = self.collected_bytes {
            write!(f, ", gave {} of pages back", ByteSize(collected))?;
        }
        write!(f, " in {:.1?}", self.elapsed)?;
        for stage in &self.stages {
            write!(f, "\n  {:<9} freed {}", stage.stage, ByteSize(stage.freed_bytes))?;
            for purge in &stage.purges {
                write!(f, "\n    {purge}")?;
            }
        }
        Ok(())
    }
}

/// What was asked for: a size, or all.
struct Asked(u64);

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u64::MAX => f.write_str("all"),
            bytes => ByteSize(bytes).fmt(f),
        }
    }
}

impl fmt::Display for PurgeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match self.status {
            PurgeStatus::Freed => "freed",
            PurgeStatus::Empty => "had nothing",
            PurgeStatus::Busy => "was busy",
            PurgeStatus::Panicked => "panicked",
            PurgeStatus::Observed => {
                return write!(f, "{} would be asked for {}", self.name, Asked(self.asked_bytes));
            }
        };
        write!(f, "{} {status}: claimed {}", self.name, ByteSize(self.claimed_bytes))?;
        match self.measured_bytes {
            Some(bytes) => write!(f, ", measured {}", ByteSize(bytes))?,
            None => write!(f, ", not measured")?,
        }
        write!(f, " in {:.1?}", self.elapsed)
    }
}

/// How usage stands to the budget, read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Compliance {
    /// Whether the footprint is within the soft limit.
    pub is_compliant: bool,
    /// The footprint: pages that hold live blocks, and what is charged outside the heap.
    pub footprint_bytes: u64,
    /// What it is kept to.
    pub soft_limit_bytes: u64,
    /// What is left of it; negative where it is passed.
    pub margin_bytes: i64,
}

impl Compliance {
    pub(crate) fn of(footprint_bytes: u64, soft_limit_bytes: u64) -> Self {
        let margin = i128::from(soft_limit_bytes) - i128::from(footprint_bytes);
        let bound = if margin < 0 { i64::MIN } else { i64::MAX };
        Self {
            is_compliant: margin >= 0,
            footprint_bytes,
            soft_limit_bytes,
            margin_bytes: i64::try_from(margin).unwrap_or(bound),
        }
    }
}

/// What came of giving the allocator's free pages back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CollectReport {
    /// Whether the allocator has such a call. Over mimalloc it reaches the pages of the calling
    /// thread alone.
    pub is_supported: bool,
    /// Bytes in freed pages before, where the allocator knows.
    pub dirty_bytes_before: Option<u64>,
    /// Bytes in freed pages after.
    pub dirty_bytes_after: Option<u64>,
    /// How long it took.
    pub elapsed: Duration,
}

/// What came of calling an emergency.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EmergencyReport {
    /// Usage is within the budget: nothing was done.
    NotNeeded(Compliance),
    /// Everything purgeable was asked for everything, and all free pages purged.
    Done(Box<CleanupReport>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_signed_and_exactly_at_the_limit_is_compliant() {
        assert_eq!(Compliance::of(100, 100).margin_bytes, 0);
        assert!(Compliance::of(100, 100).is_compliant);
        let over = Compliance::of(101, 100);
        assert_eq!((over.margin_bytes, over.is_compliant), (-1, false));
        assert_eq!(Compliance::of(u64::MAX, 0).margin_bytes, i64::MIN);
    }
}
