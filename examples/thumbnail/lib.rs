//! A small thumbnail service, as many exist: it makes pictures on demand and
//! keeps what it has made, since making one again costs far more than sending
//! it again. Both `service.rs` and the drill serve it.
//!
//! * `GET /thumbnail/{id}`: a PNG of the picture `id`, of 1 to 64 KiB;
//! * `GET /palette/{id}`: a JSON document about the picture's colours.
//!
//! Each answer says in `x-cache` whether it was found or made.

mod buffers;
mod palette;
mod picture;
mod service;
mod tables;

pub use buffers::{Buffer, BufferPool};
pub use service::{CACHE_HEADER, Service, router};
pub use tables::tables_built;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The picture as a PNG.
    Thumbnail,
    /// The picture's colours as JSON.
    Palette,
}

impl Kind {
    /// The path that asks for picture `id` in this form.
    #[must_use]
    pub fn path(self, id: u64) -> String {
        match self {
            Kind::Thumbnail => format!("/thumbnail/{id}"),
            Kind::Palette => format!("/palette/{id}"),
        }
    }
}

/// Makes an answer without any cache and calls `done` with its bytes: what a
/// client compares the service's answers with.
pub fn make<R>(kind: Kind, id: u64, pool: &BufferPool, done: impl FnOnce(&[u8]) -> R) -> R {
    let mut pixels = pool.take();
    picture::draw(id, &mut pixels);
    let mut answer = pool.take();
    match kind {
        Kind::Thumbnail => picture::encode(&pixels, &mut answer),
        Kind::Palette => palette::describe(id, &pixels, &mut answer),
    }
    done(&answer)
}

/// The snippets of the README and of the pages in `docs`, compiled and run as documentation tests.
#[cfg(doctest)]
mod snippets {
    #[doc = include_str!("../../README.md")]
    struct Readme;

    #[doc = include_str!("../../docs/faq.md")]
    struct Faq;

    #[doc = include_str!("../../docs/trace.md")]
    struct Trace;

    #[doc = include_str!("../../docs/guides/function.md")]
    struct Function;

    #[doc = include_str!("../../docs/guides/web-service.md")]
    struct WebService;

    #[doc = include_str!("../../docs/guides/kubernetes.md")]
    struct Kubernetes;

    #[doc = include_str!("../../docs/guides/library-author.md")]
    struct LibraryAuthor;
}
