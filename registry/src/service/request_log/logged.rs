//! [`LoggedRequest`]: a request from its begin to its end in the log.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::book::Book;
use super::label::Label;
use super::routes::RouteRef;
use crate::service::request::{RequestScope, RequestUsage};

/// That of a request whose own was taken, since it has ended.
static ENDED: LazyLock<RequestScope> = LazyLock::new(RequestScope::new);

/// A request that was begun by [`RequestLog::begin`](crate::RequestLog::begin): in flight while
/// this lives, and counted at its end.
///
/// Dropped without [`finish`](Self::finish), as when its handler panics or its client hangs up, it
/// counts as failed.
#[derive(Debug)]
#[must_use = "the request ends as soon as this is dropped"]
pub struct LoggedRequest {
    /// `None` once it has ended.
    route: Option<RouteRef>,
    /// `None` once it was taken.
    scope: Option<RequestScope>,
    status: Option<u16>,
    began: Duration,
    book: Arc<Book>,
}

/// A request that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndedRequest {
    pub(crate) status: Option<u16>,
    pub(crate) usage: RequestUsage,
    /// When it ended.
    pub(crate) at: Duration,
    pub(crate) elapsed: Duration,
}

impl LoggedRequest {
    pub(crate) fn begin(book: &Arc<Book>, label: &Label, scope: RequestScope) -> Self {
        // The clock may be the user's, and panic.
        let began = book.now();
        let route = Some(book.begin(label));
        let (scope, book) = (Some(scope), Arc::clone(book));
        Self { route, scope, status: None, began, book }
    }

    /// The scope that measures it: to be entered wherever the request is worked on.
    #[must_use]
    pub fn scope(&self) -> &RequestScope {
        self.scope.as_ref().unwrap_or_else(|| &ENDED)
    }

    /// Ends it with the status that it was answered with. What its scope counts from here on is
    /// not in the log.
    pub fn finish(mut self, status: u16) {
        self.set_status(Some(status));
    }

    #[cfg(feature = "tower")]
    pub(crate) fn status(&self) -> Option<u16> {
        self.status
    }

    #[cfg(feature = "tower")]
    /// The scope of a request that has ended, for another one.
    pub(crate) fn take_scope(&mut self) -> Option<RequestScope> {
        self.scope.take()
    }

    /// The status that it ends with; `None` as long as there is no answer, or not all of it.
    pub(crate) fn set_status(&mut self, status: Option<u16>) {
        self.status = status;
    }

    /// Ends it, the first time that this is called.
    pub(crate) fn end(&mut self) -> Option<EndedRequest> {
        let (route, book) = (self.route.take()?, &self.book);
        let at = book.now();
        let elapsed = at.saturating_sub(self.began);
        let ended = EndedRequest { status: self.status, usage: self.scope().usage(), at, elapsed };
        book.end(route, ended);
        Some(ended)
    }
}

impl Drop for LoggedRequest {
    fn drop(&mut self) {
        self.end();
    }
}
