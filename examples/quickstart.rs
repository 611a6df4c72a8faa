//! A cache that would outgrow its budget, and is kept from it.
//!
//! `cargo run --release --example quickstart`

use std::sync::Arc;

use bursar::{AccountingAllocator, Bursar, Cache, Jemalloc, Tag};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

static THUMBNAILS: Tag = Tag::new("thumbnails");

fn main() -> Result<(), bursar::Error> {
    let bursar = Bursar::builder().budget("64MiB").start()?;
    let thumbnails: Cache<u64, Arc<[u8]>> = Cache::new(&THUMBNAILS);
    let _registration = bursar.register(&thumbnails)?;

    // 256 MiB of thumbnails go through a cache in a program that may use 64.
    for id in 0..16_384 {
        let thumbnail = thumbnails.get_or_insert_with(id, || vec![id as u8; 16 << 10].into());
        assert_eq!(thumbnail[0], id as u8);
    }

    println!("{}", bursar.stats());
    Ok(())
}
