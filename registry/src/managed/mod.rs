//! What people put into services, purgeable from the first line.

mod cache;
mod shard;
mod weigh;

pub use cache::{Cache, CacheBuilder, CacheStats};
