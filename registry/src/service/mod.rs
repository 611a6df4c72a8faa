//! What a service sees of its own memory, request by request, and what it shows of it.

#[cfg(feature = "dashboard")]
pub(crate) mod dashboard;
#[cfg(feature = "handlers")]
mod endpoints;
mod entered;
#[cfg(feature = "serde")]
mod envelope;
#[cfg(feature = "serde")]
mod failure;
mod health;
mod in_request;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "openmetrics")]
mod open_metrics;
mod parts;
#[cfg(feature = "openmetrics")]
mod prometheus_text;
mod request;
mod request_log;
mod reservation;
#[cfg(feature = "serve")]
mod server;
mod shed;

#[cfg(feature = "handlers")]
pub use endpoints::{Endpoints, EndpointsFuture};
#[cfg(feature = "serde")]
pub use envelope::{Envelope, FORMAT_HEADER, FORMAT_VERSION};
#[cfg(feature = "serde")]
pub use failure::Failure;
pub use health::{Health, HealthStatus};
pub use in_request::{InRequest, RequestExt};
#[cfg(feature = "tower")]
pub use layer::{
    MemoryBody, MemoryFuture, MemoryLayer, MemoryService, RequestSummary, RouteRequest,
};
#[cfg(feature = "openmetrics")]
pub use open_metrics::open_metrics;
#[cfg(feature = "openmetrics")]
pub use prometheus_text::prometheus_text;
pub use request::{RequestGuard, RequestScope, RequestUsage};
pub use request_log::{HeavyRequest, LoggedRequest, RequestLog, RequestLogBuilder, RouteStats};
pub(crate) use request_log::{RequestLogs, write_routes};
pub use reservation::Reservation;
#[cfg(feature = "serve")]
pub use server::{StatsServer, StatsServerBuilder};
pub use shed::{Refused, Shedding};
