use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::Config;
use crate::config::RequestSettings;
use crate::ladder::{Ladder, Stage};
use crate::pressure::PressureLevel;
use crate::profile::{Policy, Profile, Watermarks};

fn read(json: &str) -> Config {
    serde_json::from_str(json).unwrap()
}

fn refused(json: &str) -> String {
    serde_json::from_str::<Config>(json).unwrap_err().to_string()
}

#[test]
fn a_field_that_is_missing_has_its_default() {
    assert_eq!(read("{}"), Config::default());
    let config = read(r#"{ "ladder": { "warning": [] }, "limit_bytes": null }"#);
    assert_eq!(config.ladder, Ladder { warning: vec![], ..Ladder::default() });
}

#[test]
fn sizes_and_shares_are_numbers_or_as_people_write_them() {
    let as_numbers = read(
        r#"{ "soft_limit_bytes": 67108864, "tag_budget_bytes": { "a": 1024 },
            "max_bytes": { "b": 2048 }, "max_entries": { "c": 10000 }, "profile": {
            "watermarks": { "warning": 0.5, "critical": 0.75, "emergency": 1 },
            "targets": [0.25, 0.5, 1.0], "hysteresis": 0 } }"#,
    );
    let as_text = read(
        r#"{ "soft_limit_bytes": "64MiB", "tag_budget_bytes": { "a": "1KiB" },
            "max_bytes": { "b": "2KiB" }, "max_entries": { "c": "10000" }, "profile": {
            "watermarks": { "warning": "50%", "critical": "0.75", "emergency": "100%" },
            "targets": ["25%", "50%", "100%"], "hysteresis": "0%" } }"#,
    );
    assert_eq!(as_numbers, as_text);
    assert_eq!(as_text.soft_limit_bytes, Some(64 << 20));
    assert_eq!(as_text.profile.targets, [0.25, 0.5, 1.0]);
}

