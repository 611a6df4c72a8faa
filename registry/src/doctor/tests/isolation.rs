//! Tags with memory of their own, and caches that would do better with it.

use bursar_alloc::Isolation;

use super::*;

/// A history of ten minutes, always with the sample that the statistics have.
fn always(stats: &Stats) -> History {
    let sample = stats.sample;
    history(600, |_| (sample, 0.4, PressureLevel::Normal))
}

fn lasting(stats: &Stats) -> Vec<Advice> {
    examine(&Checkup::new(stats.clone()).with_history(always(stats)))
}

fn of(code: AdviceCode, advice: Vec<Advice>) -> Vec<Advice> {
    advice.into_iter().filter(|advice| advice.code == code).collect()
}

/// The cache `pages` in an arena of its own, which has so much of it in pages.
fn isolated(active_mib: u64) -> Stats {
    with(|stats| {
        stats.backend = Some("jemalloc".to_owned());
        stats.tags[0].isolation = Isolation::Arena;
        (stats.tags[0].active_bytes, stats.tags[0].dirty_bytes) = (Some(active_mib * MIB), Some(0));
        stats.sample.active_bytes = Some((active_mib + 11) * MIB);
        stats.sample.resident_bytes = Some((active_mib + 20) * MIB);
        stats.isolation_caches_in_use = 4;
    })
}

#[test]
fn an_isolated_cache_whose_pages_are_full_is_healthy() {
    assert_eq!(lasting(&isolated(34)), []);
}

#[test]
fn isolation_that_the_allocator_does_not_have_is_a_notice_with_the_tags_and_the_allocator() {
    let stats = with(|stats| {
        stats.backend = Some("mimalloc".to_owned());
        for tag in &mut stats.tags {
            tag.isolation = Isolation::Unsupported;
        }
    });
    let says = ["tags pages, untagged", "live 40.0 MiB", "allocator mimalloc", "jemalloc backend"];
    assert_only(found_in(stats), AdviceCode::IsolationUnsupported, Severity::Notice, &says);
}

#[test]
fn tags_past_the_last_arena_are_a_notice_with_how_many_have_one() {
    let stats = with(|stats| {
        let named = (0..32).map(|_| tag("small", 0)).map(|tag| (tag, Isolation::Arena));
        for (mut tag, isolation) in named.chain([(tag("films", 3), Isolation::Exhausted)]) {
            tag.isolation = isolation;
            stats.tags.push(tag);
        }
    });
    let says = ["tags films", "live 3.0 MiB", "isolated 32", "32 tags at most"];
    assert_only(found_in(stats), AdviceCode::IsolationExhausted, Severity::Notice, &says);
}

#[test]
fn an_isolated_tag_whose_pages_are_mostly_gaps_for_minutes_is_told_what_isolation_cannot_do() {
    let gaps = |advice| of(AdviceCode::IsolatedTagGaps, advice);
    let stats = isolated(60);
    let says = [
        "`pages` is isolated",
        "live 30.0 MiB, in pages of 60.0 MiB, gaps 30.0 MiB, of the pages 50.0 %",
        "caches of threads 4",
        "dropped at random",
    ];
    assert_only(gaps(lasting(&stats)), AdviceCode::IsolatedTagGaps, Severity::Warning, &says);
    assert_eq!(gaps(found_in(stats.clone())), [], "for how long is not known");
    let earlier = before(UPTIME / 2, stats.clone());
    let over = |earlier: Stats| examine(&Checkup::new(stats.clone()).with_earlier(earlier));
    assert_eq!(gaps(over(earlier.clone())).len(), 1);
    assert_eq!(gaps(over(before(Duration::from_secs(10), stats.clone()))), []);

    // What gaps there were before, were others'.
    let mut others = earlier;
    others.tags[0].active_bytes = Some(34 * MIB);
    assert_eq!(gaps(over(others)), []);
    let calm = healthy().sample;
    let wave = history(600, |_| (calm, 0.4, PressureLevel::Normal));
    assert_eq!(gaps(examine(&Checkup::new(stats).with_history(wave))), [], "since a moment ago");
}

