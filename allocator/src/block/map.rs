//! A byte for each KiB of address space: the tag of the block that begins there.
//!
//! Two blocks of a KiB or more never begin within the same KiB, so one byte is enough for both.
//! The map of a GiB is made when a block is first seen there, a MiB of address space of which
//! only touched pages cost memory: a page of it serves 4 MiB of heap.

use std::ptr::{self, NonNull};

use super::pages;
use crate::primitive::{AtomicPtr, AtomicU8, AtomicU64, Ordering};
use crate::tag_table::UNTAGGED;

/// Blocks of this size and above have their tag in the map.
pub(super) const GRANULE_BYTES: usize = 1 << GRANULE_SHIFT;
const GRANULE_SHIFT: u32 = 10;
/// A region is a GiB. Miri tracks each byte of a map at each borrow: its regions are small.
const REGION_SHIFT: u32 = if cfg!(miri) { 20 } else { 30 };
const GRANULES: usize = 1 << (REGION_SHIFT - GRANULE_SHIFT);
/// What a process can address: 48 bits, or all of 32.
const ADDRESS_BITS: u32 = if cfg!(miri) || usize::BITS < 48 { 32 } else { 48 };
const REGIONS: usize = 1 << (ADDRESS_BITS - REGION_SHIFT);

/// The tags of one region.
type Region = [AtomicU8; GRANULES];

/// Stands for every region whose map could not be had, and is never written: its blocks are
/// untagged, when they are allocated and when they are freed alike.
static REFUSED: Region = [const { AtomicU8::new(UNTAGGED) }; GRANULES];

/// The tags of large blocks by their address.
#[derive(Debug)]
pub(super) struct AddressMap {
    /// Null until a block is first seen there; then for good either a map or [`REFUSED`].
    regions: [AtomicPtr<Region>; REGIONS],
    /// Gives a zeroed region, or none.
    provide: fn() -> Option<NonNull<Region>>,
    unattributed_blocks: AtomicU64,
}

impl AddressMap {
    #[cfg_attr(test, expect(dead_code, reason = "tests give a provider of their own"))]
    pub(super) const fn new() -> Self {
        Self::with_provider(region_of_pages)
    }

    pub(super) const fn with_provider(provide: fn() -> Option<NonNull<Region>>) -> Self {
        Self {
            regions: [const { AtomicPtr::new(ptr::null_mut()) }; REGIONS],
            provide,
            unattributed_blocks: AtomicU64::new(0),
        }
    }

    /// Sets the tag of the block at `address`; false if the slow path is due:
    /// [`set_slowly`](Self::set_slowly).
    #[inline(always)]
    pub(super) fn set(&self, address: usize, tag: u8) -> bool {
        // SAFETY: an entry that is not null is a map or REFUSED, and neither is ever freed.
        match unsafe { self.region(address).as_ref() } {
            Some(region) if !ptr::eq(region, &REFUSED) => {
                granule(region, address).store(tag, Ordering::Relaxed);
                true
            }
            _ => false,
        }
    }

    /// What [`set`](Self::set) left undone: makes the map of a new region, or has the block
    /// untagged for as long as it lives. Returns the tag that it bears.
    pub(super) fn set_slowly(&self, address: usize, tag: u8) -> u8 {
        if self.region(address).is_null() {
            self.decide_region_of(address);
        }
        if self.set(address, tag) {
            return tag;
        }
        self.unattributed_blocks.fetch_add(1, Ordering::Relaxed);
        UNTAGGED
    }

    /// The tag of the block at `address`.
    #[inline(always)]
    pub(super) fn get(&self, address: usize) -> u8 {
        // Relaxed, as in `set`: whoever frees a block has it from whoever allocated it, and that
        // handing over orders the two.
        // SAFETY: an entry that is not null is a map or REFUSED, and neither is ever freed.
        match unsafe { self.region(address).as_ref() } {
            Some(region) => granule(region, address).load(Ordering::Relaxed),
            None => UNTAGGED,
        }
    }

    /// Blocks that are untagged since their region has no map.
    pub(super) fn unattributed_blocks(&self) -> u64 {
        self.unattributed_blocks.load(Ordering::Relaxed)
    }
}

impl AddressMap {
    #[inline(always)]
    fn region(&self, address: usize) -> *const Region {
        match self.regions.get(region_index(address)) {
            // Acquire: pairs with the release in `decide_region_of`, so that the map is seen zeroed.
            Some(region) => region.load(Ordering::Acquire),
            // Addresses past 48 bits, which a kernel gives only to who asks for them.
            None => &raw const REFUSED,
        }
    }

    /// Decides for good whether the region of `address` has a map.
    fn decide_region_of(&self, address: usize) {
        let provided = (self.provide)();
        let new = provided.map_or((&raw const REFUSED).cast_mut(), NonNull::as_ptr);
        let slot = &self.regions[region_index(address)];
        // Release: pairs with the acquire in `region`.
        let was_first = slot
            .compare_exchange(ptr::null_mut(), new, Ordering::Release, Ordering::Relaxed)
            .is_ok();
        if let Some(superfluous) = provided
            && !was_first
        {
            // SAFETY: another thread was first, so nobody else has heard of this one.
            unsafe { give_back(superfluous) };
        }
    }
}

