//! Bursar keeps the accounts of a service's memory and holds the service to its budget.
//!
//! It counts live bytes per tag in the global allocator. When usage crosses a watermark, one
//! thread runs the purge callbacks of what is registered, in a ladder of stages, and has the
//! allocator give its free pages back; no callback ever runs on an allocating thread.
//!
//! ```
//! use bursar::{AccountingAllocator, Bursar, Cache, System, Tag};
//!
//! #[global_allocator]
//! static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
//!
//! static THUMBNAILS: Tag = Tag::new("thumbnails");
//!
//! fn main() -> Result<(), bursar::Error> {
//!     let bursar = Bursar::builder().budget("64MiB").start()?;
//!     let thumbnails: Cache<u64, Vec<u8>> = Cache::new(&THUMBNAILS);
//!     let _registration = bursar.register(&thumbnails)?;
//!
//!     thumbnails.get_or_insert_with(7, || vec![0; 4096]);
//!     println!("{}", bursar.stats());
//!     Ok(())
//! }
//! ```
//!
//! The modules, lowest first; each knows only those above it: `reading`, `budget`, `profile`,
//! `pressure`, `growth`, `purge`, `ladder`, `report`, `cooldown` and `cpu_share` are pure and may
//! know each other; `config` is every setting; `clock` and `source` bring time and usage in;
//! `limit_budget` makes a budget of a limit; `registry` knows whom to ask; `thinned`, `trend`,
//! `live_history` and `history` keep what was, and say what of it grows; `asks` and `room` are what
//! others ask of a monitor and of the budget without waiting, `signal` and `status` what they read;
//! `heap_profile` is which code keeps which tag's bytes alive, and `sampling` has it sampled;
//! `stats` is all that is read at one moment, and `doctor` what is to be said of that; `telemetry`
//! tells others of what happens; `cleanup` carries a plan out; `monitor` puts them together; `trace`
//! and `replay` record a run and play it again; `bursar` is what a user holds, and `builder` makes
//! it; `try_lock` is how a purge takes a lock; `managed` is what people put into services, and
//! `adapter` what they have there already; `service` is what is seen of requests, and served of all
//! this.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod adapter;
mod asks;
mod budget;
mod builder;
mod bursar;
mod child_lock;
mod cleanup;
mod clock;
mod config;
mod contain;
mod cooldown;
mod cpu_share;
mod doctor;
mod error;
mod growth;
#[cfg(any(feature = "cli", feature = "profile"))]
mod heap_profile;
mod history;
mod ladder;
mod limit_budget;
mod live_history;
mod managed;
mod monitor;
mod pressure;
mod profile;
mod purge;
mod reading;
mod registry;
mod replay;
mod report;
mod room;
#[cfg(feature = "profile")]
mod sampling;
mod service;
mod signal;
mod source;
mod stats;
mod status;
mod telemetry;
#[cfg(test)]
mod testing;
mod thinned;
mod trace;
mod trend;
mod try_lock;

#[cfg(all(feature = "jemalloc", not(all(windows, target_env = "msvc"))))]
pub use bursar_alloc::Jemalloc;
#[cfg(feature = "mimalloc")]
pub use bursar_alloc::Mimalloc;
#[cfg(feature = "profile")]
pub use bursar_alloc::SamplingError;
pub use bursar_alloc::{
    AccountingAllocator, Backend, BackendStats, Charge, Collect, CollectScope, Collected,
    InvalidTagName, Isolation, Retag, Section, SectionUsage, System, Tag, TagError, TagExt,
    TagGuard, TagHandle, TagUsage, Tagged, ThreadUsage, Usage, backend_name, backend_stats,
    charged_bytes, collect, collect_scope, is_installed, live_bytes, tag_usage, thread_usage,
    thread_usage_subtree, thread_usage_total, usage,
};

