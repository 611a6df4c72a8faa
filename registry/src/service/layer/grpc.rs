//! gRPC within HTTP: whatever comes of a call, its answer is a 200, and a header or a trailer says
//! what came of it.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The content type of a gRPC request; that of no other.
pub(super) fn content_type(headers: &HeaderMap) -> Option<&HeaderValue> {
    let content_type = headers.get(CONTENT_TYPE)?;
    content_type.as_bytes().starts_with(b"application/grpc").then_some(content_type)
}

/// What a call is counted as that has this among its headers or trailers: where the service has
/// failed, as HTTP would say it, and 404 where it has no such method.
pub(super) fn http_status(headers: &HeaderMap) -> Option<u16> {
    match headers.get(STATUS)?.as_bytes() {
        // Unknown, internal, data loss.
        b"2" | b"13" | b"15" => Some(500),
        // Deadline exceeded.
        b"4" => Some(504),
        // Unimplemented.
        b"12" => Some(404),
        // Unavailable.
        b"14" => Some(503),
        _ => None,
    }
}

/// The headers of an answer that has nothing else: unavailable, or resource exhausted where it is
/// not to be tried again.
pub(super) fn refuse(headers: &mut HeaderMap, content_type: HeaderValue, is_final: bool) {
    let (status, message) =
        if is_final { ("8", "too large for the budget") } else { ("14", "memory is short") };
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(STATUS, HeaderValue::from_static(status));
    headers.insert(MESSAGE, HeaderValue::from_static(message));
}
