//! [`Ladder`] and [`plan`](Ladder::plan): which stages a cleanup has, and whom it asks for what.
//!
//! Pure: no thread, lock, clock or I/O. What carries a plan out is `cleanup`.

use std::fmt;

use crate::budget::Budget;
use crate::pressure::{Diagnosis, PressureLevel, Sample, TagExcess};
use crate::profile::{Policy, Profile};
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

impl Stage {
    /// The stage's name in lower case, as in JSON and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::Trim => "trim",
            Self::Release => "release",
            Self::Emergency => "emergency",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
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
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
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
    /// The tag that is over its own budget, where that is what presses.
    pub tag: Option<String>,
    /// Live bytes to free; 0 where only pages are to be given back.
    pub target_bytes: u64,
    /// Whether stages end by purging the allocator's free pages, or by what is due by its own
    /// decay times: pages that the next entries come to lie in need not be faulted in anew.
    pub purges_pages: bool,
    /// The stages in order; each runs while the target is not reached.
    pub stages: Vec<PlannedStage>,
}

impl Plan {
    /// Nobody can be asked for anything.
    pub(crate) fn of_nothing(level: PressureLevel) -> Self {
        Self {
            level,
            diagnosis: Diagnosis::Live,
            tag: None,
            target_bytes: 0,
            purges_pages: false,
            stages: Vec::new(),
        }
    }

    /// All free pages are to be given back, whatever usage is.
    pub(crate) fn of_pages() -> Self {
        let collect = PlannedStage { stage: Stage::Collect, asks: Vec::new() };
        Self {
            diagnosis: Diagnosis::Dirty,
            purges_pages: true,
            stages: vec![collect],
            ..Self::of_nothing(PressureLevel::Normal)
        }
    }
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
        self.plan_to(Aim::Level, level, diagnosis, sample, budget, candidates)
    }

    /// As [`plan`](Self::plan), for a limit that has come down: what is over it did not grow
    /// there, and no level below had its turn. So what is over it is taken, with a margin, and
    /// nobody is asked for more than is still missing.
    pub(crate) fn plan_for_lowered_limit(
        &self,
        level: PressureLevel,
        diagnosis: Diagnosis,
        sample: &Sample,
        budget: &Budget,
        candidates: &[Candidate],
    ) -> Option<Plan> {
        let plan = self.plan_to(Aim::Excess, level, diagnosis, sample, budget, candidates)?;
        Some(Plan { purges_pages: true, ..plan })
    }

    fn plan_to(
        &self,
        aim: Aim,
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
            Diagnosis::Outside => std::iter::once(collect)
                .chain(self.asking(aim, level, budget, candidates))
                .collect(),
            Diagnosis::Live => self.asking(aim, level, budget, candidates).collect::<Vec<_>>(),
        };
        if stages.is_empty() {
            return None;
        }
        let asks_someone = stages.iter().any(|stage| stage.stage != Stage::Collect);
        let target_bytes = match (asks_someone, aim) {
            (false, _) => 0,
            (true, Aim::Level) => target_bytes(level, sample, budget),
            (true, Aim::Excess) => with_margin(excess_bytes(diagnosis, sample, budget)),
        };
        let decays = level == PressureLevel::Warning
            && diagnosis == Diagnosis::Live
            && budget.profile().policy != Policy::Aggressive;
        Some(Plan { level, diagnosis, tag: None, target_bytes, purges_pages: !decays, stages })
    }

    /// Plans a cleanup for a tag that is over a budget of its own: what is over, and a margin, of
    /// `candidates`, which are those registered under the tag or a part of it. `None` when it is
    /// not over, or nothing could be done.
    pub(crate) fn plan_for_tag(
        &self,
        over: &TagExcess,
        budget: &Budget,
        candidates: &[Candidate],
    ) -> Option<Plan> {
        let excess = over.held_bytes.checked_sub(over.budget_bytes).filter(|&bytes| bytes > 0)?;
        // The process is not short of memory: what is dear goes too, since nothing else is asked.
        let level = PressureLevel::Critical;
        let stages: Vec<_> = self.asking(Aim::Level, level, budget, candidates).collect();
        let asks_someone = stages.iter().any(|stage| stage.stage != Stage::Collect);
        asks_someone.then(|| Plan {
            level,
            diagnosis: Diagnosis::Live,
            tag: Some(over.tag.clone()),
            target_bytes: excess.saturating_add(over.budget_bytes / MARGIN_PART),
            purges_pages: false,
            stages,
        })
    }

    /// Plans to have everything from everyone.
    pub(crate) fn plan_everything(level: PressureLevel, candidates: &[Candidate]) -> Plan {
        let asks = asks(Aim::Level, Stage::Emergency, level, &Profile::default(), candidates);
        Plan {
            level,
            diagnosis: Diagnosis::Live,
            tag: None,
            target_bytes: u64::MAX,
            purges_pages: true,
            stages: vec![PlannedStage { stage: Stage::Emergency, asks }],
        }
    }

    /// The stages of `level` that have someone to ask.
    fn asking(
        &self,
        aim: Aim,
        level: PressureLevel,
        budget: &Budget,
        candidates: &[Candidate],
    ) -> impl Iterator<Item = PlannedStage> {
        let profile = budget.profile();
        self.stages(level, profile.policy)
            .into_iter()
            .map(move |stage| (stage, asks(aim, stage, level, profile, candidates)))
            .map(|(stage, asks)| PlannedStage { stage, asks })
            .filter(|planned| planned.stage == Stage::Collect || !planned.asks.is_empty())
    }

    fn stages(&self, level: PressureLevel, policy: Policy) -> Vec<Stage> {
        let mut stages = match level {
            PressureLevel::Normal => Vec::new(),
            PressureLevel::Warning => self.warning.clone(),
            PressureLevel::Critical => self.critical.clone(),
            PressureLevel::Emergency => self.emergency.clone(),
        };
        let releases_early = policy == Policy::Aggressive && level == PressureLevel::Warning;
        if releases_early && !stages.contains(&Stage::Release) {
            stages.push(Stage::Release);
        }
        stages
    }
}

