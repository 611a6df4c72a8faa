//! [`PressureLevel`] and how it is found: pure functions of what was read, the profile and the
//! time.

use std::fmt;
use std::time::Duration;

use crate::budget::Budget;
use crate::profile::Profile;
use crate::reading::{CgroupEvents, MemoryStall, SystemUsage};

/// How close usage is to the budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum PressureLevel {
    /// Nothing to do.
    #[default]
    Normal,
    /// The cheapest things are trimmed.
    Warning,
    /// More is trimmed, and pools and idle things released.
    Critical,
    /// Everything purgeable goes, and new work should be refused.
    Emergency,
}

impl PressureLevel {
    pub(crate) const ABOVE_NORMAL: [Self; 3] = [Self::Warning, Self::Critical, Self::Emergency];

    /// The level's name in lower case, as in JSON and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Emergency => "emergency",
        }
    }
}

impl fmt::Display for PressureLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What presses: each asks for another remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Diagnosis {
    /// Live blocks take more than the budget gives them: only freeing some helps.
    Live,
    /// The heap is within the budget, but the allocator holds pages that it could give back.
    Dirty,
    /// The container fills up with what is not ours to free.
    Outside,
}

impl Diagnosis {
    /// Its name in lower case, as in JSON and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Dirty => "dirty",
            Self::Outside => "outside",
        }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One reading of everything that usage is judged by, in bytes; `None` where it is not known,
/// for a reason that [`Stats::unavailable`](crate::Stats::unavailable) gives.
///
/// The allocator's figures are read for each sample, `resident_bytes` and `working_set_bytes` at
/// most every 10 ms and after each cleanup, the others at most every 100 ms.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Sample {
    /// Requested bytes not yet freed.
    pub live_bytes: u64,
    /// Bytes outside the heap, declared by a `Charge`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub charged_bytes: u64,
    /// Bytes in pages that hold live blocks, by the backend.
    pub active_bytes: Option<u64>,
    /// Bytes in freed pages that the backend still holds.
    pub dirty_bytes: Option<u64>,
    /// Bytes of this process in memory, by the kernel.
    pub resident_bytes: Option<u64>,
    /// The container's usage less inactive file pages.
    pub working_set_bytes: Option<u64>,
    /// What the working set is held against: the limit in force, where the container has one of
    /// its own.
    pub limit_bytes: Option<u64>,
    /// What `resident_bytes` is held against where the container has no limit of its own: a
    /// given limit, Lambda's, or the machine's memory.
    pub process_limit_bytes: Option<u64>,
    /// Bytes of the container's pages that are in swap.
    pub container_swap_bytes: Option<u64>,
    /// How long the container's tasks stood still for want of memory.
    pub container_stall: Option<MemoryStall>,
    /// What has happened to the container for want of memory.
    pub container_events: Option<CgroupEvents>,
    /// Memory and swap of the whole machine.
    pub system: Option<SystemUsage>,
    /// How long the machine's tasks stood still for want of memory.
    pub system_stall: Option<MemoryStall>,
}

impl Sample {
    /// What the budget is compared with: the pages that hold live blocks, or the live bytes
    /// where pages are not known, and what is charged outside the heap.
    #[must_use]
    pub fn footprint_bytes(&self) -> u64 {
        self.heap_bytes().saturating_add(self.charged_bytes)
    }

    /// What is in use: live bytes, and what is charged outside the heap.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.live_bytes.saturating_add(self.charged_bytes)
    }

    /// What is held against the container's limit, and that limit; where it has none, against the
    /// process's. The limit is not zero.
    pub(crate) fn container_use(&self) -> Option<(u64, u64)> {
        let limited = |used: Option<u64>, limit: Option<u64>| {
            used.zip(limit).filter(|&(_, limit_bytes)| limit_bytes > 0)
        };
        limited(self.working_set_bytes, self.limit_bytes)
            .or_else(|| limited(self.resident_bytes, self.process_limit_bytes))
    }

    /// The heap's part of the footprint.
    pub(crate) fn heap_bytes(&self) -> u64 {
        self.active_bytes.unwrap_or(0).max(self.live_bytes)
    }
}

/// A share of dirty pages worth collecting: below 1/64 of the budget they cannot be the cause.
const WORTHWHILE_DIRTY_PART: u64 = 64;

/// What a sample says: how full, and of what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// Usage as a share of what it may be; 1 is full.
    pub usage: f64,
    /// What presses, should `usage` be too much.
    pub diagnosis: Diagnosis,
}

