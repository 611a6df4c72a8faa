//! One second's figures, and the file that they are written to.

use bursar::{PressureLevel, Stats};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// The first line of the file.
const HEADER: &str = "seconds,live_bytes,resident_bytes,container_bytes,limit_bytes,budget_bytes,\
    level,bursar_bytes,churn_bytes,requests_served,requests_failed,cleanups,threads,tags,\
    comparisons,differences";

/// What one second looked like. What has no figure here is empty in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Row {
    pub(crate) seconds: f64,
    pub(crate) live: u64,
    pub(crate) resident: Option<u64>,
    /// By the container's count.
    pub(crate) container: Option<u64>,
    pub(crate) limit: Option<u64>,
    pub(crate) budget: u64,
    pub(crate) level: PressureLevel,
    /// What Bursar holds itself.
    pub(crate) bursar: u64,
    /// What the churn's pool holds.
    pub(crate) churn: u64,
    pub(crate) served: u64,
    pub(crate) failed: u64,
    pub(crate) cleanups: u64,
    pub(crate) threads: u64,
    pub(crate) tags: u64,
    pub(crate) comparisons: u64,
    pub(crate) differences: u64,
}

impl Row {
    /// Takes over what Bursar says.
    pub(crate) fn read(&mut self, stats: &Stats) {
        let own = stats.tags.iter().find(|tag| tag.name == "bursar");
        self.live = stats.live_bytes;
        self.resident = stats.sample.resident_bytes;
        self.budget = stats.soft_limit_bytes;
        self.level = stats.level;
        self.bursar = own.map_or(0, |tag| tag.live_bytes);
        self.cleanups = stats.cleanups_total;
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_empty = |bytes: Option<u64>| bytes.map_or_else(String::new, |it| it.to_string());
        let [resident, container, limit] =
            [self.resident, self.container, self.limit].map(or_empty);
        write!(f, "{:.1},{},{resident},{container},{limit},", self.seconds, self.live)?;
        write!(f, "{},{},{},{},", self.budget, self.level, self.bursar, self.churn)?;
        write!(f, "{},{},{},", self.served, self.failed, self.cleanups)?;
        write!(f, "{},{},{},{}", self.threads, self.tags, self.comparisons, self.differences)
    }
}

/// The file, written line by line so that an interrupted run is not lost.
#[derive(Debug)]
pub(crate) struct Table {
    file: File,
}

impl Table {
    /// Begins the file at `path` anew.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut file = File::create(path)?;
        writeln!(file, "{HEADER}")?;
        Ok(Self { file })
    }

    pub(crate) fn add(&mut self, row: &Row) -> io::Result<()> {
        // In one write: no half of a line is ever in the file.
        self.file.write_all(format!("{row}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_cell_for_each_name_in_the_header() {
        let row = Row { seconds: 1.04, limit: Some(7), ..Row::default() };
        let line = row.to_string();
        assert_eq!(line, "1.0,0,,,7,0,normal,0,0,0,0,0,0,0,0,0");
        assert_eq!(line.split(',').count(), HEADER.split(',').count());
    }

    #[test]
    fn a_line_is_in_the_file_as_soon_as_it_is_added() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("soak.csv");
        let mut table = Table::create(&path).expect("a file");
        table.add(&Row::default()).expect("a line");
        let written = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(written.lines().count(), 2);
        drop(table);
    }
}
