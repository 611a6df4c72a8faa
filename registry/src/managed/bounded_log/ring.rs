//! [`Ring`]: entries in order, within bounds that the ring's own memory counts towards.

use std::collections::VecDeque;

/// An entry and what it weighs.
pub(super) struct Slot<T> {
    pub(super) value: T,
    pub(super) weight_bytes: u64,
}

/// What must be dropped when no lock is held.
pub(super) type Removed<T> = Vec<Slot<T>>;

/// Entries, the oldest first. Runs none of the entries' code: what goes is handed out.
pub(super) struct Ring<T> {
    slots: VecDeque<Slot<T>>,
    weight_bytes: u64,
    pub(super) max_entries: usize,
    pub(super) max_bytes: u64,
}

/// Fewest places a ring is grown to.
const FIRST_PLACES: usize = 4;

impl<T> Ring<T> {
    pub(super) const SLOT_BYTES: u64 = size_of::<Slot<T>>() as u64;

    pub(super) fn new(max_entries: usize, max_bytes: u64) -> Self {
        Self { slots: VecDeque::new(), weight_bytes: 0, max_entries, max_bytes }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    pub(super) fn table_bytes(&self) -> u64 {
        table_bytes::<T>(self.slots.capacity())
    }

    /// Weights and table.
    pub(super) fn held_bytes(&self) -> u64 {
        self.weight_bytes.saturating_add(self.table_bytes())
    }

    /// The latest `count`, the oldest of them first.
    pub(super) fn latest(&self, count: usize) -> impl Iterator<Item = &T> {
        let skipped = self.len().saturating_sub(count);
        self.slots.iter().skip(skipped).map(|slot| &slot.value)
    }

    /// Puts an entry last, and what had to make room for it into `removed`. Gives the entry back
    /// if the bound has no room for it alone.
    pub(super) fn push(&mut self, slot: Slot<T>, removed: &mut Removed<T>) -> Result<(), Slot<T>> {
        if slot.weight_bytes.saturating_add(Self::SLOT_BYTES) > self.max_bytes {
            return Err(slot);
        }
        while self.len() >= self.max_entries {
            removed.extend(self.pop());
        }
        let places = self.make_room(slot.weight_bytes, removed);
        self.slots.reserve_exact(places - self.len());
        self.weight_bytes += slot.weight_bytes;
        self.slots.push_back(slot);
        Ok(())
    }

    /// Takes out the oldest.
    pub(super) fn pop(&mut self) -> Option<Slot<T>> {
        let slot = self.slots.pop_front()?;
        self.weight_bytes -= slot.weight_bytes;
        Some(slot)
    }

    /// Takes out everything, the table too.
    pub(super) fn take_all(&mut self) -> VecDeque<Slot<T>> {
        self.weight_bytes = 0;
        std::mem::take(&mut self.slots)
    }

    /// Takes out what is over the bounds.
    pub(super) fn trim(&mut self, removed: &mut Removed<T>) {
        while self.len() > self.max_entries {
            removed.extend(self.pop());
        }
        while self.held_bytes() > self.max_bytes && !self.slots.is_empty() {
            if !self.shrink_if_half_is_free() {
                removed.extend(self.pop());
            }
        }
        self.shrink_if_half_is_free();
    }

    /// Gives the table's free places back if they are more than half of it. Answers whether.
    fn shrink_if_half_is_free(&mut self) -> bool {
        let places = self.slots.capacity();
        let enough = self.len() + self.len() / 2;
        if places <= 2 * self.len() || places <= enough {
            return false;
        }
        self.slots.shrink_to(enough);
        self.slots.capacity() < places
    }

    /// Gives all of the table's free places back. Answers their bytes.
    pub(super) fn shrink_to_fit(&mut self) -> u64 {
        let before = self.table_bytes();
        self.slots.shrink_to_fit();
        before - self.table_bytes()
    }

    /// Takes out the oldest until one more of `weight_bytes` fits. Answers the places that the
    /// table is to have.
    fn make_room(&mut self, weight_bytes: u64, removed: &mut Removed<T>) -> usize {
        loop {
            let held_bytes = self.weight_bytes.saturating_add(weight_bytes);
            let room_bytes = self.max_bytes.saturating_sub(held_bytes);
            if let Some(places) = self.places_within(room_bytes) {
                return places;
            }
            // Free places go before entries.
            if self.shrink_if_half_is_free() {
                continue;
            }
            match self.pop() {
                Some(oldest) => removed.push(oldest),
                None => return 1,
            }
        }
    }

    /// The places of a table of `room_bytes` at most that has one free: as many as now, or
    /// enough more for growing to be rare. `None` if there is no such table.
    fn places_within(&self, room_bytes: u64) -> Option<usize> {
        let places = self.slots.capacity();
        if self.len() < places {
            return (table_bytes::<T>(places) <= room_bytes).then_some(places);
        }
        let most = usize::try_from(room_bytes / Self::SLOT_BYTES).unwrap_or(usize::MAX);
        let most = most.min(self.max_entries);
        let grown = places.saturating_add(places / 2).max(FIRST_PLACES);
        let least = places + places / 8 + 1;
        (most >= least || most > places && most == self.max_entries).then_some(grown.min(most))
    }
}

fn table_bytes<T>(places: usize) -> u64 {
    (places as u64).saturating_mul(Ring::<T>::SLOT_BYTES)
}