/// What a plan is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// What the level asks for: a share, and from everyone all, where it comes to that.
    Level,
    /// What is over, and no more of anyone.
    Excess,
}

/// The profile's share of the footprint, or what it takes to get below the warning watermark's
/// hysteresis if that is more; and a margin.
fn target_bytes(level: PressureLevel, sample: &Sample, budget: &Budget) -> u64 {
    let share = (sample.footprint_bytes() as f64 * budget.profile().target(level)) as u64;
    with_margin(share.max(excess_bytes(Diagnosis::Live, sample, budget)))
}

/// What it takes to get below the warning watermark's hysteresis: in the heap, or in the
/// container where that is what presses.
fn excess_bytes(diagnosis: Diagnosis, sample: &Sample, budget: &Budget) -> u64 {
    let profile = budget.profile();
    let exit = profile.watermarks.warning - profile.hysteresis;
    let over = |used: u64, limit: u64| used.saturating_sub((limit as f64 * exit) as u64);
    let of_heap = over(sample.footprint_bytes(), budget.soft_limit_bytes());
    match sample.container_use() {
        Some((used, limit)) if diagnosis == Diagnosis::Outside => over(used, limit).max(of_heap),
        _ => of_heap,
    }
}

fn with_margin(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / MARGIN_PART)
}

fn asks(
    aim: Aim,
    stage: Stage,
    level: PressureLevel,
    profile: &Profile,
    candidates: &[Candidate],
) -> Vec<Ask> {
    let is_sparing = profile.policy == Policy::Conservative;
    let spares_dear = is_sparing && level < PressureLevel::Critical;
    let max_share = if is_sparing { profile.max_share / 2.0 } else { profile.max_share };
    let mut asked: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| candidate.purgeable_bytes > 0)
        .filter(|candidate| stage == Stage::Emergency || candidate.stage == stage)
        .filter(|candidate| !(spares_dear && candidate.rebuild_cost == RebuildCost::High))
        .collect();
    asked.sort_by_key(|candidate| {
        let largest_first = std::cmp::Reverse(candidate.purgeable_bytes);
        (candidate.priority, candidate.rebuild_cost, largest_first, candidate.index)
    });
    let max_bytes = |candidate: &Candidate| match stage {
        Stage::Collect => 0,
        Stage::Trim => (candidate.purgeable_bytes as f64 * max_share).ceil() as u64,
        Stage::Emergency if aim == Aim::Excess => candidate.purgeable_bytes,
        Stage::Release | Stage::Emergency => u64::MAX,
    };
    asked
        .into_iter()
        .map(|candidate| Ask { index: candidate.index, max_bytes: max_bytes(candidate) })
        .filter(|ask| ask.max_bytes > 0)
        .collect()
}

#[cfg(test)]
mod tests;
