//! jemalloc, by `tikv-jemallocator`: the reference backend.

mod partition;

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{CStr, c_uint};
use std::ptr::null_mut;
use std::sync::OnceLock;

use tikv_jemalloc_ctl::{epoch, raw};
use tikv_jemalloc_sys::mallctlbymib;
use tikv_jemallocator::Jemalloc as Inner;

use super::{Backend, BackendStats, Collect, CollectScope, Collected, Partitions};

/// jemalloc. It gives back the free pages of all threads, and knows its active and dirty pages.
///
/// Allocated, retained and resident bytes it counts only where it is built with statistics, by
/// the feature `jemalloc-stats`: 5 instructions more for an allocation and its free, on top of 93.
///
/// # Libraries loaded late
///
/// jemalloc's thread-locals, some 2 KiB, want room that the platform sets aside when a program
/// starts. A library with jemalloc in it can therefore not be loaded by `dlopen` on glibc, unless
/// the program runs with `GLIBC_TUNABLES=glibc.rtld.optional_static_tls=65536`, or
/// `tikv-jemallocator` is built with its feature `disable_initial_exec_tls`, which costs some 26
/// instructions more for an allocation and its free. Such a library must not be unloaded.
///
/// # Examples
///
/// ```
/// use bursar_alloc::{AccountingAllocator, Jemalloc};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);
///
/// fn main() {
///     assert!(bursar_alloc::is_installed());
/// }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Jemalloc;

/// Every block of jemalloc's, of whatever size, is aligned to this: its smallest size class.
const LEAST_ALIGN: usize = 8;

// Up to the least alignment, which is nearly always, the C functions are called without a look
// at the flags. Past it tikv-jemallocator works them out; outlined, with the parameters where
// the compiler has them anyway, so that this does not cost the others a move.
//
// SAFETY: every call is forwarded to an allocator that keeps the contract, by a function that
// knows the block's alignment or need not know it.
unsafe impl GlobalAlloc for Jemalloc {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > LEAST_ALIGN {
            // SAFETY: the caller's promise is the callee's condition.
            return unsafe { alloc_aligned(layout.size(), layout.align()) };
        }
        // SAFETY: the size is not zero, as the caller promises.
        unsafe { tikv_jemalloc_sys::malloc(layout.size()) }.cast()
    }

    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() > LEAST_ALIGN {
            // SAFETY: the caller's promise is the callee's condition.
            return unsafe { Inner.alloc_zeroed(layout) };
        }
        // SAFETY: the size is not zero, as the caller promises.
        unsafe { tikv_jemalloc_sys::calloc(1, layout.size()) }.cast()
    }

    #[inline(always)]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if layout.align() > LEAST_ALIGN {
            // SAFETY: the caller's promise is the callee's condition.
            return unsafe { dealloc_aligned(ptr, layout.size(), layout.align()) };
        }
        // SAFETY: the block is the caller's, of this size, and was allocated without flags.
        unsafe { tikv_jemalloc_sys::sdallocx(ptr.cast(), layout.size(), 0) };
    }

    #[inline(always)]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if layout.align() > LEAST_ALIGN {
            // SAFETY: the caller's promise is the callee's condition.
            return unsafe { Inner.realloc(ptr, layout, new_size) };
        }
        // SAFETY: the block is the caller's, and the new size is not zero.
        unsafe { tikv_jemalloc_sys::realloc(ptr.cast(), new_size) }.cast()
    }
}

/// # Safety
///
/// As for [`GlobalAlloc::alloc`], with a layout of this size and alignment.
#[inline(never)]
unsafe fn alloc_aligned(size: usize, align: usize) -> *mut u8 {
    // SAFETY: they are a layout's.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: the caller's promise is the callee's condition.
    unsafe { Inner.alloc(layout) }
}

/// # Safety
///
/// As for [`GlobalAlloc::dealloc`], with a layout of this size and alignment.
#[inline(never)]
unsafe fn dealloc_aligned(ptr: *mut u8, size: usize, align: usize) {
    // SAFETY: they are a layout's.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: the caller's promise is the callee's condition.
    unsafe { Inner.dealloc(ptr, layout) }
}

// SAFETY: `GlobalAlloc` above forwards all four calls.
unsafe impl Backend for Jemalloc {
    const NAME: &'static str = "jemalloc";
    const COLLECTS: CollectScope = CollectScope::AllThreads;
    const PARTITIONS: Option<&'static Partitions> = Some(&partition::PARTITIONS);

    fn stats() -> BackendStats {
        refresh();
        Mibs::get().read()
    }

    fn collect(how: Collect) -> Collected {
        // The calling thread's cache first: what it holds back keeps pages active. It refuses
        // where jemalloc was told to have no caches, and then there is nothing to flush.
        void_control(c"thread.tcache.flush");
        let given_back = void_control(match how {
            Collect::Decay => c"arena.4096.decay",
            Collect::Purge => c"arena.4096.purge",
        });
        if given_back { Collected::Done } else { Collected::Unsupported }
    }