/// Where processors ignore a pointer's top byte, an allocator beneath may keep something there:
/// Android's and HWAddressSanitizer's do.
const TOP_BYTE_MASK: usize =
    if cfg!(target_arch = "aarch64") { usize::MAX >> 8 } else { usize::MAX };

#[inline(always)]
fn region_index(address: usize) -> usize {
    (address & TOP_BYTE_MASK) >> REGION_SHIFT
}

#[inline(always)]
fn granule(region: &Region, address: usize) -> &AtomicU8 {
    &region[(address >> GRANULE_SHIFT) % GRANULES]
}

/// Not from any allocator of the program's, and so not counted.
fn region_of_pages() -> Option<NonNull<Region>> {
    // All zero bytes are a valid `Region`, and it needs no alignment.
    pages::get(size_of::<Region>()).map(NonNull::cast)
}

/// # Safety
///
/// `region` came from [`region_of_pages`], and nobody else knows it.
unsafe fn give_back(region: NonNull<Region>) {
    // SAFETY: it was got at this length, and nobody else knows it.
    unsafe { pages::release(region.cast(), size_of::<Region>()) };
}

/// Refusals on demand.
#[cfg(test)]
pub(super) mod testing {
    use std::sync::atomic::AtomicBool;

    use super::*;

    static REFUSING: AtomicBool = AtomicBool::new(false);

    /// From now on, a region that is new to the process has no map; or may have one again, and so
    /// may those that were refused: untagged their blocks are either way.
    pub(crate) fn refuse_new_regions(refuse: bool) {
        REFUSING.store(refuse, Ordering::Relaxed);
        if !refuse {
            crate::block::MAP.forget_refusals();
        }
    }

    impl AddressMap {
        fn forget_refusals(&self) {
            let refused = (&raw const REFUSED).cast_mut();
            for region in &self.regions {
                let (order, null) = (Ordering::Relaxed, ptr::null_mut());
                // Refused, if it is a map.
                let _ = region.compare_exchange(refused, null, order, order);
            }
        }
    }

    pub(in crate::block) fn region_unless_refused() -> Option<NonNull<Region>> {
        if REFUSING.load(Ordering::Relaxed) { None } else { region_of_pages() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A region.
    const REGION: usize = 1 << REGION_SHIFT;

    #[test]
    fn blocks_a_kib_apart_keep_their_own_tags_over_a_whole_region_and_beyond() {
        static MAP: AddressMap = AddressMap::with_provider(region_of_pages);
        let addresses = [
            REGION,
            REGION + 1024,
            REGION + 2047 + 1024,
            2 * REGION - 1024,
            2 * REGION,
            3 * REGION + 5,
        ];
        for (tag, &address) in (1..).zip(&addresses) {
            assert_eq!(MAP.set_slowly(address, tag), tag);
        }
        for (tag, &address) in (1..).zip(&addresses) {
            assert_eq!(MAP.get(address), tag, "{address:#x}");
        }
        assert_eq!(MAP.unattributed_blocks(), 0);
    }

    #[test]
    fn a_refused_region_is_untagged_for_good_and_the_next_may_have_a_map() {
        use std::sync::atomic::AtomicBool;
        static REFUSE: AtomicBool = AtomicBool::new(true);
        static MAP: AddressMap = AddressMap::with_provider(|| {
            if REFUSE.load(Ordering::Relaxed) { None } else { region_of_pages() }
        });
        assert_eq!(MAP.set_slowly(REGION, 7), UNTAGGED);
        assert_eq!(MAP.get(REGION), UNTAGGED);
        REFUSE.store(false, Ordering::Relaxed);
        assert_eq!(MAP.set_slowly(REGION + 4096, 7), UNTAGGED, "refused is for ever");
        assert_eq!(MAP.unattributed_blocks(), 2);
        assert_eq!(MAP.set_slowly(2 * REGION, 7), 7);
        assert_eq!(MAP.get(2 * REGION), 7);
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn an_address_past_what_is_mapped_is_untagged() {
        static MAP: AddressMap = AddressMap::with_provider(region_of_pages);
        for address in [1 << 48, usize::MAX] {
            assert_eq!(MAP.set_slowly(address, 7), UNTAGGED);
            assert_eq!(MAP.get(address), UNTAGGED);
        }
    }

    #[test]
    #[cfg(target_arch = "aarch64")]
    fn what_lies_in_a_pointers_top_byte_does_not_matter() {
        static MAP: AddressMap = AddressMap::with_provider(region_of_pages);
        assert_eq!(MAP.set_slowly(REGION | 0xB4 << 56, 7), 7);
        assert_eq!(MAP.get(REGION), 7);
    }

    #[test]
    fn threads_that_meet_in_a_new_region_share_one_map() {
        const THREADS: u8 = if cfg!(miri) { 2 } else { 8 };
        static MAP: AddressMap = AddressMap::with_provider(region_of_pages);
        std::thread::scope(|scope| {
            for tag in 1..=THREADS {
                scope.spawn(move || {
                    let address = REGION + usize::from(tag) * 1024;
                    assert_eq!(MAP.set_slowly(address, tag), tag);
                });
            }
        });
        assert!((1..=THREADS).all(|tag| MAP.get(REGION + usize::from(tag) * 1024) == tag));
    }
}
