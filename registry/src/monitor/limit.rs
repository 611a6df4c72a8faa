//! Following a limit that changes while the process runs.

use std::sync::Arc;
use std::time::Duration;

use super::Monitor;
use crate::budget::Budget;
use crate::config::Config;
use crate::error::Error;
use crate::limit_budget::derive_budget;
use crate::pressure::Sample;
use crate::source::LimitReport;

/// What usage is a share of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    soft_limit_bytes: u64,
    /// The container's limit or the process's.
    limit_bytes: u64,
}

impl Bounds {
    fn of(sample: &Sample, budget: &Budget) -> Self {
        let limit_bytes = sample.limit_bytes.or(sample.process_limit_bytes);
        let limit_bytes = limit_bytes.unwrap_or(u64::MAX);
        Self { soft_limit_bytes: budget.soft_limit_bytes(), limit_bytes }
    }

    fn is_below(&self, other: &Self) -> bool {
        self.soft_limit_bytes < other.soft_limit_bytes || self.limit_bytes < other.limit_bytes
    }
}

impl Monitor {
    /// Takes a reading of usage into account. A share that jumped since what it is a share of has
    /// changed is no growth, and none is to be expected of it.
    pub(super) fn note_usage(&mut self, sample: &Sample, usage: f64, now: Duration) {
        let bounds = Bounds::of(sample, &self.settings.budget);
        match self.bounds.replace(bounds) {
            Some(before) if before != bounds => {
                self.growth.rebase(usage, now);
                self.is_lowered |= bounds.is_below(&before);
            }
            _ => self.growth.note(usage, now),
        }
    }

    /// Takes notice of a limit that has changed; answers whether the budget has, too.
    pub(super) fn follow_limit(&mut self) -> bool {
        let limits = self.sources.limits();
        if Arc::ptr_eq(&limits, &self.limits) || limits == self.limits {
            return false;
        }
        let derived = derive_anew(&self.settings.config, &limits);
        self.limits = limits;
        // Where none can be had of what is known now, the one in force is the best there is.
        let Ok(budget) = derived else { return false };
        if budget == self.settings.budget {
            return false;
        }
        self.shared.set_budget(&budget);
        self.settings.budget = budget;
        true
    }
}

/// The given soft limit gives way to a limit that has come down below it.
fn derive_anew(config: &Config, limits: &LimitReport) -> Result<Budget, Error> {
    match derive_budget(config, limits) {
        Err(Error::BudgetAboveLimit { .. }) => {
            derive_budget(&Config { soft_limit_bytes: None, ..config.clone() }, limits)
        }
        derived => derived,
    }
}
