//! How a [`Singletons`] gives up what is idle and can be rebuilt.

use std::sync::Arc;

use super::Singletons;
use super::inner::Inner;
use super::slot::{Slot, Value};
use crate::ladder::Stage;
use crate::managed::weigh::freed;
use crate::purge::{PurgeOutcome, PurgeRequest, Purgeable, PurgeableFigures};
use crate::registry::Entry;

impl Inner {
    /// Drops a value that nobody else has. Answers what that freed: as this thread's books have
    /// it, or what the value weighed where they cannot tell.
    fn drop_value(slot: &Slot, value: Value, weight_bytes: u64) -> u64 {
        let ((), freed_bytes) = freed(slot.tag(), || drop(value));
        freed_bytes.unwrap_or(weight_bytes)
    }
}

impl Purgeable for Inner {
    fn purgeable_bytes(&self) -> u64 {
        let idle = self.try_idle_slots().unwrap_or_default();
        idle.iter().map(|slot| slot.weight_bytes()).sum()
    }

    /// Drops the least recently used first.
    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        let _tag = self.tag.enter();
        let Some(mut idle) = self.try_idle_slots() else {
            return PurgeOutcome::Busy;
        };
        idle.sort_by_key(|slot| slot.last_used());
        let (mut freed_bytes, mut is_busy) = (0, false);
        for slot in idle {
            if freed_bytes >= request.target_bytes {
                break;
            }
            if request.is_late() {
                is_busy = true;
                break;
            }
            let weight_bytes = slot.weight_bytes();
            match self.try_take_idle(&slot) {
                Some(Some(value)) => freed_bytes += Self::drop_value(&slot, value, weight_bytes),
                // Someone has taken a handle meanwhile.
                Some(None) => {}
                None => is_busy = true,
            }
        }
        PurgeOutcome::of(freed_bytes, is_busy)
    }

    /// Values that are there; look-ups that found one, and values built for one that did not.
    /// Names that are gone stay counted. Nothing is known while someone changes the table.
    fn figures(&self) -> PurgeableFigures {
        let Some((built, found, builds)) = self.try_lookups() else {
            return PurgeableFigures::default();
        };
        PurgeableFigures {
            entries: Some(built),
            hits_total: Some(found),
            misses_total: Some(builds),
        }
    }
}

/// Registers it under its name, and asks it for as long as a clone of it lives.
impl From<&Singletons> for Entry {
    fn from(singletons: &Singletons) -> Self {
        let inner = &singletons.inner;
        let weak = Arc::downgrade(inner);
        Entry::new(inner.name.clone(), Arc::new(weak)).tag(&inner.tag).stage(Stage::Release)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::PoisonError;

    use bursar_alloc::Tag;

    use super::*;
    use crate::pressure::PressureLevel;

    #[test]
    fn a_purge_is_busy_while_someone_looks_up_for_he_may_come_to_have_a_handle() {
        static TAG: Tag = Tag::new("singletons/busy");
        let singletons = Singletons::new(&TAG);
        singletons.define("n", || 7u32).unwrap();
        singletons.get::<u32>("n").unwrap();
        let inner = &singletons.inner;
        let is_built = || singletons.stats().entry("n").is_some_and(|n| n.is_built);
        let request = PurgeRequest::new(u64::MAX, PressureLevel::Critical);

        let looking = inner.table.read().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(inner.purge(&request), PurgeOutcome::Busy);
        drop(looking);
        assert!(is_built());
        let changing = inner.table.write().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(inner.purge(&request), PurgeOutcome::Busy);
        assert_eq!(inner.purgeable_bytes(), 0);
        drop(changing);
        inner.purge(&request);
        assert!(!is_built());
    }
}
