//! What a service sees of its own memory, request by request.

mod entered;
mod in_request;
#[cfg(feature = "openmetrics")]
mod open_metrics;
mod request;
mod request_stats;
mod reservation;
mod shed;

pub use in_request::{InRequest, RequestExt};
#[cfg(feature = "openmetrics")]
pub use open_metrics::open_metrics;
pub use request::{RequestGuard, RequestScope, RequestUsage};
pub use request_stats::{HeavyRequest, RouteStats};
pub use reservation::Reservation;
pub use shed::{Refused, Shedding};
