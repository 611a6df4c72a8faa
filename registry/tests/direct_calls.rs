//! What is asked of a Bursar directly, with and without a thread. One runs in a process at a
//! time, so the tests take turns.

mod turn;

use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use bursar::{
    AccountingAllocator, Bursar, Cache, EmergencyReport, Entry, Error, PressureLevel, Profile,
    PurgeOutcome, PurgeRequest, Purgeable, System, Tag, tag_usage,
};
use turn::take_turn;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

const MIB: usize = 1 << 20;

/// A block that goes when it is asked for, and what it noticed then.
struct Ballast {
    block: Mutex<Vec<u8>>,
    asked_on: Mutex<Vec<ThreadId>>,
    on_purge: Box<dyn Fn() + Send + Sync>,
}

impl Ballast {
    fn new(bytes: usize) -> Arc<Self> {
        Self::with(bytes, || ())
    }

    fn with(bytes: usize, on_purge: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let block = Mutex::new(vec![1; bytes]);
        Arc::new(Self { block, asked_on: Mutex::default(), on_purge: Box::new(on_purge) })
    }

    fn asked_on(&self) -> Vec<ThreadId> {
        self.asked_on.lock().unwrap().clone()
    }
}

impl Purgeable for Ballast {
    fn purgeable_bytes(&self) -> u64 {
        self.block.lock().unwrap().len() as u64
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        self.asked_on.lock().unwrap().push(thread::current().id());
        (self.on_purge)();
        match std::mem::take(&mut *self.block.lock().unwrap()).len() {
            0 => PurgeOutcome::Empty,
            bytes => PurgeOutcome::Freed(bytes as u64),
        }
    }
}

#[test]
fn a_reclaim_runs_on_the_calling_thread_and_says_what_came_back() {
    let _turn = take_turn();
    let bursar = Bursar::builder().budget("256MiB").start().unwrap();
    let ballast = Ballast::new(8 * MIB);
    let _registration = bursar.register(Entry::new("ballast", ballast.clone())).unwrap();
    let report = bursar.reclaim(PressureLevel::Warning).unwrap();
    assert_eq!(ballast.asked_on(), [thread::current().id()]);
    // Less what the ballast itself took notes with.
    let measured = report.stages[0].purges[0].measured_bytes.unwrap();
    assert!((8 * MIB as u64 - 1024..=8 * MIB as u64).contains(&measured), "{measured}");
    assert_eq!(bursar.stats().cleanups_total, 1);
    bursar.collect().unwrap();
}

#[test]
fn an_emergency_within_the_budget_does_nothing_and_past_it_takes_everything() {
    let _turn = take_turn();
    let builder = Bursar::builder().budget("16MiB").threadless(true);
    let bursar = builder.start().unwrap();
    let ballast = Ballast::new(8 * MIB);
    let _registration = bursar.register(Entry::new("ballast", ballast.clone())).unwrap();
    assert!(bursar.compliance().is_compliant);
    assert!(matches!(bursar.emergency().unwrap(), EmergencyReport::NotNeeded(_)));
    assert!(ballast.asked_on().is_empty());

    let more = std::hint::black_box(vec![1u8; 12 * MIB]);
    let compliance = bursar.compliance();
    assert!(!compliance.is_compliant && compliance.margin_bytes < 0);
    let report = bursar.emergency().unwrap();
    let EmergencyReport::Done(report) = report else { panic!("{report:?}") };
    assert!(report.freed_bytes > 7 * MIB as u64);
    assert!(bursar.compliance().is_compliant);
    drop(more);
}

#[test]
fn a_cleanup_from_inside_a_callback_is_refused_and_what_only_reads_is_not() {
    let _turn = take_turn();
    let bursar = Arc::new(Bursar::builder().budget("256MiB").start().unwrap());
    let seen = Arc::new(Mutex::new(None));
    let (inner, seen_inside) = (Arc::downgrade(&bursar), Arc::clone(&seen));
    let ballast = Ballast::with(MIB, move || {
        let bursar = inner.upgrade().unwrap();
        let refused = [
            bursar.reclaim(PressureLevel::Critical).err(),
            bursar.collect().err(),
            bursar.emergency().err(),
            bursar.checkpoint().err(),
        ];
        let reads = bursar.compliance().is_compliant && bursar.stats().cleanups_total == 0;
        *seen_inside.lock().unwrap() = Some((refused, reads));
    });
    let _registration = bursar.register(Entry::new("ballast", ballast)).unwrap();
    bursar.reclaim(PressureLevel::Critical).unwrap();
    let refused = [const { Some(Error::InsideCallback) }; 4];
    assert_eq!(*seen.lock().unwrap(), Some((refused, true)));
}

