//! Names, and who may be inside an entry when.

use std::sync::mpsc;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bursar_alloc::MAX_TAG_NAME_LEN;

use super::slot::Panicked;
use super::*;
use crate::purge::{PurgeOutcome, PurgeRequest};
use crate::testing::PanicsWhenDropped;

mod bounds;

struct Idle;

impl Purgeable for Idle {
    fn purgeable_bytes(&self) -> u64 {
        1
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        PurgeOutcome::Empty
    }
}

fn idle(name: &str) -> Entry {
    Entry::new(name.to_owned(), Arc::new(Idle))
}

#[test]
fn a_name_can_be_registered_once_at_a_time() {
    let registry = Registry::default();
    let first = registry.register(idle("pages")).unwrap();
    let error = registry.register(idle("pages")).unwrap_err();
    assert_eq!(error, Error::DuplicateName { given: "pages".to_owned() });
    assert_eq!(registry.len(), 1);

    drop(first);
    assert!(registry.is_empty());
    let again = registry.register(idle("pages")).unwrap();
    assert_eq!(again.name(), "pages");
}

#[test]
fn empty_long_and_unlabelable_names_are_refused_with_what_was_given() {
    let registry = Registry::default();
    for bad in ["", "two words", "line\n", "\"", "é", &"n".repeat(MAX_TAG_NAME_LEN + 1)] {
        let error = registry.register(idle(bad)).unwrap_err();
        assert_eq!(error, Error::InvalidName { given: bad.to_owned() });
    }
    assert!(registry.is_empty());
}

#[test]
fn a_registration_that_outlives_its_registry_drops_quietly() {
    let registry = Registry::default();
    let registration = registry.register(idle("pages")).unwrap();
    drop(registry);
    drop(registration);
}

#[test]
fn unregistering_waits_for_the_callback_that_runs_and_no_other_is_made() {
    struct Slow {
        entered: mpsc::SyncSender<()>,
        leave: Mutex<mpsc::Receiver<()>>,
        left: Arc<AtomicU64>,
    }
    impl Purgeable for Slow {
        fn purgeable_bytes(&self) -> u64 {
            self.entered.send(()).unwrap();
            self.leave.lock().unwrap().recv().unwrap();
            self.left.fetch_add(1, Ordering::SeqCst);
            1
        }
        fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
            PurgeOutcome::Empty
        }
    }

    let (entered, has_entered) = mpsc::sync_channel(0);
    let (may_leave, leave) = mpsc::channel();
    let left = Arc::new(AtomicU64::new(0));
    let slow = Slow { entered, leave: Mutex::new(leave), left: Arc::clone(&left) };
    let registry = Registry::default();
    let registration = registry.register(Entry::new("slow", Arc::new(slow))).unwrap();
    let slot = registry.slots().remove(0);

    let caller = thread::spawn({
        let slot = Arc::clone(&slot);
        move || slot.purgeable_bytes()
    });
    has_entered.recv().unwrap();
    let unregistering = thread::spawn({
        let left = Arc::clone(&left);
        move || {
            drop(registration);
            left.load(Ordering::SeqCst)
        }
    });
    may_leave.send(()).unwrap();
    assert_eq!(unregistering.join().unwrap(), 1, "the callback had left before the drop returned");
    assert_eq!(caller.join().unwrap(), 1);
    assert_eq!(slot.call(|_| ()), None, "a handle copied before is let in no more");
}

#[test]
fn a_callback_may_unregister_itself() {
    #[derive(Default)]
    struct Quitter(Mutex<Option<Registration>>);
    impl Purgeable for Quitter {
        fn purgeable_bytes(&self) -> u64 {
            drop(self.0.lock().unwrap().take());
            1
        }
        fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
            PurgeOutcome::Empty
        }
    }
    let registry = Registry::default();
    let quitter = Arc::new(Quitter::default());
    let registration = registry
        .register(Entry::new("quitter", Arc::clone(&quitter) as Arc<dyn Purgeable>))
        .unwrap();
    *quitter.0.lock().unwrap() = Some(registration);

    let slot = registry.slots().remove(0);
    assert_eq!(slot.purgeable_bytes(), 1);
    assert!(registry.is_empty());
    assert_eq!(slot.purgeable_bytes(), 0);
}

#[test]
fn a_callback_that_panics_is_contained_counted_and_can_be_called_again() {
    struct Fragile;
    impl Purgeable for Fragile {
        fn purgeable_bytes(&self) -> u64 {
            1
        }
        fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
            std::panic::resume_unwind(Box::new("as expected"))
        }
    }
    let registry = Registry::default();
    let _registration = registry.register(Entry::new("fragile", Arc::new(Fragile))).unwrap();
    let slot = registry.slots().remove(0);
    let request = PurgeRequest::new(1, crate::pressure::PressureLevel::Warning);
    for times in 1..=2 {
        assert_eq!(slot.call(|fragile| fragile.purge(&request)), Some(Err(Panicked)));
        assert_eq!(slot.totals().panics.load(Ordering::Relaxed), times);
    }
}

#[test]
fn what_a_callback_throws_may_throw_again_when_it_is_dropped() {
    let registry = Registry::default();
    let _registration = registry.register(idle("idle")).unwrap();
    let slot = registry.slots().remove(0);
    assert_eq!(slot.call(|_| PanicsWhenDropped::throw()), Some(Err(Panicked)));
    assert_eq!(slot.totals().panics.load(Ordering::Relaxed), 1);
}
