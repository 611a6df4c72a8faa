//! [`Settings`]: what a layer does, shared by all that is made of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::measured::MeasuredRequest;
use super::refusal::{Reason, Refusal};
use super::route::{FindRoute, RouteRequest, first_segment, is_health_check, label};
use super::scopes::IdleScopes;
use super::shared::Shared;
use super::summary::{RequestSummary, Summary};
use super::upkeep::Upkeep;
use crate::bursar::{BURSAR, Handle};
use crate::contain::contain;
use crate::service::parts::Part;
use crate::service::request_log::{BegunRequest, EndedRequest, Label, is_failed};
use crate::service::{RequestLog, Reservation, Shedding};

type IsExempt = dyn for<'a> Fn(RouteRequest<'a>) -> bool + Send + Sync;
type BytesNeeded = dyn for<'a> Fn(RouteRequest<'a>) -> Option<u64> + Send + Sync;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) handle: Handle,
    pub(super) log: RequestLog,
    pub(super) route: Arc<FindRoute>,
    pub(super) shedding: Option<Shedding>,
    pub(super) exempt: Option<Arc<IsExempt>>,
    pub(super) reserve: Option<Arc<BytesNeeded>>,
    pub(super) exposes_scope: bool,
    pub(super) has_headers: bool,
    pub(super) defers_purging: bool,
    pub(super) upkeep: Upkeep,
    pub(super) summaries: Vec<Arc<Summary>>,
    pub(super) scopes: Arc<IdleScopes>,
    /// How often somebody's code panicked that was told a summary.
    panics: Arc<AtomicU64>,
}

impl Settings {
    pub(super) fn new(handle: Handle, log: RequestLog) -> Self {
        let _tag = BURSAR.enter();
        Self {
            handle,
            log,
            route: Arc::new(|request| Some(first_segment(request.uri().path()))),
            shedding: None,
            exempt: None,
            reserve: None,
            exposes_scope: false,
            has_headers: false,
            defers_purging: false,
            upkeep: Upkeep::default(),
            summaries: Vec::new(),
            scopes: Arc::new(IdleScopes::new()),
            panics: Arc::default(),
        }
    }

    /// Begins a request, unless it is to be refused.
    pub(super) fn admit(
        settings: &Shared<Self>,
        request: RouteRequest<'_>,
    ) -> Result<MeasuredRequest, Refusal> {
        let part = Part::of_this_thread();
        let share = settings.share(part);
        let label = label(request.method(), (share.route)(request));
        let reservation = share.room_for(request).map_err(|reason| {
            share.count_refused(&label);
            Refusal::new(reason, request)
        })?;
        let begun = BegunRequest::begin(share.log.book(), &label, share.scopes.take(part), part);
        Ok(MeasuredRequest::begin(share, begun, reservation))
    }

    /// Whether there is room for it, and what is reserved for it.
    fn room_for(&self, request: RouteRequest<'_>) -> Result<Option<Reservation>, Reason> {
        if self.shedding.is_none() && self.reserve.is_none() || self.is_exempt(request) {
            return Ok(None);
        }
        if let Some(shedding) = &self.shedding {
            let admitted = shedding.admit(self.handle.shared.signal());
            admitted.map_err(|refused| Reason::Shed {
                retry_after_seconds: refused.retry_after_seconds(),
            })?;
        }
        let bytes = self.reserve.as_ref().and_then(|bytes_needed| bytes_needed(request));
        let Some(bytes) = bytes else { return Ok(None) };
        if !self.handle.shared.room().can_ever_hold(bytes) {
            return Err(Reason::TooLarge);
        }
        self.handle.try_reserve(bytes).map(Some).map_err(|_| Reason::NoRoom)
    }

    fn is_exempt(&self, request: RouteRequest<'_>) -> bool {
        is_health_check(request) || self.exempt.as_ref().is_some_and(|exempt| exempt(request))
    }

    fn count_refused(&self, label: &Label) {
        self.log.book().record_shed(label);
        for summary in &self.summaries {
            self.tell(summary, summary.add_shed(|| self.handle.shared.signal().level()));
        }
    }

    /// Does what is due now that a request has ended.
    pub(super) fn request_ended(&self, ended: &EndedRequest) {
        self.upkeep.request_ended(&self.handle, ended.at);
        let level = || self.handle.shared.signal().level();
        for summary in &self.summaries {
            self.tell(summary, summary.add(is_failed(ended.status), &ended.usage, level));
        }
    }

    fn tell(&self, whom: &Summary, summary: Option<RequestSummary>) {
        if let Some(summary) = summary
            && contain(|| whom.tell(&summary)).is_none()
        {
            self.panics.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn panics_total(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("shedding", &self.shedding)
            .field("exposes_scope", &self.exposes_scope)
            .field("has_headers", &self.has_headers)
            .field("defers_purging", &self.defers_purging)
            .field("upkeep", &self.upkeep)
            .field("summaries", &self.summaries)
            .finish_non_exhaustive()
    }
}
