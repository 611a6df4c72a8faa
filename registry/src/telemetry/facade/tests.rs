use super::*;
use crate::telemetry::metric::Value;

const METRIC: Metric =
    Metric { name: "bursar_route_shed_total", kind: Kind::Counter, meaning: "Refused." };

fn family(metric: Metric, totals: &[(&str, u64)]) -> Family {
    let series = totals.iter().map(|(route, total)| Series {
        label_values: [(*route).to_owned()].into(),
        value: Value::Whole(*total),
    });
    Family { metric, labels: &["route"], series: series.collect() }
}

fn told(facade: &mut Facade, totals: &[(&str, u64)]) -> Vec<u64> {
    let increases = facade.take_increases(&[family(METRIC, totals)]);
    increases.into_iter().map(|(_, _, increase)| increase).collect()
}

#[test]
fn a_counter_is_told_what_has_come_since() {
    let mut facade = Facade::default();
    assert_eq!(told(&mut facade, &[("a", 5), ("b", 1)]), [5, 1]);
    assert_eq!(told(&mut facade, &[("a", 7), ("b", 1)]), [2, 0]);
}

#[test]
fn a_total_that_begins_anew_is_told_whole() {
    let mut facade = Facade::default();
    told(&mut facade, &[("a", 5)]);
    assert_eq!(told(&mut facade, &[("a", 3)]), [3]);
}

#[test]
fn what_begins_with_a_bursar_is_told_whole_by_the_next_one_too() {
    told(&mut Facade::default(), &[("a", 5)]);
    assert_eq!(told(&mut Facade::default(), &[("a", 7)]), [7]);
}

#[test]
fn what_is_gone_is_forgotten() {
    let mut facade = Facade::default();
    told(&mut facade, &[("a", 5), ("b", 1)]);
    told(&mut facade, &[("b", 1)]);
    assert_eq!(facade.told.len(), 1);
}

#[test]
fn what_cleanups_tell_by_themselves_is_not_told_by_readings() {
    for name in [CLEANUPS, FREED, COLLECTED] {
        assert!(catalog::all().iter().any(|(metric, _)| metric.name == name), "{name}");
        let family = family(Metric { name, ..METRIC }, &[("a", 5)]);
        assert!(Facade::default().take_increases(&[family]).is_empty());
    }
}

#[test]
fn readings_are_told_at_most_once_a_second() {
    let mut facade = Facade::default();
    let due = [0, 1, 999, 1000, 1500, 2100].map(|ms| facade.is_due(Duration::from_millis(ms)));
    assert_eq!(due, [true, false, false, true, false, true]);
}
