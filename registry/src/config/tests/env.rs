use std::ffi::OsString;
use std::time::Duration;

use super::{Config, Error, from_vars, refused};
use crate::ladder::Stage;
use crate::profile::{Policy, Profile, Watermarks};

#[test]
fn without_variables_of_ours_everything_has_its_default() {
    assert_eq!(from_vars(&[]), Ok(Config::default()));
    let others = [("PATH", "/bin"), ("BURSARY", "open"), ("bursar_limit", "x"), ("", "")];
    assert_eq!(from_vars(&others), Ok(Config::default()));
}

#[test]
fn every_setting_can_be_made_by_a_variable() {
    let config = from_vars(&[
        ("BURSAR_SOFT_LIMIT", "400MiB"),
        ("BURSAR_LIMIT", "536870912"),
        ("BURSAR_RESERVE", "64MiB"),
        ("BURSAR_WATERMARKS", "60%,75%,90%"),
        ("BURSAR_TARGETS", "0.1,0.2,0.4"),
        ("BURSAR_POLICY", "conservative"),
        ("BURSAR_HYSTERESIS", "10%"),
        ("BURSAR_DWELL", "2s"),
        ("BURSAR_GROWTH_HORIZON", "0s"),
        ("BURSAR_COOLDOWN", "1m"),
        ("BURSAR_MAX_SHARE", "0.25"),
        ("BURSAR_MAX_CPU_SHARE", "10%"),
        ("BURSAR_CALLBACK_DEADLINE", "10ms"),
        ("BURSAR_STALL_AFTER", "3s"),
        ("BURSAR_CALM", "20s"),
        ("BURSAR_INTERVAL", "1s"),
        ("BURSAR_LADDER_WARNING", "collect,trim"),
        ("BURSAR_LADDER_CRITICAL", "none"),
        ("BURSAR_LADDER_EMERGENCY", "emergency"),
        ("BURSAR_TAG_BUDGETS", "thumbnails=20MiB,sessions=5MiB"),
        ("BURSAR_MAX_BYTES", "thumbnails=64MiB,pages=8MiB"),
        ("BURSAR_MAX_ENTRIES", "sessions=10000"),
        ("BURSAR_MAX_PURGE_DEFERRAL", "500ms"),
        ("BURSAR_OBSERVE_ONLY", "true"),
        ("BURSAR_THREADLESS", "on"),
        ("BURSAR_FINAL_CLEANUP", "1"),
        ("BURSAR_LAST_REPORT", "/dev/termination-log"),
    ]);
    let (mib, s, ms) = (1 << 20, Duration::from_secs, Duration::from_millis);
    let mut expected = Config {
        soft_limit_bytes: Some(400 * mib),
        limit_bytes: Some(512 * mib),
        reserve_bytes: Some(64 * mib),
        profile: Profile {
            watermarks: Watermarks { warning: 0.6, critical: 0.75, emergency: 0.9 },
            targets: [0.1, 0.2, 0.4],
            policy: Policy::Conservative,
            hysteresis: 0.1,
            dwell: s(2),
            growth_horizon: s(0),
            cooldown: s(60),
            max_share: 0.25,
            max_cpu_share: 0.1,
            callback_deadline: ms(10),
            stall_after: s(3),
            calm: s(20),
            interval: s(1),
        },
        tag_budget_bytes: [("sessions".to_owned(), 5 * mib), ("thumbnails".to_owned(), 20 * mib)]
            .into(),
        max_bytes: [("pages".to_owned(), 8 * mib), ("thumbnails".to_owned(), 64 * mib)].into(),
        max_entries: [("sessions".to_owned(), 10_000)].into(),
        max_purge_deferral: ms(500),
        observe_only: true,
        threadless: true,
        final_cleanup: true,
        last_report_path: Some("/dev/termination-log".into()),
        ..Config::default()
    };
    expected.ladder.warning = vec![Stage::Collect, Stage::Trim];
    expected.ladder.critical = vec![];
    expected.ladder.emergency = vec![Stage::Emergency];
    assert_eq!(config, Ok(expected));
}

