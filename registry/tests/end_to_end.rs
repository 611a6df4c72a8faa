//! The real thing: allocator, monitor thread and callbacks in one process. One Bursar runs in a
//! process at a time, so the tests take turns.

mod turn;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use bursar::{
    AccountingAllocator, Budget, Bursar, Cache, Entry, Error, Pool, PressureLevel, Profile,
    PurgeOutcome, PurgeRequest, Purgeable, Registration, Registry, Stage, Tag, tag_usage,
};
use turn::take_turn;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: AccountingAllocator<bursar::Jemalloc> =
    AccountingAllocator::new(bursar::Jemalloc);
#[cfg(not(feature = "jemalloc"))]
#[global_allocator]
static ALLOCATOR: AccountingAllocator<bursar::System> = AccountingAllocator::new(bursar::System);

/// With next to no wait after a futile cleanup, for tests that make many.
fn start() -> Bursar {
    let mut profile = Profile::default();
    profile.cooldown = Duration::from_millis(1);
    let budget = Budget::new(32 << 20).unwrap().with_profile(profile).unwrap();
    Bursar::builder().budget(budget).start().unwrap()
}

/// Waits for what the monitor's thread is to bring about; for ever, if it does not.
fn wait_until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        thread::yield_now();
    }
}

#[test]
fn a_growing_cache_is_kept_within_the_budget_by_the_monitors_thread() {
    static TAG: Tag = Tag::new("end-to-end/cache");
    let _turn = take_turn();
    let bursar = start();
    let cache: Cache<u64, Arc<[u8]>> = Cache::new(&TAG);
    let registration = bursar.register(&cache).unwrap();
    assert_eq!(registration.name(), "end-to-end/cache");

    let mut next = 0;
    let mut most_bytes = 0;
    wait_until(|| {
        cache.get_or_insert_with(next, || vec![1; 16 << 10].into());
        next += 1;
        most_bytes = most_bytes.max(tag_usage(&TAG).live_bytes);
        bursar.stats().cleanups_total >= 3
    });
    assert!(next > 1000, "more was put in than fits: {next}");
    assert!(most_bytes < 2 * bursar.budget().soft_limit_bytes(), "{most_bytes}");

    let stats = bursar.stats();
    let purgeable = stats.purgeables.iter().find(|p| p.name == "end-to-end/cache").unwrap();
    assert!(purgeable.freed_bytes_total > 0);
    // Two arrays are alive for a moment while a value moves from a vector to its `Arc`.
    let claimed = purgeable.claimed_bytes_total as f64;
    let measured = purgeable.freed_bytes_total as f64;
    assert!((0.9..1.1).contains(&(measured / claimed)), "measured {measured} claimed {claimed}");
    let report = stats.last_cleanup.clone().unwrap();
    assert!(report.freed_bytes > 0);
    assert!(stats.to_string().contains("end-to-end/cache"), "{stats}");
}

/// Notes what thread calls it, and does what the test says.
struct Probe {
    called_on: Mutex<Vec<ThreadId>>,
    act: Box<dyn Fn(&PurgeRequest) -> PurgeOutcome + Send + Sync>,
}

impl Probe {
    fn new(act: impl Fn(&PurgeRequest) -> PurgeOutcome + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { called_on: Mutex::new(Vec::new()), act: Box::new(act) })
    }

    fn calls(&self) -> usize {
        self.called_on.lock().unwrap().len()
    }
}

impl Purgeable for Probe {
    fn purgeable_bytes(&self) -> u64 {
        64 << 20
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        self.called_on.lock().unwrap().push(thread::current().id());
        (self.act)(request)
    }
}

