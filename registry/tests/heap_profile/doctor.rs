//! The doctor names the code that leaks.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bursar::{AdviceCode, Bursar, ManualClock, Tag};

use super::settle;

static SESSIONS: Tag = Tag::new("sessions");
static TILES: Tag = Tag::new("tiles");

#[inline(never)]
fn remember_session() -> Vec<u8> {
    black_box(vec![1u8; 100 << 10])
}

#[inline(never)]
fn render_tile() -> Vec<u8> {
    black_box(vec![2u8; 400 << 10])
}

pub(super) fn the_code_that_leaks_is_named_and_what_fills_a_cache_is_not() {
    let clock = Arc::new(ManualClock::default());
    let builder = Bursar::builder().budget("256MiB").threadless(true).clock(clock.clone());
    let bursar = builder.sampling_interval(32 << 10).start().unwrap();
    settle();
    let (mut sessions, mut tiles) = (Vec::new(), Vec::new());
    for minute in 0..240 {
        sessions.push(SESSIONS.scope(remember_session));
        if minute < 60 {
            tiles.push(TILES.scope(render_tile));
        }
        for _ in 0..6 {
            clock.advance(Duration::from_secs(10));
            bursar.checkpoint().unwrap();
        }
    }
    let series: Vec<u64> = bursar.history().site_series().map(|site| site.key()).collect();
    let profile = bursar.heap_profile().unwrap();
    let largest = profile.of_tag("sessions").unwrap().sites()[0].key();
    assert!(series.contains(&largest), "a place has one key, in the history and in a profile");

    let advice = bursar.examine();
    let sites: Vec<_> =
        advice.iter().filter(|advice| advice.code == AdviceCode::LeakingSite).collect();
    let [site] = &sites[..] else { panic!("one place leaks: {advice:#?}") };
    let text = site.to_string();
    assert!(text.contains("remember_session") && text.contains("`sessions`"), "{text}");
    assert!(text.contains("has grown for 3h"), "{text}");
    let tags = advice.iter().filter(|advice| advice.code == AdviceCode::LeakingTag).count();
    assert_eq!(tags, 1, "{advice:#?}");
    drop((sessions, tiles));
}