#[test]
fn a_variable_overrides_what_is_there_and_leaves_the_rest() {
    let (limit_bytes, profile) = (Some(512 << 20), Profile::function());
    let mut before = Config { limit_bytes, profile, ..Config::default() };
    let variables = [("BURSAR_DWELL".into(), "3s".into())];
    let after = before.clone().with_vars(variables).unwrap();
    before.profile.dwell = Duration::from_secs(3);
    assert_eq!(after, before);
}

#[test]
fn a_profile_is_applied_before_its_fields_whatever_the_order() {
    let mut variables = [
        ("BURSAR_WATERMARKS", "0.5,0.6,0.7"),
        ("BURSAR_INTERVAL", "3s"),
        ("BURSAR_PROFILE", "dense"),
    ];
    let expected = Profile {
        watermarks: Watermarks { warning: 0.5, critical: 0.6, emergency: 0.7 },
        interval: Duration::from_secs(3),
        ..Profile::dense()
    };
    assert_eq!(from_vars(&variables).unwrap().profile, expected);
    variables.reverse();
    assert_eq!(from_vars(&variables).unwrap().profile, expected);
}

#[test]
fn of_two_variables_with_one_name_the_later_counts() {
    let config = from_vars(&[("BURSAR_LIMIT", "bananas"), ("BURSAR_LIMIT", "64MiB")]).unwrap();
    assert_eq!(config.limit_bytes, Some(64 << 20));
}

#[test]
fn a_bad_value_is_told_with_its_variable_and_what_is_allowed() {
    assert_eq!(
        refused(&[("BURSAR_LIMIT", "12 bananas")]),
        "BURSAR_LIMIT=\"12 bananas\": not allowed; allowed is a number of bytes, or a size with \
         a unit such as 400MiB or 1.5GB"
    );
    assert_eq!(
        refused(&[("BURSAR_PROFILE", "tight")]),
        "BURSAR_PROFILE=\"tight\": not allowed; allowed is default, function or dense"
    );
}

#[test]
fn a_name_that_has_two_values_is_told() {
    for (variable, allowed) in [
        ("BURSAR_MAX_BYTES", "names and their sizes"),
        ("BURSAR_MAX_ENTRIES", "names and their numbers of entries"),
        ("BURSAR_TAG_BUDGETS", "names and their sizes"),
    ] {
        let said = refused(&[(variable, "a=1,pages=2,pages=3")]);
        let expected =
            format!("{variable}=\"a=1,pages=2,pages=3\": \"pages\" is given twice; allowed is ");
        assert!(said.starts_with(&format!("{expected}{allowed}")), "{said}");
    }
}

#[test]
fn for_every_variable_a_bad_value_an_empty_one_and_one_that_is_not_unicode_are_refused() {
    for name in Config::variables().filter(|&name| name != "BURSAR_LAST_REPORT") {
        let said = refused(&[(name, "12 bananas")]);
        assert!(said.starts_with(&format!("{name}=\"12 bananas\": not allowed; allowed is ")));
    }
    for name in Config::variables() {
        let said = refused(&[(name, "")]);
        assert!(said.starts_with(&format!("{name}=\"\": empty; unset it, or give ")), "{said}");
    }
    for name in Config::variables() {
        let error = Config::from_vars([(name.into(), not_unicode("64"))]).unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with(&format!("{name}=\"64\u{fffd}\": not Unicode; allowed is ")));
    }
}

/// `text`, and then something that is not Unicode.
#[cfg(unix)]
fn not_unicode(text: &str) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec([text.as_bytes(), b"\xff"].concat())
}

/// `text`, and then something that is not Unicode.
#[cfg(windows)]
fn not_unicode(text: &str) -> OsString {
    let wide: Vec<u16> = text.encode_utf16().chain([0xD800]).collect();
    std::os::windows::ffi::OsStringExt::from_wide(&wide)
}

