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
    let thumbnails: Cache<u32, Arc<[u8]>> = Cache::new(&THUMBNAILS);
    let _registration = bursar.register(&thumbnails)?;

    // 128 MiB of thumbnails go through a cache in a program that may use 64.
    for id in 0..8192 {
        let thumbnail = thumbnails.get_or_insert_with(id, || render(id));
        assert_eq!(thumbnail.len(), SIDE * SIDE);
    }

    println!("{}", bursar.stats());
    Ok(())
}

const SIDE: usize = 128;

/// A piece of the Mandelbrot set, a byte a pixel: the closer, the higher the id.
fn render(id: u32) -> Arc<[u8]> {
    let scale = 3.0 / (1.0 + f64::from(id) / 1000.0) / SIDE as f64;
    let pixel = |index: usize| {
        let (x, y) = ((index % SIDE) as f64, (index / SIDE) as f64);
        let (real, imaginary) = (x * scale - 2.0, y * scale - 1.5);
        let (mut a, mut b) = (0.0, 0.0);
        let escaped_after = (0..40u8).find(|_| {
            (a, b) = (a * a - b * b + real, 2.0 * a * b + imaginary);
            a * a + b * b > 4.0
        });
        escaped_after.unwrap_or(u8::MAX)
    };
    (0..SIDE * SIDE).map(pixel).collect()
}