#[test]
fn no_callback_ever_runs_on_an_allocating_thread() {
    let _turn = take_turn();
    let bursar = start();
    let held = Arc::new(Mutex::new(Vec::new()));
    let probe = Probe::new({
        let held = Arc::clone(&held);
        move |_| {
            let Ok(mut held) = held.try_lock() else {
                return PurgeOutcome::Busy;
            };
            let freed: Vec<Vec<u8>> = std::mem::take(&mut held);
            PurgeOutcome::Freed(freed.iter().map(|block| block.len() as u64).sum())
        }
    });
    let _registration = bursar.register(Entry::new("probe", probe.clone())).unwrap();

    let enough = AtomicBool::new(false);
    let allocating: Vec<ThreadId> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while !enough.load(Ordering::Relaxed) {
                        let block = vec![1u8; 32 << 10];
                        held.lock().unwrap().push(block);
                    }
                    thread::current().id()
                })
            })
            .collect();
        wait_until(|| probe.calls() >= 20);
        enough.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let called_on = probe.called_on.lock().unwrap().clone();
    assert!(called_on.iter().all(|thread| *thread == called_on[0]), "one thread calls them all");
    assert!(!allocating.contains(&called_on[0]));
    assert_ne!(called_on[0], thread::current().id());
}

#[test]
fn a_callback_may_allocate_register_unregister_and_panic() {
    static TAG: Tag = Tag::new("end-to-end/acrobat");
    let _turn = take_turn();
    let bursar = start();
    let registry: Registry = bursar.registry().clone();
    let ballast = Arc::new(Mutex::new(vec![1u8; 40 << 20]));
    let acts = Arc::new(AtomicUsize::new(0));
    let other = Mutex::new(None::<Registration>);
    let probe = Probe::new({
        let (ballast, acts) = (Arc::clone(&ballast), Arc::clone(&acts));
        move |_| match acts.fetch_add(1, Ordering::SeqCst) {
            0 => {
                let before = tag_usage(&TAG).allocated_bytes_total;
                drop(std::hint::black_box(vec![0u8; 1 << 20]));
                let after = tag_usage(&TAG).allocated_bytes_total;
                assert_eq!(after - before, 1 << 20, "counted under its own tag");
                PurgeOutcome::Busy
            }
            1 => {
                let entry = Entry::new("acrobat/other", Probe::new(|_| PurgeOutcome::Empty));
                *other.lock().unwrap() = Some(registry.register(entry).unwrap());
                PurgeOutcome::Empty
            }
            2 => std::panic::resume_unwind(Box::new("as expected")),
            3 => {
                drop(other.lock().unwrap().take());
                PurgeOutcome::Empty
            }
            _ => {
                let bytes = std::mem::take(&mut *ballast.lock().unwrap()).len();
                PurgeOutcome::Freed(bytes as u64)
            }
        }
    });
    let entry = Entry::new("acrobat", probe).tag(&TAG);
    let _registration = bursar.register(entry).unwrap();
    wait_until(|| ballast.lock().unwrap().is_empty());
    wait_until(|| bursar.stats().purgeables[0].purges_total >= 5);

    let stats = bursar.stats();
    assert_eq!(stats.purgeables.len(), 1, "the other one came and went");
    let acrobat = &stats.purgeables[0];
    assert_eq!((acrobat.busy_total, acrobat.panics_total), (1, 1));
}

#[test]
fn after_a_registration_is_dropped_its_callback_is_never_called_again() {
    let _turn = take_turn();
    let bursar = start();
    let calls = Arc::new(AtomicU64::new(0));
    let probe = Probe::new({
        let calls = Arc::clone(&calls);
        move |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            PurgeOutcome::Freed(1 << 20)
        }
    });
    let registration = bursar.register(Entry::new("short-lived", probe)).unwrap();
    let witness = Probe::new(|_| PurgeOutcome::Busy);
    let _witness = bursar.register(Entry::new("witness", witness.clone())).unwrap();
    let _ballast = std::hint::black_box(vec![1u8; 40 << 20]);
    wait_until(|| calls.load(Ordering::SeqCst) > 0);
    drop(registration);
    let calls_at_drop = calls.load(Ordering::SeqCst);
    let witnessed = witness.calls();
    wait_until(|| witness.calls() > witnessed);
    assert_eq!(calls.load(Ordering::SeqCst), calls_at_drop);
}

