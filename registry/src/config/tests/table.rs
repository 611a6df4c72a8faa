//! The table in the documentation, the variables and the fields are the same set.

use super::super::env::SETTINGS;
use super::{Config, from_vars};

/// The cells of the documentation's table: variable, field, form and example, default.
fn table() -> Vec<[&'static str; 4]> {
    let row = |line: &'static str| -> Option<[&'static str; 4]> {
        let cells = line.strip_prefix("/// | `BURSAR_")?;
        let start = line.len() - cells.len() - "`BURSAR_".len();
        let cells: Vec<_> = line[start..].split('|').map(str::trim).collect();
        let [cells @ .., ""] = &cells[..] else { return None };
        cells.try_into().ok()
    };
    include_str!("../mod.rs").lines().filter_map(row).collect()
}

fn code(cell: &str) -> Option<&str> {
    let mut parts = cell.rsplit('`');
    parts.next()?;
    parts.next()
}

#[test]
fn the_table_names_every_setting_with_its_field_in_the_order_they_are_applied() {
    let documented: Vec<_> =
        table().iter().map(|row| (code(row[0]).unwrap(), code(row[1]).unwrap())).collect();
    let settings: Vec<_> =
        SETTINGS.iter().map(|setting| (setting.variable, setting.field)).collect();
    assert_eq!(documented, settings);
}

#[test]
fn the_tables_examples_are_accepted() {
    for [variable, _, form, _] in table() {
        let (variable, example) = (code(variable).unwrap(), code(form).unwrap());
        let config = from_vars(&[(variable, example)]);
        let is_compiled_in = cfg!(feature = "profile") || !variable.contains("SAMPLING");
        assert_eq!(config.is_ok(), is_compiled_in, "{variable}: {config:?}");
    }
}

#[test]
fn the_tables_defaults_are_those_in_force() {
    for [variable, field, _, default] in table() {
        let Some(default) = code(default) else {
            assert_eq!(default, "none", "{field}");
            continue;
        };
        let variable = code(variable).unwrap();
        assert_eq!(from_vars(&[(variable, default)]), Ok(Config::default()), "{variable}");
    }
}

#[cfg(feature = "serde")]
#[test]
fn every_field_has_exactly_one_variable() {
    let json = serde_json::to_value(Config::default()).unwrap();
    let mut fields = Vec::new();
    for (name, value) in json.as_object().unwrap() {
        // Of these only the parts have variables, of the profile the whole as well.
        let is_of_parts = name == "ladder" || name == "requests";
        if !is_of_parts {
            fields.push(name.clone());
        }
        if is_of_parts || name == "profile" {
            let parts = value.as_object().unwrap().keys();
            fields.extend(parts.map(|part| format!("{name}.{part}")));
        }
    }
    fields.sort_unstable();
    let mut settings: Vec<_> = SETTINGS.iter().map(|setting| setting.field).collect();
    settings.sort_unstable();
    assert_eq!(settings, fields);
}
