//! Following a limit that changes while the process runs.

use std::sync::Arc;

use super::Monitor;
use crate::budget::Budget;
use crate::config::Config;
use crate::error::Error;
use crate::limit_budget::derive_budget;
use crate::source::LimitReport;

impl Monitor {
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
