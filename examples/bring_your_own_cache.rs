//! A cache that a program has already, and a buffer that is nobody's cache, kept within a budget.
//!
//! `cargo run --release --example bring_your_own_cache`

use std::sync::{Arc, Mutex};

use bursar::{
    AccountingAllocator, Bursar, FnPurgeable, Jemalloc, PurgeOutcome, QuickCacheAdapter, Tag,
};
use quick_cache::sync::Cache;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

static PAGES: Tag = Tag::new("pages");
static DRAFTS: Tag = Tag::new("drafts");

fn main() -> Result<(), bursar::Error> {
    let bursar = Bursar::builder().budget("64MiB").start()?;

    // A cache that would hold a million pages. It has an adapter.
    let pages: Arc<Cache<u32, Arc<str>>> = PAGES.scope(|| Arc::new(Cache::new(1_000_000)));
    let _pages = bursar.register(QuickCacheAdapter::new(&PAGES, &pages))?;

    // A buffer that is only ever read when it is there. It has closures.
    let drafts: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (counted, purged) = (Arc::downgrade(&drafts), Arc::downgrade(&drafts));
    let _drafts = bursar.register(FnPurgeable::new(
        &DRAFTS,
        move || {
            counted.upgrade().and_then(|d| Some(d.try_lock().ok()?.capacity() as u64)).unwrap_or(0)
        },
        move |_| {
            let Some(drafts) = purged.upgrade() else { return PurgeOutcome::Empty };
            let Ok(mut locked) = drafts.try_lock() else { return PurgeOutcome::Busy };
            let taken = std::mem::take(&mut *locked);
            drop(locked);
            PurgeOutcome::Freed(taken.capacity() as u64)
        },
    ))?;

    // 256 MiB of pages and some drafts go through a program that may use 64.
    let mut missed = 0;
    for id in 0..32 * 1024 {
        let page =
            PAGES.scope(|| pages.get_or_insert_with(&id, || Ok::<_, bursar::Error>(render(id))))?;
        DRAFTS.scope(|| drafts.lock().map(|mut drafts| drafts.extend(page.bytes().take(64)))).ok();
        missed += u32::from(pages.peek(&(id / 2)).is_none());
    }

    println!("{}", bursar.stats());
    println!("{} of {} pages are held, {missed} look-ups back missed", pages.len(), 32 * 1024);
    Ok(())
}

/// Eight kilobytes of a page.
fn render(id: u32) -> Arc<str> {
    format!("<p>page {id}</p>").repeat(8192 / 18).into()
}
