//! [`Handle`]: a [`Bursar`](super::Bursar) for those who do not keep it running.

use std::sync::Arc;

use super::Turn;
use crate::budget::Budget;
use crate::clock::Clock;
use crate::config::RequestSettings;
#[cfg(feature = "profile")]
use crate::error::Error;
#[cfg(feature = "profile")]
use crate::heap_profile::{self, HeapProfile};
use crate::history::History;
use crate::registry::Registry;
use crate::stats::Stats;
use crate::status::Shared;

/// What is read of it and asked of it, for whoever serves that. Clones are of the same one; once
/// that is stopped, what it did last can still be read.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    /// As it was at the start.
    pub(crate) budget: Budget,
    pub(crate) registry: Registry,
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) turn: Arc<Turn>,
    /// What is to be done around requests where nothing else is said.
    pub(crate) requests: Arc<RequestSettings>,
    /// What the samples of the heap may take, if that was said.
    #[cfg(feature = "profile")]
    pub(crate) sampling_table_bytes: Option<u64>,
}

impl Handle {
    pub(crate) fn budget(&self) -> Budget {
        self.shared.lock().budget.clone().unwrap_or_else(|| self.budget.clone())
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats::read(&self.budget(), &self.registry, &self.shared, self.clock.now())
    }

    pub(crate) fn history(&self) -> History {
        self.shared.lock().history.clone()
    }

    #[cfg(feature = "profile")]
    pub(crate) fn heap_profile(&self) -> Result<HeapProfile, Error> {
        heap_profile::take()
    }
}
