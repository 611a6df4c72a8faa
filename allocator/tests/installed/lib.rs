//! Linked into the tests of other people's crates by `suites.sh`: installs the allocator, keeps a
//! second account of every block in a few shared counters, and says at the process's end whether
//! the two agree.

use std::alloc::{GlobalAlloc, Layout};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bursar_alloc::AccountingAllocator;
#[cfg(feature = "jemalloc")]
use bursar_alloc::Jemalloc as Chosen;
#[cfg(feature = "mimalloc")]
use bursar_alloc::Mimalloc as Chosen;
#[cfg(feature = "system")]
use bursar_alloc::System as Chosen;

/// Where each process adds its line.
const REPORT: &str = "BURSAR_SUITES_REPORT";

#[global_allocator]
static ALLOCATOR: Doubled = Doubled(AccountingAllocator::new(Chosen));

static LIVE_BYTES: AtomicU64 = AtomicU64::new(0);
static LIVE_BLOCKS: AtomicU64 = AtomicU64::new(0);
static BLOCKS_EVER: AtomicU64 = AtomicU64::new(0);

/// The allocator, with each of its answers counted once more.
struct Doubled(AccountingAllocator<Chosen>);

impl Doubled {
    fn count_new(block: *mut u8, size: usize) -> *mut u8 {
        if !block.is_null() {
            LIVE_BYTES.fetch_add(size as u64, Relaxed);
            LIVE_BLOCKS.fetch_add(1, Relaxed);
            BLOCKS_EVER.fetch_add(1, Relaxed);
        }
        block
    }
}

// SAFETY: every call is forwarded as it is to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Doubled {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the callee's condition.
        Self::count_new(unsafe { self.0.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the callee's condition.
        Self::count_new(unsafe { self.0.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size() as u64, Relaxed);
        LIVE_BLOCKS.fetch_sub(1, Relaxed);
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { self.0.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is the callee's condition.
        let moved = unsafe { self.0.realloc(block, layout, new_size) };
        if !moved.is_null() {
            // Wraps when the block shrank, and the sum wraps back.
            LIVE_BYTES.fetch_add((new_size as u64).wrapping_sub(layout.size() as u64), Relaxed);
        }
        moved
    }
}

/// Run by the platform before `main`.
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static AT_START: extern "C" fn() = at_start;

extern "C" fn at_start() {
    // SAFETY: the function takes nothing and does not unwind: a panic in it aborts.
    let refused = unsafe { libc::atexit(at_exit) };
    assert_eq!(refused, 0);
}

extern "C" fn at_exit() {
    if let Err(error) = report() {
        eprintln!("no report: {error}");
    }
}

fn report() -> io::Result<()> {
    let Some(path) = std::env::var_os(REPORT) else { return Ok(()) };
    let program = std::env::current_exe()?;
    let program = program.file_name().unwrap_or_default().to_string_lossy();
    let [drift_bytes, drift_blocks] = drift();
    let usage = bursar_alloc::usage();
    let line = format!(
        "{program} blocks={} bytes={} live={} drift_bytes={drift_bytes} \
         drift_blocks={drift_blocks} unattributed={} backend={}\n",
        BLOCKS_EVER.load(Relaxed),
        usage.allocated_bytes_total,
        usage.live_bytes,
        usage.unattributed_blocks_total,
        bursar_alloc::backend_name().unwrap_or("none"),
    );
    // One write, so that two processes' lines do not mix.
    OpenOptions::new().append(true).create(true).open(path)?.write_all(line.as_bytes())
}

/// By how much the allocator's account is off, in bytes and in blocks.
fn drift() -> [i64; 2] {
    let account = || [&LIVE_BYTES, &LIVE_BLOCKS].map(|counter| counter.load(Relaxed) as i64);
    let mut drift = [0; 2];
    // Threads may still be running: what counts is a moment in which nothing moves.
    for _ in 0..1000 {
        let [bytes, blocks] = account();
        let live_bytes = bursar_alloc::live_bytes() as i64;
        let live_blocks = bursar_alloc::usage().live_blocks as i64;
        drift = [live_bytes - bytes, live_blocks - blocks];
        if drift == [0, 0] && account() == [bytes, blocks] {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    drift
}