#[test]
fn times_are_read_and_written_with_their_unit() {
    let config = read(
        r#"{ "max_purge_deferral": "2s", "profile": { "dwell": "250ms", "cooldown": "1m 30s" } }"#,
    );
    assert_eq!(config.max_purge_deferral, Duration::from_secs(2));
    assert_eq!(config.profile.dwell, Duration::from_millis(250));
    assert_eq!(config.profile.cooldown, Duration::from_secs(90));
    let json = serde_json::to_string(&config).unwrap();
    assert!(json.contains(r#""dwell":"250ms""#), "{json}");
    assert!(json.contains(r#""cooldown":"1m 30s""#), "{json}");
}

#[test]
fn a_profile_is_a_name_or_what_differs_from_a_preset() {
    let profile = |json: &str| read(&format!(r#"{{ "profile": {json} }}"#)).profile;
    let dwell = Duration::from_secs(2);
    assert_eq!(profile(r#""dense""#), Profile::dense());
    assert_eq!(profile(r#"{ "dwell": "2s" }"#), Profile { dwell, ..Profile::default() });
    let expected = Profile { dwell, ..Profile::function() };
    assert_eq!(profile(r#"{ "preset": "function", "dwell": "2s" }"#), expected);
    assert_eq!(profile(r#"{ "dwell": "2s", "preset": "function" }"#), expected);
}

#[test]
fn what_is_unknown_is_refused_by_name() {
    for (json, name) in [
        (r#"{ "soft_limit": 1 }"#, "`soft_limit`"),
        (r#"{ "profile": { "dwel": "1s" } }"#, "`dwel`"),
        (r#"{ "profile": { "watermarks": { "warn": 0.7 } } }"#, "`warn`"),
        (r#"{ "ladder": { "normal": [] } }"#, "`normal`"),
        (r#"{ "ladder": { "warning": ["evict"] } }"#, "`evict`"),
        (r#"{ "profile": "tight" }"#, "\"tight\""),
        (r#"{ "profile": { "preset": "tight" } }"#, "\"tight\""),
    ] {
        let said = refused(json);
        assert!(said.contains(name), "{said}");
    }
}

#[test]
fn what_is_not_allowed_is_refused_with_the_value_and_what_is() {
    for (json, value, allowed) in [
        (r#"{ "limit_bytes": "12 bananas" }"#, "\"12 bananas\"", "400MiB"),
        (r#"{ "limit_bytes": -1 }"#, "`-1`", "a number of bytes"),
        (r#"{ "limit_bytes": 1.5 }"#, "`1.5`", "a number of bytes"),
        (r#"{ "profile": { "max_share": 1.5 } }"#, "`1.5`", "a share from 0 to 1"),
        (r#"{ "profile": { "max_share": 2 } }"#, "`2`", "a share from 0 to 1"),
        (r#"{ "profile": { "dwell": 5 } }"#, "`5`", "a time with a unit"),
        (r#"{ "max_purge_deferral": 5 }"#, "`5`", "a time with a unit"),
        (r#"{ "profile": { "targets": [0.1, 0.2] } }"#, "length 2", "array of length 3"),
        (r#"{ "profile": 7 }"#, "`7`", "default, function or dense"),
        (r#"{ "profile": { "preset": "x" } }"#, "\"x\"", "default, function or dense"),
        (r#"{ "profile": { "watermarks": { "warning": 1 } } }"#, "missing", "`critical`"),
        (r#"{ "tag_budget_bytes": { "a": 1, "a": 2 } }"#, "\"a\"", "twice"),
        (r#"{ "max_bytes": { "a": 1, "a": 2 } }"#, "\"a\"", "twice"),
        (r#"{ "max_entries": { "a": 1, "a": 2 } }"#, "\"a\"", "twice"),
        (r#"{ "max_entries": { "a": 1.5 } }"#, "`1.5`", "a whole number"),
        (r#"{ "max_entries": { "a": "1KiB" } }"#, "\"1KiB\"", "a whole number"),
        (r#"{ "max_entries": 5 }"#, "`5`", "a map of names, and for each a whole number"),
    ] {
        let said = refused(json);
        assert!(said.contains(value) && said.contains(allowed), "{said}");
    }
}

prop_compose! {
    fn any_share()(share in 0.0..=1.0f64) -> f64 { share }
}

prop_compose! {
    fn any_time()(secs in any::<u64>(), nanos in 0..1_000_000_000u32, short in any::<bool>()) -> Duration {
        Duration::new(if short { secs % 100 } else { secs }, nanos)
    }
}

prop_compose! {
    fn any_profile()(
        (warning, critical, emergency) in (any_share(), any_share(), any_share()),
        targets in [any_share(), any_share(), any_share()],
        policy in prop::sample::select(vec![
            Policy::Conservative, Policy::Balanced, Policy::Aggressive,
        ]),
        [hysteresis, max_share, max_cpu_share] in [any_share(), any_share(), any_share()],
        [dwell, growth_horizon, cooldown] in [any_time(), any_time(), any_time()],
        [callback_deadline, stall_after] in [any_time(), any_time()],
        [calm, interval] in [any_time(), any_time()],
    ) -> Profile {
        Profile {
            watermarks: Watermarks { warning, critical, emergency },
            targets, policy, hysteresis, dwell, growth_horizon, cooldown, max_share,
            max_cpu_share, callback_deadline, stall_after, calm, interval,
        }
    }
}

fn any_stages() -> impl Strategy<Value = Vec<Stage>> {
    let all = [Stage::Collect, Stage::Trim, Stage::Release, Stage::Emergency];
    prop::collection::vec(prop::sample::select(all.to_vec()), 0..5)
}

fn any_sizes() -> impl Strategy<Value = BTreeMap<String, u64>> {
    prop::collection::btree_map(any::<String>(), any::<u64>(), 0..4)
}

prop_compose! {
    fn any_requests()(
        shed_from in prop::option::of(prop::sample::select(PressureLevel::ABOVE_NORMAL.to_vec())),
        [defer_purging, headers] in any::<[bool; 2]>(),
        [collect_every_requests, reclaim_every_requests, log_every_requests, max_routes] in
            any::<[usize; 4]>(),
        [collect_every, reclaim_every] in [any_time(), any_time()],
        heavy_from_bytes in any::<u64>(),
    ) -> RequestSettings {
        RequestSettings {
            shed_from, defer_purging, collect_every_requests, collect_every,
            reclaim_every_requests, reclaim_every, log_every_requests, headers, max_routes,
            heavy_from_bytes,
        }
    }
}

prop_compose! {
    fn any_config()(
        [soft_limit_bytes, limit_bytes, reserve_bytes] in
            [any::<Option<u64>>(), any::<Option<u64>>(), any::<Option<u64>>()],
        profile in any_profile(),
        [warning, critical, emergency] in [any_stages(), any_stages(), any_stages()],
        [tag_budget_bytes, max_bytes] in [any_sizes(), any_sizes()],
        max_entries in prop::collection::btree_map(any::<String>(), any::<usize>(), 0..4),
        max_purge_deferral in any_time(),
        requests in any_requests(),
        [sampling_interval_bytes, sampling_table_bytes] in
            [any::<Option<u64>>(), any::<Option<u64>>()],
        [observe_only, threadless, final_cleanup] in any::<[bool; 3]>(),
        path in any::<Option<String>>(),
    ) -> Config {
        Config {
            soft_limit_bytes, limit_bytes, reserve_bytes, profile,
            ladder: Ladder { warning, critical, emergency },
            tag_budget_bytes, max_bytes, max_entries, max_purge_deferral, requests,
            sampling_interval_bytes, sampling_table_bytes, observe_only, threadless, final_cleanup,
            last_report_path: path.map(Into::into),
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was(config in any_config()) {
        let json = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(read(&json), config);
    }

    #[test]
    fn no_text_makes_it_panic(name in "BURSAR_[A-Z_]{0,12}", text in any::<String>()) {
        let _ = serde_json::from_str::<Config>(&text);
        let _ = Config::from_vars([(name.into(), (&text).into())]);
        for known in Config::variables() {
            let _ = Config::from_vars([(known.into(), (&text).into())]);
        }
    }
}
