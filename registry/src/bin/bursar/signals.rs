//! [`Signals`]: Ctrl-C and being told to end.

use std::pin::pin;
use std::task::Poll;

use crate::failure::Failure;

/// Listens, from when it is made on.
pub(crate) struct Signals {
    #[cfg(unix)]
    ends: Vec<tokio::signal::unix::Signal>,
}

impl Signals {
    #[cfg(unix)]
    pub(crate) fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let ends = kinds.into_iter().map(signal).collect::<Result<_, _>>().map_err(not_heard)?;
        Ok(Self { ends })
    }

    #[cfg(not(unix))]
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// Waits until there is one.
    #[cfg(unix)]
    pub(crate) async fn stopped(&mut self) {
        let poll = |cx: &mut std::task::Context<'_>| {
            let is_any = self.ends.iter_mut().any(|signal| signal.poll_recv(cx).is_ready());
            if is_any { Poll::Ready(()) } else { Poll::Pending }
        };
        std::future::poll_fn(poll).await;
    }

    #[cfg(not(unix))]
    pub(crate) async fn stopped(&mut self) {
        // Without a signal there is nothing to be heard, ever.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
fn not_heard(error: std::io::Error) -> Failure {
    Failure::new(crate::failure::Kind::File, format!("signals cannot be listened for: {error}"))
}

/// What comes of `work`, unless a signal comes first.
pub(crate) async fn unless_stopped<T>(
    signals: &mut Signals,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut stopped = pin!(signals.stopped());
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        if stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        work.as_mut().poll(cx).map(Some)
    })
    .await
}
