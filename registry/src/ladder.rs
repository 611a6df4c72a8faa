//! [`Ladder`] and [`plan`](Ladder::plan): which stages a cleanup has, and whom it asks for what.
//!
//! Pure: no thread, lock, clock or I/O. What carries a plan out is `cleanup`.

use std::fmt;

use crate::budget::Budget;
use crate::pressure::{Diagnosis, PressureLevel, Sample};
use crate::purge::RebuildCost;

/// A step of a cleanup, mildest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Stage {
    /// The allocator's free pages go back to the system. Costs no data: the garbage collection
    /// of the ladder. Each other stage ends with it.
    Collect,
    /// Purgeables of this stage give up a bounded share, the cheapest first.
    #[default]
    Trim,
    /// Purgeables of this stage (pools, idle singletons) give up all they can.
    Release,
    /// Every purgeable gives up all it can.
    Emergency,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Collect => "collect",
            Self::Trim => "trim",
            Self::Release => "release",
            Self::Emergency => "emergency",
        })
    }
}

/// Which stages run at which level when live bytes press. Each stage runs only if those before
/// it did not reach the target.
///
/// # Examples
///
/// What would be done about 80 MiB of live bytes in a budget of 100, with one cache?
///
/// ```
/// use bursar::{
///     Budget, Candidate, Diagnosis, Ladder, PressureLevel, RebuildCost, Sample, Stage,
/// };
///
/// let mut sample = Sample::default();
/// sample.live_bytes = 80 << 20;
/// let cache = Candidate {
///     index: 0,
///     stage: Stage::Trim,
///     priority: 0,
///     rebuild_cost: RebuildCost::Medium,
///     purgeable_bytes: 60 << 20,
/// };
/// let budget = Budget::new(100 << 20)?;
/// let level = PressureLevel::Critical;
/// let plan = Ladder::default().plan(level, Diagnosis::Live, &sample, &budget, &[cache]).unwrap();
/// assert_eq!(plan.stages[0].stage, Stage::Trim);
/// assert_eq!(plan.stages[0].asks[0].max_bytes, 30 << 20); // at most half of one cache
/// # Ok::<(), bursar::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Ladder {
    /// Stages at [`PressureLevel::Warning`].
    pub warning: Vec<Stage>,
    /// Stages at [`PressureLevel::Critical`].
    pub critical: Vec<Stage>,
    /// Stages at [`PressureLevel::Emergency`].
    pub emergency: Vec<Stage>,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            warning: vec![Stage::Trim],
            critical: vec![Stage::Trim, Stage::Release],
            emergency: vec![Stage::Trim, Stage::Release, Stage::Emergency],
        }
    }
}

/// What is known of a purgeable when a cleanup is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Stands for the purgeable in the plan.
    pub index: usize,
    /// The stage it is registered for.
    pub stage: Stage,
    /// Lower goes first.
    pub priority: i8,
    /// Cheaper goes first, within a priority.
    pub rebuild_cost: RebuildCost,
    /// What it says it could free.
    pub purgeable_bytes: u64,
}

/// One purgeable's part in a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// [`Candidate::index`].
    pub index: usize,
    /// The most to ask of it; what is still missing, if that is less.
    pub max_bytes: u64,
}

/// A stage and whom it asks, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStage {
    /// Which stage.
    pub stage: Stage,
    /// Whom it asks; none for [`Stage::Collect`].
    pub asks: Vec<Ask>,
}

/// What a cleanup is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The level it is for.
    pub level: PressureLevel,
    /// What presses.
    pub diagnosis: Diagnosis,
    /// Live bytes to free; 0 where only pages are to be given back.
    pub target_bytes: u64,
    /// The stages in order; each runs while the target is not reached.
    pub stages: Vec<PlannedStage>,
}

/// A cleanup frees this part of its target more, so that the next one is not due at once.
const MARGIN_PART: u64 = 16;