/// Finds the tightest of the budget and the container, and what fills it.
///
/// The footprint is held against the budget; the container's working set, which takes in what is
/// outside the heap, against the container's limit; and where the container has none, what the
/// process has in memory against the process's limit. Where both press it is the heap that is
/// found, unless the container alone is at the emergency watermark.
///
/// # Examples
///
/// ```
/// use bursar::{Budget, Diagnosis, Sample, diagnose};
///
/// let mut sample = Sample::default();
/// sample.live_bytes = 30 << 20;
/// sample.dirty_bytes = Some(60 << 20);
/// sample.working_set_bytes = Some(95 << 20);
/// sample.limit_bytes = Some(100 << 20);
/// let finding = diagnose(&sample, &Budget::new(90 << 20)?);
/// assert_eq!(finding.diagnosis, Diagnosis::Dirty); // no cache need lose an entry
/// # Ok::<(), bursar::Error>(())
/// ```
#[must_use]
pub fn diagnose(sample: &Sample, budget: &Budget) -> Finding {
    let heap = find_in_heap(sample, budget);
    let by_container = by_container(sample);
    let watermarks = budget.profile().watermarks;
    let is_last = |usage| usage >= watermarks.emergency;
    // Pages that the kernel is about to miss are not to wait for what the heap has time for.
    let is_outrun = is_last(by_container) && !is_last(heap.usage);
    if heap.usage >= by_container || (heap.usage >= watermarks.warning && !is_outrun) {
        return heap;
    }
    let dirty = sample.dirty_bytes.unwrap_or(0);
    let diagnosis = if dirty >= budget.soft_limit_bytes() / WORTHWHILE_DIRTY_PART {
        Diagnosis::Dirty
    } else {
        Diagnosis::Outside
    };
    Finding { usage: by_container, diagnosis }
}

/// What the heap says by itself, whatever the container does.
pub(crate) fn find_in_heap(sample: &Sample, budget: &Budget) -> Finding {
    Finding { usage: budget.usage(sample.footprint_bytes()), diagnosis: Diagnosis::Live }
}

/// Usage as a share of the container's limit, or of the process's.
fn by_container(sample: &Sample) -> f64 {
    let (used, limit) = sample.container_use().unwrap_or((0, 1));
    used as f64 / limit as f64
}

/// A tag that holds more than a budget of its own allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagExcess {
    pub(crate) tag: String,
    /// What it and its parts hold: live and charged.
    pub(crate) held_bytes: u64,
    pub(crate) budget_bytes: u64,
    /// The names of its parts, itself included: what is registered under one of them is asked.
    pub(crate) family: Vec<String>,
}

/// The level in force, and since when.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bursar::{Pressure, PressureLevel, Profile};
///
/// let profile = Profile::default();
/// let at = Duration::from_secs;
/// let warning = Pressure::default().classify(0.71, &profile, at(10));
/// assert_eq!(warning.level, PressureLevel::Warning);
/// assert_eq!(warning.classify(0.60, &profile, at(10)).level, PressureLevel::Warning); // dwell
/// assert_eq!(warning.classify(0.60, &profile, at(12)).level, PressureLevel::Normal);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pressure {
    /// The level.
    pub level: PressureLevel,
    /// When it was entered, on the monitor's clock.
    pub since: Duration,
}

impl Pressure {
    /// The pressure at `usage`: upward at once, downward only below the level's watermark less
    /// the hysteresis, and after the dwell.
    #[must_use]
    pub fn classify(self, usage: f64, profile: &Profile, now: Duration) -> Self {
        self.classify_reached(usage, level_reached(usage, profile), profile, now)
    }

    /// As [`classify`](Self::classify), where the level `reached` is that of the usage or above.
    pub(crate) fn classify_reached(
        self,
        usage: f64,
        reached: PressureLevel,
        profile: &Profile,
        now: Duration,
    ) -> Self {
        if reached > self.level {
            return Self { level: reached, since: now };
        }
        let kept = highest(profile, |watermark| usage >= watermark - profile.hysteresis);
        let kept = kept.max(reached);
        if kept < self.level && now.saturating_sub(self.since) >= profile.dwell {
            return Self { level: kept, since: now };
        }
        self
    }
}

/// The level whose watermark `usage` has reached, whatever level is in force.
pub(crate) fn level_reached(usage: f64, profile: &Profile) -> PressureLevel {
    highest(profile, |watermark| usage >= watermark)
}

fn highest(profile: &Profile, holds_at: impl Fn(f64) -> bool) -> PressureLevel {
    PressureLevel::ABOVE_NORMAL
        .into_iter()
        .rev()
        .find(|&level| holds_at(profile.watermarks.of(level)))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
