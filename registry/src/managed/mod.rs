//! What people put into services, purgeable from the first line.

mod bounded_log;
mod cache;
mod pool;
mod rate_limit;
mod singletons;
mod spread;
mod weak_cache;
mod weigh;

pub use bounded_log::{BoundedLog, BoundedLogBuilder, BoundedLogStats};
pub use cache::{Cache, CacheBuilder, CacheStats};
pub use pool::{Pool, PoolBuilder, PoolStats, Pooled};
pub use rate_limit::RateLimit;
pub use singletons::{
    SingletonError, SingletonStats, Singletons, SingletonsBuilder, SingletonsStats,
};
pub use weak_cache::{WeakCache, WeakCacheBuilder, WeakCacheStats};
