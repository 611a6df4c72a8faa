//! [`PAGE`]: what a person looks at in a browser.

/// The live page, whole: styles, scripts and the chart library are in it, and it asks for nothing
/// but `stats` and `history` right below its own address.
///
/// `Endpoints` serve it together with both; this is for services whose server speaks neither
/// `http` nor `tower`. They answer a `GET` of the address with this as `text/html`, and one of
/// `stats` and of `history` below it with `{"success": true, "data": ...}`, where the data are
/// [`Stats`](crate::Stats) and [`History`](crate::History) as JSON. It works under the policy
/// `default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self';
/// img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`.
///
/// Names of tags, purgeables and routes are shown as text, whatever they hold. Anyone who may see
/// the page may see all of these: keep it off the public listener.
///
/// # Examples
///
/// ```
/// assert!(bursar::DASHBOARD_PAGE.starts_with("<!doctype html>"));
/// ```
pub const PAGE: &str = match std::str::from_utf8(COMPACT) {
    Ok(page) => page,
    Err(_) => panic!("whole lines were dropped"),
};

const SOURCE: &str = concat!(
    include_str!("head.html"),
    include_str!("page.css"),
    include_str!("parts.css"),
    include_str!("body.html"),
    "<!-- Third-party notice: the charts are drawn by uPlot.\n\n",
    include_str!("uplot.LICENSE"),
    "\n-->\n<script>",
    include_str!("uplot.iife.min.js"),
    "</script>\n<script>\n\"use strict\";\n(() => {\n",
    include_str!("format.js"),
    include_str!("timeline.js"),
    include_str!("chart.js"),
    include_str!("memory_chart.js"),
    include_str!("tags_chart.js"),
    include_str!("table.js"),
    include_str!("tables.js"),
    include_str!("usage.js"),
    include_str!("page.js"),
    "})();\n</script>\n</body>\n</html>\n",
);

/// A constant and not a static: lints that look into constants stumble over a reference to one.
const COMPACT: &[u8] = &{
    let mut page = [0; compact(SOURCE.as_bytes(), &mut [])];
    compact(SOURCE.as_bytes(), &mut page);
    page
};

/// Copies `source` without what a browser has no use for: indentation, empty lines, lines of
/// comments, and the ends of lines after `;`, `{`, `(` and `[`, and after a `,` if the next line is
/// indented, which those of a licence are not. Copies as much as fits, and returns the
/// length of all.
const fn compact(source: &[u8], compacted: &mut [u8]) -> usize {
    let (mut read, mut length) = (0, 0);
    while read < source.len() {
        while read < source.len() && matches!(source[read], b' ' | b'\n') {
            read += 1;
        }
        let is_kept = !is_comment(source, read);
        while read < source.len() {
            if is_kept && !joins_lines(source, read) {
                if length < compacted.len() {
                    compacted[length] = source[read];
                }
                length += 1;
            }
            read += 1;
            if source[read - 1] == b'\n' {
                break;
            }
        }
    }
    length
}

/// Whether a line ends here that the next one goes on from with nothing in between.
const fn joins_lines(source: &[u8], at: usize) -> bool {
    if at == 0 || source[at] != b'\n' {
        return false;
    }
    match source[at - 1] {
        b';' | b'{' | b'(' | b'[' => true,
        b',' => at + 1 < source.len() && source[at + 1] == b' ',
        _ => false,
    }
}

/// Whether the line is one of a comment: `// ...`, `/** ...` or `* ...`. One that begins with `/*!`
/// is a licence, and stays.
const fn is_comment(source: &[u8], at: usize) -> bool {
    if at + 2 >= source.len() {
        return false;
    }
    match (source[at], source[at + 1]) {
        (b'*', b' ' | b'/') | (b'/', b'/') => true,
        (b'/', b'*') => source[at + 2] != b'!',
        _ => false,
    }
}

#[cfg(test)]
mod tests;
