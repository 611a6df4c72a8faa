//! The last report: what stands in a file of the user's choice should the kernel kill the process
//! after all. In Kubernetes, the pod's termination log.

use std::fmt::Write as _;

use bytesize::ByteSize;

use super::Monitor;

/// What Kubernetes keeps of a termination message, in bytes.
const MAX_BYTES: usize = 4096;
/// Tags that are listed.
const TAGS: usize = 16;

impl Monitor {
    /// Writes the report, if a file is given for it; what goes wrong shows in the statistics.
    pub(super) fn write_last_report(&mut self) {
        let Some(path) = &self.settings.config.last_report_path else { return };
        let text = self.last_report();
        let error = std::fs::write(path, text).err();
        let error = error.map(|error| format!("{}: {error}", path.display()));
        self.shared.lock().last_report_error = error;
    }

    fn last_report(&self) -> String {
        let status = self.shared.lock();
        let sample = status.sample;
        let usage = status.finding.map_or(0.0, |finding| finding.usage);
        let mut text = format!(
            "memory emergency after {:.1?}: {:.1} % of the budget of {}",
            self.clock.now(),
            100.0 * usage,
            ByteSize(self.settings.budget.soft_limit_bytes()),
        );
        for (name, bytes) in [
            ("live", Some(sample.live_bytes)),
            ("charged", Some(sample.charged_bytes)),
            ("active", sample.active_bytes),
            ("dirty", sample.dirty_bytes),
            ("resident", sample.resident_bytes),
            ("working set", sample.working_set_bytes),
            ("limit", sample.limit_bytes),
        ] {
            let bytes = bytes.map_or("unknown".to_owned(), |bytes| ByteSize(bytes).to_string());
            let _ = write!(text, "\n{name} {bytes}");
        }
        let last_cleanup = status.history.last_cleanup().cloned();
        drop(status);
        let mut tags = bursar_alloc::usage().tags;
        tags.sort_by_key(|tag| std::cmp::Reverse(tag.live_bytes));
        for tag in tags.iter().take(TAGS) {
            let live = ByteSize(tag.live_bytes);
            let _ = write!(text, "\ntag {} {live} in {} blocks", tag.name, tag.live_blocks);
        }
        if let Some(report) = last_cleanup {
            let _ = write!(text, "\nlast {report}");
        }
        // Names and figures are ASCII but for what the system calls the path.
        let end = text.floor_char_boundary(MAX_BYTES);
        text.truncate(end);
        text
    }
}
