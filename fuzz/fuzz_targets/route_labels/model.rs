//! What the log of requests is to say, by the rules that its documentation states.

use std::collections::BTreeMap;

const OTHER: &str = "other";
const UNMATCHED: &str = "unmatched";
const MOST_LABEL_BYTES: usize = 128;

/// Requests, those of them that failed, and those refused.
type Counts = [u64; 3];

/// A log of requests that come one after the other.
#[derive(Debug)]
pub(crate) struct Model {
    max_routes: usize,
    counted: BTreeMap<String, Counts>,
}

impl Model {
    pub(crate) fn new(max_routes: usize) -> Self {
        Self { max_routes, counted: BTreeMap::new() }
    }

    /// Counts a request that was answered with `status`, or was not.
    pub(crate) fn request(&mut self, label: &str, status: Option<u16>) {
        let label = cut(label);
        let is_known = self.counted.contains_key(&label);
        let label = if is_fixed(&label) || is_known {
            label
        } else if matches!(status, Some(404 | 405)) {
            UNMATCHED.to_owned()
        } else if self.routes() < self.max_routes {
            label
        } else {
            OTHER.to_owned()
        };
        let [requests, failed, _] = self.of(label);
        *requests += 1;
        *failed += u64::from(status.is_none_or(|status| status >= 500));
    }

    /// Counts one that was refused.
    pub(crate) fn shed(&mut self, label: &str) {
        let label = cut(label);
        let is_known = is_fixed(&label) || self.counted.contains_key(&label);
        let [.., shed] = self.of(if is_known { label } else { OTHER.to_owned() });
        *shed += 1;
    }

    /// The counts of each route that has some.
    pub(crate) fn counted(&self) -> &BTreeMap<String, Counts> {
        &self.counted
    }

    fn routes(&self) -> usize {
        self.counted.keys().filter(|label| !is_fixed(label)).count()
    }

    fn of(&mut self, label: String) -> &mut Counts {
        let label = if label.is_empty() { UNMATCHED.to_owned() } else { label };
        self.counted.entry(label).or_default()
    }
}

/// Those that are there however many others are.
fn is_fixed(label: &str) -> bool {
    ["", OTHER, UNMATCHED].contains(&label)
}

/// Without control characters, and with as many whole characters as there is room for.
fn cut(label: &str) -> String {
    let mut shown = label.replace(char::is_control, "?");
    shown.truncate(shown.floor_char_boundary(MOST_LABEL_BYTES));
    shown
}

/// What the layer counts a request under.
pub(crate) fn label(method: &str, route: Option<&str>) -> String {
    const METHODS: [&str; 9] =
        ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "CONNECT", "PATCH", "TRACE"];
    let method = if METHODS.contains(&method) { method } else { "_OTHER" };
    route.map_or_else(|| UNMATCHED.to_owned(), |route| format!("{method} {route}"))
}

/// Up to the second slash of a path.
pub(crate) fn first_segment(path: &str) -> &str {
    match path.match_indices('/').find(|(at, _)| *at > 0) {
        Some((end, _)) => &path[..end],
        None => path,
    }
}
