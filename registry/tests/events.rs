//! What a subscriber of `tracing` hears, over the real monitor without a thread.
#![cfg(feature = "tracing")]

use std::collections::BTreeMap;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bursar::{
    AccountingAllocator, Bursar, Entry, PressureLevel, Profile, PurgeOutcome, PurgeRequest,
    Purgeable, System, Tag,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

static LOAD: Tag = Tag::new("events/load");

/// An event, with its fields as text.
#[derive(Debug, Clone)]
struct Heard {
    level: Level,
    target: String,
    fields: BTreeMap<String, String>,
}

impl Heard {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

impl Visit for Heard {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name().to_owned(), value.to_owned());
    }
}

/// Hears what `bursar` says, and does what the test says.
struct Listener {
    heard: Arc<Mutex<Vec<Heard>>>,
    act: Box<dyn Fn() + Send + Sync>,
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "bursar"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let (level, target) = (*metadata.level(), metadata.target().to_owned());
        let mut heard = Heard { level, target, fields: BTreeMap::new() };
        event.record(&mut heard);
        lock(&self.heard).push(heard);
        (self.act)();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `f` with a subscriber that does `act`; answers what it heard. One Bursar at a time.
fn listen(act: impl Fn() + Send + Sync + 'static, f: impl FnOnce()) -> Vec<Heard> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = lock(&TURN);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Listener { heard: Arc::clone(&heard), act: Box::new(act) };
    tracing::subscriber::with_default(listener, f);
    lock(&heard).clone()
}

fn start() -> Bursar {
    Bursar::builder().budget("32MiB").threadless(true).start().unwrap()
}

/// Takes usage to the last level, and a look at it.
fn overfill(bursar: &Bursar) {
    let load = LOAD.scope(|| vec![1_u8; 40 << 20]);
    bursar.checkpoint().unwrap();
    drop(load);
}

struct Answers(fn() -> PurgeOutcome);

impl Purgeable for Answers {
    fn purgeable_bytes(&self) -> u64 {
        1000
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        (self.0)()
    }
}

#[test]
fn a_rising_level_is_a_warning_with_what_pressed() {
    let heard = listen(|| (), || overfill(&start()));
    let rise = heard.iter().find(|event| event.level == Level::WARN).unwrap();
    assert_eq!(rise.target, "bursar");
    assert_eq!((rise.field("from"), rise.field("to")), (Some("normal"), Some("emergency")));
    assert_eq!(rise.field("diagnosis"), Some("live"));
    let usage: f64 = rise.field("usage_ratio").unwrap().parse().unwrap();
    assert!(usage > 1.0, "{usage}");
}

#[test]
fn a_cleanup_is_told_once_with_its_figures() {
    let heard = listen(
        || (),
        || {
            let bursar = start();
            let _registration = bursar
                .register(Entry::new("idle", Arc::new(Answers(|| PurgeOutcome::Empty))))
                .unwrap();
            bursar.reclaim(PressureLevel::Critical).unwrap();
        },
    );
    assert_eq!(heard.len(), 1, "{heard:?}");
    let cleanup = &heard[0];
    assert_eq!((cleanup.level, cleanup.field("level")), (Level::INFO, Some("critical")));
    for figure in ["freed_bytes", "target_bytes", "elapsed_seconds", "observed_only"] {
        assert!(cleanup.field(figure).is_some(), "{figure} in {cleanup:?}");
    }
    assert_eq!(cleanup.field("tag"), None, "no tag's budget pressed");
    assert_eq!(cleanup.field("is_futile"), None, "of what is asked for directly nobody judges");
}

#[test]
fn a_cleanup_that_was_due_says_whether_it_was_futile() {
    let heard = listen(
        || (),
        || {
            let bursar = start();
            let _registration = bursar
                .register(Entry::new("idle", Arc::new(Answers(|| PurgeOutcome::Empty))))
                .unwrap();
            overfill(&bursar);
        },
    );
    let cleanup = heard.iter().find(|event| event.field("freed_bytes").is_some()).unwrap();
    assert_eq!(cleanup.field("is_futile"), Some("true"), "{cleanup:?}");
}

#[test]
fn a_callback_that_panics_is_a_warning_by_name() {
    let heard = listen(
        || (),
        || {
            let bursar = start();
            let fragile = Answers(|| resume_unwind(Box::new("as expected")));
            let _registration = bursar.register(Entry::new("fragile", Arc::new(fragile))).unwrap();
            bursar.reclaim(PressureLevel::Emergency).unwrap();
        },
    );
    let warning = heard.iter().find(|event| event.level == Level::WARN).unwrap();
    assert_eq!(warning.field("purgeable"), Some("fragile"));
}

#[test]
fn a_callback_that_took_too_long_is_an_error_once_it_returns() {
    let heard = listen(
        || (),
        || {
            let mut profile = Profile::default();
            profile.stall_after = Duration::from_nanos(1);
            let builder = Bursar::builder().budget("32MiB").profile(profile);
            let bursar = builder.threadless(true).start().unwrap();
            let slow = Answers(|| PurgeOutcome::Freed(u64::from(std::process::id())));
            let _registration = bursar.register(Entry::new("slow", Arc::new(slow))).unwrap();
            bursar.reclaim(PressureLevel::Emergency).unwrap();
        },
    );
    let error = heard.iter().find(|event| event.level == Level::ERROR).unwrap();
    assert_eq!(error.field("purgeable"), Some("slow"));
}

#[test]
fn a_subscriber_may_allocate_lock_and_read_statistics() {
    static BURSAR: Mutex<Option<Arc<Bursar>>> = Mutex::new(None);
    static READS: AtomicUsize = AtomicUsize::new(0);
    let act = || {
        let large = vec![1_u8; 4 << 20];
        if let Some(bursar) = lock(&BURSAR).clone() {
            assert!(bursar.stats().live_bytes > large.len() as u64);
            assert!(bursar.checkpoint().is_err(), "the monitor's turn is taken");
            READS.fetch_add(1, Ordering::Relaxed);
        }
    };
    listen(act, || {
        let bursar = Arc::new(start());
        *lock(&BURSAR) = Some(Arc::clone(&bursar));
        overfill(&bursar);
        bursar.reclaim(PressureLevel::Critical).unwrap();
        *lock(&BURSAR) = None;
        assert_eq!(bursar.stats().telemetry_panics_total, 0);
    });
    assert!(READS.load(Ordering::Relaxed) >= 2);
}

/// Panics when it is dropped, with another one.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        resume_unwind(Box::new(PanicsOnDrop));
    }
}

#[test]
fn a_subscriber_that_panics_is_counted_and_the_cleanup_made() {
    let heard = listen(
        || resume_unwind(Box::new(PanicsOnDrop)),
        || {
            let bursar = start();
            overfill(&bursar);
            let report = bursar.reclaim(PressureLevel::Critical).unwrap();
            assert_eq!(report.level, PressureLevel::Critical);
            let stats = bursar.stats();
            assert!(stats.telemetry_panics_total >= 2, "{}", stats.telemetry_panics_total);
            assert_eq!(stats.last_cleanup, Some(report));
        },
    );
    assert!(heard.len() >= 2);
}
