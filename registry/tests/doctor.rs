//! The doctor, over a real process.

mod turn;

use std::sync::Arc;

use bursar::{
    AccountingAllocator, Advice, AdviceCode, Bursar, Cache, Checkup, Severity, System, Tag, examine,
};
use tokio::sync::MutexGuard;
use turn::take_turn;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn start() -> (MutexGuard<'static, ()>, Bursar) {
    (take_turn(), Bursar::builder().budget("64MiB").threadless(true).start().unwrap())
}

/// What is found apart from what the machine is like that the test runs on.
fn of_the_service(advice: Vec<Advice>) -> Vec<Advice> {
    let of_the_machine = [
        AdviceCode::BudgetAboveLimit,
        AdviceCode::LimitUnknown,
        AdviceCode::OomKills,
        AdviceCode::SourcesUnavailable,
        AdviceCode::Swapping,
        AdviceCode::Thrashing,
        AdviceCode::WorkingSetUnknown,
        // The container's level is that of its other processes too.
        AdviceCode::CoolingDown,
        AdviceCode::EmergencyReached,
        AdviceCode::PeakNearLimit,
    ];
    advice.into_iter().filter(|advice| !of_the_machine.contains(&advice.code)).collect()
}

fn codes(advice: &[Advice]) -> Vec<AdviceCode> {
    advice.iter().map(|advice| advice.code).collect()
}

#[test]
fn a_fresh_service_is_told_that_nothing_is_registered_and_a_healthy_one_nothing() {
    static TAG: Tag = Tag::new("doctor/healthy");
    let (_turn, bursar) = start();
    let fresh = of_the_service(bursar.examine());
    assert_eq!(codes(&fresh), [AdviceCode::NothingRegistered]);

    let cache: Cache<u32, Arc<[u8]>> = Cache::new(&TAG);
    let _registration = bursar.register(&cache).unwrap();
    let earlier = bursar.stats();
    for key in 0..10_000 {
        cache.get_or_insert_with(key % 1000, || vec![1; 4096].into());
    }
    bursar.checkpoint().unwrap();
    assert_eq!(of_the_service(bursar.examine()), []);
    let checkup = Checkup::new(bursar.stats()).with_earlier(earlier).with_history(bursar.history());
    assert_eq!(of_the_service(examine(&checkup)), []);
}

#[test]
fn a_cache_that_is_asked_for_each_key_once_is_found_out() {
    static TAG: Tag = Tag::new("doctor/never-hit");
    let (_turn, bursar) = start();
    let cache: Cache<u32, Arc<[u8]>> = Cache::new(&TAG);
    let _registration = bursar.register(&cache).unwrap();
    for key in 0..2000 {
        cache.get_or_insert_with(key, || vec![1; 4096].into());
    }
    let advice = of_the_service(bursar.examine());
    assert_eq!(codes(&advice), [AdviceCode::NeverHit]);
    assert_eq!(advice[0].severity, Severity::Warning);
    let text = advice[0].to_string();
    assert!(text.contains("`doctor/never-hit`") && text.contains("had it 0"), "{text}");
}

#[test]
fn what_nobody_can_purge_is_found_to_be_more_than_the_budget() {
    static TAG: Tag = Tag::new("doctor/sessions");
    let (_turn, bursar) = start();
    let sessions = TAG.scope(|| vec![1u8; 70 << 20]);
    let advice = of_the_service(bursar.examine());
    let advice = advice.iter().find(|advice| advice.code == AdviceCode::BudgetNeverMet).unwrap();
    assert_eq!(advice.severity, Severity::Critical);
    assert!(advice.to_string().contains("largest tag doctor/sessions"), "{advice}");
    drop(sessions);
    let advice = of_the_service(bursar.examine());
    assert!(!codes(&advice).contains(&AdviceCode::BudgetNeverMet), "{advice:?}");
}
