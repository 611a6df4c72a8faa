//! What people put into services, purgeable from the first line.

mod cache;
mod shard;

pub use cache::{Cache, CacheBuilder, CacheStats};
