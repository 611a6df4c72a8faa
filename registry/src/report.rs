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
    /// Live bytes it was to free; 0 where only pages were to be given back.
    pub target_bytes: u64,
    /// Live bytes that callbacks freed, as measured.
    pub freed_bytes: u64,
    /// Live bytes of the process before.
    pub live_bytes_before: u64,
    /// Live bytes of the process after; other threads went on allocating meanwhile.
    pub live_bytes_after: u64,
    /// Bytes of freed pages that went back to the system, where the allocator knows.
    pub collected_bytes: Option<u64>,
    /// When it began, on the monitor's clock: since Bursar was started.
    pub started_at: Duration,
    /// How long it took.
    pub elapsed: Duration,
    /// Its stages, in order.
    pub stages: Vec<StageReport>,
}

/// What one stage of a cleanup did.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StageReport {
    /// Which stage.
    pub stage: Stage,
    /// Live bytes that its callbacks freed, as measured.
    pub freed_bytes: u64,
    /// Bytes of freed pages that went back to the system at its end, where the allocator knows.
    pub collected_bytes: Option<u64>,
    /// How long it took.
    pub elapsed: Duration,
    /// Each callback that was made, in order.
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
    pub asked_bytes: u64,
    /// Bytes it says it freed.
    pub claimed_bytes: u64,
    /// Bytes that the monitor's thread freed while it ran less those it allocated, under the
    /// purgeable's tag if it has one; `None` if that could not be measured.
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
}

impl PurgeReport {
    /// What counts as freed: what was measured, or the claim where nothing could be.
    #[must_use]
    pub fn freed_bytes(&self) -> u64 {
        self.measured_bytes.unwrap_or(self.claimed_bytes)
    }
}

impl fmt::Display for CleanupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cleanup at {} ({} pressure): freed {} of {} asked",
            self.level,
            self.diagnosis,
            ByteSize(self.freed_bytes),
            ByteSize(self.target_bytes),
        )?;
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

impl fmt::Display for PurgeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match self.status {
            PurgeStatus::Freed => "freed",
            PurgeStatus::Empty => "had nothing",
            PurgeStatus::Busy => "was busy",
            PurgeStatus::Panicked => "panicked",
        };
        write!(f, "{} {status}: claimed {}", self.name, ByteSize(self.claimed_bytes))?;
        match self.measured_bytes {
            Some(bytes) => write!(f, ", measured {}", ByteSize(bytes))?,
            None => write!(f, ", not measured")?,
        }
        write!(f, " in {:.1?}", self.elapsed)
    }
}
