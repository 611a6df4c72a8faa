//! What is told to the ecosystem's facades as it happens: `metrics` and `tracing`.
//!
//! Called by the thread that has the monitor's turn, with no lock held.

use std::time::Duration;

use crate::history::LevelChange;
use crate::report::CleanupReport;

/// A reading was taken at `now`.
pub(crate) fn sampled(_now: Duration) {}

/// The level has changed.
pub(crate) fn level_changed(_change: &LevelChange) {}

/// A cleanup was made, or would have been.
pub(crate) fn cleaned_up(_report: &CleanupReport) {}
