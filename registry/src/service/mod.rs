//! What a service sees of its own memory, request by request.

mod entered;
mod in_request;
mod request;

pub use in_request::{InRequest, RequestExt};
pub use request::{RequestGuard, RequestScope, RequestUsage};