#[test]
fn gaps_of_an_isolated_tag_that_are_no_loss_are_not_told() {
    let of_a_small_one = |stats: &mut Stats| {
        stats.tags[0].live_bytes = MIB;
        stats.tags[0].active_bytes = Some(6 * MIB);
    };
    let mut stats = isolated(60);
    of_a_small_one(&mut stats);
    assert_eq!(of(AdviceCode::IsolatedTagGaps, lasting(&stats)), []);
    let stats = isolated(44);
    assert_eq!(of(AdviceCode::IsolatedTagGaps, lasting(&stats)), [], "half as much again");
}

/// The cache `pages`, cut by cleanups from 60 to 30 MiB, and its pages still there.
fn cut() -> Stats {
    with(|stats| {
        stats.backend = Some("jemalloc".to_owned());
        stats.sample.active_bytes = Some(70 * MIB);
        (stats.sample.resident_bytes, stats.sample.working_set_bytes) =
            (Some(75 * MIB), Some(80 * MIB));
        (stats.tags[0].peak_bytes, stats.tags[0].live_blocks) = (60 * MIB, 30_000);
        stats.purgeables[0].freed_bytes_total = 30 * MIB;
    })
}

#[test]
fn a_large_cache_that_was_cut_and_left_gaps_is_told_to_be_worth_isolating() {
    let worth = |stats: &Stats| of(AdviceCode::WorthIsolating, lasting(stats));
    let says = [
        "`pages` shares its pages",
        "live 30.0 MiB, peak 60.0 MiB, freed by cleanups 30.0 MiB",
        "gaps in pages that tags share 30.0 MiB",
        "Tag::new(\"pages\").isolated()",
        "at random gain nothing",
    ];
    assert_only(worth(&cut()), AdviceCode::WorthIsolating, Severity::Notice, &says);
}

#[test]
fn isolation_is_not_advised_where_it_would_not_help() {
    let worth = |change: &dyn Fn(&mut Stats)| {
        let mut stats = cut();
        change(&mut stats);
        of(AdviceCode::WorthIsolating, lasting(&stats)).len()
    };
    assert_eq!(worth(&|_| ()), 1);
    assert_eq!(worth(&|stats| stats.backend = Some("mimalloc".to_owned())), 0);
    assert_eq!(worth(&|stats| stats.sample.active_bytes = Some(44 * MIB)), 0, "no gaps");
    assert_eq!(worth(&|stats| stats.purgeables[0].freed_bytes_total = 0), 0, "never cut");
    assert_eq!(worth(&|stats| stats.purgeables.clear()), 0, "no cache");
    assert_eq!(worth(&|stats| stats.tags[0].peak_bytes = 12 * MIB), 0, "not large");
    assert_eq!(worth(&|stats| stats.tags[0].live_blocks = 100), 0, "pages to themselves");
    let has_its_own = |stats: &mut Stats| {
        stats.tags[0].isolation = Isolation::Arena;
        stats.tags[0].active_bytes = Some(60 * MIB);
    };
    assert_eq!(worth(&has_its_own), 0);
    let gaps_of_another = |stats: &mut Stats| {
        let mut films = tag("films", 5);
        (films.isolation, films.active_bytes) = (Isolation::Arena, Some(33 * MIB));
        stats.tags.push(films);
    };
    assert_eq!(worth(&gaps_of_another), 0, "the gaps are another's, who is isolated");
    let no_arena_is_left = |stats: &mut Stats| {
        let mut films = tag("films", 0);
        films.isolation = Isolation::Exhausted;
        stats.tags.push(films);
    };
    assert_eq!(worth(&no_arena_is_left), 0);
    let all_arenas_are_taken = |stats: &mut Stats| {
        let mut small = tag("small", 0);
        small.isolation = Isolation::Arena;
        stats.tags.extend(vec![small; 32]);
    };
    assert_eq!(worth(&all_arenas_are_taken), 0);
    let stats = cut();
    assert_eq!(of(AdviceCode::WorthIsolating, found_in(stats)), [], "not for long");
}
