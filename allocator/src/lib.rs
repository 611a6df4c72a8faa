//! A global allocator that keeps **live bytes per tag**, exactly: a free on any thread is
//! credited to the tag that allocated the block. It wakes whoever guards the memory budget, and
//! knows nothing of what they then do; that is the crate `bursar`.
//!
//! ```
//! use bursar_alloc::{AccountingAllocator, System, Tag};
//!
//! #[global_allocator]
//! static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
//!
//! static THUMBNAILS: Tag = Tag::new("thumbnails");
//!
//! fn main() {
//!     let _thumbnail = THUMBNAILS.scope(|| vec![0u8; 4096]);
//!     for tag in bursar_alloc::usage().tags {
//!         println!("{:>12} {:>10} bytes in {} blocks", tag.name, tag.live_bytes, tag.live_blocks);
//!     }
//! }
//! ```
//!
//! The modules, lowest first; each knows only those above it: `primitive` (atomics), `tag`,
//! `shard` (a thread's counters), `fuel` (the budget's cheap check), `ledger` (all of them),
//! `block` (where a block's tag lives), `backend`, `thread` (a thread's side of the books),
//! `scope`, `future`, `global` (the allocator), `usage` (what is read), `watch`.

mod backend;
mod block;
mod fuel;
mod future;
mod global;
mod ledger;
mod primitive;
mod scope;
mod shard;
mod tag;
mod thread;
mod usage;
mod watch;

#[cfg(all(feature = "jemalloc", not(all(windows, target_env = "msvc"))))]
pub use backend::Jemalloc;
pub use backend::{
    Backend, BackendStats, Collect, Collected, System, backend_name, backend_stats, collect,
};
pub use future::{TagExt, Tagged};
pub use global::AccountingAllocator;
pub use scope::TagGuard;
pub use tag::{InvalidTagName, MAX_TAG_NAME_LEN, Tag};
pub use usage::{
    TagUsage, ThreadUsage, Usage, is_installed, live_bytes, tag_usage, thread_usage,
    thread_usage_total, usage,
};
pub use watch::Watch;
