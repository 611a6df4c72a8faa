//! The recorded run as curves that can be read at any time between two samples.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::pressure::Sample;
use crate::trace::{Trace, TraceItem};

/// A recorded sample, apart from what the recorded cleanups did to it. Bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Knot {
    pub(super) at: Duration,
    /// As it was read.
    pub(super) sample: Sample,
    pub(super) demand: Demand,
}

/// What the process needed by itself, had there been no cleanups. Signed: a cleanup that is
/// believed to have freed more than there was takes it below zero.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Demand {
    /// Live bytes, and what cleanups have freed of them.
    pub(super) live: i128,
    /// Dirty bytes, less what cleanups have freed, and what they gave back.
    pub(super) dirty: i128,
    /// In pages that hold live blocks, but not in the blocks.
    pub(super) gaps: i128,
    pub(super) charged: i128,
    /// The working set less live and dirty bytes.
    pub(super) rest_of_working_set: i128,
    /// The resident bytes less live and dirty bytes.
    pub(super) rest_of_resident: i128,
}

/// What recorded cleanups have done up to some time.
#[derive(Debug, Clone, Default)]
pub(super) struct Done {
    pub(super) cleanups: u64,
    pub(super) futile: u64,
    pub(super) freed: i128,
    pub(super) collected: i128,
    pub(super) freed_bytes_by_name: BTreeMap<String, u64>,
}

impl Done {
    pub(super) fn add(&mut self, item: &TraceItem) {
        match item {
            TraceItem::Cleanup(cleanup) => {
                self.cleanups = self.cleanups.saturating_add(cleanup.count);
                self.freed += i128::from(cleanup.freed_bytes);
                self.collected += i128::from(cleanup.collected_bytes);
                for (name, &bytes) in &cleanup.freed_bytes_by_name {
                    let total = self.freed_bytes_by_name.entry(name.clone()).or_default();
                    *total = total.saturating_add(bytes);
                }
            }
            TraceItem::Futile { count } => self.futile = self.futile.saturating_add(*count),
            _ => {}
        }
    }
}

/// The samples of a trace, in order.
pub(super) fn knots(trace: &Trace) -> Vec<Knot> {
    let mut done = Done::default();
    let mut knots = Vec::new();
    for event in trace.events() {
        done.add(&event.item);
        if let TraceItem::Sample(sample) = &event.item {
            let sample = **sample;
            knots.push(Knot { at: event.at, sample, demand: Demand::of(&sample, &done) });
        }
    }
    knots
}

impl Demand {
    fn of(sample: &Sample, done: &Done) -> Self {
        let live = i128::from(sample.live_bytes);
        let dirty = sample.dirty_bytes.map_or(0, i128::from);
        let rest = |bytes: Option<u64>| bytes.map_or(0, |bytes| i128::from(bytes) - live - dirty);
        Self {
            live: live + done.freed,
            dirty: dirty - done.freed + done.collected,
            gaps: i128::from(sample.heap_bytes()) - live,
            charged: i128::from(sample.charged_bytes),
            rest_of_working_set: rest(sample.working_set_bytes),
            rest_of_resident: rest(sample.resident_bytes),
        }
    }

    /// On the straight line from one sample to the next.
    pub(super) fn between(from: &Knot, to: &Knot, at: Duration) -> Self {
        let micros = |from: Duration, to: Duration| to.saturating_sub(from).as_micros() as i128;
        let (whole, part) = (micros(from.at, to.at), micros(from.at, at));
        if part >= whole {
            return to.demand;
        }
        let on_line = |a: i128, b: i128| a + (b - a) * part / whole;
        let (a, b) = (&from.demand, &to.demand);
        Self {
            live: on_line(a.live, b.live),
            dirty: on_line(a.dirty, b.dirty),
            gaps: on_line(a.gaps, b.gaps),
            charged: on_line(a.charged, b.charged),
            rest_of_working_set: on_line(a.rest_of_working_set, b.rest_of_working_set),
            rest_of_resident: on_line(a.rest_of_resident, b.rest_of_resident),
        }
    }

    /// The sample of a process that needs this, and that cleanups have changed by so many live
    /// and dirty bytes; what is not known in `like` is not known in it.
    pub(super) fn sample(&self, like: &Sample, live_change: i128, dirty_change: i128) -> Sample {
        let live = self.live + live_change;
        let dirty = self.dirty + dirty_change;
        let if_known = |known: Option<u64>, bytes: i128| known.map(|_| clamped(bytes));
        let dirty = if like.dirty_bytes.is_some() { dirty.max(0) } else { 0 };
        let in_memory = live.max(0) + dirty;
        Sample {
            live_bytes: clamped(live),
            charged_bytes: clamped(self.charged),
            active_bytes: if_known(like.active_bytes, live.max(0) + self.gaps),
            dirty_bytes: if_known(like.dirty_bytes, dirty),
            resident_bytes: if_known(like.resident_bytes, in_memory + self.rest_of_resident),
            working_set_bytes: if_known(
                like.working_set_bytes,
                in_memory + self.rest_of_working_set,
            ),
            ..*like
        }
    }
}

/// Within what a trace may speak of, so that sums of a few never overflow.
fn clamped(bytes: i128) -> u64 {
    bytes.clamp(0, i128::from(Trace::MAX_VALUE)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::trace::{TraceEvent, TracedCleanup};

    #[test]
    fn demand_is_what_was_read_without_what_cleanups_had_done_to_it() {
        let mut trace = Trace::new(1 << 20, None, Profile::default()).unwrap();
        let cleanup =
            TracedCleanup { count: 1, freed_bytes: 20, collected_bytes: 5, ..<_>::default() };
        let sample = Sample {
            live_bytes: 40,
            active_bytes: Some(47),
            dirty_bytes: Some(17),
            working_set_bytes: Some(60),
            ..Sample::default()
        };
        for (second, item) in (0..).zip([
            TraceItem::Sample(Box::new(Sample { live_bytes: 50, ..sample })),
            TraceItem::Cleanup(cleanup),
            TraceItem::Sample(Box::new(sample)),
        ]) {
            trace.push(TraceEvent { at: Duration::from_secs(second), item }).unwrap();
        }
        let knots = knots(&trace);
        let demand = knots[1].demand;
        assert_eq!((demand.live, demand.dirty, demand.gaps), (60, 2, 7));
        assert_eq!(
            demand.sample(&sample, -20, 15),
            sample,
            "with the cleanup, it is what was read"
        );

        let halfway = Demand::between(&knots[0], &knots[1], Duration::from_secs(1));
        assert_eq!(halfway.live, 55);
    }
}
