//! Which requests a [`MemoryLayer`] refuses.

use std::sync::Arc;

use super::{MemoryLayer, RouteRequest};
use crate::service::Shedding;

/// While memory is short. Who is refused gets a 503 with `Retry-After` and an empty body, the inner
/// service is not called, and the route's `shed_total` counts it.
impl MemoryLayer {
    /// Refuses a share of the requests that grows as memory gets short. Off by default.
    ///
    /// Never refused are `/health`, `/healthz`, `/livez`, `/ready`, `/readyz` and `/metrics`, and
    /// what is [exempt](Self::exempt).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn demo(bursar: &bursar::Bursar) -> bursar::MemoryLayer {
    /// use bursar::{MemoryLayer, Shedding};
    ///
    /// MemoryLayer::new(bursar)
    ///     .shedding(Shedding::default())
    ///     .exempt(|request| request.uri().path().starts_with("/checkout"))
    /// # }
    /// ```
    pub fn shedding(self, shedding: Shedding) -> Self {
        self.with(|settings| settings.shedding = Some(shedding))
    }

    /// Requests that are never refused, beside the health checks.
    pub fn exempt(
        self,
        exempt: impl for<'a> Fn(RouteRequest<'a>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.with(|settings| settings.exempt = Some(Arc::new(exempt)))
    }

    /// How many bytes a request is going to hold at once, where that is known beforehand: so much
    /// is [reserved](crate::Bursar::try_reserve) until it ends, and it is refused if there is no
    /// room. What it has allocated less freed is taken off as it goes.
    ///
    /// It is what the client says: bound it, and do not take it for true.
    ///
    /// # Examples
    ///
    /// Uploads that are read as a whole:
    ///
    /// ```no_run
    /// # fn demo(bursar: &bursar::Bursar) -> bursar::MemoryLayer {
    /// use bursar::MemoryLayer;
    ///
    /// MemoryLayer::new(bursar).reserve(|request| {
    ///     request.headers().get("content-length")?.to_str().ok()?.parse().ok()
    /// })
    /// # }
    /// ```
    pub fn reserve(
        self,
        bytes: impl for<'a> Fn(RouteRequest<'a>) -> Option<u64> + Send + Sync + 'static,
    ) -> Self {
        self.with(|settings| settings.reserve = Some(Arc::new(bytes)))
    }
}
