//! [`TraceWriter`]: records a running Bursar, on a thread of its own.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::lines::{Header, write_line};
use super::{Trace, TraceEvent, TraceItem, TracedCleanup, TracedPurgeable};
use crate::bursar::BURSAR;
use crate::clock::Clock;
use crate::contain::contain;
use crate::history::is_place_over;
use crate::pressure::PressureLevel;
use crate::registry::Registry;
use crate::report::{CleanupReport, PurgeReport};
use crate::status::{Shared, Status};

/// How often the history is looked at. It keeps some twenty seconds of readings.
const PERIOD: Duration = Duration::from_millis(250);
/// A purgeable's size is written when it has changed by this part of what was written last.
const SIZE_CHANGE_PART: u64 = 64;

/// A recording under way, from [`Bursar::record_trace`](crate::Bursar::record_trace). Ends when
/// it is dropped.
///
/// It reads what the monitor notes and writes on a thread of its own, with no lock held: a slow
/// writer holds nobody up, and costs readings when it is some twenty seconds behind. A writer
/// that fails ends the recording and nothing else.
#[derive(Debug)]
#[must_use = "dropping it ends the recording"]
pub struct TraceWriter {
    stop: mpsc::Sender<()>,
    error: Arc<Mutex<Option<String>>>,
    thread: Option<JoinHandle<io::Result<u64>>>,
}

impl TraceWriter {
    pub(crate) fn start(
        trace: &Trace,
        sources: Recorded,
        mut writer: impl Write + Send + 'static,
    ) -> io::Result<Self> {
        let header = Header::of(trace);
        let (stop, stopped) = mpsc::channel();
        let error = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&error);
        let body = move || {
            let _tag = BURSAR.enter();
            let panicked = || Err(io::Error::other("the writer panicked"));
            let result = contain(|| record(&header, sources, &mut writer, &stopped));
            // By itself: a destructor that panics while another panic goes on ends the process.
            let is_dropped = contain(|| drop(writer)).is_some();
            let result = result.filter(|_| is_dropped).unwrap_or_else(panicked);
            if let Err(error) = &result {
                *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }
            result
        };
        let thread = thread::Builder::new().name("bursar-trace".to_owned()).spawn(body)?;
        Ok(Self { stop, error, thread: Some(thread) })
    }

    /// What the writer said when it failed, or that it panicked, if it has.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the recording: waits until all there is has been written and flushed. Returns the
    /// lines written.
    ///
    /// # Errors
    ///
    /// The writer's, now or before, or that it panicked.
    pub fn finish(mut self) -> io::Result<u64> {
        self.end().unwrap_or(Ok(0))
    }

    fn end(&mut self) -> Option<io::Result<u64>> {
        let thread = self.thread.take()?;
        // A recording that has ended by itself does not listen any more.
        let _ = self.stop.send(());
        // What panics in it is contained there.
        thread.join().ok()
    }
}

impl Drop for TraceWriter {
    fn drop(&mut self) {
        // Whoever wants to know how it ended calls `finish`.
        let _ = self.end();
    }
}

/// What is recorded.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) shared: Arc<Shared>,
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<dyn Clock>,
}

fn record(
    header: &Header,
    recorded: Recorded,
    writer: &mut impl Write,
    stopped: &mpsc::Receiver<()>,
) -> io::Result<u64> {
    write_line(writer, header)?;
    let mut lines = 1;
    let mut cursor = Cursor::starting_at(&recorded.shared.lock());
    let mut is_over = false;
    loop {
        for event in cursor.advance(&recorded, is_over) {
            write_line(writer, &event)?;
            lines += 1;
        }
        writer.flush()?;
        if is_over {
            return Ok(lines);
        }
        is_over = stopped.recv_timeout(PERIOD) != Err(RecvTimeoutError::Timeout);
    }
}

/// How far the recording has come.
#[derive(Debug, Default)]
struct Cursor {
    sampled_until: Option<Duration>,
    level: PressureLevel,
    level_changes: u64,
    cleanups: u64,
    freed_bytes: u64,
    collected_bytes: u64,
    futile: u64,
    sizes: BTreeMap<String, TracedPurgeable>,
    /// What is not before a reading that is not written yet.
    pending: Vec<TraceEvent>,
}

impl Cursor {
    /// From the latest reading on. The level in force is told of as if it had just been entered.
    fn starting_at(status: &Status) -> Self {
        Self {
            sampled_until: status.history.recent_samples().nth_back(1).map(|point| point.at),
            level_changes: status.history.level_changes_total(),
            cleanups: status.cleanups_total,
            freed_bytes: status.freed_bytes_total,
            collected_bytes: status.collected_bytes_total,
            futile: status.futile_cleanups_total,
            ..Self::default()
        }
    }

    /// What has been noted since the last time, in order.
    fn advance(&mut self, recorded: &Recorded, is_over: bool) -> Vec<TraceEvent> {
        let mut events = std::mem::take(&mut self.pending);
        let horizon = {
            let status = recorded.shared.lock();
            let now = recorded.clock.now();
            let horizon = self.samples(&status, now, is_over, &mut events);
            self.levels(&status, now, &mut events);
            self.cleanups(&status, now, &mut events);
            horizon
        };
        // With no lock held: purgeables are user code.
        self.sizes(&recorded.registry, recorded.clock.now(), &mut events);
        // What came of a reading is told of after it.
        events.sort_by_key(|event| (event.at, !matches!(event.item, TraceItem::Sample(_))));
        let ready = events.partition_point(|event| event.at < horizon);
        self.pending = events.split_off(ready);
        events
    }

