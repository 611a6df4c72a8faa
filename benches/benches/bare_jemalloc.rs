//! jemalloc with nothing around it: what the other configurations are compared with.

use criterion::Criterion;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bursar_benches::run(&mut criterion, "bare jemalloc");
    criterion.final_summary();
}
