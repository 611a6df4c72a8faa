//! [`LimitReport`]: which limit holds, and what every source of limits said.

use std::fmt;

use bytesize::ByteSize;

use super::error::SourceError;
use super::reader::UNLIMITED_FROM_BYTES;

/// Who may say what the process may use, the highest authority first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum LimitSource {
    /// The setting `limit_bytes`.
    Given,
    /// The variable `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, in AWS's words "the amount of memory
    /// available to the function in MB". Lambda's MB are MiB: its largest function, of 10,240 MB,
    /// is one of 10 GiB.
    Lambda,
    /// The memory cgroup of the process and all visible ones above it: see
    /// [`Cgroup::limit`](crate::Cgroup::limit).
    Cgroup,
    /// What the machine has: `MemTotal` of `/proc/meminfo`.
    PhysicalMemory,
}

impl LimitSource {
    /// The source's name in lower case, as in JSON and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Lambda => "lambda",
            Self::Cgroup => "cgroup",
            Self::PhysicalMemory => "physical_memory",
        }
    }
}

impl fmt::Display for LimitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a source of limits says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum LimitAnswer {
    /// There is a limit.
    Limited {
        /// The limit in bytes. Never zero.
        bytes: u64,
        /// Where it stands, for humans: a setting, a variable, or a file and how far above the
        /// process's own cgroup.
        place: String,
    },
    /// The source is there and says that there is no limit.
    Unlimited,
    /// There is no such source here: nothing is given, a variable is not set, no memory cgroup is
    /// visible.
    Absent {
        /// What was found in its place.
        reason: String,
    },
    /// The source is there, and what it says cannot be read or understood.
    Unavailable {
        /// What was wrong.
        reason: String,
    },
}

impl LimitAnswer {
    /// The limit, if it is one.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        match self {
            Self::Limited { bytes, .. } => Some(*bytes),
            _ => None,
        }
    }

    /// A number that says what it limits to; 2^60 and more is no limit.
    pub(super) fn of_bytes(bytes: u64, place: impl Into<String>) -> Self {
        match bytes {
            0 => {
                let place = place.into();
                Self::Unavailable { reason: format!("{place} is 0; allowed is a limit above zero") }
            }
            UNLIMITED_FROM_BYTES.. => Self::Unlimited,
            _ => Self::Limited { bytes, place: place.into() },
        }
    }

    pub(super) fn of_error(error: &SourceError) -> Self {
        let reason = error.to_string();
        match error {
            SourceError::Unsupported { .. } | SourceError::NoMemoryController { .. } => {
                Self::Absent { reason }
            }
            SourceError::Unreadable { .. } | SourceError::Garbled { .. } => {
                Self::Unavailable { reason }
            }
        }
    }
}

impl fmt::Display for LimitAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limited { bytes, place } => write!(f, "{} ({place})", ByteSize(*bytes)),
            Self::Unlimited => f.write_str("no limit"),
            Self::Absent { reason } => write!(f, "absent: {reason}"),
            Self::Unavailable { reason } => write!(f, "unavailable: {reason}"),
        }
    }
}

/// A source of limits and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LimitCandidate {
    /// Who says it.
    pub source: LimitSource,
    /// What it says.
    pub answer: LimitAnswer,
}

impl fmt::Display for LimitCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.answer)
    }
}

/// The limit in force, who set it, and what the others said. Made by
/// [`Limits::report`](crate::Limits::report).
///
/// The tightest limit wins, and on a tie the higher authority, with two rules beside:
///
/// - A given limit takes the place of what Lambda's variable says. It never lifts the limit above
///   what the kernel enforces: given 1 GiB in a container of 512 MiB, the limit is the
///   container's.
/// - Physical memory is a limit like the others, and the only one on a machine without
///   containers. It does not stand in for a container's limit that is there but
///   [`Unavailable`](LimitAnswer::Unavailable): the host's memory would be a guess.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LimitReport {
    /// What the process may use, if that is known. Never zero.
    pub limit_bytes: Option<u64>,
    /// Whose limit it is.
    pub from: Option<LimitSource>,
    /// Every source, the highest authority first.
    #[cfg_attr(feature = "serde", serde(default))]
    pub candidates: Vec<LimitCandidate>,
}

impl LimitReport {
    /// Finds the limit in force among candidates in order of authority.
    pub(crate) fn decide(candidates: Vec<LimitCandidate>) -> Self {
        let answer = |source| answer_of(&candidates, source);
        let is_given = answer(LimitSource::Given).is_some_and(|given| given.bytes().is_some());
        let is_container_unknown =
            matches!(answer(LimitSource::Cgroup), Some(LimitAnswer::Unavailable { .. }));
        let counts = |source| match source {
            LimitSource::Given | LimitSource::Cgroup => true,
            LimitSource::Lambda => !is_given,
            LimitSource::PhysicalMemory => !is_container_unknown,
        };
        let tightest = candidates
            .iter()
            .filter(|candidate| counts(candidate.source))
            .filter_map(|candidate| Some((candidate.answer.bytes()?, candidate.source)))
            .min();
        let (limit_bytes, from) = tightest.unzip();
        Self { limit_bytes, from, candidates }
    }

