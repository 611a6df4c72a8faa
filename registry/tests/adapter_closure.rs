//! Closures as a purgeable, over the real allocator.

mod adapter_support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use adapter_support::{Bytes, ENTRIES, ask, ask_too_late, held, purge, value};
use bursar::{Entry, FnPurgeable, PurgeOutcome, Registry, Tag};

type Shelf = Arc<Mutex<Vec<Bytes>>>;

fn filled(tag: &'static Tag) -> Shelf {
    tag.scope(|| Arc::new(Mutex::new((0..ENTRIES).map(value).collect())))
}

fn len_bytes(values: &[Bytes]) -> u64 {
    values.iter().map(|value| value.len() as u64).sum()
}

fn closures(tag: &'static Tag, shelf: &Shelf) -> FnPurgeable {
    let (counted, purged) = (Arc::downgrade(shelf), Arc::downgrade(shelf));
    let count = move || counted.upgrade().map_or(0, |shelf| len_bytes(&shelf.lock().unwrap()));
    FnPurgeable::new(tag, count, move |request| {
        let Some(shelf) = purged.upgrade() else { return PurgeOutcome::Empty };
        let Ok(mut locked) = shelf.try_lock() else { return PurgeOutcome::Busy };
        if request.deadline.is_some() {
            return PurgeOutcome::Busy;
        }
        let kept = locked.len() - locked.len().min(request.target_bytes as usize / 1024);
        let taken = locked.split_off(kept);
        drop(locked);
        PurgeOutcome::Freed(len_bytes(&taken))
    })
}

#[test]
fn closures_are_asked_with_the_request_and_their_claim_is_handed_on() {
    static TAG: Tag = Tag::new("closure/half");
    let shelf = filled(&TAG);
    let entry = Entry::from(closures(&TAG, &shelf));
    assert_eq!(entry.purgeable().purgeable_bytes(), ENTRIES * 1024);
    let purged = purge(&entry, &TAG, ENTRIES / 2 * 1024);
    assert_eq!(purged.claimed, ENTRIES / 2 * 1024);
    assert!((0.45..0.55).contains(&purged.share()), "{purged:?}");
    purged.assert_is_honest();
    assert_eq!(ask_too_late(&entry), PurgeOutcome::Busy);
    let _locked = shelf.lock().unwrap();
    assert_eq!(ask(&entry, 1), PurgeOutcome::Busy);
}

#[test]
fn they_are_registered_under_their_tags_name_and_what_they_allocate_is_charged_to_it() {
    static TAG: Tag = Tag::new("closure/named");
    let grown: Arc<Mutex<Vec<u8>>> = Arc::default();
    let growing = Arc::clone(&grown);
    let purgeable = FnPurgeable::new(
        &TAG,
        || 0,
        move |_| {
            growing.lock().unwrap().resize(4096, 0);
            PurgeOutcome::Empty
        },
    );
    let registry = Registry::default();
    let entry = Entry::from(purgeable);
    let registration = registry.register(entry.clone()).unwrap();
    assert_eq!(registration.name(), "closure/named");
    assert_eq!(ask(&entry, 1), PurgeOutcome::Empty);
    assert_eq!(held(&TAG), 4096);
}

#[test]
fn the_end_of_pressure_is_told_to_whoever_asked_for_it() {
    static TAG: Tag = Tag::new("closure/passed");
    let told = Arc::new(AtomicU32::new(0));
    let telling = Arc::clone(&told);
    let silent = FnPurgeable::new(&TAG, || 0, |_| PurgeOutcome::Empty);
    Entry::from(silent).purgeable().pressure_passed();
    let purgeable = FnPurgeable::new(&TAG, || 0, |_| PurgeOutcome::Empty);
    let purgeable = purgeable.on_pressure_passed(move || {
        telling.fetch_add(1, Ordering::Relaxed);
    });
    Entry::from(purgeable).purgeable().pressure_passed();
    assert_eq!(told.load(Ordering::Relaxed), 1);
}
