//! The service itself: two caches, a pool and the routes over them.

use crate::buffers::{BUFFERS, BufferPool};
use crate::{Kind, make};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use bursar::{Bursar, Cache, Entry, Registration, Stage, Tag};
use bytes::Bytes;
use std::sync::Arc;

/// Says whether an answer was found in a cache (`hit`) or made (`miss`).
pub const CACHE_HEADER: &str = "x-cache";

static THUMBNAILS: Tag = Tag::new("thumbnails");
static PALETTES: Tag = Tag::new("palettes");

/// Idle buffers kept: two for each of a few pictures in the making.
const IDLE_BUFFERS: usize = 16;

/// What the service keeps. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Service {
    thumbnails: Cache<u64, Bytes>,
    palettes: Cache<u64, Bytes>,
    buffers: BufferPool,
}

impl Service {
    /// A service with empty caches, which grow without bound unless somebody
    /// purges them.
    #[must_use]
    pub fn unbounded() -> Self {
        Self::over(Cache::new(&THUMBNAILS), Cache::new(&PALETTES))
    }

    /// A service whose caches keep `entries` each: as many as somebody once
    /// guessed would fit.
    ///
    /// # Errors
    /// When that is no entries at all.
    pub fn bounded(entries: usize) -> Result<Self, bursar::Error> {
        let cache = |tag| Cache::builder(tag).max_entries(entries).build();
        Ok(Self::over(cache(&THUMBNAILS)?, cache(&PALETTES)?))
    }

    fn over(thumbnails: Cache<u64, Bytes>, palettes: Cache<u64, Bytes>) -> Self {
        Self { thumbnails, palettes, buffers: BufferPool::new(IDLE_BUFFERS) }
    }

    /// Puts the caches and the pool in `bursar`'s charge, until the
    /// registrations are dropped.
    ///
    /// # Errors
    /// What [`Bursar::register`] says.
    pub fn register(&self, bursar: &Bursar) -> Result<Vec<Registration>, bursar::Error> {
        let pool = Entry::new("buffers", Arc::new(self.buffers.clone()))
            .tag(&BUFFERS)
            .stage(Stage::Release);
        Ok(vec![
            bursar.register(&self.thumbnails)?,
            bursar.register(&self.palettes)?,
            bursar.register(pool)?,
        ])
    }

    /// The answer, and whether it was in the cache.
    fn answer(&self, kind: Kind, id: u64) -> (Bytes, bool) {
        let cache = match kind {
            Kind::Thumbnail => &self.thumbnails,
            Kind::Palette => &self.palettes,
        };
        let mut found = true;
        // The loader runs under the cache's tag: the copy, of exactly the size
        // of the answer, is the cache's; the buffers bear their own.
        let bytes = cache.get_or_insert_with(id, || {
            found = false;
            make(kind, id, &self.buffers, Bytes::copy_from_slice)
        });
        (bytes, found)
    }
}

/// The routes of `service`.
pub fn router(service: Service) -> Router {
    Router::new()
        .route("/thumbnail/{id}", get(thumbnail))
        .route("/palette/{id}", get(palette))
        .with_state(service)
}

async fn thumbnail(State(service): State<Service>, Path(id): Path<u64>) -> impl IntoResponse {
    respond(service.answer(Kind::Thumbnail, id), "image/png")
}

async fn palette(State(service): State<Service>, Path(id): Path<u64>) -> impl IntoResponse {
    respond(service.answer(Kind::Palette, id), "application/json")
}

/// The cached bytes themselves are the body: nothing is copied.
fn respond((bytes, found): (Bytes, bool), content_type: &'static str) -> impl IntoResponse {
    let cache = if found { "hit" } else { "miss" };
    let headers = [(CONTENT_TYPE, content_type), (HeaderName::from_static(CACHE_HEADER), cache)];
    (headers, bytes)
}