    fn collect_part(how: Collect, part: usize) -> Option<Collected> {
        let ids = Mibs::get();
        // SAFETY: jemalloc documents this figure as an unsigned.
        let arenas = unsafe { raw::read_mib::<c_uint>(ids.arenas.as_ref()?) }.ok()?;
        if part >= usize::try_from(arenas).ok()? {
            return None;
        }
        if part == 0 {
            void_control(c"thread.tcache.flush");
        }
        collect_arena(how, part)
    }
}

/// Has an arena give its free pages back; `None` if this jemalloc has no such call.
fn collect_arena(how: Collect, arena: usize) -> Option<Collected> {
    let ids = Mibs::get();
    let mut id = *match how {
        Collect::Decay => ids.decay.as_ref()?,
        Collect::Purge => ids.purge.as_ref()?,
    };
    id[1] = arena;
    // SAFETY: the id has as many parts as it says, and null pointers say that no value goes either
    // way. An arena that was never used is passed over.
    let status =
        unsafe { mallctlbymib(id.as_ptr(), id.len(), null_mut(), null_mut(), null_mut(), 0) };
    Some(if status == 0 { Collected::Done } else { Collected::Unsupported })
}

/// jemalloc's figures stand still until its epoch is moved on.
fn refresh() {
    // Refused only by a jemalloc that has no such figures either.
    let _ = epoch::advance();
}

/// Stands for all arenas, in the place of one's index.
const ALL_ARENAS: usize = 4096;

/// Calls a control that neither reads nor writes a value. 4096 stands for all arenas.
fn void_control(name: &CStr) -> bool {
    // SAFETY: the name ends in a zero byte, and null pointers say that no value goes either way.
    let status =
        unsafe { tikv_jemalloc_sys::mallctl(name.as_ptr(), null_mut(), null_mut(), null_mut(), 0) };
    status == 0
}

/// Management ids, looked up once. `None` where this jemalloc has not what is asked for: most
/// figures exist only where it was built with statistics.
#[derive(Debug)]
struct Mibs {
    page_bytes: Option<u64>,
    allocated: Option<Mib<2>>,
    active_pages: Option<Mib<4>>,
    dirty_pages: Option<Mib<4>>,
    muzzy_pages: Option<Mib<4>>,
    retained: Option<Mib<2>>,
    resident: Option<Mib<2>>,
    resident_of_arena: Option<Mib<4>>,
    arenas: Option<Mib<2>>,
    /// Of arena 0; the index is the second part.
    decay: Option<Mib<3>>,
    purge: Option<Mib<3>>,
}

/// The id of a name with so many parts.
type Mib<const PARTS: usize> = [usize; PARTS];

impl Mibs {
    fn get() -> &'static Self {
        static MIBS: OnceLock<Mibs> = OnceLock::new();
        MIBS.get_or_init(Self::look_up)
    }

    /// The third part of an arena's figure is its index, 4096 for all of them together.
    fn look_up() -> Self {
        Self {
            page_bytes: mib::<2>(b"arenas.page\0").as_ref().and_then(read_size),
            allocated: mib(b"stats.allocated\0"),
            active_pages: mib(b"stats.arenas.4096.pactive\0"),
            dirty_pages: mib(b"stats.arenas.4096.pdirty\0"),
            muzzy_pages: mib(b"stats.arenas.4096.pmuzzy\0"),
            retained: mib(b"stats.retained\0"),
            resident: mib(b"stats.resident\0"),
            resident_of_arena: mib(b"stats.arenas.4096.resident\0"),
            arenas: mib(b"arenas.narenas\0"),
            decay: mib(b"arena.0.decay\0"),
            purge: mib(b"arena.0.purge\0"),
        }
    }

    fn read(&self) -> BackendStats {
        BackendStats {
            allocated_bytes: self.allocated.as_ref().and_then(read_size),
            retained_bytes: self.retained.as_ref().and_then(read_size),
            resident_bytes: self.resident.as_ref().and_then(read_size),
            ..self.read_arena(ALL_ARENAS)
        }
    }

    /// What is known of one arena alone.
    fn read_arena(&self, arena: usize) -> BackendStats {
        let of_arena = |mib: &Option<Mib<4>>| {
            let mut mib = (*mib)?;
            mib[2] = arena;
            read_size(&mib)
        };
        let pages = |mib| Some(of_arena(mib)? * self.page_bytes?);
        let (dirty, muzzy) = (pages(&self.dirty_pages), pages(&self.muzzy_pages));
        BackendStats {
            active_bytes: pages(&self.active_pages),
            dirty_bytes: dirty.zip(muzzy).map(|(dirty, muzzy)| dirty + muzzy),
            resident_bytes: of_arena(&self.resident_of_arena),
            ..BackendStats::default()
        }
    }
}

fn mib<const PARTS: usize>(name: &[u8]) -> Option<Mib<PARTS>> {
    let mut mib = [0; PARTS];
    raw::name_to_mib(name, &mut mib).ok()?;
    Some(mib)
}

fn read_size<const PARTS: usize>(mib: &Mib<PARTS>) -> Option<u64> {
    // SAFETY: each id in `Mibs` is of a figure that jemalloc documents as a size_t.
    unsafe { raw::read_mib::<usize>(mib) }.ok().map(|value| value as u64)
}
