//! [`MeasuredRequest`]: a request from its call to the end of its answer.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::grpc;
use super::settings::Settings;
use super::shared::Share;
use crate::asks::PurgeDeferral;
use crate::service::request_log::BegunRequest;
use crate::service::{RequestScope, Reservation};

/// The process's live bytes, in megabytes.
const USAGE: HeaderName = HeaderName::from_static("x-memory-usage-mb");
/// What the request has allocated less freed, in megabytes.
const DELTA: HeaderName = HeaderName::from_static("x-memory-delta-mb");

/// Measures a request as long as it lives; dropped, the request has ended, and counts as failed if
/// it was not answered.
#[derive(Debug)]
pub(super) struct MeasuredRequest {
    request: BegunRequest,
    reservation: Option<Reservation>,
    deferral: Option<PurgeDeferral>,
    settings: Share<Settings>,
}

impl MeasuredRequest {
    pub(super) fn begin(
        settings: Share<Settings>,
        request: BegunRequest,
        reservation: Option<Reservation>,
    ) -> Self {
        let deferral = settings.defers_purging.then(|| settings.handle.defer_purging());
        Self { request, reservation, deferral, settings }
    }

    /// The scope to be entered wherever the request is worked on.
    pub(super) fn scope(&self) -> &RequestScope {
        self.request.scope()
    }

    /// Says what of the reserved bytes is held by now: after each part of the work.
    fn settle(&self) {
        if let Some(reservation) = &self.reservation {
            reservation.settle(self.scope().usage().net_bytes);
        }
    }

    /// Takes the answer's status, and puts the request's figures among its headers if asked to.
    pub(super) fn answered(&mut self, status: u16, headers: &mut HeaderMap) {
        self.request.set_status(Some(status));
        self.take_grpc_status(headers);
        if self.settings.has_headers {
            let usage_bytes = i64::try_from(bursar_alloc::live_bytes()).unwrap_or(i64::MAX);
            for (name, text) in [
                (USAGE, megabytes(usage_bytes)),
                (DELTA, signed(megabytes(self.scope().usage().net_bytes))),
            ] {
                // It is digits, and what goes with them.
                if let Ok(value) = HeaderValue::try_from(text) {
                    headers.insert(name, value);
                }
            }
        }
    }

    /// Takes the status of a gRPC call, if that is there and says another thing than HTTP's.
    pub(super) fn take_grpc_status(&mut self, headers: &HeaderMap) {
        if let Some(status) = grpc::http_status(headers) {
            self.request.set_status(Some(status));
        }
    }

    /// Runs a part of the answer's making, within the scope. The request has failed if that panics
    /// or if what it answers `is_failure`.
    pub(super) fn attempt<T>(
        &mut self,
        work: impl FnOnce() -> T,
        is_failure: impl FnOnce(&T) -> bool,
    ) -> T {
        let status = self.request.status();
        self.request.set_status(None);
        let answer = self.scope().run(work);
        if !is_failure(&answer) {
            self.request.set_status(status);
        }
        self.settle();
        answer
    }
}

impl Drop for MeasuredRequest {
    fn drop(&mut self) {
        let Some(ended) = self.request.end(self.settings.log.book()) else { return };
        // Before anything is asked for: what was put off for them may go ahead.
        self.reservation = None;
        self.deferral = None;
        if let Some((scope, part)) = self.request.take_scope() {
            self.settings.scopes.give_back(scope, part);
        }
        self.settings.request_ended(&ended);
    }
}

/// Millions of bytes, to two digits.
fn megabytes(bytes: i64) -> String {
    let hundredths = (i128::from(bytes) + 5_000 * i128::from(bytes.signum())) / 10_000;
    let sign = if hundredths < 0 { "-" } else { "" };
    let hundredths = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100)
}

/// With a sign in any case.
fn signed(number: String) -> String {
    if number.starts_with('-') { number } else { format!("+{number}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn megabytes_are_rounded_to_two_digits() {
        for (bytes, text) in [
            (0, "0.00"),
            (4_999, "0.00"),
            (5_000, "0.01"),
            (1_234_567, "1.23"),
            (-4_999, "0.00"),
            (-5_000, "-0.01"),
            (-12_345_678, "-12.35"),
            (i64::MIN, "-9223372036854.78"),
            (i64::MAX, "9223372036854.78"),
        ] {
            assert_eq!(megabytes(bytes), text, "{bytes}");
        }
        assert_eq!(signed(megabytes(-5_000)), "-0.01");
        assert_eq!(signed(megabytes(10_000)), "+0.01");
    }
}