#[test]
fn an_unknown_variable_is_refused_with_the_name_it_is_taken_for() {
    assert_eq!(
        refused(&[("BURSAR_SOFTLIMIT", "64MiB")]),
        "BURSAR_SOFTLIMIT=\"64MiB\": there is no such setting; did you mean BURSAR_SOFT_LIMIT?"
    );
    for (name, meant) in [
        ("BURSAR_TAG_BUDGET", "BURSAR_TAG_BUDGETS"),
        ("BURSAR_LIMTI", "BURSAR_LIMIT"),
        ("BURSAR_Policy", "BURSAR_POLICY"),
    ] {
        let said = refused(&[(name, "x")]);
        assert!(said.ends_with(&format!("did you mean {meant}?")), "{said}");
    }
}

#[test]
fn an_unknown_variable_that_is_like_none_is_refused_with_all_there_are() {
    for name in ["BURSAR_", "BURSAR_COLOUR", "BURSAR_X"] {
        let said = refused(&[(name, "red")]);
        assert!(
            said.starts_with(&format!("{name}=\"red\": there is no such setting; allowed are "))
        );
        for known in Config::variables() {
            assert!(said.contains(known), "{said}");
        }
    }
}

#[test]
fn a_name_that_is_not_unicode_is_refused_too() {
    let error = Config::from_vars([(not_unicode("BURSAR_LIMIT"), "1".into())]).unwrap_err();
    assert!(error.to_string().ends_with("did you mean BURSAR_LIMIT?"), "{error}");
}

#[test]
fn all_variables_that_are_wrong_are_told_together_one_a_line() {
    let said = refused(&[
        ("BURSAR_ZEAL", "9"),
        ("BURSAR_DWELL", "soon"),
        ("BURSAR_OBSERVE_ONLY", "maybe"),
        ("BURSAR_LIMIT", "64MiB"),
    ]);
    let names: Vec<_> = said.lines().map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(names, ["BURSAR_DWELL", "BURSAR_OBSERVE_ONLY", "BURSAR_ZEAL"]);
}

#[test]
fn what_is_out_of_range_or_contradicts_is_told_with_its_variable() {
    for (variables, expected) in [
        (
            &[("BURSAR_MAX_SHARE", "0%")][..],
            "BURSAR_MAX_SHARE=\"0%\": max_share 0.0 is not allowed; allowed is above 0, up to 1",
        ),
        (
            &[("BURSAR_WATERMARKS", "0.9,0.8,0.95")],
            "BURSAR_WATERMARKS=\"0.9,0.8,0.95\": watermarks warning 0.9, critical 0.8",
        ),
        (&[("BURSAR_SOFT_LIMIT", "4")], "BURSAR_SOFT_LIMIT=\"4\": a budget of 4 bytes is too"),
        (&[("BURSAR_LADDER_WARNING", "trim,trim")], "BURSAR_LADDER_WARNING=\"trim,trim\": ladder."),
        (
            &[("BURSAR_TAG_BUDGETS", "a b=1")],
            "BURSAR_TAG_BUDGETS=\"a b=1\": tag_budget_bytes \"a b",
        ),
        (&[("BURSAR_MAX_ENTRIES", "a=0")], "BURSAR_MAX_ENTRIES=\"a=0\": max_entries \"a\": 0 is"),
        (
            &[("BURSAR_MAX_BYTES", "a=33MiB"), ("BURSAR_LIMIT", "32MiB")],
            "BURSAR_LIMIT=\"32MiB\": max_bytes \"a\": 34603008 does not go with limit_bytes",
        ),
        (
            &[("BURSAR_RESERVE", "64MiB"), ("BURSAR_LIMIT", "32MiB")],
            "BURSAR_LIMIT=\"32MiB\": reserve_bytes 67108864 does not go with limit_bytes 33554432",
        ),
    ] {
        let said = refused(variables);
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn what_no_variable_brought_about_is_told_of_none() {
    let mut config = Config::default();
    config.profile.hysteresis = 0.9;
    let error = config.with_vars([("BURSAR_LIMIT".into(), "64MiB".into())]).unwrap_err();
    assert!(matches!(error, Error::InvalidSetting { name: "hysteresis", .. }), "{error:?}");
}
