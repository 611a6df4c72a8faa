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
/// process has in memory against the process's limit.
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
    let soft_limit = budget.soft_limit_bytes();
    let by_heap = budget.usage(sample.footprint_bytes());
    let share = |used: Option<u64>, limit: Option<u64>| match (used, limit) {
        (Some(used), Some(limit)) if limit > 0 => Some(used as f64 / limit as f64),
        _ => None,
    };
    let by_container = share(sample.working_set_bytes, sample.limit_bytes)
        .or_else(|| share(sample.resident_bytes, sample.process_limit_bytes))
        .unwrap_or(0.0);
    if by_heap >= budget.profile().watermarks.warning || by_heap >= by_container {
        return Finding { usage: by_heap, diagnosis: Diagnosis::Live };
    }
    let dirty = sample.dirty_bytes.unwrap_or(0);
    let diagnosis = if dirty >= soft_limit / WORTHWHILE_DIRTY_PART {
        Diagnosis::Dirty
    } else {
        Diagnosis::Outside
    };
    Finding { usage: by_container, diagnosis }
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_level_is_entered_at_once_and_left_below_the_hysteresis_after_the_dwell() {
        let profile = Profile::default();
        let normal = Pressure::default();
        let warning = normal.classify(0.70, &profile, at(10));
        assert_eq!(warning, Pressure { level: PressureLevel::Warning, since: at(10) });

        assert_eq!(warning.classify(0.66, &profile, at(100)), warning, "within the hysteresis");
        assert_eq!(warning.classify(0.10, &profile, at(10)), warning, "within the dwell");
        assert_eq!(warning.classify(0.64, &profile, at(11)).level, PressureLevel::Normal);

        let emergency = warning.classify(2.0, &profile, at(10));
        assert_eq!(emergency.level, PressureLevel::Emergency);
        assert_eq!(emergency.classify(0.77, &profile, at(20)).level, PressureLevel::Critical);
    }

    #[test]
    fn a_level_that_usage_is_about_to_reach_again_is_not_left() {
        let profile = Profile::default();
        let emergency = Pressure::default().classify(0.96, &profile, at(10));
        let soon = |reached| emergency.classify_reached(0.82, reached, &profile, at(20)).level;
        assert_eq!(soon(PressureLevel::Emergency), PressureLevel::Emergency);
        assert_eq!(soon(PressureLevel::Critical), PressureLevel::Critical);
    }

    #[test]
    fn a_clock_that_runs_backwards_keeps_the_level() {
        let profile = Profile::default();
        let warning = Pressure::default().classify(0.7, &profile, at(10));
        assert_eq!(warning.classify(0.1, &profile, at(5)), warning);
    }

    proptest! {
        #[test]
        fn a_higher_usage_never_gives_a_lower_level(
            level in 0usize..4, low in 0.0f64..1.5, more in 0.0f64..1.0, now in 0u64..100,
        ) {
            let profile = Profile::default();
            let level = [PressureLevel::Normal, PressureLevel::Warning, PressureLevel::Critical,
                PressureLevel::Emergency][level];
            let before = Pressure { level, since: at(1) };
            let at_low = before.classify(low, &profile, at(now)).level;
            let at_high = before.classify(low + more, &profile, at(now)).level;
            prop_assert!(at_low <= at_high);
        }

        #[test]
        fn on_a_random_walk_no_level_is_left_within_its_dwell(
            walk in proptest::collection::vec((0.5f64..1.1, 0u64..700), 1..200),
        ) {
            let profile = Profile::default();
            let mut pressure = Pressure::default();
            let mut now = Duration::ZERO;
            for (usage, step_ms) in walk {
                now += Duration::from_millis(step_ms);
                let next = pressure.classify(usage, &profile, now);
                if next.level < pressure.level {
                    prop_assert!(now - pressure.since >= profile.dwell);
                    prop_assert!(usage < profile.watermarks.of(pressure.level) - profile.hysteresis);
                }
                pressure = next;
            }
        }
    }

    fn sample(footprint_mib: u64, dirty_mib: u64, working_set_mib: u64) -> Sample {
        Sample {
            live_bytes: footprint_mib << 20,
            active_bytes: Some(footprint_mib << 20),
            dirty_bytes: Some(dirty_mib << 20),
            working_set_bytes: Some(working_set_mib << 20),
            limit_bytes: Some(128 << 20),
            ..Sample::default()
        }
    }

    #[test]
    fn live_dirty_and_outside_pressure_are_told_apart() {
        let budget = Budget::new(112 << 20).unwrap();
        let of = |sample| diagnose(&sample, &budget).diagnosis;
        assert_eq!(of(sample(100, 20, 125)), Diagnosis::Live);
        assert_eq!(of(sample(50, 40, 110)), Diagnosis::Dirty);
        assert_eq!(of(sample(50, 1, 120)), Diagnosis::Outside);
        assert_eq!(of(sample(50, 1, 30)), Diagnosis::Live);
    }

    #[test]
    fn without_a_limit_of_the_container_what_the_process_has_in_memory_counts() {
        let budget = Budget::new(100 << 20).unwrap();
        let sample = Sample {
            live_bytes: 10 << 20,
            resident_bytes: Some(96 << 20),
            working_set_bytes: Some(8 << 30),
            process_limit_bytes: Some(128 << 20),
            ..Sample::default()
        };
        let finding = diagnose(&sample, &budget);
        assert_eq!((finding.usage, finding.diagnosis), (0.75, Diagnosis::Outside));
    }

    #[test]
    fn what_is_not_known_does_not_press() {
        let budget = Budget::new(100 << 20).unwrap();
        let sample = Sample { live_bytes: 10 << 20, ..Sample::default() };
        let finding = diagnose(&sample, &budget);
        assert_eq!(finding.diagnosis, Diagnosis::Live);
        assert!((finding.usage - 0.1).abs() < 1e-9);
    }
}