impl Ladder {
    /// Plans a cleanup; `None` at [`PressureLevel::Normal`], or when nothing could be done.
    #[must_use]
    pub fn plan(
        &self,
        level: PressureLevel,
        diagnosis: Diagnosis,
        sample: &Sample,
        budget: &Budget,
        candidates: &[Candidate],
    ) -> Option<Plan> {
        if level == PressureLevel::Normal {
            return None;
        }
        let collect = PlannedStage { stage: Stage::Collect, asks: Vec::new() };
        let stages = match diagnosis {
            Diagnosis::Dirty => vec![collect],
            // What is outside the heap is not ours; before the kernel acts, what is ours goes.
            Diagnosis::Outside if level == PressureLevel::Warning => vec![collect],
            Diagnosis::Outside => {
                std::iter::once(collect).chain(self.asking(level, budget, candidates)).collect()
            }
            Diagnosis::Live => self.asking(level, budget, candidates).collect::<Vec<_>>(),
        };
        if stages.is_empty() {
            return None;
        }
        let asks_someone = stages.iter().any(|stage| stage.stage != Stage::Collect);
        let target_bytes = if asks_someone { target_bytes(level, sample, budget) } else { 0 };
        Some(Plan { level, diagnosis, target_bytes, stages })
    }

    /// The stages of `level` that have someone to ask.
    fn asking(
        &self,
        level: PressureLevel,
        budget: &Budget,
        candidates: &[Candidate],
    ) -> impl Iterator<Item = PlannedStage> {
        let max_share = budget.profile().max_share;
        self.stages(level)
            .iter()
            .map(move |&stage| PlannedStage { stage, asks: asks(stage, max_share, candidates) })
            .filter(|planned| planned.stage == Stage::Collect || !planned.asks.is_empty())
    }

    fn stages(&self, level: PressureLevel) -> &[Stage] {
        match level {
            PressureLevel::Normal => &[],
            PressureLevel::Warning => &self.warning,
            PressureLevel::Critical => &self.critical,
            PressureLevel::Emergency => &self.emergency,
        }
    }
}

/// The profile's share of the footprint, or what it takes to get below the warning watermark's
/// hysteresis if that is more; and a margin.
fn target_bytes(level: PressureLevel, sample: &Sample, budget: &Budget) -> u64 {
    let profile = budget.profile();
    let footprint = sample.footprint_bytes();
    let share = (footprint as f64 * profile.target(level)) as u64;
    let exit = profile.watermarks.warning - profile.hysteresis;
    let excess = footprint.saturating_sub((budget.soft_limit_bytes() as f64 * exit) as u64);
    let target = share.max(excess);
    target + target / MARGIN_PART
}

