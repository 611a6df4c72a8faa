//! Isolated tags over an allocator that has no memory of their own for them.

use std::sync::Arc;

use bursar::{
    AccountingAllocator, AdviceCode, Bursar, Cache, Isolation, PressureLevel, System, Tag,
    tag_usage,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

static TAG: Tag = Tag::new("isolation/in-name-only").isolated();

#[test]
fn an_isolated_tag_is_counted_and_cut_as_any_other_and_said_to_have_no_memory_of_its_own() {
    let bursar = Bursar::builder().budget("64MiB").threadless(true).start().unwrap();
    let cache: Cache<u32, Arc<[u8]>> = Cache::new(&TAG);
    let _registration = bursar.register(&cache).unwrap();
    for key in 0..1000 {
        cache.get_or_insert_with(key, || vec![7; 4096].into());
    }
    let usage = tag_usage(&TAG);
    assert!(usage.live_bytes > 4_000_000, "{usage:?}");
    assert_eq!(usage.isolation, Isolation::Unsupported);
    assert_eq!((usage.active_bytes, usage.dirty_bytes, usage.resident_bytes), (None, None, None));

    let text = bursar.stats().to_string();
    assert!(text.contains("not isolated: the allocator cannot"), "{text}");
    let advice = bursar.examine();
    let of_it = advice.iter().find(|advice| advice.code == AdviceCode::IsolationUnsupported);
    let said = of_it.unwrap_or_else(|| panic!("{advice:?}")).to_string();
    assert!(said.contains("tags isolation/in-name-only"), "{said}");
    assert!(said.contains("allocator system"), "{said}");

    let report = bursar.reclaim(PressureLevel::Emergency).unwrap();
    assert!(report.freed_bytes > 4_000_000, "{report}");
    assert!(tag_usage(&TAG).live_bytes < 100_000);
}
