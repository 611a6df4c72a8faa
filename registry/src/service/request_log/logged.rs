//! [`LoggedRequest`]: a request from its begin to its end in the log.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::book::Book;
use super::label::Label;
use super::routes::RouteRef;
use crate::service::parts::Part;
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
    request: BegunRequest,
    book: Arc<Book>,
}

/// A request in flight, in a log that whoever has it keeps: to be [ended](Self::end) there.
#[derive(Debug)]
pub(crate) struct BegunRequest {
    /// `None` once it has ended.
    route: Option<RouteRef>,
    /// `None` once it was taken.
    scope: Option<RequestScope>,
    status: Option<u16>,
    began: Duration,
    /// That of the thread that it began on.
    part: Part,
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
    pub(super) fn begin(book: &Arc<Book>, label: &Label, scope: RequestScope) -> Self {
        let request = BegunRequest::begin(book, label, scope, Part::of_this_thread());
        Self { request, book: Arc::clone(book) }
    }

    /// The scope that measures it: to be entered wherever the request is worked on.
    #[must_use]
    pub fn scope(&self) -> &RequestScope {
        self.request.scope()
    }

    /// Ends it with the status that it was answered with. What its scope counts from here on is
    /// not in the log.
    pub fn finish(mut self, status: u16) {
        self.request.set_status(Some(status));
    }
}

impl Drop for LoggedRequest {
    fn drop(&mut self) {
        self.request.end(&self.book);
    }
}

impl BegunRequest {
    pub(crate) fn begin(book: &Book, label: &Label, scope: RequestScope, part: Part) -> Self {
        // The clock may be the user's, and panic.
        let began = book.now();
        let route = Some(book.begin(label, part));
        Self { route, scope: Some(scope), status: None, began, part }
    }

    pub(crate) fn scope(&self) -> &RequestScope {
        self.scope.as_ref().unwrap_or_else(|| &ENDED)
    }

    /// The scope of a request that has ended, for another one; and the part that it is of.
    #[cfg(feature = "tower")]
    pub(crate) fn take_scope(&mut self) -> Option<(RequestScope, Part)> {
        Some((self.scope.take()?, self.part))
    }

    #[cfg(feature = "tower")]
    pub(crate) fn status(&self) -> Option<u16> {
        self.status
    }

    /// The status that it ends with; `None` as long as there is no answer, or not all of it.
    pub(crate) fn set_status(&mut self, status: Option<u16>) {
        self.status = status;
    }

    /// Ends it, the first time that this is called, in the log that it was begun in.
    pub(crate) fn end(&mut self, book: &Book) -> Option<EndedRequest> {
        let route = self.route.take()?;
        let at = book.now();
        let elapsed = at.saturating_sub(self.began);
        let ended = EndedRequest { status: self.status, usage: self.scope().usage(), at, elapsed };
        book.end(route, &ended, self.part);
        Some(ended)
    }
}
