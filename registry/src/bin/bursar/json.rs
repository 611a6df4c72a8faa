//! JSON made readable without being read: every number and name stays as it was sent.

use crate::failure::is_acted_upon;

/// The deepest nesting that is indented.
const MAX_DEPTH: usize = 64;
const INDENT: &str = "  ";

/// Breaks valid JSON into indented lines. Characters that terminals act upon
/// become `\u` escapes, which mean the same. `None` if it is nested too deeply.
pub(crate) fn pretty(json: &str) -> Option<String> {
    let mut out = String::with_capacity(json.len().saturating_mul(2));
    let mut depth: usize = 0;
    let mut rest = json.trim();
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '"' => {
                taken = string_len(rest);
                push_string(&mut out, &rest[..taken]);
            }
            '{' | '[' => {
                out.push(c);
                let inside = rest[1..].trim_start();
                if inside.starts_with(['}', ']']) {
                    out.extend(inside.chars().next());
                    taken = rest.len() - inside.len() + 1;
                } else {
                    depth += 1;
                    if depth > MAX_DEPTH {
                        return None;
                    }
                    break_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                break_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            ' ' | '\t' | '\n' | '\r' => {}
            _ => out.push(c),
        }
        rest = &rest[taken..];
    }
    Some(out)
}

fn break_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(INDENT, depth));
}

/// How long the string at the beginning is, with its quotes.
fn string_len(json: &str) -> usize {
    let mut is_escaped = false;
    for (index, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    json.len()
}

fn push_string(out: &mut String, string: &str) {
    for c in string.chars() {
        if is_acted_upon(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_and_name_stays_as_it_was_sent() {
        let json = r#" {"z":1.10, "a" :[ ],"b":{ }, "c":[1e400,-0,"\"{,:\\"], "d":{"e":null}} "#;
        let text = pretty(json).unwrap();
        assert_eq!(
            text,
            "{\n  \"z\": 1.10,\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1e400,\n    -0,\n    \
             \"\\\"{,:\\\\\"\n  ],\n  \"d\": {\n    \"e\": null\n  }\n}"
        );
        assert_eq!(pretty("7").as_deref(), Some("7"));
    }

    #[test]
    fn what_a_terminal_might_act_upon_is_escaped_and_means_the_same() {
        let text = pretty("[\"a\u{9b}31m\u{7f}\u{202e}\"]").unwrap();
        assert!(!text.contains(['\u{9b}', '\u{202e}']), "{text:?}");
        let back: Vec<String> = serde_json::from_str(&text).unwrap();
        assert_eq!(back, ["a\u{9b}31m\u{7f}\u{202e}"]);
    }

    #[test]
    fn endless_nesting_is_not_indented() {
        let json = format!("{}{}", "[1,".repeat(1000), "]".repeat(1000));
        assert_eq!(pretty(&json), None);
    }
}
