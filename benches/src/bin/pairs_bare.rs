//! Pairs of an allocation and a free over bare jemalloc, for `instructions.sh`.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    bursar_benches::pairs(bursar_benches::count_from_arguments());
}