fn asks(stage: Stage, max_share: f64, candidates: &[Candidate]) -> Vec<Ask> {
    let mut asked: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| candidate.purgeable_bytes > 0)
        .filter(|candidate| stage == Stage::Emergency || candidate.stage == stage)
        .collect();
    asked.sort_by_key(|candidate| {
        let largest_first = std::cmp::Reverse(candidate.purgeable_bytes);
        (candidate.priority, candidate.rebuild_cost, largest_first, candidate.index)
    });
    let max_bytes = |candidate: &Candidate| match stage {
        Stage::Collect => 0,
        Stage::Trim => (candidate.purgeable_bytes as f64 * max_share).ceil() as u64,
        Stage::Release | Stage::Emergency => u64::MAX,
    };
    asked
        .into_iter()
        .map(|candidate| Ask { index: candidate.index, max_bytes: max_bytes(candidate) })
        .filter(|ask| ask.max_bytes > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn budget() -> Budget {
        Budget::new(100 * MIB).unwrap()
    }

    fn sample(live_mib: u64) -> Sample {
        Sample { live_bytes: live_mib * MIB, ..Sample::default() }
    }

    fn candidate(index: usize, purgeable_bytes: u64) -> Candidate {
        Candidate {
            index,
            stage: Stage::Trim,
            priority: 0,
            rebuild_cost: RebuildCost::Medium,
            purgeable_bytes,
        }
    }

    fn plan_at(level: PressureLevel, diagnosis: Diagnosis, all: &[Candidate]) -> Option<Plan> {
        Ladder::default().plan(level, diagnosis, &sample(70), &budget(), all)
    }

    #[test]
    fn at_normal_there_is_no_plan_and_with_nothing_purgeable_neither() {
        let all = [candidate(0, MIB)];
        assert_eq!(plan_at(PressureLevel::Normal, Diagnosis::Live, &all), None);
        assert_eq!(plan_at(PressureLevel::Critical, Diagnosis::Live, &[]), None);
        assert_eq!(plan_at(PressureLevel::Warning, Diagnosis::Live, &[candidate(0, 0)]), None);
    }

    #[test]
    fn dirty_pages_cost_no_cache_an_entry_at_any_level() {
        for level in PressureLevel::ABOVE_NORMAL {
            let plan = plan_at(level, Diagnosis::Dirty, &[candidate(0, MIB)]).unwrap();
            assert_eq!(plan.target_bytes, 0);
            assert_eq!(plan.stages, [PlannedStage { stage: Stage::Collect, asks: vec![] }]);
        }
    }

    #[test]
    fn pressure_from_outside_collects_first_and_trims_only_when_critical() {
        let stages = |level| {
            let plan = plan_at(level, Diagnosis::Outside, &[candidate(0, MIB)]).unwrap();
            plan.stages.iter().map(|planned| planned.stage).collect::<Vec<_>>()
        };
        assert_eq!(stages(PressureLevel::Warning), [Stage::Collect]);
        assert_eq!(stages(PressureLevel::Critical), [Stage::Collect, Stage::Trim]);
    }

    #[test]
    fn the_target_is_the_levels_share_of_the_footprint_and_a_margin() {
        let all = [candidate(0, 60 * MIB)];
        let plan = plan_at(PressureLevel::Warning, Diagnosis::Live, &all).unwrap();
        let share = (70.0 * MIB as f64 * 0.15) as u64;
        assert_eq!(plan.target_bytes, share + share / MARGIN_PART);
    }

    #[test]
    fn far_over_the_budget_the_target_reaches_below_the_warning_watermark() {
        let all = [candidate(0, 300 * MIB)];
        let plan = Ladder::default()
            .plan(PressureLevel::Warning, Diagnosis::Live, &sample(200), &budget(), &all)
            .unwrap();
        assert!(200 * MIB - plan.target_bytes < 65 * MIB);
    }

    #[test]
    fn the_lowest_priority_goes_first_then_the_cheapest_then_the_largest() {
        let all = [
            Candidate { priority: 1, ..candidate(0, 9 * MIB) },
            candidate(1, MIB),
            candidate(2, 2 * MIB),
            Candidate { rebuild_cost: RebuildCost::Low, ..candidate(3, 1) },
            Candidate { rebuild_cost: RebuildCost::High, priority: -1, ..candidate(4, 1) },
        ];
        let plan = plan_at(PressureLevel::Warning, Diagnosis::Live, &all).unwrap();
        let order: Vec<usize> = plan.stages[0].asks.iter().map(|ask| ask.index).collect();
        assert_eq!(order, [4, 3, 2, 1, 0]);
    }

    #[test]
    fn release_takes_pools_and_emergency_takes_everything_whole() {
        let pool = Candidate { stage: Stage::Release, ..candidate(1, MIB) };
        let all = [candidate(0, 10 * MIB), pool];
        let plan = plan_at(PressureLevel::Emergency, Diagnosis::Live, &all).unwrap();
        let asks: Vec<_> = plan.stages.iter().map(|s| (s.stage, s.asks.clone())).collect();
        let whole = |index| Ask { index, max_bytes: u64::MAX };
        assert_eq!(
            asks,
            [
                (Stage::Trim, vec![Ask { index: 0, max_bytes: 5 * MIB }]),
                (Stage::Release, vec![whole(1)]),
                (Stage::Emergency, vec![whole(0), whole(1)]),
            ]
        );
    }

    proptest! {
        #[test]
        fn a_trim_asks_no_one_for_more_than_the_share_and_nobody_twice(
            bytes in proptest::collection::vec(0u64..1 << 30, 0..20), live_mib in 70u64..500,
        ) {
            let all: Vec<_> =
                bytes.iter().enumerate().map(|(index, &b)| candidate(index, b)).collect();
            let plan = Ladder::default().plan(
                PressureLevel::Warning, Diagnosis::Live, &sample(live_mib), &budget(), &all,
            );
            prop_assert_eq!(plan.is_none(), bytes.iter().all(|&b| b == 0));
            let Some(plan) = plan else { return Ok(()) };
            let mut seen = std::collections::HashSet::new();
            for ask in &plan.stages[0].asks {
                prop_assert!(seen.insert(ask.index));
                prop_assert!(ask.max_bytes <= bytes[ask.index].div_ceil(2));
            }
        }
    }
}