/// Parks when it is told that the pressure has passed, until it is let go; and eats up what might
/// have woken its thread meanwhile.
struct Sleeper {
    sleeps: AtomicBool,
    may_wake: AtomicBool,
    purges: AtomicUsize,
}

impl Purgeable for Sleeper {
    fn purgeable_bytes(&self) -> u64 {
        64 << 20
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        self.purges.fetch_add(1, Ordering::SeqCst);
        PurgeOutcome::Busy
    }

    fn pressure_passed(&self) {
        self.sleeps.store(true, Ordering::SeqCst);
        while !self.may_wake.load(Ordering::SeqCst) {
            thread::park_timeout(Duration::from_millis(1));
        }
        thread::park_timeout(Duration::ZERO);
    }
}

#[test]
fn a_callback_that_parks_does_not_make_the_monitor_miss_the_flag() {
    let _turn = take_turn();
    let mut profile = Profile::default();
    profile.interval = Duration::from_secs(24 * 60 * 60);
    (profile.calm, profile.dwell) = (Duration::ZERO, Duration::ZERO);
    let budget = Budget::new(32 << 20).unwrap().with_profile(profile).unwrap();
    let bursar = Bursar::builder().budget(budget).start().unwrap();
    let sleeper = Arc::new(Sleeper {
        sleeps: AtomicBool::new(false),
        may_wake: AtomicBool::new(false),
        purges: AtomicUsize::new(0),
    });
    let _registration = bursar.register(Entry::new("sleeper", sleeper.clone())).unwrap();
    let ballast = std::hint::black_box(vec![1u8; 40 << 20]);
    wait_until(|| sleeper.purges.load(Ordering::SeqCst) > 0);
    drop(ballast);
    wait_until(|| sleeper.sleeps.load(Ordering::SeqCst));
    let purges = sleeper.purges.load(Ordering::SeqCst);

    // The allocator wakes the monitor's thread, which is in the callback, and nobody does again.
    let _ballast = std::hint::black_box(vec![1u8; 40 << 20]);
    sleeper.may_wake.store(true, Ordering::SeqCst);
    wait_until(|| sleeper.purges.load(Ordering::SeqCst) > purges);
}

#[test]
fn starting_twice_is_an_error_and_starting_again_after_a_stop_is_not() {
    let _turn = take_turn();
    let first = start();
    let error = Bursar::builder().budget("64MiB").start().unwrap_err();
    assert_eq!(error, Error::AlreadyStarted);
    assert_eq!(first.level(), PressureLevel::Normal, "the first one runs on");
    first.stop();
    first.stop();
    let second = start();
    drop(first);
    assert_eq!(Bursar::builder().budget("64MiB").start().unwrap_err(), Error::AlreadyStarted);
    drop(second);
    drop(start());
}

#[test]
fn bounds_of_the_configuration_hold_a_cache_and_a_pool_from_their_registration_on() {
    static PAGES: Tag = Tag::new("end-to-end/pages");
    static BUFFERS: Tag = Tag::new("end-to-end/buffers");
    let _turn = take_turn();
    let bursar = Bursar::builder()
        .budget("1GiB")
        .max_bytes("end-to-end/pages", 1 << 20)
        .max_entries("end-to-end/buffers", 2)
        .start()
        .unwrap();
    let pages: Cache<u32, Vec<u8>> = Cache::new(&PAGES);
    let buffers = Pool::new(&BUFFERS, || vec![0u8; 1024]);
    (0..3000).for_each(|id| drop(pages.insert_with(id, || vec![0; 1024])));
    let (_pages, _buffers) = (bursar.register(&pages).unwrap(), bursar.register(&buffers).unwrap());
    assert!(tag_usage(&PAGES).live_bytes <= (1 << 20) + 16_384);

    (3000..9000).for_each(|id| drop(pages.insert_with(id, || vec![0; 1024])));
    assert!(tag_usage(&PAGES).live_bytes <= (1 << 20) + 16_384);
    drop([0; 5].map(|_| buffers.acquire()));
    assert_eq!(buffers.stats().idle, 2);
    let stats = bursar.stats();
    let bounds = |name| {
        let purgeable = stats.purgeables.iter().find(|purgeable| purgeable.name == name).unwrap();
        (purgeable.max_bytes, purgeable.max_entries)
    };
    assert_eq!(bounds("end-to-end/pages"), (Some(1 << 20), None));
    assert_eq!(bounds("end-to-end/buffers"), (None, Some(2)));
}

