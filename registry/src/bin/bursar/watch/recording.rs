//! [`Recording`]: the file that a trace is written to, whole after every write.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bursar::{Profile, Stats, Trace, TraceEvent};

use crate::failure::{Failure, Kind};

/// A trace file under way.
#[derive(Debug)]
pub(super) struct Recording {
    path: PathBuf,
    file: BufWriter<File>,
    /// The settings of the run, without events.
    settings: Trace,
    events_total: u64,
}

impl Recording {
    /// Creates the file, and writes the settings of the service into it. What cannot be seen from
    /// outside, all of the profile but its watermarks, is as by default.
    pub(super) fn create(path: &Path, stats: &Stats, overwrite: bool) -> Result<Self, Failure> {
        let mut profile = Profile::default();
        profile.watermarks = stats.watermarks;
        let settings = Trace::new(stats.soft_limit_bytes, stats.limits.limit_bytes, profile)
            .map_err(no_trace)?;
        let mut how = OpenOptions::new();
        how.write(true);
        if overwrite {
            how.create(true).truncate(true)
        } else {
            how.create_new(true)
        };
        let file = how.open(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                let what = "is there already; give another name, or --overwrite";
                Failure::new(Kind::File, format!("{}: {what}", path.display()))
            }
            _ => file_failure(path, &error),
        })?;
        let path = path.to_owned();
        let file = BufWriter::new(file);
        let mut recording = Self { path, file, settings, events_total: 0 };
        recording.settings.write(&mut recording.file).map_err(|error| recording.failed(&error))?;
        Ok(recording)
    }

    /// Writes events, with what a replay would refuse refused.
    pub(super) fn add(&mut self, events: Vec<TraceEvent>) -> Result<(), Failure> {
        let mut batch = self.settings.clone();
        events.into_iter().try_for_each(|event| batch.push(event)).map_err(no_trace)?;
        for event in batch.events() {
            let line = serde_json::to_string(event).map_err(no_trace)?;
            writeln!(self.file, "{line}").map_err(|error| file_failure(&self.path, &error))?;
            self.events_total += 1;
        }
        self.file.flush().map_err(|error| file_failure(&self.path, &error))
    }

    /// Ends it, with all of it on the disk; answers how many events there are.
    pub(super) fn finish(mut self) -> Result<u64, Failure> {
        let written = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        match written {
            // What is no file on a disk, a pipe for example, has nothing to be synced.
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(self.failed(&error)),
            _ => Ok(self.events_total),
        }
    }

    fn failed(&self, error: &io::Error) -> Failure {
        file_failure(&self.path, error)
    }
}

fn file_failure(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::File, format!("{}: {error}", path.display()))
}

fn no_trace(error: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::NotBursar, format!("what the service says makes no trace: {error}"))
}
