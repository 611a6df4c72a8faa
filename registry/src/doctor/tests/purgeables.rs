//! What is registered, and requests.

use super::*;
use crate::service::RouteStats;

fn pages(change: impl FnOnce(&mut PurgeableStats)) -> Stats {
    with(|stats| change(&mut stats.purgeables[0]))
}

#[test]
fn a_cache_that_is_never_hit_is_told_once_there_were_enough_lookups_and_it_holds_much() {
    let of = |hits, misses, mib: u64| {
        pages(|pages| {
            (pages.hits_total, pages.misses_total) = (Some(hits), Some(misses));
            pages.purgeable_bytes = mib * MIB;
        })
    };
    assert_eq!(found_in(of(0, 999, 30)), [], "it may still be filling");
    assert_eq!(found_in(of(10, 990, 30)), [], "one of a hundred");
    assert_eq!(found_in(of(0, 10_000, 1)), [], "it holds hardly anything");
    let says = ["`pages`", "asked 1000", "had it 9", "hit ratio 0.9 %", "holds 30.0 MiB"];
    assert_only(found_in(of(9, 991, 30)), AdviceCode::NeverHit, Severity::Warning, &says);
}

#[test]
fn of_two_readings_the_lookups_between_them_count() {
    let earlier = Stats { uptime: UPTIME - Duration::from_secs(60), ..healthy() };
    let now = pages(|pages| pages.misses_total = Some(20_000));
    let advice = examine(&Checkup::new(now).with_earlier(earlier.clone()));
    assert_only(advice, AdviceCode::NeverHit, Severity::Warning, &["asked 10000", "had it 0"]);
    let few = pages(|pages| pages.misses_total = Some(10_500));
    assert_eq!(examine(&Checkup::new(few).with_earlier(earlier)), [], "ever, it is hit");
}

#[test]
fn a_cache_that_nobody_asks_is_a_notice_after_a_while() {
    let silent = pages(|pages| (pages.hits_total, pages.misses_total) = (Some(0), Some(0)));
    let fresh = Stats { uptime: Duration::from_secs(599), ..silent.clone() };
    assert_eq!(found_in(fresh), []);
    let code = AdviceCode::NeverAsked;
    assert_only(found_in(silent), code, Severity::Notice, &["holds 30.0 MiB", "1h"]);
    let uncounted = pages(|pages| (pages.hits_total, pages.misses_total) = (None, None));
    assert_eq!(found_in(uncounted), []);

    let since = |seconds| Stats { uptime: UPTIME - Duration::from_secs(seconds), ..healthy() };
    let no_more = |seconds| examine(&Checkup::new(healthy()).with_earlier(since(seconds)));
    assert_only(no_more(1200), code, Severity::Notice, &["not asked for 20m"]);
    assert_eq!(no_more(60), []);
}

#[test]
fn a_purgeable_that_frees_nothing_is_told_and_gravely_so_if_it_says_it_could() {
    let of = |could_free_mib: u64| {
        pages(|pages| {
            (pages.claimed_bytes_total, pages.freed_bytes_total) = (0, 0);
            pages.purgeable_bytes = could_free_mib * MIB;
        })
    };
    let code = AdviceCode::FutileCallbacks;
    assert_only(found_in(of(0)), code, Severity::Notice, &["purges 19", "measured 0 B"]);
    assert_only(found_in(of(30)), code, Severity::Warning, &["says it could free 30.0 MiB"]);
}

#[test]
fn a_purgeable_that_claims_four_times_what_is_measured_is_told() {
    let of = |claimed_mib: u64| pages(|pages| pages.claimed_bytes_total = claimed_mib * MIB);
    assert_eq!(found_in(of(199)), []);
    let says = ["claimed 200.0 MiB", "measured 50.0 MiB"];
    assert_only(found_in(of(200)), AdviceCode::ClaimsTooMuch, Severity::Warning, &says);
}

#[test]
fn a_purgeable_that_is_busy_half_of_the_times_is_told() {
    let of = |busy| pages(|pages| pages.busy_total = busy);
    assert_eq!(found_in(of(9)), []);
    let says = ["purges 20", "busy 10"];
    assert_only(found_in(of(10)), AdviceCode::AlwaysBusy, Severity::Warning, &says);
}

#[test]
fn a_panic_is_told() {
    let stats = pages(|pages| pages.panics_total = 1);
    assert_only(found_in(stats), AdviceCode::Panics, Severity::Warning, &["panics 1"]);
}

#[test]
fn a_bound_for_a_name_that_is_not_there_is_told_with_the_name_that_may_be_meant() {
    let of = |name: &str| with(|stats| stats.bounds_unused = vec![name.to_owned()]);
    let code = AdviceCode::BoundsUnused;
    let says = ["names pagse", "is `pagse` meant to be `pages`?"];
    assert_only(found_in(of("pagse")), code, Severity::Notice, &says);
    let other = only(found_in(of("sessions"))).to_string();
    assert!(!other.contains("meant"), "{other}");
}

fn route(name: &str, peak_mib: u64, shed: u64) -> RouteStats {
    RouteStats {
        route: name.to_owned(),
        requests_total: 100,
        shed_total: shed,
        peak_bytes: peak_mib * MIB,
        peak_bytes_total: 100 * MIB,
        ..RouteStats::default()
    }
}

#[test]
fn a_route_that_takes_a_quarter_of_the_room_is_told() {
    // 56 MiB to the budget, since pages of 44 are in use.
    let of = |mib: u64| with(|stats| stats.routes = vec![route("GET /picture/{id}", mib, 0)]);
    assert_eq!(found_in(of(21)), []);
    let says = ["`GET /picture/{id}`", "at most 22.0 MiB", "on average 1.0 MiB", "purged 86.0 MiB"];
    assert_only(found_in(of(22)), AdviceCode::HeavyRoute, Severity::Warning, &says);
}

#[test]
fn a_full_cache_makes_no_route_heavy() {
    let stats = with(|stats| {
        (stats.live_bytes, stats.sample.live_bytes) = (69 * MIB, 69 * MIB);
        (stats.tags[0], stats.purgeables[0]) = (tag("pages", 59), purgeable("pages", 59));
        stats.sample.active_bytes = Some(69 * MIB);
        stats.sample.working_set_bytes = Some(80 * MIB);
        stats.routes = vec![route("GET /", 10, 0)];
    });
    assert_eq!(found_in(stats), []);
}

#[test]
fn refused_requests_are_a_notice_and_a_warning_if_they_are_refused_now() {
    let of = |shed| with(|stats| stats.routes = vec![route("GET /", 1, shed)]);
    assert_eq!(found_in(of(0)), []);
    let code = AdviceCode::Shedding;
    assert_only(found_in(of(25)), code, Severity::Notice, &["refused 25", "of all 20.0 %"]);
    let since = |shed| Stats { uptime: UPTIME - Duration::from_secs(60), ..of(shed) };
    let now = |before| examine(&Checkup::new(of(25)).with_earlier(since(before)));
    assert_only(now(25), code, Severity::Notice, &["lately 0"]);
    assert_only(now(5), code, Severity::Warning, &["lately 20"]);
}