pub use crate::adapter::FnPurgeable;
#[cfg(feature = "foyer")]
pub use crate::adapter::FoyerAdapter;
#[cfg(feature = "lru")]
pub use crate::adapter::LruAdapter;
#[cfg(feature = "quick_cache")]
pub use crate::adapter::QuickCacheAdapter;
#[cfg(feature = "moka")]
pub use crate::adapter::{MokaAdapter, MokaFutureAdapter};
pub use crate::asks::PurgeDeferral;
pub use crate::budget::Budget;
pub use crate::builder::Builder;
pub use crate::bursar::{Bursar, Checkpoint};
pub use crate::clock::{Clock, ManualClock, SystemClock};
pub use crate::config::{Config, RequestSettings};
pub use crate::cooldown::Cooldown;
pub use crate::doctor::{Advice, AdviceCode, Checkup, Figure, Severity, examine};
pub use crate::error::{Error, InvalidVariable};
#[cfg(any(feature = "cli", feature = "profile"))]
pub use crate::heap_profile::{
    HeapProfile, Site as HeapProfileSite, StackEnd as HeapProfileStackEnd,
};
pub use crate::history::{History, LevelChange, SamplePoint};
pub use crate::ladder::{Ask, Candidate, Ladder, Plan, PlannedStage, Stage};
pub use crate::live_history::{LivePoint, SiteSeries, TagSeries};
pub use crate::managed::{
    BoundedLog, BoundedLogBuilder, BoundedLogStats, Cache, CacheBuilder, CacheStats, Pool,
    PoolBuilder, PoolStats, Pooled, RateLimit, SingletonError, SingletonStats, Singletons,
    SingletonsBuilder, SingletonsStats, WeakCache, WeakCacheBuilder, WeakCacheStats,
};
pub use crate::pressure::{Diagnosis, Finding, Pressure, PressureLevel, Sample, diagnose};
pub use crate::profile::{Policy, Profile, Watermarks};
pub use crate::purge::{
    Bounds, PurgeOutcome, PurgeRequest, Purgeable, PurgeableFigures, RebuildCost,
};
pub use crate::reading::{CgroupEvents, MemoryStall, SystemUsage};
pub use crate::registry::{Entry, Registration, Registry};
pub use crate::replay::{LevelTimes, Replay, ReplayReport, RunFigures};
pub use crate::report::{
    CleanupReport, CollectReport, Compliance, EmergencyReport, PurgeReport, PurgeStatus,
    StageReport,
};
#[cfg(feature = "dashboard")]
pub use crate::service::dashboard::PAGE as DASHBOARD_PAGE;
#[cfg(feature = "handlers")]
pub use crate::service::{Endpoints, EndpointsFuture};
#[cfg(feature = "serde")]
pub use crate::service::{Envelope, FORMAT_HEADER, FORMAT_VERSION, Failure};
pub use crate::service::{
    Health, HealthStatus, HeavyRequest, InRequest, LoggedRequest, Refused, RequestExt,
    RequestGuard, RequestLog, RequestLogBuilder, RequestScope, RequestUsage, Reservation,
    RouteStats, Shedding,
};
#[cfg(feature = "tower")]
pub use crate::service::{
    MemoryBody, MemoryFuture, MemoryLayer, MemoryService, RequestSummary, RouteRequest,
};
#[cfg(feature = "serve")]
pub use crate::service::{StatsServer, StatsServerBuilder};
#[cfg(feature = "openmetrics")]
pub use crate::service::{open_metrics, prometheus_text};
pub use crate::signal::{PressureSignal, Subscription};
pub use crate::source::{
    Cgroup, CgroupUsage, ContainerLimit, LimitAnswer, LimitCandidate, LimitReport, LimitSource,
    Limits, Process, SourceError, SystemMemory,
};
pub use crate::stats::{HeapSampling, PurgeableStats, Stats};
pub use crate::status::Stall;
pub use crate::trace::{Trace, TraceEvent, TraceItem, TracedCleanup, TracedPurgeable};
#[cfg(feature = "trace")]
pub use crate::trace::{TraceError, TraceWriter};

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
