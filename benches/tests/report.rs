//! What the command `report` prints and draws of the parts that it measures itself. Those that
//! take the other programs want them in release, and are typed as a whole by those who check it.

use std::process::{Command, Output};

fn report(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_report")).args(arguments).output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn each_part_that_is_named_has_its_tables_and_its_charts() {
    let directory = tempfile::tempdir().unwrap();
    let charts = directory.path().join("charts");
    let output = charts.to_str().unwrap();
    let done =
        report(&["--quick", "--only", "purgeables", "--output", output, "--only", "reaction"]);
    assert!(done.status.success(), "{done:?}");
    let said = String::from_utf8(done.stdout).unwrap();
    for words in [
        "## One purgeable and a thousand",
        "--only purgeables",
        "| a cleanup that asks everyone",
        "purgeables-dark.svg",
        "## How soon and how fast",
        "| to the first callback",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    for file in ["purgeables.svg", "purgeables-dark.svg", "reaction.svg", "reaction-dark.svg"] {
        let svg = std::fs::read_to_string(charts.join(file)).unwrap();
        assert!(svg.trim_end().ends_with("</svg>"), "{file}");
    }
}

#[test]
fn a_part_that_is_not_known_is_named_with_those_that_are() {
    let done = report(&["--quick", "--only", "overheads"]);
    assert!(!done.status.success());
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("overheads") && said.contains("isolation"), "{said}");
}

#[test]
fn parts_that_fail_make_the_report_fail_and_are_named_when_all_were_tried() {
    // A directory cannot be made below a file.
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = file.path().join("charts");
    let output = output.to_str().unwrap();
    let done =
        report(&["--quick", "--output", output, "--only", "purgeables", "--only", "reaction"]);
    assert!(!done.status.success());
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("failed: purgeables, reaction") && said.contains("charts"), "{said}");
}
