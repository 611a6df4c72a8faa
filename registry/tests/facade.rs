//! What a recorder of the `metrics` facade is told, over the real monitor without a thread.
#![cfg(feature = "metrics")]

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bursar::{AccountingAllocator, Bursar, Cache, PressureLevel, Profile, System, Tag, tag_usage};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

static PAGES: Tag = Tag::new("facade/pages");

/// What is called while the recorder is told a value.
type Hook = Box<dyn Fn(&str) + Send + Sync>;

/// Keeps the last value of each gauge and the sum of each counter, by name and labels.
#[derive(Default)]
struct Board {
    values: Mutex<BTreeMap<String, f64>>,
    described: Mutex<BTreeMap<String, (Option<Unit>, usize)>>,
    hook: Mutex<Option<Arc<Hook>>>,
}

/// One series of the board.
struct Cell {
    board: &'static Board,
    series: String,
}

impl Cell {
    fn change(&self, change: impl FnOnce(&mut f64)) {
        let hook = lock(&self.board.hook).clone();
        if let Some(hook) = hook {
            hook(&self.series);
        }
        change(lock(&self.board.values).entry(self.series.clone()).or_default());
    }
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.change(|sum| *sum += value as f64);
    }

    fn absolute(&self, value: u64) {
        self.change(|sum| *sum = value as f64);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, value: f64) {
        self.change(|last| *last += value);
    }

    fn decrement(&self, value: f64) {
        self.change(|last| *last -= value);
    }

    fn set(&self, value: f64) {
        self.change(|last| *last = value);
    }
}

impl HistogramFn for Cell {
    fn record(&self, _: f64) {
        self.change(|count| *count += 1.0);
    }
}

impl Board {
    fn cell(&'static self, key: &Key) -> Arc<Cell> {
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let series = format!("{}{{{}}}", key.name(), labels.join(","));
        Arc::new(Cell { board: self, series })
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>) {
        lock(&self.described).entry(name.as_str().to_owned()).or_insert((unit, 0)).1 += 1;
    }

    fn value(&self, series: &str) -> Option<f64> {
        lock(&self.values).get(series).copied()
    }
}

