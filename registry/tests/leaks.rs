//! The leak finder, over a real process and hours that pass in no time.

mod turn;

use std::sync::Arc;
use std::time::Duration;

use bursar::{
    AccountingAllocator, AdviceCode, Bursar, ManualClock, Severity, System, Tag, examine,
};
use turn::take_turn;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

const KIB: usize = 1 << 10;

/// A service of which a minute passes at a time.
struct Service {
    bursar: Bursar,
    clock: Arc<ManualClock>,
}

impl Service {
    fn start() -> Self {
        let clock = Arc::new(ManualClock::default());
        let builder = Bursar::builder().budget("64MiB").threadless(true);
        Self { bursar: builder.clock(clock.clone()).start().unwrap(), clock }
    }

    /// Has so many minutes pass, in each of which `work` is done.
    fn run(&self, minutes: u32, mut work: impl FnMut(u32)) {
        for minute in 0..minutes {
            work(minute);
            for _ in 0..6 {
                self.clock.advance(Duration::from_secs(10));
                self.bursar.checkpoint().unwrap();
            }
        }
    }

    /// The tags that are told to leak, by what is said of them.
    fn leaks(&self) -> Vec<String> {
        let advice = self.bursar.examine();
        let leaks = advice.iter().filter(|advice| advice.code == AdviceCode::LeakingTag);
        leaks
            .map(|advice| {
                assert_eq!(advice.severity, Severity::Warning);
                advice.to_string()
            })
            .collect()
    }
}

#[test]
fn the_tag_that_leaks_is_named_and_the_one_whose_cache_has_filled_is_not() {
    static SESSIONS: Tag = Tag::new("leaks/sessions");
    static TILES: Tag = Tag::new("leaks/tiles");
    let _turn = take_turn();
    let service = Service::start();
    let (mut sessions, mut tiles) = (Vec::new(), Vec::new());
    let mut requests = Vec::new();
    service.run(240, |minute| {
        // What requests hold comes and goes under the same tag, and is more at once.
        requests = SESSIONS.scope(|| vec![0u8; 200 * KIB * (minute as usize * 7 % 5)]);
        // Nobody takes this out.
        sessions.push(SESSIONS.scope(|| vec![0u8; 24 * KIB]));
        if minute < 60 {
            // A cache of its own making, with a bound of 12 MiB.
            tiles.push(TILES.scope(|| vec![0u8; 200 * KIB]));
        }
    });
    let leaks = service.leaks();
    let [leak] = &leaks[..] else { panic!("one tag leaks: {leaks:#?}") };
    assert!(leak.contains("`leaks/sessions` has grown for 3h"), "{leak}");
    assert!(leak.contains("an hour 1.4 MiB"), "{leak}");
    let text = service.bursar.history().to_string();
    assert!(text.contains("fastest growing: leaks/sessions"), "{text}");

    drop(sessions);
    service.run(1, |_| ());
    assert_eq!(service.leaks(), [""; 0], "all sessions have ended");
    drop((tiles, requests));
}

#[test]
fn a_service_that_works_and_keeps_nothing_more_is_told_nothing() {
    static REQUESTS: Tag = Tag::new("leaks/requests");
    let _turn = take_turn();
    let service = Service::start();
    let mut held = Vec::new();
    service.run(240, |minute| {
        held = REQUESTS.scope(|| vec![0u8; KIB * (1000 + (minute as usize * 7919) % 8000)]);
    });
    assert_eq!(service.leaks(), [""; 0]);
    let advice = examine(&bursar::Checkup::new(service.bursar.stats()));
    assert!(advice.iter().all(|advice| advice.code != AdviceCode::LeakingTag));
    drop(held);
}

#[test]
fn a_leak_that_begins_after_hours_is_told_since_then() {
    static LATE: Tag = Tag::new("leaks/late");
    let _turn = take_turn();
    let service = Service::start();
    let mut kept = vec![LATE.scope(|| vec![0u8; 2000 * KIB])];
    service.run(300, |_| ());
    assert_eq!(service.leaks(), [""; 0]);
    service.run(240, |_| kept.push(LATE.scope(|| vec![0u8; 32 * KIB])));
    let leaks = service.leaks();
    let [leak] = &leaks[..] else { panic!("one tag leaks: {leaks:#?}") };
    assert!(leak.contains("`leaks/late` has grown for") && !leak.contains("for 8h"), "{leak}");
    drop(kept);
}
