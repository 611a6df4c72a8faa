//! Pairs of an allocation and a free over Bursar on jemalloc, for `instructions.sh`.

use bursar_alloc::{AccountingAllocator, Jemalloc};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

fn main() {
    bursar_benches::pairs(bursar_benches::count_from_arguments());
}
