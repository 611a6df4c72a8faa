//! [`ConfiguredBounds`]: what the configuration lets purgeables hold, by the names it has for them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::purge::Bounds;

/// The bounds by name, and which of the names something was registered under.
#[derive(Debug, Default)]
pub(super) struct ConfiguredBounds(BTreeMap<String, Configured>);

#[derive(Debug)]
struct Configured {
    bounds: Bounds,
    /// Relaxed: nothing else is read by what it says.
    is_used: AtomicBool,
}

impl ConfiguredBounds {
    pub(super) fn new(by_name: BTreeMap<String, Bounds>) -> Self {
        let unused = |bounds| Configured { bounds, is_used: AtomicBool::new(false) };
        Self(by_name.into_iter().map(|(name, bounds)| (name, unused(bounds))).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<Bounds> {
        self.0.get(name).map(|configured| configured.bounds)
    }

    /// Something was registered under this name.
    pub(super) fn note_use(&self, name: &str) {
        if let Some(configured) = self.0.get(name) {
            configured.is_used.store(true, Ordering::Relaxed);
        }
    }

    /// The names that nothing was registered under so far.
    pub(super) fn unused(&self) -> Vec<String> {
        let is_unused = |configured: &Configured| !configured.is_used.load(Ordering::Relaxed);
        let unused = self.0.iter().filter(|(_, configured)| is_unused(configured));
        unused.map(|(name, _)| name.clone()).collect()
    }
}
