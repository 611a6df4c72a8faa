//! [`Answer`]: an answer's status, kind and body, and the headers that go with it.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::super::envelope::{FORMAT_HEADER, FORMAT_VERSION};

const JSON: &str = "application/json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
#[cfg(feature = "dashboard")]
const HTML: &str = "text/html; charset=utf-8";
#[cfg(feature = "profile")]
const SVG: &str = "image/svg+xml; charset=utf-8";
#[cfg(feature = "profile")]
const BYTES: &str = "application/octet-stream";

/// What the page may do: run and look as it came, and read the statistics beside it. It is shown
/// in no frame, and nothing is fetched from elsewhere.
#[cfg(feature = "dashboard")]
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
     script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// What a flame graph may do: run and look as it came.
#[cfg(feature = "profile")]
const DRAWING_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
     script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What all other answers may do, should a browser take one for a page.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    content_type: &'static str,
    policy: &'static str,
    /// Whether it is a file, and its name.
    disposition: Option<&'static str>,
    body: Bytes,
}

impl Answer {
    fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let (status, policy, body) = (StatusCode::OK, DATA_POLICY, body.into());
        Self { status, content_type, policy, disposition: None, body }
    }

    pub(super) fn json(status: StatusCode, json: Vec<u8>) -> Self {
        Self { status, ..Self::new(JSON, json) }
    }

    pub(super) fn open_metrics(text: String) -> Self {
        Self::new(OPEN_METRICS, text)
    }

    pub(super) fn prometheus_text(text: String) -> Self {
        Self::new(PROMETHEUS_TEXT, text)
    }

    /// The paths there are, one a line.
    pub(super) fn list(paths: impl Iterator<Item = &'static str>) -> Self {
        Self::new(TEXT, paths.flat_map(|path| [path, "\n"]).collect::<String>())
    }

    #[cfg(feature = "dashboard")]
    pub(super) fn page(html: &'static str) -> Self {
        Self { policy: PAGE_POLICY, ..Self::new(HTML, html) }
    }

    /// A heap profile in pprof's format, which has a compression of its own.
    #[cfg(feature = "profile")]
    pub(super) fn pprof(bytes: Vec<u8>) -> Self {
        let disposition = Some("attachment; filename=\"heap.pb.gz\"");
        Self { disposition, ..Self::new(BYTES, bytes) }
    }

    /// A flame graph.
    #[cfg(feature = "profile")]
    pub(super) fn svg(svg: String) -> Self {
        let disposition = Some("inline; filename=\"heap.svg\"");
        Self { disposition, policy: DRAWING_POLICY, ..Self::new(SVG, svg) }
    }

    /// Collapsed stacks.
    #[cfg(feature = "profile")]
    pub(super) fn collapsed(text: String) -> Self {
        let disposition = Some("inline; filename=\"heap.folded\"");
        Self { disposition, ..Self::new(TEXT, text) }
    }

    /// The response; without its body, but with the length of that, for `HEAD`.
    pub(super) fn into_response(self, is_head: bool) -> Response<Full<Bytes>> {
        let Self { status, content_type, policy, disposition, body } = self;
        let length = body.len();
        let mut response = Response::new(Full::new(if is_head { Bytes::new() } else { body }));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        if let Some(disposition) = disposition {
            headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
        }
        let format = HeaderName::from_static(FORMAT_HEADER);
        headers.insert(format, HeaderValue::from(FORMAT_VERSION));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}
