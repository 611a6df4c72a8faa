//! [`Findings`]: what a command found, as tables and as charts.

use std::error::Error;
use std::process::ExitCode;

use crate::chart::Chart;
use crate::measure::Table;

/// What was measured, ready to be shown.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) tables: Vec<Table>,
    pub(crate) charts: Vec<Chart>,
}

impl Findings {
    /// Tables alone.
    pub(crate) fn of(tables: impl IntoIterator<Item = Table>) -> Self {
        Self { tables: tables.into_iter().collect(), charts: Vec::new() }
    }

    /// Adds what else was found.
    pub(crate) fn extend(&mut self, more: Self) {
        self.tables.extend(more.tables);
        self.charts.extend(more.charts);
    }

    /// Prints the tables, a line between each two.
    pub(crate) fn print(&self) {
        for table in &self.tables {
            println!("{table}");
        }
    }
}

/// How a command ends: with its tables, or with what was wrong.
pub(crate) fn conclude(command: &str, found: Result<Findings, Box<dyn Error>>) -> ExitCode {
    match found {
        Ok(found) => {
            found.print();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{command}: {error}");
            ExitCode::FAILURE
        }
    }
}