/// What is installed: `Recorder` for the one board there is.
struct OfBoard(&'static Board);

impl Recorder for OfBoard {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.0.describe(&name, unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.0.describe(&name, unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.0.describe(&name, unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.0.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.0.cell(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.0.cell(key))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The board of this process, empty, and a turn: one Bursar runs at a time.
fn board() -> (&'static Board, MutexGuard<'static, ()>) {
    static BOARD: OnceLock<&'static Board> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = lock(&TURN);
    let board = *BOARD.get_or_init(|| {
        let board: &Board = Box::leak(Box::default());
        assert!(metrics::set_global_recorder(OfBoard(board)).is_ok());
        board
    });
    *lock(&board.hook) = None;
    lock(&board.values).clear();
    lock(&board.described).clear();
    (board, turn)
}

fn start() -> Bursar {
    Bursar::builder().budget("32MiB").profile(Profile::default()).threadless(true).start().unwrap()
}

/// A cache, and one cleanup that asks it.
fn clean_up(bursar: &Bursar) -> Cache<u64, Vec<u8>> {
    let cache: Cache<u64, Vec<u8>> = Cache::new(&PAGES);
    let registration = bursar.register(&cache).unwrap();
    for key in 0..100 {
        cache.get_or_insert_with(key, || vec![0; 10_000]);
    }
    bursar.reclaim(PressureLevel::Critical).unwrap();
    drop(registration);
    cache
}

#[test]
fn a_reading_is_told_under_the_names_of_the_text() {
    let (board, _turn) = board();
    let _page = PAGES.scope(|| vec![0_u8; 50_000]);
    let bursar = start();
    assert_eq!(board.value("bursar_pressure_level{}"), Some(0.0));
    assert_eq!(board.value("bursar_soft_limit_bytes{}"), Some((32_u64 << 20) as f64));
    assert!(board.value("bursar_usage_ratio{}").is_some());
    let held = board.value("bursar_tag_live_bytes{tag=facade/pages}").unwrap();
    assert_eq!(held, tag_usage(&PAGES).live_bytes as f64);
    let version = format!("bursar_build_info{{version={},", env!("CARGO_PKG_VERSION"));
    assert!(lock(&board.values).keys().any(|series| series.starts_with(&version)));
    drop(bursar);
}

#[test]
fn each_metric_is_described_once_with_its_unit() {
    let (board, _turn) = board();
    let bursar = start();
    for _ in 0..3 {
        bursar.reclaim(PressureLevel::Warning).unwrap();
    }
    let described = lock(&board.described).clone();
    assert_eq!(described["bursar_live_bytes"], (Some(Unit::Bytes), 1));
    assert_eq!(described["bursar_cleanup_duration_seconds"], (Some(Unit::Seconds), 1));
    assert_eq!(described["bursar_cleanups_total"], (None, 1));
    assert!(described.values().all(|(_, times)| *times == 1), "{described:?}");
}

#[test]
fn a_cleanup_is_counted_as_it_ends() {
    let (board, _turn) = board();
    let bursar = start();
    clean_up(&bursar);
    let stats = bursar.stats();
    assert_eq!(stats.cleanups_total, 1);
    assert!(stats.freed_bytes_total > 0, "{stats}");
    assert_eq!(board.value("bursar_cleanups_total{}"), Some(1.0));
    let freed = stats.freed_bytes_total as f64;
    assert_eq!(board.value("bursar_freed_bytes_total{}"), Some(freed));
    assert_eq!(board.value("bursar_cleanup_duration_seconds{}"), Some(1.0));
}

#[test]
fn counters_go_on_where_one_bursar_follows_another() {
    let (board, _turn) = board();
    for _ in 0..2 {
        clean_up(&start());
    }
    assert_eq!(board.value("bursar_cleanups_total{}"), Some(2.0));
}

#[test]
fn what_a_tag_has_allocated_is_told_once_where_one_bursar_follows_another() {
    let (board, _turn) = board();
    let told = || board.value("bursar_tag_allocated_bytes_total{tag=facade/pages}").unwrap();
    let allocated = |bursar: &Bursar| {
        let tags = bursar.stats().tags;
        tags.iter().find(|tag| tag.name == "facade/pages").unwrap().allocated_bytes_total
    };
    let _page = PAGES.scope(|| vec![0_u8; 50_000]);
    let first = start();
    let (told_before, allocated_before) = (told(), allocated(&first));
    drop(first);
    let _page = PAGES.scope(|| vec![0_u8; 70_000]);
    let second = start();
    assert_eq!(told() - told_before, (allocated(&second) - allocated_before) as f64);
}

#[test]
fn a_recorder_may_allocate_lock_and_read_statistics() {
    let (board, _turn) = board();
    let bursar = Arc::new(start());
    let reads = Arc::new(AtomicUsize::new(0));
    let (inner, counted) = (Arc::downgrade(&bursar), Arc::clone(&reads));
    let is_inside = AtomicBool::new(false);
    let hook: Hook = Box::new(move |series| {
        assert!(!is_inside.swap(true, Ordering::Relaxed), "told {series} while it is told");
        let bursar = inner.upgrade().unwrap();
        let large = vec![1_u8; 4 << 20];
        assert!(bursar.stats().live_bytes > large.len() as u64);
        assert!(bursar.history().samples().count() > 0);
        assert!(bursar.checkpoint().is_err(), "the monitor's turn is taken");
        counted.fetch_add(1, Ordering::Relaxed);
        is_inside.store(false, Ordering::Relaxed);
    });
    *lock(&board.hook) = Some(Arc::new(hook));
    clean_up(&bursar);
    *lock(&board.hook) = None;
    assert!(reads.load(Ordering::Relaxed) > 0);
    assert_eq!(bursar.stats().telemetry_panics_total, 0);
}

#[test]
fn what_a_recorder_keeps_is_charged_to_bursar() {
    let (board, _turn) = board();
    let bursar = start();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeps = Arc::clone(&kept);
    let hook: Hook = Box::new(move |_| {
        let mut kept = lock(&keeps);
        if kept.is_empty() {
            *kept = vec![0_u8; 3 << 20];
        }
    });
    *lock(&board.hook) = Some(Arc::new(hook));
    // On this thread, whose tag is another.
    PAGES.scope(|| bursar.reclaim(PressureLevel::Warning).unwrap());
    *lock(&board.hook) = None;
    let tags = bursar.stats().tags;
    let own = tags.iter().find(|tag| tag.name == "bursar").unwrap();
    assert!(own.live_bytes >= 3 << 20, "{own:?}");
    drop(kept);
}

#[test]
fn a_recorder_that_panics_is_counted_and_nothing_else_is_harmed() {
    let (board, _turn) = board();
    let bursar = start();
    let hook: Hook = Box::new(|_| resume_unwind(Box::new("as expected")));
    *lock(&board.hook) = Some(Arc::new(hook));
    clean_up(&bursar);
    *lock(&board.hook) = None;
    let stats = bursar.stats();
    assert!(stats.telemetry_panics_total > 0);
    assert_eq!(stats.cleanups_total, 1, "it was made all the same");
    clean_up(&bursar);
    assert_eq!(bursar.stats().cleanups_total, 2);
    assert_eq!(board.value("bursar_cleanups_total{}"), Some(1.0), "what panicked is lost");
}
