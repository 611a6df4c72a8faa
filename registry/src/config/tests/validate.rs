use std::time::Duration;

use super::{Config, Error};
use crate::ladder::Stage;
use crate::pressure::PressureLevel;

const MIB: u64 = 1 << 20;

fn refused(change: impl FnOnce(&mut Config)) -> Error {
    let mut config = Config::default();
    change(&mut config);
    config.validate().unwrap_err()
}

fn is_allowed(change: impl FnOnce(&mut Config)) {
    let mut config = Config::default();
    change(&mut config);
    assert_eq!(config.validate(), Ok(()), "{config:?}");
}

/// The two settings of a contradiction.
fn contradiction(change: impl FnOnce(&mut Config)) -> (&'static str, &'static str) {
    match refused(change) {
        Error::Contradiction { name, other_name, .. } => (name, other_name),
        error => panic!("{error:?}"),
    }
}

#[test]
fn a_soft_limit_is_within_the_limit() {
    let limits = |soft_limit: u64, limit: u64| {
        move |config: &mut Config| {
            config.soft_limit_bytes = Some(soft_limit);
            config.limit_bytes = Some(limit);
        }
    };
    is_allowed(limits(64 * MIB, 64 * MIB));
    let change = limits(64 * MIB + 1, 64 * MIB);
    assert_eq!(contradiction(change), ("soft_limit_bytes", "limit_bytes"));
    assert_eq!(
        refused(change).to_string(),
        "soft_limit_bytes 67108865 does not go with limit_bytes 67108864; allowed is a soft limit \
         up to the limit"
    );
}

#[test]
fn a_reserve_leaves_something_of_the_limit() {
    let limits = |reserve: u64| {
        move |config: &mut Config| {
            config.reserve_bytes = Some(reserve);
            config.limit_bytes = Some(64 * MIB);
        }
    };
    is_allowed(limits(63 * MIB));
    for reserve in [63 * MIB + 1, 64 * MIB, u64::MAX] {
        assert_eq!(contradiction(limits(reserve)), ("reserve_bytes", "limit_bytes"));
    }
}

#[test]
fn a_limit_below_the_smallest_budget_is_refused() {
    for limit in [0, MIB - 1] {
        let error = refused(|config| config.limit_bytes = Some(limit));
        assert!(matches!(error, Error::InvalidSetting { name: "limit_bytes", .. }), "{error}");
    }
    is_allowed(|config| config.limit_bytes = Some(MIB));
}

#[test]
fn a_tags_budget_is_within_the_soft_limit_or_else_the_limit() {
    let tag = |config: &mut Config, bytes: u64| {
        config.tag_budget_bytes.insert("sessions".to_owned(), bytes);
    };
    is_allowed(|config| tag(config, u64::MAX));
    let within_soft_limit = |bytes: u64| {
        move |config: &mut Config| {
            config.soft_limit_bytes = Some(32 * MIB);
            tag(config, bytes);
        }
    };
    is_allowed(within_soft_limit(32 * MIB));
    let change = within_soft_limit(32 * MIB + 1);
    assert_eq!(contradiction(change), ("tag_budget_bytes", "soft_limit_bytes"));
    let within_limit = |config: &mut Config| {
        config.limit_bytes = Some(32 * MIB);
        tag(config, 33 * MIB);
    };
    assert_eq!(contradiction(within_limit), ("tag_budget_bytes", "limit_bytes"));
    assert_eq!(
        refused(within_limit).to_string(),
        "tag_budget_bytes \"sessions\": 34603008 does not go with limit_bytes 33554432; allowed \
         is a tag's budget up to the limit"
    );
}

#[test]
fn tags_may_together_have_more_than_the_soft_limit() {
    is_allowed(|config| {
        config.soft_limit_bytes = Some(32 * MIB);
        for tag in ["a", "b"] {
            config.tag_budget_bytes.insert(tag.to_owned(), 32 * MIB);
        }
    });
}

#[test]
fn a_tags_budget_has_a_name_that_a_tag_can_have_and_is_not_zero() {
    for (tag, bytes) in [("", 1), ("12 bananas", 1), ("untagged", 1), ("sessions", 0)] {
        let error = refused(|config| config.tag_budget_bytes = [(tag.to_owned(), bytes)].into());
        assert!(matches!(error, Error::InvalidSetting { name: "tag_budget_bytes", .. }));
        assert!(error.to_string().contains(&format!("{tag:?}: {bytes}")), "{error}");
    }
}

