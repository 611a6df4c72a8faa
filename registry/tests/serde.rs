//! Statistics as JSON.
#![cfg(feature = "serde")]

use bursar::{AccountingAllocator, Bursar, Config, LimitSource, Stats, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

#[test]
fn statistics_go_to_json_and_back() {
    let mut config = Config::default();
    config.limit_bytes = Some(128 << 20);
    let bursar = Bursar::builder().config(config).budget("64MiB").start().unwrap();
    let stats = bursar.stats();
    let json = serde_json::to_string(&stats).unwrap();
    assert!(json.contains("\"level\":\"normal\""), "{json}");
    assert!(json.contains("\"soft_limit_bytes\":67108864"), "{json}");
    assert_eq!(serde_json::from_str::<Stats>(&json).unwrap(), stats);

    let limits = &stats.limits;
    assert_eq!((limits.limit_bytes, limits.from), (Some(128 << 20), Some(LimitSource::Given)));
    assert!(json.contains("\"limit_bytes\":134217728,\"from\":\"given\""), "{json}");
    let (lambda, cgroup) = (limits.answer(LimitSource::Lambda), limits.answer(LimitSource::Cgroup));
    assert!(lambda.is_some() && cgroup.is_some(), "the others are asked too: {limits:?}");
    let text = stats.to_string();
    assert!(text.contains("\nlimit from given: 128.0 MiB (limit_bytes)\n"), "{text}");
}