    /// What a source said.
    #[must_use]
    pub fn answer(&self, source: LimitSource) -> Option<&LimitAnswer> {
        answer_of(&self.candidates, source)
    }
}

fn answer_of(candidates: &[LimitCandidate], source: LimitSource) -> Option<&LimitAnswer> {
    candidates.iter().find(|candidate| candidate.source == source).map(|found| &found.answer)
}

/// One line: the limit and who set it, and a given limit that was not to be had.
impl fmt::Display for LimitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(source) = self.from else { return f.write_str("no limit found") };
        match self.answer(source) {
            Some(answer) => write!(f, "limit from {source}: {answer}")?,
            None => write!(f, "limit from {source}")?,
        }
        let given = self.answer(LimitSource::Given).and_then(LimitAnswer::bytes);
        match given {
            Some(given) if source != LimitSource::Given => {
                write!(f, ", below the {} given", ByteSize(given))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LimitSource::{Cgroup, Given, Lambda, PhysicalMemory};
    use super::*;

    const SOURCES: [LimitSource; 4] = [Given, Lambda, Cgroup, PhysicalMemory];

    fn limited(mib: u64) -> LimitAnswer {
        LimitAnswer::Limited { bytes: mib << 20, place: "there".to_owned() }
    }

    fn absent() -> LimitAnswer {
        LimitAnswer::Absent { reason: "not set".to_owned() }
    }

    fn unavailable() -> LimitAnswer {
        LimitAnswer::Unavailable { reason: "garbled".to_owned() }
    }

    fn decide(answers: [LimitAnswer; 4]) -> LimitReport {
        let candidates = SOURCES.into_iter().zip(answers);
        let candidate = |(source, answer)| LimitCandidate { source, answer };
        LimitReport::decide(candidates.map(candidate).collect())
    }

    #[track_caller]
    fn assert_wins(answers: [LimitAnswer; 4], source: LimitSource, mib: u64) {
        let report = decide(answers);
        assert_eq!((report.from, report.limit_bytes), (Some(source), Some(mib << 20)), "{report}");
    }

    #[test]
    fn the_tightest_of_what_is_found_wins() {
        assert_wins([absent(), limited(512), limited(600), limited(9000)], Lambda, 512);
        assert_wins([absent(), limited(512), limited(400), limited(9000)], Cgroup, 400);
        assert_wins([absent(), absent(), limited(9001), limited(9000)], PhysicalMemory, 9000);
    }

    #[test]
    fn a_given_limit_takes_the_place_of_what_the_environment_says() {
        assert_wins([limited(700), limited(512), absent(), limited(9000)], Given, 700);
        assert_wins([limited(300), limited(512), limited(400), limited(9000)], Given, 300);
    }

    #[test]
    fn a_given_limit_is_never_above_what_the_kernel_enforces() {
        let report = decide([limited(1024), absent(), limited(512), limited(9000)]);
        assert_eq!((report.from, report.limit_bytes), (Some(Cgroup), Some(512 << 20)));
        assert_eq!(
            report.to_string(),
            "limit from cgroup: 512.0 MiB (there), below the 1.0 GiB given"
        );
        assert_wins([limited(9999), absent(), absent(), limited(9000)], PhysicalMemory, 9000);
    }

    #[test]
    fn on_a_tie_the_higher_authority_wins() {
        let all = || limited(512);
        assert_wins([all(), all(), all(), all()], Given, 512);
        assert_wins([absent(), all(), all(), all()], Lambda, 512);
        assert_wins([absent(), absent(), all(), all()], Cgroup, 512);
    }

    #[test]
    fn physical_memory_does_not_stand_in_for_a_container_that_cannot_be_read() {
        let report = decide([absent(), absent(), unavailable(), limited(9000)]);
        assert_eq!((report.limit_bytes, report.from), (None, None));
        assert_eq!(report.to_string(), "no limit found");
        assert_wins([absent(), limited(512), unavailable(), limited(9000)], Lambda, 512);
        for known in [absent(), LimitAnswer::Unlimited] {
            assert_wins([absent(), absent(), known, limited(9000)], PhysicalMemory, 9000);
        }
    }

    #[test]
    fn zero_is_no_limit_to_live_under_and_an_exbibyte_is_none_at_all() {
        let of = |bytes| LimitAnswer::of_bytes(bytes, "limit_bytes");
        assert!(matches!(of(0), LimitAnswer::Unavailable { .. }));
        assert_eq!(of(1).bytes(), Some(1));
        assert_eq!(of((1 << 60) - 1).bytes(), Some((1 << 60) - 1));
        assert_eq!(of(1 << 60), LimitAnswer::Unlimited);
        assert_eq!(of(u64::MAX), LimitAnswer::Unlimited);
    }
}
