//! A reader of OpenMetrics text that takes nothing but what is right: each line is a comment about
//! a family or a sample of the one described last, and the end is where it says so.

use std::collections::BTreeSet;

/// A line with a value.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

/// The samples of a text, or the line that is wrong in it.
pub(crate) fn read(text: &str) -> Result<Vec<Sample>, String> {
    let lines = text.strip_suffix("# EOF\n").ok_or("it does not end with EOF")?;
    let lines = lines.strip_suffix('\n').ok_or("EOF is on no line of its own")?;
    let (mut samples, mut family, mut seen) = (Vec::new(), "", BTreeSet::new());
    for line in lines.split('\n') {
        let wrong = |why: &str| format!("{why}: {line:?}");
        if line.contains(char::is_control) {
            return Err(wrong("a control character"));
        }
        if let Some(comment) = line.strip_prefix("# ") {
            family = described(comment).ok_or_else(|| wrong("no such comment"))?;
            continue;
        }
        let (series, value) = line.rsplit_once(' ').ok_or_else(|| wrong("no value"))?;
        let (name, labels) = labelled(series).ok_or_else(|| wrong("no series"))?;
        let value = value.parse::<f64>().ok().filter(|value| value.is_finite());
        let value = value.ok_or_else(|| wrong("no number"))?;
        let is_of_family = name.strip_prefix(family);
        if !is_of_family.is_some_and(|suffix| ["", "_total", "_info"].contains(&suffix)) {
            return Err(wrong("of another family"));
        }
        if !seen.insert(series) {
            return Err(wrong("twice"));
        }
        samples.push(Sample { name: name.to_owned(), labels, value });
    }
    Ok(samples)
}

/// The family that a comment is about.
fn described(comment: &str) -> Option<&str> {
    let mut words = comment.splitn(3, ' ');
    let (keyword, family, said) = (words.next()?, words.next()?, words.next()?);
    let is_right = match keyword {
        "HELP" => !said.is_empty(),
        "TYPE" => ["gauge", "counter", "info"].contains(&said),
        "UNIT" => family.ends_with(&format!("_{said}")),
        _ => false,
    };
    (is_right && is_name(family)).then_some(family)
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_part)
}

/// A series' name and labels.
fn labelled(series: &str) -> Option<(&str, Vec<(String, String)>)> {
    let Some((name, labels)) = series.split_once('{') else {
        return is_name(series).then(|| (series, Vec::new()));
    };
    let mut rest = labels.strip_suffix('}').filter(|_| is_name(name))?;
    let mut labels = Vec::new();
    loop {
        let (label, quoted) = rest.split_once("=\"").filter(|(label, _)| is_name(label))?;
        let (value, after) = unquoted(quoted)?;
        labels.push((label.to_owned(), value));
        if after.is_empty() {
            return Some((name, labels));
        }
        rest = after.strip_prefix(',')?;
    }
}

/// A value up to its closing quote, and what comes after that.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            plain => value.push(plain),
        }
    }
}