    /// A reading that a higher one may still take the place of is left for the next time, and so
    /// is what came after it: its time is the answer.
    fn samples(
        &mut self,
        status: &Status,
        now: Duration,
        is_over: bool,
        events: &mut Vec<TraceEvent>,
    ) -> Duration {
        for point in status.history.recent_samples() {
            if self.sampled_until.is_some_and(|until| point.at <= until) {
                continue;
            }
            if !is_over && !is_place_over(point.at, now) {
                return point.at;
            }
            self.sampled_until = Some(point.at);
            events
                .push(TraceEvent { at: point.at, item: TraceItem::Sample(Box::new(point.sample)) });
        }
        Duration::MAX
    }

    fn levels(&mut self, status: &Status, now: Duration, events: &mut Vec<TraceEvent>) {
        let new = status.history.level_changes_total() - self.level_changes;
        let kept = status.history.level_changes();
        let skipped = kept.count().saturating_sub(usize::try_from(new).unwrap_or(usize::MAX));
        for change in status.history.level_changes().skip(skipped) {
            self.level = change.to;
            let item = TraceItem::Level { level: change.to };
            events.push(TraceEvent { at: change.at, item });
        }
        if self.level != status.pressure.level {
            self.level = status.pressure.level;
            events.push(TraceEvent { at: now, item: TraceItem::Level { level: self.level } });
        }
        self.level_changes += new;
    }

    /// Each report that is kept; what the totals say beyond those, in one.
    fn cleanups(&mut self, status: &Status, now: Duration, events: &mut Vec<TraceEvent>) {
        let mut rest = TracedCleanup {
            count: status.cleanups_total - self.cleanups,
            freed_bytes: status.freed_bytes_total - self.freed_bytes,
            collected_bytes: status.collected_bytes_total - self.collected_bytes,
            ..TracedCleanup::default()
        };
        let kept = status.history.cleanups().count();
        let new = usize::try_from(rest.count).unwrap_or(usize::MAX);
        for report in status.history.cleanups().skip(kept.saturating_sub(new)) {
            let cleanup = TracedCleanup::from(report);
            rest.count -= 1;
            rest.freed_bytes = rest.freed_bytes.saturating_sub(cleanup.freed_bytes);
            rest.collected_bytes = rest.collected_bytes.saturating_sub(cleanup.collected_bytes);
            events.push(TraceEvent { at: report.started_at, item: TraceItem::Cleanup(cleanup) });
        }
        if rest.count > 0 {
            events.push(TraceEvent { at: now, item: TraceItem::Cleanup(rest) });
        }
        let futile = status.futile_cleanups_total - self.futile;
        if futile > 0 {
            events.push(TraceEvent { at: now, item: TraceItem::Futile { count: futile } });
        }
        self.cleanups = status.cleanups_total;
        self.freed_bytes = status.freed_bytes_total;
        self.collected_bytes = status.collected_bytes_total;
        self.futile = status.futile_cleanups_total;
    }

    /// Sizes that have changed by a good part, and of what is gone, nothing.
    fn sizes(&mut self, registry: &Registry, now: Duration, events: &mut Vec<TraceEvent>) {
        let mut gone = std::mem::take(&mut self.sizes);
        for slot in registry.slots() {
            let candidate = slot.candidate(0);
            let size = TracedPurgeable {
                name: slot.name().to_owned(),
                stage: candidate.stage,
                priority: candidate.priority,
                rebuild_cost: candidate.rebuild_cost,
                purgeable_bytes: candidate.purgeable_bytes,
            };
            let kept = gone.remove(&size.name).filter(|last| is_much_the_same(last, &size));
            let size = kept.unwrap_or_else(|| {
                let item = TraceItem::Purgeable(size.clone());
                events.push(TraceEvent { at: now, item });
                size
            });
            self.sizes.insert(size.name.clone(), size);
        }
        events.extend(gone.into_values().map(|last| TraceEvent {
            at: now,
            item: TraceItem::Purgeable(TracedPurgeable { purgeable_bytes: 0, ..last }),
        }));
    }
}

fn is_much_the_same(last: &TracedPurgeable, new: &TracedPurgeable) -> bool {
    let change = last.purgeable_bytes.abs_diff(new.purgeable_bytes);
    let declared = |p: &TracedPurgeable| (p.stage, p.priority, p.rebuild_cost);
    declared(last) == declared(new) && change <= last.purgeable_bytes / SIZE_CHANGE_PART
}

impl From<&CleanupReport> for TracedCleanup {
    fn from(report: &CleanupReport) -> Self {
        let mut cleanup = Self {
            count: 1,
            freed_bytes: report.freed_bytes,
            collected_bytes: report.collected_bytes.unwrap_or(0),
            ..Self::default()
        };
        for purge in report.stages.iter().flat_map(|stage| &stage.purges) {
            let freed = cleanup.freed_bytes_by_name.entry(purge.name.clone()).or_default();
            *freed += PurgeReport::freed_bytes(purge);
        }
        cleanup
    }
}

#[cfg(test)]
mod tests;
