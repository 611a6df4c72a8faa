//! [`Refusal`]: the answer to a request that is not let through.

use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};
use http_body::Body;

use super::body::MemoryBody;
use super::{RouteRequest, grpc};

/// When those are to come again that there is no room for.
const NO_ROOM_RETRY_AFTER_SECONDS: u64 = 1;

/// Why a request is not to be answered, or not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Memory is short, for so many seconds.
    Shed { retry_after_seconds: u64 },
    /// There is no room for it now.
    NoRoom,
    /// There is no room for it at any time.
    TooLarge,
}

/// A request that was refused.
#[derive(Debug)]
pub(super) struct Refusal {
    reason: Reason,
    /// Of a gRPC request.
    grpc: Option<HeaderValue>,
}

impl Refusal {
    pub(super) fn new(reason: Reason, request: RouteRequest<'_>) -> Self {
        Self { reason, grpc: grpc::content_type(request.headers()).cloned() }
    }

    /// Its answer, which has no body.
    pub(super) fn answer<B: Body>(self) -> Response<MemoryBody<B>> {
        let (status, retry_after_seconds) = match self.reason {
            Reason::Shed { retry_after_seconds } => {
                (StatusCode::SERVICE_UNAVAILABLE, Some(retry_after_seconds))
            }
            Reason::NoRoom => (StatusCode::SERVICE_UNAVAILABLE, Some(NO_ROOM_RETRY_AFTER_SECONDS)),
            Reason::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, None),
        };
        let mut response = Response::new(MemoryBody::empty());
        match self.grpc {
            Some(content_type) => {
                let is_final = retry_after_seconds.is_none();
                grpc::refuse(response.headers_mut(), content_type, is_final);
            }
            None => *response.status_mut() = status,
        }
        if let Some(seconds) = retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