#[test]
fn registrations_caches_and_bursar_may_be_dropped_in_any_order() {
    static TAG: Tag = Tag::new("end-to-end/orders");
    let _turn = take_turn();
    for order in 0..6 {
        let bursar = start();
        let cache: Cache<u64, Vec<u8>> = Cache::new(&TAG);
        let registration = bursar.register(&cache).unwrap();
        cache.get_or_insert_with(1, || vec![0; 100]);
        match order {
            0 => drop((bursar, registration, cache)),
            1 => drop((bursar, cache, registration)),
            2 => drop((registration, bursar, cache)),
            3 => drop((registration, cache, bursar)),
            4 => drop((cache, bursar, registration)),
            _ => drop((cache, registration, bursar)),
        }
        assert_eq!(tag_usage(&TAG).live_bytes, 0, "order {order}");
    }
}

#[test]
fn bursar_may_be_stopped_from_inside_a_callback() {
    let _turn = take_turn();
    let bursar = Arc::new(Mutex::new(None::<Bursar>));
    let (stopped, has_stopped) = mpsc::channel();
    let probe = Probe::new({
        let bursar = Arc::clone(&bursar);
        move |_| {
            drop(bursar.lock().unwrap().take());
            let _ = stopped.send(());
            PurgeOutcome::Empty
        }
    });
    let running = start();
    let _registration = running.register(Entry::new("stopper", probe)).unwrap();
    *bursar.lock().unwrap() = Some(running);
    let _ballast = std::hint::black_box(vec![1u8; 40 << 20]);
    has_stopped.recv().unwrap();
    // The monitor's thread ends by itself; then there can be another one.
    wait_until(|| Bursar::builder().budget("1GiB").start().is_ok());
}

#[test]
fn bad_budgets_are_refused_with_what_was_given() {
    let _turn = take_turn();
    let refused = |budget: &str| Bursar::builder().budget(budget).start().unwrap_err().to_string();
    assert!(refused("12 bananas").contains("\"12 bananas\""));
    assert!(refused("0").contains("0 bytes is too small"));
    let error = Bursar::builder().budget(0).start().unwrap_err();
    assert!(matches!(error, Error::BudgetTooSmall { given_bytes: 0, .. }));
    assert_eq!(Budget::try_from("16MiB").unwrap().soft_limit_bytes(), 16 << 20);
}

#[test]
fn a_pool_of_the_release_stage_is_left_alone_at_a_warning() {
    let _turn = take_turn();
    let bursar = start();
    let pool = Probe::new(|_| PurgeOutcome::Empty);
    let entry = Entry::new("pool", pool.clone()).stage(Stage::Release);
    let _pool = bursar.register(entry).unwrap();
    let cache = Probe::new(|_| PurgeOutcome::Busy);
    let _cache = bursar.register(Entry::new("cache", cache.clone())).unwrap();
    let live_bytes = bursar.stats().sample.footprint_bytes();
    let warning_bytes = bursar.budget().soft_limit_bytes() * 3 / 4;
    let missing = usize::try_from(warning_bytes - live_bytes).unwrap();
    let _ballast = std::hint::black_box(vec![1u8; missing]);
    wait_until(|| cache.calls() > 0);
    assert_eq!(bursar.level(), PressureLevel::Warning);
    assert_eq!(pool.calls(), 0);
}
