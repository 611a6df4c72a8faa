use super::*;

struct Row {
    name: &'static str,
    held: f64,
    peak: u64,
}

static ROWS: Group<Row> = Group {
    labels: &["name", "kind"],
    label_values: |row| vec![row.name, "row"],
    figures: &[
        Figure::gauge("rows_held_bytes", "Held.", |row: &Row| Some(row.held.into())),
        Figure::gauge("rows_peak_bytes", "The highest.", |row: &Row| Some(row.peak.into()))
            .of_the_highest(),
        Figure::counter("rows_unknown_total", "Never known.", |_: &Row| None),
    ],
};

fn families(rows: &[Row]) -> Vec<Family> {
    let mut families = Vec::new();
    ROWS.add_to(&mut families, rows);
    families
}

fn values(family: &Family) -> Vec<(Vec<&str>, f64)> {
    let series = family.series.iter();
    series
        .map(|series| {
            (family.labels_of(series).map(|(_, value)| value).collect(), series.value.as_f64())
        })
        .collect()
}

#[test]
fn a_name_says_its_unit_and_a_counter_is_named_by_its_family() {
    let of = |name, kind| {
        let metric = Metric { name, kind, meaning: "" };
        (metric.family(), metric.unit())
    };
    let bytes = of("bursar_freed_bytes_total", Kind::Counter);
    assert_eq!(bytes, ("bursar_freed_bytes", Some("bytes")));
    assert_eq!(of("bursar_usage_ratio", Kind::Gauge), ("bursar_usage_ratio", Some("ratio")));
    assert_eq!(of("bursar_build_info", Kind::Info), ("bursar_build", None));
    assert_eq!(of("bursar_cleanups_total", Kind::Counter), ("bursar_cleanups", None));
}

#[test]
fn what_no_row_knows_has_no_family() {
    let rows = [Row { name: "a", held: 1.0, peak: 2 }];
    let names: Vec<_> = families(&rows).iter().map(|family| family.metric.name).collect();
    assert_eq!(names, ["rows_held_bytes", "rows_peak_bytes"]);
    assert!(families(&[]).is_empty());
}

#[test]
fn rows_of_the_same_labels_are_one_series() {
    let rows = [
        Row { name: "twice", held: 1.0, peak: 9 },
        Row { name: "once", held: 5.0, peak: 5 },
        Row { name: "twice", held: 2.0, peak: 4 },
    ];
    let families = families(&rows);
    let (once, twice) = (vec!["once", "row"], vec!["twice", "row"]);
    assert_eq!(values(&families[0]), [(once.clone(), 5.0), (twice.clone(), 3.0)], "summed");
    assert_eq!(values(&families[1]), [(once, 5.0), (twice, 9.0)], "the higher");
}

#[test]
fn what_is_no_number_is_left_out() {
    let held = [f64::NAN, f64::INFINITY, 7.0];
    let rows = held.map(|held| Row { name: "a", held, peak: 1 });
    assert_eq!(values(&families(&rows)[0]), [(vec!["a", "row"], 7.0)]);
    let too_much = [f64::MAX, f64::MAX].map(|held| Row { name: "a", held, peak: 1 });
    assert_eq!(families(&too_much)[0].metric.name, "rows_peak_bytes", "the sum is infinite");
}

#[test]
fn rows_past_the_bound_are_summed_and_which_they_are_depends_on_names_alone() {
    let names: Vec<&'static str> =
        (0..MAX_ROWS + 44).map(|index| &*format!("row-{index:03}").leak()).collect();
    let row = |(index, name): (usize, &&'static str)| Row { name, held: 1.0, peak: index as u64 };
    let mut rows: Vec<_> = names.iter().enumerate().map(row).collect();
    for _ in 0..2 {
        let families = families(&rows);
        let held = values(&families[0]);
        assert_eq!(held.len(), MAX_ROWS + 1);
        assert!(held.contains(&(vec![OTHER, ""], 44.0)), "{held:?}");
        assert!(held.contains(&(vec!["row-255", "row"], 1.0)));
        assert!(values(&families[1]).contains(&(vec![OTHER, ""], 299.0)));
        rows.reverse();
    }
}

#[test]
fn sums_do_not_wrap() {
    assert_eq!(Value::Whole(u64::MAX).sum(Value::Whole(1)), Value::Whole(u64::MAX));
    assert_eq!(Value::Signed(i64::MIN).sum(Value::Signed(-1)), Value::Signed(i64::MIN));
}

#[test]
fn a_label_is_cut_between_characters_and_has_no_control_characters() {
    assert_eq!(fit_for_a_label("GET /\u{1}\n\r\u{85}x"), "GET /\u{fffd}\u{fffd}\u{fffd}\u{fffd}x");
    assert_eq!(fit_for_a_label(&"\u{20ac}".repeat(100)), "\u{20ac}".repeat(MAX_LABEL_BYTES / 3));
    assert_eq!(fit_for_a_label(&"x".repeat(MAX_LABEL_BYTES + 1)), "x".repeat(MAX_LABEL_BYTES));
    assert_eq!(fit_for_a_label("\"quoted\\"), "\"quoted\\", "the encoder escapes");
}
