//! Caches that people already run, made purgeable: a file and a feature each, and closures for
//! anything else.

mod closure;
#[cfg(feature = "foyer")]
mod foyer;
#[cfg(feature = "lru")]
mod lru;
#[cfg(feature = "moka")]
mod moka;
#[cfg(any(feature = "foyer", feature = "moka"))]
mod poll;
#[cfg(feature = "quick_cache")]
mod quick_cache;
#[cfg(any(feature = "foyer", feature = "lru", feature = "moka", feature = "quick_cache"))]
mod share;

pub use self::closure::FnPurgeable;
#[cfg(feature = "foyer")]
pub use self::foyer::FoyerAdapter;
#[cfg(feature = "lru")]
pub use self::lru::LruAdapter;
#[cfg(feature = "moka")]
pub use self::moka::{MokaAdapter, MokaFutureAdapter};
#[cfg(feature = "quick_cache")]
pub use self::quick_cache::QuickCacheAdapter;
