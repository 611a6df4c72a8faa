use super::{PAGE, compact};

/// What is fetched, loaded or linked: all of it begins so.
fn addresses(page: &str) -> Vec<&str> {
    let parts = page.match_indices("http").map(|(at, _)| &page[at..]);
    let with_scheme = parts.filter(|rest| rest.starts_with("http:") || rest.starts_with("https:"));
    with_scheme.map(|rest| rest.split([' ', '"', '\n']).next().unwrap_or(rest)).collect()
}

#[test]
fn the_page_holds_all_it_needs_and_names_no_other_place() {
    assert_eq!(addresses(PAGE), ["https://github.com/leeoniya/uPlot"], "in uPlot's own licence");
    for loader in ["src=", "@import", "url(", "import(", "<link rel=\"stylesheet", "//cdn"] {
        assert!(!PAGE.contains(loader), "{loader}");
    }
    assert!(PAGE.contains("<link rel=\"icon\" href=\"data:,\">"), "or browsers ask for one");
    assert_eq!(PAGE.matches("fetch(").count(), 1);
}

#[test]
fn the_page_is_under_100_kb() {
    assert!(PAGE.len() < 100_000, "{}", PAGE.len());
}

#[test]
fn the_page_says_what_it_is_to_browsers_and_readers() {
    assert!(PAGE.starts_with("<!doctype html>\n<html lang=\"en\">"));
    assert!(PAGE.trim_end().ends_with("</html>"));
    for part in
        ["<title>", "charset=\"utf-8\"", "name=\"viewport\"", "role=\"alert\"", "<noscript>"]
    {
        assert!(PAGE.contains(part), "{part}");
    }
}

#[test]
fn nothing_from_the_service_can_become_markup_or_code() {
    for way in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("]
    {
        assert!(!PAGE.contains(way), "{way}");
    }
    assert_eq!(PAGE.matches("</script>").count(), 2, "no script ends early");
}

#[test]
fn the_notice_of_the_third_party_goes_with_the_page() {
    assert!(PAGE.contains("Copyright (c) 2022 Leon Sorokin"));
    assert!(PAGE.contains("The above copyright notice and this permission notice"));
}

#[test]
fn what_a_browser_has_no_use_for_is_left_out_and_licences_and_code_stay() {
    let source = "a\n\n    // b\n  /** c\n   * d\n   */\n  /*! e */\n  f * g; // h\nfor {\n  i(\n    [\n j,\n k]);\n}\nl,\nm\n";
    let mut compacted = vec![0; source.len()];
    let length = compact(source.as_bytes(), &mut compacted);
    assert_eq!(
        std::str::from_utf8(&compacted[..length]),
        Ok("a\n/*! e */\nf * g; // h\nfor {i([j,k]);}\nl,\nm\n")
    );
}
