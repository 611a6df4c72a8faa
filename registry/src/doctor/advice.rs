//! [`Advice`]: a finding, its figures, and what to do about it.

use std::fmt;

/// How much a finding matters, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Severity {
    /// Worth knowing; nothing is wrong yet.
    Notice,
    /// Something costs memory or time for nothing, or will run into the budget.
    Warning,
    /// The process is in danger, or something has stopped working.
    Critical,
}

impl Severity {
    /// The severity's name in lower case, as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The kinds of findings, each with the name that it has in JSON.
macro_rules! codes {
    ($($(#[$doc:meta])+ $code:ident = $name:literal,)+) => {
        /// What kind of finding an [`Advice`] is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[non_exhaustive]
        pub enum AdviceCode {
            $($(#[$doc])+ #[cfg_attr(feature = "serde", serde(rename = $name))] $code,)+
        }

        impl AdviceCode {
            /// The kind's name, as in JSON.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)+
                }
            }
        }
    };
}

codes! {
    /// What cannot be purged takes more than the budget leaves for it.
    BudgetNeverMet = "budget_never_met",
    /// The budget is as high as the limit, or higher.
    BudgetAboveLimit = "budget_above_limit",
    /// What is outside the heap takes more than the limit leaves above the budget.
    ReserveTooSmall = "reserve_too_small",
    /// A limit was given that is above what the container allows.
    GivenLimitAboveContainer = "given_limit_above_container",
    /// No limit is known.
    LimitUnknown = "limit_unknown",
    /// The container's usage cannot be read.
    WorkingSetUnknown = "working_set_unknown",
    /// Figures that the level is judged by cannot be read.
    SourcesUnavailable = "sources_unavailable",
    /// The level is emergency, or was.
    EmergencyReached = "emergency_reached",
    /// Usage was near the budget some time ago.
    PeakNearLimit = "peak_near_limit",
    /// The level goes up and down all the time.
    Flapping = "flapping",
    /// One cleanup follows the other.
    CleanupsFrequent = "cleanups_frequent",
    /// Few live blocks keep many pages.
    Fragmentation = "fragmentation",
    /// The allocator keeps many freed pages.
    DirtyPages = "dirty_pages",
    /// Tags are to have memory of their own, and the allocator cannot.
    IsolationUnsupported = "isolation_unsupported",
    /// Tags are to have memory of their own, and none was left for them.
    IsolationExhausted = "isolation_exhausted",
    /// Few live blocks keep many pages of an isolated tag.
    IsolatedTagGaps = "isolated_tag_gaps",
    /// A large cache shares its pages with others, and they do not come back.
    WorthIsolating = "worth_isolating",
    /// A tag has grown over the recorded run without a stop.
    LeakingTag = "leaking_tag",
    /// What one place in the code allocates has grown over the recorded run without a stop.
    LeakingSite = "leaking_site",
    /// A tag's bytes are allocated and hardly ever freed.
    GrowingTag = "growing_tag",
    /// A tag holds more than a budget of its own allows.
    TagOverBudget = "tag_over_budget",
    /// Most bytes are charged to no tag.
    MostlyUntagged = "mostly_untagged",
    /// There were more tags than there are numbers for them.
    TagsOverflowed = "tags_overflowed",
    /// More threads were alive at once than there are counters for.
    ThreadsBeyondSlots = "threads_beyond_slots",
    /// Blocks were counted as untagged since the map for their tags could not be had.
    BlocksUnattributed = "blocks_unattributed",
    /// Samples of the heap were lost.
    SamplesLost = "samples_lost",
    /// Nothing is registered.
    NothingRegistered = "nothing_registered",
    /// Bounds are set for names that nothing is registered under.
    BoundsUnused = "bounds_unused",
    /// A purgeable hardly ever has what it is asked for.
    NeverHit = "never_hit",
    /// A purgeable is asked for nothing.
    NeverAsked = "never_asked",
    /// A purgeable was purged again and again and freed nothing.
    FutileCallbacks = "futile_callbacks",
    /// A purgeable claims to free much more than is measured.
    ClaimsTooMuch = "claims_too_much",
    /// A purgeable is busy most of the times it is purged.
    AlwaysBusy = "always_busy",
    /// A purgeable panics.
    Panics = "panics",
    /// A callback does not return.
    Stalled = "stalled",
    /// Nothing is done for a while although usage is high.
    CoolingDown = "cooling_down",
    /// Cleanups were put off since they had had their share of a core.
    CleanupsDeferred = "cleanups_deferred",
    /// What would be purged is only reported.
    ObserveOnly = "observe_only",
    /// The last report could not be written.
    LastReportFailed = "last_report_failed",
    /// The kernel killed processes of the container.
    OomKills = "oom_kills",
    /// Pages of the container are in swap.
    Swapping = "swapping",
    /// Tasks stand still for want of memory.
    Thrashing = "thrashing",
    /// One request of a route takes much of the room that is left.
    HeavyRoute = "heavy_route",
    /// Requests are refused since memory is short.
    Shedding = "shedding",
}

impl fmt::Display for AdviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A figure that a finding rests on, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Figure {
    /// What it is of.
    pub name: String,
    /// The figure with its unit: `5.0 MiB`, `0.2 %`.
    pub value: String,
}

/// A finding: what is wrong or noteworthy, by which figures, and what to do about it.
///
/// Its text names things as the process that was read does; control characters in them are shown
/// as `?`, and long ones cut.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Advice {
    /// How much it matters.
    pub severity: Severity,
    /// Which kind of finding it is.
    pub code: AdviceCode,
    /// What was found, in a sentence without a full stop.
    pub title: String,
    /// The figures it rests on.
    pub figures: Vec<Figure>,
    /// What to do, in a sentence or two.
    pub remedy: String,
}

/// Three lines: what, by which figures, what to do.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.severity, self.title, self.code)?;
        for (index, figure) in self.figures.iter().enumerate() {
            let before = if index == 0 { "\n  " } else { ", " };
            write!(f, "{before}{} {}", figure.name, figure.value)?;
        }
        write!(f, "\n  {}", self.remedy)
    }
}
