//! jemalloc under Bursar's accounts, and what a tag scope costs.

use std::hint::black_box;

use bursar_alloc::{AccountingAllocator, Jemalloc, Tag};
use criterion::Criterion;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

static TAG: Tag = Tag::new("bench");

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bursar_benches::run(&mut criterion, "bursar jemalloc");
    criterion.bench_function("tag scope enter and leave", |bencher| {
        bencher.iter(|| {
            let guard = black_box(TAG.enter());
            drop(guard);
        });
    });
    criterion.final_summary();
}
