//! A recording of a running Bursar, from the public side.
#![cfg(feature = "trace")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use bursar::{AccountingAllocator, Bursar, Cache, History, Replay, System, Tag, Trace, TraceItem};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

static TAG: Tag = Tag::new("trace/cache");

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_run_is_recorded_read_and_played_under_another_budget() {
    let bursar = Bursar::builder().budget("32MiB").start().unwrap();
    let cache: Cache<u64, Arc<[u8]>> = Cache::new(&TAG);
    let _registration = bursar.register(&cache).unwrap();
    let kept = Kept::default();
    let recording = bursar.record_trace(kept.clone()).unwrap();
    let mut key = 0;
    while bursar.stats().cleanups_total < 3 {
        cache.get_or_insert_with(key, || vec![1; 16 << 10].into());
        key += 1;
    }
    let lines = recording.finish().unwrap();

    let trace = Trace::read(&kept.0.lock().unwrap()[..]).unwrap();
    assert_eq!(trace.events().len() as u64 + 1, lines);
    assert_eq!(trace.soft_limit_bytes(), 32 << 20);
    let names = |event: &bursar::TraceEvent| match &event.item {
        TraceItem::Cleanup(cleanup) => cleanup.freed_bytes_by_name.contains_key("trace/cache"),
        _ => false,
    };
    assert!(trace.events().iter().any(names), "a cleanup with what the cache freed");
    let report = Replay::new(trace.config()).play(&trace).unwrap();
    assert!(report.recorded.cleanups_total >= 3);
    assert_eq!(report.recorded.freed_bytes_by_name.len(), 1);

    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<bursar::ReplayReport>(&json).unwrap(), report);
    let history = bursar.history();
    let json = serde_json::to_string(&history).unwrap();
    assert_eq!(serde_json::from_str::<History>(&json).unwrap(), history);
}
