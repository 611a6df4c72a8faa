//! Bounds out of the configuration: who is told, when, and what becomes of those who refuse.

use bursar_alloc::{Tag, tag_usage};

use super::*;

/// What it is told, and what it does then.
struct Bounded<F> {
    told: Mutex<Vec<Bounds>>,
    on_bounds: F,
}

impl<F: Fn() -> bool + Send + Sync> Bounded<F> {
    fn new(on_bounds: F) -> Arc<Self> {
        Arc::new(Self { told: Mutex::default(), on_bounds })
    }

    fn told(&self) -> Vec<Bounds> {
        self.told.lock().unwrap().clone()
    }
}

impl<F: Fn() -> bool + Send + Sync> Purgeable for Bounded<F> {
    fn purgeable_bytes(&self) -> u64 {
        1
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        PurgeOutcome::Empty
    }

    fn set_bounds(&self, bounds: &Bounds) -> bool {
        self.told.lock().unwrap().push(*bounds);
        (self.on_bounds)()
    }
}

fn bounded(name: &'static str, by: &Arc<impl Purgeable + 'static>) -> Entry {
    Entry::new(name, Arc::clone(by) as Arc<dyn Purgeable>)
}

const PAGES: Bounds = Bounds { max_bytes: Some(8 << 20), max_entries: Some(100) };

/// A registry of a configuration that has bounds for `pages`.
fn registry() -> Registry {
    Registry::with_bounds([("pages".to_owned(), PAGES)].into())
}

#[test]
fn a_purgeable_is_told_the_bounds_of_its_name_once_and_others_are_told_none() {
    let (registry, pages, other) = (registry(), Bounded::new(|| true), Bounded::new(|| true));
    let _pages = registry.register(bounded("pages", &pages)).unwrap();
    let _other = registry.register(bounded("other", &other)).unwrap();
    assert_eq!(pages.told(), [PAGES]);
    assert_eq!(other.told(), []);
    let bounds: Vec<_> = registry.slots().iter().map(|slot| slot.bounds()).collect();
    assert_eq!(bounds, [None, Some(PAGES)], "as the statistics have them, by name");
}

#[test]
fn a_registry_of_nobody_has_no_bounds_to_set() {
    let pages = Bounded::new(|| false);
    let _registration = Registry::default().register(bounded("pages", &pages)).unwrap();
    assert_eq!(pages.told(), []);
}

#[test]
fn while_bounds_are_set_the_name_is_taken_and_nobody_can_ask_its_holder() {
    let registry = registry();
    let pages = Bounded::new({
        let registry = registry.clone();
        move || {
            // Were a lock held, these would wait for ever.
            assert!(registry.is_empty() && registry.slots().is_empty());
            let error = registry.register(idle("pages")).unwrap_err();
            assert_eq!(error, Error::DuplicateName { given: "pages".to_owned() });
            drop(registry.register(idle("another")).unwrap());
            true
        }
    });
    let _registration = registry.register(bounded("pages", &pages)).unwrap();
    assert_eq!((registry.len(), registry.slots().len()), (1, 1));
}

#[test]
fn of_two_with_one_name_only_the_first_is_told() {
    let (registry, first, second) = (registry(), Bounded::new(|| true), Bounded::new(|| true));
    let registration = registry.register(bounded("pages", &first)).unwrap();
    let error = registry.register(bounded("pages", &second)).unwrap_err();
    assert_eq!(error, Error::DuplicateName { given: "pages".to_owned() });
    assert_eq!(second.told(), []);

    drop(registration);
    let _registration = registry.register(bounded("pages", &second)).unwrap();
    assert_eq!(second.told(), [PAGES]);
}

#[test]
fn what_setting_bounds_allocates_is_charged_to_the_purgeables_tag() {
    static TAG: Tag = Tag::new("registry/bounds");
    let kept = Arc::new(Mutex::new(Vec::new()));
    let pages = Bounded::new({
        let kept = Arc::clone(&kept);
        move || {
            *kept.lock().unwrap() = vec![1_u8; 4096];
            true
        }
    });
    let _registration = registry().register(bounded("pages", &pages).tag(&TAG)).unwrap();
    assert!(tag_usage(&TAG).live_bytes >= 4096);
}

#[test]
fn one_without_such_bounds_is_refused_by_name_and_setting_and_its_name_is_free_again() {
    let registry = registry();
    let error = registry.register(idle("pages")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the purgeable \"pages\" cannot be given max_bytes 8388608 and max_entries 100: it does \
         not have these bounds; allowed are bounds under the names of purgeables that have them"
    );
    assert!(registry.is_empty());
    let _registration = registry.register(bounded("pages", &Bounded::new(|| true))).unwrap();
    assert_eq!(registry.len(), 1);
}

#[test]
fn one_that_panics_when_given_its_bounds_is_refused_and_may_try_again() {
    let registry = registry();
    let times = AtomicU64::new(0);
    let fragile = Bounded::new(move || {
        if times.fetch_add(1, Ordering::Relaxed) == 0 {
            std::panic::resume_unwind(Box::new("as expected"));
        }
        true
    });
    let error = registry.register(bounded("pages", &fragile)).unwrap_err();
    assert!(
        matches!(&error, Error::BoundsNotSet { name, reason: "it panicked", .. } if name == "pages"),
        "{error}"
    );
    assert!(registry.is_empty());
    let _registration = registry.register(bounded("pages", &fragile)).unwrap();
    assert_eq!(fragile.told(), [PAGES, PAGES]);
}

#[test]
fn a_name_with_bounds_is_unused_until_something_was_registered_under_it() {
    let by_name = ["pages", "pagse"].map(|name| (name.to_owned(), PAGES));
    let registry = Registry::with_bounds(by_name.into());
    assert_eq!(registry.unused_bounds(), ["pages", "pagse"]);
    assert!(registry.register(idle("pages")).is_err());
    assert_eq!(registry.unused_bounds(), ["pages", "pagse"], "it was not registered");

    let registration = registry.register(bounded("pages", &Bounded::new(|| true))).unwrap();
    assert_eq!(registry.unused_bounds(), ["pagse"]);
    drop(registration);
    assert_eq!(registry.unused_bounds(), ["pagse"], "it has been there");
}
