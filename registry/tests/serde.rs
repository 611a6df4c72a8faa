//! Statistics as JSON.
#![cfg(feature = "serde")]

use std::sync::Arc;

use bursar::{
    AccountingAllocator, Bounds, Bursar, Config, Entry, LimitSource, PurgeOutcome, PurgeRequest,
    Purgeable, RebuildCost, RequestScope, RequestUsage, Stats, System,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

struct Pages;

impl Purgeable for Pages {
    fn purgeable_bytes(&self) -> u64 {
        0
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        PurgeOutcome::Empty
    }

    fn set_bounds(&self, _: &Bounds) -> bool {
        true
    }
}

#[test]
fn statistics_go_to_json_and_back() {
    let mut config = Config::default();
    config.limit_bytes = Some(128 << 20);
    let builder = Bursar::builder().config(config).budget("64MiB");
    let bursar = builder.max_bytes("pages", 1024).max_entries("pagse", 8).start().unwrap();
    let entry = Entry::new("pages", Arc::new(Pages)).priority(-2).rebuild_cost(RebuildCost::High);
    let _registration = bursar.register(entry).unwrap();
    let stats = bursar.stats();
    let json = serde_json::to_string(&stats).unwrap();
    assert!(json.contains("\"level\":\"normal\""), "{json}");
    assert!(json.contains("\"soft_limit_bytes\":67108864"), "{json}");
    assert_eq!(serde_json::from_str::<Stats>(&json).unwrap(), stats);

    let pages = &stats.purgeables[0];
    assert_eq!((pages.max_bytes, pages.max_entries), (Some(1024), None));
    assert_eq!((pages.priority, pages.rebuild_cost), (-2, RebuildCost::High));
    assert!(json.contains("\"max_bytes\":1024,\"max_entries\":null"), "{json}");
    assert!(json.contains("\"bounds_unused\":[\"pagse\"]"), "{json}");

    let limits = &stats.limits;
    assert_eq!((limits.limit_bytes, limits.from), (Some(128 << 20), Some(LimitSource::Given)));
    assert!(json.contains("\"limit_bytes\":134217728,\"from\":\"given\""), "{json}");
    let (lambda, cgroup) = (limits.answer(LimitSource::Lambda), limits.answer(LimitSource::Cgroup));
    assert!(lambda.is_some() && cgroup.is_some(), "the others are asked too: {limits:?}");
    let text = stats.to_string();
    assert!(text.contains("\nlimit from given: 128.0 MiB (limit_bytes)\n"), "{text}");
}

#[test]
fn the_figures_of_a_request_go_to_json_and_back() {
    let scope = RequestScope::new();
    drop(scope.enter());
    let usage = scope.usage();
    let json = serde_json::to_string(&usage).unwrap();
    assert!(json.contains("\"net_bytes\":0,\"peak_bytes\":0,\"sections\":1"), "{json}");
    assert_eq!(serde_json::from_str::<RequestUsage>(&json).unwrap(), usage);
}