#[test]
fn a_purgeables_bytes_are_within_the_soft_limit_or_else_the_limit() {
    let pages = |config: &mut Config, bytes: u64| {
        config.max_bytes.insert("pages".to_owned(), bytes);
    };
    is_allowed(|config| pages(config, u64::MAX));
    let within_soft_limit = |bytes: u64| {
        move |config: &mut Config| {
            config.soft_limit_bytes = Some(32 * MIB);
            config.limit_bytes = Some(64 * MIB);
            pages(config, bytes);
        }
    };
    is_allowed(within_soft_limit(32 * MIB));
    let change = within_soft_limit(32 * MIB + 1);
    assert_eq!(contradiction(change), ("max_bytes", "soft_limit_bytes"));
    let error = refused(|config| {
        config.limit_bytes = Some(32 * MIB);
        pages(config, 33 * MIB);
    });
    assert_eq!(
        error.to_string(),
        "max_bytes \"pages\": 34603008 does not go with limit_bytes 33554432; allowed is bytes up \
         to the limit"
    );
}

#[test]
fn bounds_have_a_name_that_a_purgeable_can_have_and_are_not_zero() {
    for (name, bound) in [("", 1), ("12 bananas", 1), ("pages", 0)] {
        let error = refused(|config| config.max_bytes = [(name.to_owned(), bound)].into());
        assert!(matches!(error, Error::InvalidSetting { name: "max_bytes", .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("{name:?}: {bound}")), "{error}");

        let entries = bound as usize;
        let error = refused(|config| config.max_entries = [(name.to_owned(), entries)].into());
        assert!(matches!(error, Error::InvalidSetting { name: "max_entries", .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("{name:?}: {entries}")), "{error}");
    }
}

#[test]
fn stages_come_in_any_order_or_not_at_all_and_none_comes_twice() {
    is_allowed(|config| {
        config.ladder.warning = vec![];
        config.ladder.critical = vec![Stage::Release, Stage::Trim, Stage::Collect];
    });
    let error = refused(|config| config.ladder.critical = vec![Stage::Trim, Stage::Trim]);
    assert_eq!(
        error.to_string(),
        "ladder.critical trim,trim is not allowed; allowed is each stage once"
    );
}

#[test]
fn a_setting_that_is_without_effect_beside_another_is_allowed() {
    is_allowed(|config| {
        config.soft_limit_bytes = Some(32 * MIB);
        config.reserve_bytes = Some(8 * MIB);
        config.observe_only = true;
        config.final_cleanup = true;
        config.threadless = true;
    });
}

#[test]
fn purging_is_put_off_for_no_longer_than_a_year_or_not_at_all() {
    is_allowed(|config| config.max_purge_deferral = Duration::ZERO);
    let error = refused(|config| config.max_purge_deferral = Duration::MAX);
    assert!(matches!(error, Error::InvalidSetting { name: "max_purge_deferral", .. }), "{error}");
}

#[test]
fn an_empty_path_and_a_profile_that_makes_no_sense_are_refused() {
    let error = refused(|config| config.last_report_path = Some("".into()));
    assert!(matches!(error, Error::InvalidSetting { name: "last_report_path", .. }), "{error}");
    let error = refused(|config| config.profile.max_share = 2.0);
    assert!(matches!(error, Error::InvalidSetting { name: "max_share", .. }), "{error}");
}

#[test]
fn requests_are_refused_from_a_level_above_normal_and_times_between_upkeep_are_a_year_at_most() {
    is_allowed(|config| config.requests.shed_from = Some(PressureLevel::Warning));
    assert_eq!(
        refused(|config| config.requests.shed_from = Some(PressureLevel::Normal)).to_string(),
        "requests.shed_from normal is not allowed; allowed is warning, critical or emergency"
    );
    for set in [
        |config: &mut Config| config.requests.collect_every = Duration::MAX,
        |config: &mut Config| config.requests.reclaim_every = Duration::MAX,
    ] {
        assert!(refused(set).to_string().ends_with("allowed is up to a year"));
    }
}

#[test]
fn sampling_is_refused_where_it_is_not_compiled_in_and_out_of_range_where_it_is() {
    let interval = |bytes| move |config: &mut Config| config.sampling_interval_bytes = Some(bytes);
    let table = |bytes| move |config: &mut Config| config.sampling_table_bytes = Some(bytes);
    if cfg!(feature = "profile") {
        is_allowed(interval(512 << 10));
        is_allowed(table(4 * MIB));
        for bytes in [0, (1 << 40) + 1] {
            assert!(refused(interval(bytes)).to_string().contains("1 byte to 1 TiB"));
        }
        for bytes in [0, (32 << 10) - 1, (1 << 30) + 1] {
            assert!(refused(table(bytes)).to_string().contains("32 KiB to 1 GiB"));
        }
    } else {
        let reason = "built without the feature `profile`";
        assert!(refused(interval(512 << 10)).to_string().contains(reason));
        assert!(refused(table(4 * MIB)).to_string().contains(reason));
    }
}
