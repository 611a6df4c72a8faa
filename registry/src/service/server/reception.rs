//! [`Reception`]: what all connections of a server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;

use super::host::Hosts;
use crate::service::Endpoints;

#[derive(Debug)]
pub(super) struct Reception {
    endpoints: Endpoints,
    hosts: Hosts,
    is_full: AtomicBool,
}

impl Reception {
    pub(super) fn new(endpoints: Endpoints, hosts: Hosts) -> Self {
        Self { endpoints, hosts, is_full: AtomicBool::new(false) }
    }

    /// Whether all places are taken, so that others may wait.
    pub(super) fn set_full(&self, is_full: bool) {
        // Relaxed: nothing else is read by it.
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// The answer; while all places are taken it is the last one on its connection, so that none
    /// is kept from those who wait by asking again and again.
    pub(super) async fn answer<B>(self: Arc<Self>, request: Request<B>) -> Response<Full<Bytes>> {
        let mut response = if self.hosts.allow(&request) {
            // Not across the wait, which who serves may move to another thread.
            let answer = self.endpoints.answer_to(&request);
            drop(request);
            let Ok(response) = answer.await;
            response
        } else {
            Endpoints::misdirected(&request)
        };
        // Relaxed: as above.
        if self.is_full.load(Ordering::Relaxed) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
