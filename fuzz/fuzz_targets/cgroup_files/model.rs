//! What a container's limit is, said anew and plainly.

use crate::tree::{Content, Input, Layout, Level};

/// The tightest limit of a tree whose tables are well-formed: `Err` if any file that may hold one
/// cannot be understood. `None` where there is no telling.
pub fn limit(input: &Input) -> Option<Limit> {
    if input.membership.is_some() || input.mounts.is_some() {
        return None;
    }
    match input.layout {
        Layout::V2 => Some(tightest(v2_limits(&input.levels))),
        Layout::V1 | Layout::Hybrid => {
            let mut limits: Vec<_> = input.levels.iter().map(|level| file(&level.limit)).collect();
            limits.push(hierarchical(&input.levels[0].stat)?);
            Some(tightest(limits))
        }
    }
}

pub type Limit = Result<Option<u64>, ()>;

fn tightest(limits: Vec<Limit>) -> Limit {
    let known: Result<Vec<_>, ()> = limits.into_iter().collect();
    Ok(known?.into_iter().flatten().min())
}

/// From the first level that has memory files upward; the root may have none.
fn v2_limits(levels: &[Level; 3]) -> Vec<Limit> {
    let is_there = |content: &Content| !matches!(content, Content::Absent);
    let has_memory =
        |level: &Level| is_there(&level.limit) || is_there(&level.usage) || is_there(&level.high);
    let own = levels.iter().position(has_memory).unwrap_or(levels.len());
    let top = levels.len() - usize::from(!has_memory(&levels[2]));
    let mut limits = Vec::new();
    for level in levels.get(own..top).unwrap_or_default() {
        limits.push(file(&level.limit));
        if is_there(&level.high) {
            limits.push(file(&level.high));
        }
    }
    limits
}

/// A file of one line.
fn file(content: &Content) -> Limit {
    let bytes = content.bytes().ok_or(())?;
    let text = std::str::from_utf8(&bytes).map_err(drop)?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    match line {
        _ if text.len() >= 64 => Err(()),
        "max" => Ok(None),
        _ => number(line),
    }
}

/// The line of `memory.stat`; `None` for text whose lines may be too long to be read.
fn hierarchical(stat: &Content) -> Option<Limit> {
    let Some(bytes) = stat.bytes() else { return Some(Err(())) };
    let mut lines = bytes.split(|&byte| byte == b'\n');
    if lines.clone().any(|line| line.len() > 1000) {
        return None;
    }
    let value = lines.find_map(|line| line.strip_prefix(b"hierarchical_memory_limit "));
    let text = value.and_then(|value| std::str::from_utf8(value).ok());
    Some(text.map_or(Err(()), number))
}

fn number(text: &str) -> Limit {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(());
    }
    match text.parse() {
        Ok(0) | Err(_) => Err(()),
        Ok(bytes) if bytes >= 1_u64 << 60 => Ok(None),
        Ok(bytes) => Ok(Some(bytes)),
    }
}
