//! The budget that follows from the settings and the limit in force.

use crate::budget::Budget;
use crate::config::Config;
use crate::error::Error;
use crate::source::LimitReport;

/// The reserve for what is outside the heap, where it is not given.
const RESERVE_PART: u64 = 10;
const MIN_RESERVE_BYTES: u64 = 8 << 20;

/// The soft limit as given, or else the limit less the reserve; with the profile of `config`.
///
/// Any limit makes a budget, physical memory alone too: a service on a machine of its own is
/// better held to that than to nothing, and the report says whose limit it is.
///
/// # Errors
///
/// [`Error::BudgetAboveLimit`] for a given soft limit above the limit; [`Error::NoBudget`] where
/// neither is known; [`Error::InvalidSetting`] for a reserve that leaves no budget;
/// [`Error::BudgetTooSmall`]; and those of [`Budget::with_profile`].
pub(crate) fn derive_budget(config: &Config, limits: &LimitReport) -> Result<Budget, Error> {
    let budget = match (config.soft_limit_bytes, limits.limit_bytes) {
        (Some(given_bytes), Some(limit_bytes)) if given_bytes > limit_bytes => {
            let limit_from = limits.to_string();
            return Err(Error::BudgetAboveLimit { given_bytes, limit_bytes, limit_from });
        }
        (Some(given_bytes), _) => Budget::new(given_bytes)?,
        (None, Some(limit_bytes)) => Budget::new(less_reserve(limit_bytes, config)?)?,
        (None, None) => return Err(Error::NoBudget { reason: reason(limits) }),
    };
    budget.with_profile(config.profile.clone())
}

fn less_reserve(limit_bytes: u64, config: &Config) -> Result<u64, Error> {
    let Some(reserve_bytes) = config.reserve_bytes else {
        let reserve_bytes = (limit_bytes / RESERVE_PART).max(MIN_RESERVE_BYTES);
        return Ok(limit_bytes.saturating_sub(reserve_bytes));
    };
    match limit_bytes.checked_sub(reserve_bytes) {
        Some(rest) if rest >= Budget::MIN_SOFT_LIMIT_BYTES => Ok(rest),
        _ => Err(Error::InvalidSetting {
            name: "reserve_bytes",
            given: format!("{reserve_bytes} of a limit of {limit_bytes}"),
            allowed: "a reserve that leaves 1 MiB of the limit or more",
        }),
    }
}

/// What each source said, since none gave a limit.
fn reason(limits: &LimitReport) -> String {
    let said: Vec<_> = limits.candidates.iter().map(ToString::to_string).collect();
    said.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::source::{LimitAnswer, LimitCandidate, LimitSource};

    fn limits(answer: LimitAnswer) -> LimitReport {
        LimitReport::decide(vec![LimitCandidate { source: LimitSource::Cgroup, answer }])
    }

    fn limited(bytes: u64) -> LimitReport {
        limits(LimitAnswer::Limited { bytes, place: "memory.max".to_owned() })
    }

    fn soft(bytes: u64) -> Config {
        Config { soft_limit_bytes: Some(bytes), ..Config::default() }
    }

    fn reserve(bytes: u64) -> Config {
        Config { reserve_bytes: Some(bytes), ..Config::default() }
    }

    #[test]
    fn a_budget_above_the_limit_is_refused_with_both_figures() {
        let config = soft(129 << 20);
        let error = derive_budget(&config, &limited(128 << 20)).unwrap_err();
        assert_eq!(
            error,
            Error::BudgetAboveLimit {
                given_bytes: 129 << 20,
                limit_bytes: 128 << 20,
                limit_from: "limit from cgroup: 128.0 MiB (memory.max)".to_owned(),
            }
        );
        for enough in [limited(129 << 20), limits(LimitAnswer::Unlimited), LimitReport::default()] {
            let budget = derive_budget(&config, &enough).unwrap();
            assert_eq!(budget.soft_limit_bytes(), 129 << 20, "{enough}");
        }
    }

    #[test]
    fn without_a_budget_the_limit_less_a_reserve_is_taken() {
        let config = Config::default();
        let budget = |bytes| derive_budget(&config, &limited(bytes)).unwrap().soft_limit_bytes();
        assert_eq!(budget(1000 << 20), 900 << 20);
        assert_eq!(budget(64 << 20), 56 << 20);
        assert!(matches!(
            derive_budget(&config, &limited(8 << 20)),
            Err(Error::BudgetTooSmall { given_bytes: 0, .. })
        ));
    }

    #[test]
    fn a_given_reserve_takes_the_place_of_the_default_one() {
        let budget = |config| {
            Ok::<_, Error>(derive_budget(&config, &limited(100 << 20))?.soft_limit_bytes())
        };
        assert_eq!(budget(reserve(0)), Ok(100 << 20));
        assert_eq!(budget(reserve(99 << 20)), Ok(1 << 20));
        for greedy in [(99 << 20) + 1, 100 << 20, u64::MAX] {
            let error = budget(reserve(greedy)).unwrap_err();
            assert!(error.to_string().contains(&format!("reserve_bytes {greedy}")), "{error}");
        }
    }

    #[test]
    fn physical_memory_alone_makes_a_budget() {
        let answer = LimitAnswer::Limited { bytes: 1000 << 20, place: "MemTotal".to_owned() };
        let candidate = LimitCandidate { source: LimitSource::PhysicalMemory, answer };
        let limits = LimitReport::decide(vec![candidate]);
        let budget = derive_budget(&Config::default(), &limits).unwrap();
        assert_eq!(budget.soft_limit_bytes(), 900 << 20);
    }

    #[test]
    fn with_no_limit_at_all_the_error_says_what_every_source_said() {
        let answer = LimitAnswer::Unavailable { reason: "memory.max holds \"x\"".to_owned() };
        let error = derive_budget(&Config::default(), &limits(answer)).unwrap_err();
        assert!(
            error.to_string().contains("cgroup: unavailable: memory.max holds \"x\""),
            "{error}"
        );
    }

    #[test]
    fn the_budget_has_the_settings_profile() {
        let config = Config { profile: Profile::function(), ..Config::default() };
        let budget = derive_budget(&config, &limited(64 << 20)).unwrap();
        assert_eq!(*budget.profile(), Profile::function());
    }
}
