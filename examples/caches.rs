//! What a service keeps: pages that are loaded once and weighed, templates that live as long as
//! someone has them, buffers that are used again, a log of the latest. All of it is bounded, and
//! gives memory up when asked.
//!
//! `cargo run --release --example caches`

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bursar::{
    AccountingAllocator, BoundedLog, Bursar, Cache, Error, Jemalloc, Pool, PressureLevel, Tag,
    WeakCache, tag_usage,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

/// The largest by far, in memory of its own: what it gives up goes back to the system, whatever
/// the others have allocated beside it.
static PAGES: Tag = Tag::new("pages").isolated();
static TEMPLATES: Tag = Tag::new("templates");
static BUFFERS: Tag = Tag::new("buffers");
static VISITS: Tag = Tag::new("visits");

fn main() -> Result<(), Error> {
    let bursar = Bursar::builder().budget("64MiB").threadless(true).start()?;

    // Eight MiB of pages by what they really take, their tables included; none older than a minute.
    let pages: Cache<u32, Arc<str>> =
        Cache::builder(&PAGES).max_bytes(8 << 20).time_to_live(Duration::from_secs(60)).build()?;
    let templates: WeakCache<&str, String> = WeakCache::new(&TEMPLATES);
    let buffers = Pool::builder(&BUFFERS, || String::with_capacity(16 << 10))
        .reset(String::clear)
        .weigher(|buffer| buffer.capacity() as u64)
        .max_object_bytes(64 << 10)
        .build()?;
    let visits: BoundedLog<u32> = BoundedLog::builder(&VISITS).max_entries(1000).build()?;
    let _registrations = (
        bursar.register(&pages)?,
        bursar.register(&templates)?,
        bursar.register(&buffers)?,
        bursar.register(&visits)?,
    );

    thread::scope(|scope| {
        for first in 0..4 {
            let (pages, templates, buffers, visits) = (&pages, &templates, &buffers, &visits);
            scope.spawn(move || {
                // Two visits to each page by each thread: whoever is first loads it for all.
                for id in (0..8000).map(|visit| first + visit / 2) {
                    let template = templates.get_or_insert_with("page", || "<p>page {}</p>".into());
                    pages.get_or_insert_with(id, || render(&template, id, &mut buffers.acquire()));
                    visits.push(id);
                }
            });
        }
    });

    println!("pages      {}", show(&pages));
    println!("templates  {} live, found {:.1} %", templates.len(), percent(templates.stats()));
    println!("buffers    {} idle, reused {:.1} %", buffers.stats().idle, reuse(&buffers));
    println!("visits     {} kept, the latest {:?}", visits.len(), visits.recent(3));

    println!("\n{}", bursar.reclaim(PressureLevel::Critical)?);
    println!("\npages      {}", show(&pages));
    Ok(())
}

/// A page of two kilobytes, put together in a buffer that was used before.
fn render(template: &str, id: u32, buffer: &mut String) -> Arc<str> {
    let paragraph = template.replace("{}", &id.to_string());
    while buffer.len() < 2048 {
        buffer.push_str(&paragraph);
    }
    buffer.as_str().into()
}

fn show(pages: &Cache<u32, Arc<str>>) -> String {
    let (stats, usage) = (pages.stats(), tag_usage(&PAGES));
    format!(
        "{} held, {} loaded, hit {:.1} %; {} bytes of values and {} of tables, {} under the tag, \
         in {} of pages",
        stats.entries,
        stats.loads_total,
        100.0 * stats.hit_ratio(),
        stats.weight_bytes,
        stats.table_bytes,
        usage.live_bytes,
        usage.active_bytes.unwrap_or(0),
    )
}

fn percent(templates: bursar::WeakCacheStats) -> f64 {
    100.0 * templates.hit_ratio()
}

fn reuse(buffers: &Pool<String>) -> f64 {
    100.0 * buffers.stats().reuse_ratio()
}
