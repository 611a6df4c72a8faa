//! [`Limits`]: asks every source of limits, once or again and again.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::cgroup::{Cgroup, TightestLimit};
use super::error::SourceError;
use super::limit::{LimitAnswer, LimitCandidate, LimitReport, LimitSource};
use super::reader::parse_number;
use super::system::SystemMemory;

const LAMBDA_VARIABLE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
const GIVEN_SETTING: &str = "limit_bytes";

/// Every source of limits on this process's memory: found once, asked as often as one likes.
///
/// Paths and environment are looked at when it is made. What the kernel says is read anew each
/// time, so a container that is resized in place is followed; a process that is moved to another
/// cgroup has to discover again.
///
/// # Examples
///
/// ```
/// let report = bursar::Limits::discover(None).report();
/// println!("{report}");
/// for candidate in &report.candidates {
///     println!("{candidate}");
/// }
/// ```
#[derive(Debug)]
pub struct Limits {
    given: LimitAnswer,
    lambda: LimitAnswer,
    cgroup: Result<Cgroup, SourceError>,
    system: Result<SystemMemory, SourceError>,
}

/// What the sources that may change say at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LimitReading {
    pub(super) cgroup: Result<Option<TightestLimit>, SourceError>,
    pub(super) physical_bytes: Result<u64, SourceError>,
}

impl Limits {
    /// Finds the sources on the real system. `given_bytes` is a limit that somebody has set.
    ///
    /// Cost: that of [`Cgroup::discover`]. What cannot be found is a candidate of the report that
    /// says why, never an error.
    #[must_use]
    pub fn discover(given_bytes: Option<u64>) -> Self {
        let variable = std::env::var_os(LAMBDA_VARIABLE);
        Self::new(given_bytes, variable, Cgroup::discover(), SystemMemory::open())
    }

    /// As [`Limits::discover`], with another directory in the place of `/` and other variables
    /// than the process's. The directory holds what [`Cgroup::discover_under`] and
    /// [`SystemMemory::open_under`] ask for. For tests.
    #[must_use]
    pub fn discover_under(
        root: &Path,
        given_bytes: Option<u64>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let system = SystemMemory::open_under(root);
        Self::new(given_bytes, variable(LAMBDA_VARIABLE), Cgroup::discover_under(root), Ok(system))
    }

    fn new(
        given_bytes: Option<u64>,
        lambda: Option<OsString>,
        cgroup: Result<Cgroup, SourceError>,
        system: Result<SystemMemory, SourceError>,
    ) -> Self {
        let given = match given_bytes {
            Some(bytes) => LimitAnswer::of_bytes(bytes, GIVEN_SETTING),
            None => LimitAnswer::Absent { reason: format!("{GIVEN_SETTING} is not given") },
        };
        Self { given, lambda: lambda_answer(lambda.as_deref()), cgroup, system }
    }

    /// Asks every source, and says which limit holds and what the others said.
    ///
    /// Cost: the files of [`Cgroup::limit`] and [`SystemMemory::usage`]; about 25 us on
    /// Linux 6.18 x86-64 with three levels of v1. Allocates its answer.
    #[must_use]
    pub fn report(&self) -> LimitReport {
        self.report_of(&self.read())
    }

    /// The memory cgroup, or why there is none.
    pub(super) fn cgroup(&self) -> Result<&Cgroup, SourceError> {
        self.cgroup.as_ref().map_err(Clone::clone)
    }

    /// The machine's memory, or why it cannot be had.
    pub(super) fn system(&self) -> Result<&SystemMemory, SourceError> {
        self.system.as_ref().map_err(Clone::clone)
    }

    /// Reads what may have changed. Allocates nothing where all succeeds.
    pub(super) fn read(&self) -> LimitReading {
        let physical_bytes = self.system().and_then(|system| {
            let total_bytes = system.usage()?.total_bytes;
            total_bytes.ok_or_else(|| {
                SourceError::garbled(system.usage_file(), "a line MemTotal", b"none")
            })
        });
        LimitReading { cgroup: self.cgroup().and_then(Cgroup::tightest), physical_bytes }
    }

    /// Whether the container's limit is another than in `reading`, by its limit files alone. One
    /// that stands in a cgroup which the process cannot see is not looked at.
    ///
    /// Cost: one small file a level on v1 and two on v2, about 6 us each on Linux 6.18 x86-64.
    /// Allocates nothing.
    pub(super) fn has_changed_since(&self, reading: &LimitReading) -> bool {
        match (&self.cgroup, &reading.cgroup) {
            (Ok(cgroup), Ok(known)) => cgroup.has_limit_changed(*known),
            _ => false,
        }
    }

    /// Puts a reading into words.
    pub(super) fn report_of(&self, reading: &LimitReading) -> LimitReport {
        let cgroup = match (&reading.cgroup, &self.cgroup) {
            (Ok(Some(limit)), Ok(cgroup)) => {
                LimitAnswer::of_bytes(limit.bytes, cgroup.limit_place(*limit))
            }
            (Ok(_), _) => LimitAnswer::Unlimited,
            (Err(error), _) => LimitAnswer::of_error(error),
        };
        let physical_memory = match (&reading.physical_bytes, &self.system) {
            (Ok(bytes), Ok(system)) => {
                LimitAnswer::of_bytes(*bytes, format!("{}, MemTotal", system.usage_file()))
            }
            (Ok(_), Err(error)) | (Err(error), _) => LimitAnswer::of_error(error),
        };
        let candidates = [
            (LimitSource::Given, self.given.clone()),
            (LimitSource::Lambda, self.lambda.clone()),
            (LimitSource::Cgroup, cgroup),
            (LimitSource::PhysicalMemory, physical_memory),
        ];
        let candidate = |(source, answer)| LimitCandidate { source, answer };
        LimitReport::decide(candidates.map(candidate).into())
    }
}

/// A whole number of MB, which are MiB, and nothing else.
fn lambda_answer(value: Option<&OsStr>) -> LimitAnswer {
    let Some(value) = value else {
        return LimitAnswer::Absent { reason: format!("{LAMBDA_VARIABLE} is not set") };
    };
    let mib = parse_number(value.as_encoded_bytes());
    match mib.and_then(|mib| mib.checked_mul(1 << 20)) {
        Some(bytes) => LimitAnswer::of_bytes(bytes, LAMBDA_VARIABLE),
        None => {
            let found: String = value.to_string_lossy().chars().take(64).collect();
            LimitAnswer::Unavailable {
                reason: format!("{LAMBDA_VARIABLE} is {found:?}; allowed is a whole number of MB"),
            }
        }
    }
}

#[cfg(test)]
mod tests;