#[test]
fn once_stopped_it_says_so_and_still_answers_what_it_can() {
    let _turn = take_turn();
    for threadless in [false, true] {
        let bursar = Bursar::builder().budget("256MiB").threadless(threadless).start().unwrap();
        bursar.stop();
        assert_eq!(bursar.reclaim(PressureLevel::Warning), Err(Error::NotRunning));
        assert_eq!(bursar.checkpoint(), Err(Error::NotRunning));
        assert!(bursar.compliance().is_compliant);
        assert_eq!(bursar.stats().cleanups_total, 0);
    }
}

#[test]
fn without_a_thread_nothing_is_done_until_the_checkpoint_and_then_by_the_calling_thread() {
    let _turn = take_turn();
    let builder = Bursar::builder().budget("16MiB").profile(Profile::function());
    let bursar = builder.threadless(true).start().unwrap();
    let ballast = Ballast::new(14 * MIB);
    let _registration = bursar.register(Entry::new("ballast", ballast.clone())).unwrap();
    assert_eq!(bursar.level(), PressureLevel::Normal, "as it was when it started");
    assert!(ballast.asked_on().is_empty());
    let checkpoint = bursar.checkpoint().unwrap();
    assert!(checkpoint.level >= PressureLevel::Warning);
    assert!(checkpoint.cleanup.unwrap().freed_bytes > 13 * MIB as u64);
    assert_eq!(ballast.asked_on(), [thread::current().id()]);
    assert_eq!(bursar.checkpoint().unwrap().cleanup, None, "nothing more is due");
}

#[test]
fn a_final_cleanup_asks_everyone_once_when_it_is_stopped() {
    let _turn = take_turn();
    for threadless in [false, true] {
        let builder = Bursar::builder().budget("256MiB").final_cleanup(true);
        let bursar = builder.threadless(threadless).start().unwrap();
        let ballast = Ballast::new(MIB);
        let _registration = bursar.register(Entry::new("ballast", ballast.clone())).unwrap();
        bursar.stop();
        assert_eq!(ballast.purgeable_bytes(), 0);
        bursar.stop();
        drop(bursar);
        assert_eq!(ballast.asked_on().len(), 1);
    }
}

#[test]
fn a_tag_is_kept_to_its_own_budget_and_its_neighbour_keeps_every_entry() {
    static BOUND: Tag = Tag::new("direct/bound");
    static FREE: Tag = Tag::new("direct/free");
    const BUDGET: u64 = 8 * MIB as u64;
    let _turn = take_turn();
    // However slow a busy machine makes a cleanup.
    let mut profile = Profile::default();
    (profile.max_cpu_share, profile.callback_deadline) = (1.0, Duration::from_secs(60));
    let builder = Bursar::builder().budget("256MiB").tag_budget("direct/bound", BUDGET);
    let bursar = builder.profile(profile).threadless(true).start().unwrap();
    let bound: Cache<usize, Vec<u8>> = Cache::new(&BOUND);
    let free: Cache<usize, Vec<u8>> = Cache::new(&FREE);
    let _registrations = [bursar.register(&bound).unwrap(), bursar.register(&free).unwrap()];
    for key in 0..4000 {
        bound.get_or_insert_with(key, || vec![1; 4096]);
        free.get_or_insert_with(key, || vec![1; 4096]);
        if key % 100 == 0 {
            bursar.checkpoint().unwrap();
            assert!(tag_usage(&BOUND).live_bytes <= BUDGET, "key {key}");
        }
    }
    assert_eq!(free.stats().purged_total, 0);
    assert!(bound.stats().purged_total > 1000);
    assert_eq!(tag_usage(&BOUND).budget_bytes, Some(BUDGET));
    drop(bursar);
    assert_eq!(tag_usage(&BOUND).budget_bytes, None, "the budget ends with Bursar");
}

#[test]
fn a_tag_that_cannot_have_a_budget_is_refused_by_its_name() {
    let _turn = take_turn();
    let builder = Bursar::builder().budget("256MiB").tag_budget("no such name!", 1 << 20);
    let error = builder.start().unwrap_err();
    assert!(error.to_string().contains("no such name!"), "{error}");
    drop(Bursar::builder().budget("256MiB").start().unwrap());
}
