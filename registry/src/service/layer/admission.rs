//! Which requests a [`MemoryLayer`] refuses.

use std::sync::Arc;

use super::{MemoryLayer, RouteRequest};
use crate::service::Shedding;

/// While memory is short. Who is refused gets a 503 with `Retry-After` and an empty body, and a gRPC
/// call the status `UNAVAILABLE`; the inner service is not called, and the route's `shed_total`
/// counts it.
impl MemoryLayer {
    /// Refuses a share of the requests that grows as memory gets short. Off by default.
    ///
    /// Never refused are `/health`, `/healthz`, `/livez`, `/ready`, `/readyz` and `/metrics`, gRPC's
    /// own health checks, and what is [exempt](Self::exempt).
    ///
    /// It goes by what was read last. [Without a thread](crate::Builder::threadless) that is what
    /// the last [`checkpoint`](crate::Bursar::checkpoint) read: have some made that no refused
    /// request can keep from being made.
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
    /// room: with a 413 (in gRPC `RESOURCE_EXHAUSTED`) if there could never be, since to try again
    /// would be of no use. What it has allocated less freed is taken off as it goes.
    ///
    /// Where it is the client's word, it need not be true. Who says much and sends nothing keeps
    /// the room from others until the request ends, and so does an answer that is streamed for
    /// long: have a limit on the size, and on the time.
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
