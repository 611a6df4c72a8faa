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
//! The modules, lowest first; each knows only those above it: `primitive` (atomics), `shard` (a
//! thread's counters), `fuel` (the budget's cheap check), `ledger` (all of them), `peak`, `name`,
//! `account` (what else is kept of a tag), `tag_table` (the tags' numbers), `block` (where a
//! block's tag lives), `backend`, `fork` (what a forked child finds), `exit` (the end of a thread
//! whose thread-locals are gone), `profile` (samples of the heap, a feature), `thread` (a thread's
//! side of the books, and the books), `tag` and `tag_handle`, `isolate` (tags with memory of their
//! own), `usage`, `thread_usage` and `section` (what is read), `scope`, `future`, `charge`,
//! `tag_budget`, `installed`, `global` (the allocator), `watch`.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod account;
mod backend;
mod block;
mod charge;
mod exit;
mod fork;
mod fuel;
mod future;
mod global;
mod installed;
mod isolate;
mod ledger;
#[cfg(all(test, bursar_loom))]
mod model;
mod name;
mod peak;
mod primitive;
#[cfg(feature = "profile")]
mod profile;
mod scope;
mod section;
mod shard;
mod tag;
mod tag_budget;
mod tag_handle;
mod tag_table;
mod thread;
mod thread_usage;
mod usage;
mod watch;

#[cfg(all(feature = "jemalloc", not(all(windows, target_env = "msvc"))))]
pub use backend::Jemalloc;
#[cfg(feature = "mimalloc")]
pub use backend::Mimalloc;
pub use backend::{
    Backend, BackendStats, Collect, CollectScope, Collected, System, backend_name, backend_stats,
    collect, collect_part, collect_scope,
};
pub use charge::Charge;
pub use future::{TagExt, Tagged};
pub use global::{AccountingAllocator, Retag};
pub use installed::is_installed;
pub use isolate::Isolation;
pub use name::{InvalidTagName, MAX_TAG_NAME_LEN, TagError, is_valid_tag_name};
#[cfg(feature = "profile")]
pub use profile::{
    HeapSamples, HeapSite, Sampling, SamplingError, SamplingStats, StackEnd, heap_samples,
    sampling_stats, start_sampling, stop_sampling,
};
pub use scope::TagGuard;
pub use section::{Section, SectionUsage};
pub use tag::Tag;
pub use tag_handle::TagHandle;
pub use thread_usage::{ThreadUsage, thread_usage, thread_usage_subtree, thread_usage_total};
pub use usage::{TagUsage, Usage, charged_bytes, live_bytes, tag_usage, tags_over_budget, usage};
pub use watch::Watch;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
