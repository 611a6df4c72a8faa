//! Recorded runs, arbitrary bytes and arbitrary events, played under arbitrary settings: nothing
//! panics, the same run gives the same report, no level is left within its dwell, and a run that
//! stays below the warning watermark is left alone.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use bursar::{
    Budget, Policy, PressureLevel, Profile, RebuildCost, Replay, ReplayReport, Sample, Stage,
    Trace, TraceEvent, TraceItem, TracedCleanup, TracedPurgeable, Watermarks,
};
use libfuzzer_sys::fuzz_target;

/// Each is up to 64 steps of the monitor.
const MOST_EVENTS: usize = 32;

#[derive(Arbitrary, Debug)]
enum Input {
    /// What follows the first line, or in its place.
    Lines {
        with_header: bool,
        lines: Vec<u8>,
    },
    Run {
        settings: Settings,
        events: Vec<(u32, bool, Event)>,
    },
}

#[derive(Arbitrary, Debug)]
struct Settings {
    soft_limit_bytes: u64,
    /// In thousandths, on top of each other.
    watermarks: [u8; 3],
    targets: [u8; 3],
    policy: u8,
    hysteresis: u8,
    dwell_ms: u16,
    cooldown_ms: u16,
    max_share: u8,
    interval_ms: u16,
}

#[derive(Arbitrary, Debug)]
enum Event {
    Sample { sizes: [u64; 2], known: [Option<u64>; 5] },
    Purgeable { name: u8, stage: u8, priority: i8, rebuild_cost: u8, purgeable_bytes: u64 },
    Level(u8),
    Cleanup { freed_bytes: u64, collected_bytes: u64, name: u8 },
    Futile(u64),
}

fn name(name: u8) -> String {
    format!("cache-{}", name % 4)
}

/// Small sizes as often as large ones.
fn size(any: u64) -> u64 {
    any & (Trace::MAX_VALUE >> (any % 51))
}

impl Settings {
    fn profile(&self) -> Profile {
        let mut profile = Profile::default();
        let thousandths = |n: u8| f64::from(n) / 1000.0;
        let [a, b, c] = self.watermarks.map(|n| thousandths(n) + 0.01);
        profile.watermarks = Watermarks { warning: a, critical: a + b, emergency: a + b + c };
        let mut targets = self.targets.map(|n| (f64::from(n) + 1.0) / 256.0);
        targets.sort_by(f64::total_cmp);
        profile.targets = targets;
        profile.policy = [Policy::Conservative, Policy::Balanced, Policy::Aggressive]
            [usize::from(self.policy % 3)];
        profile.hysteresis = a * f64::from(self.hysteresis) / 256.0;
        profile.dwell = Duration::from_millis(self.dwell_ms.into());
        profile.cooldown = Duration::from_millis(self.cooldown_ms.into());
        profile.max_share = (f64::from(self.max_share) + 1.0) / 256.0;
        profile.interval = Profile::MIN_INTERVAL + Duration::from_millis(self.interval_ms.into());
        profile
    }
}

impl Event {
    fn item(&self) -> TraceItem {
        match self {
            Self::Sample { sizes: [live, charged], known } => {
                let mut sample = Sample::default();
                (sample.live_bytes, sample.charged_bytes) = (size(*live), size(*charged));
                let [active, dirty, resident, working_set, limit] =
                    known.map(|bytes| bytes.map(size));
                (sample.active_bytes, sample.dirty_bytes) = (active, dirty);
                (sample.resident_bytes, sample.working_set_bytes) = (resident, working_set);
                sample.limit_bytes = limit;
                TraceItem::Sample(Box::new(sample))
            }
            Self::Purgeable { name: n, stage, priority, rebuild_cost, purgeable_bytes } => {
                let stages = [Stage::Collect, Stage::Trim, Stage::Release, Stage::Emergency];
                let costs = [RebuildCost::Low, RebuildCost::Medium, RebuildCost::High];
                TraceItem::Purgeable(TracedPurgeable {
                    name: name(*n),
                    stage: stages[usize::from(stage % 4)],
                    priority: *priority,
                    rebuild_cost: costs[usize::from(rebuild_cost % 3)],
                    purgeable_bytes: size(*purgeable_bytes),
                })
            }
            Self::Level(level) => {
                let levels = [
                    PressureLevel::Normal,
                    PressureLevel::Warning,
                    PressureLevel::Critical,
                    PressureLevel::Emergency,
                ];
                TraceItem::Level { level: levels[usize::from(level % 4)] }
            }
            Self::Cleanup { freed_bytes, collected_bytes, name: n } => {
                TraceItem::Cleanup(TracedCleanup {
                    count: 1,
                    freed_bytes: size(*freed_bytes),
                    collected_bytes: size(*collected_bytes),
                    freed_bytes_by_name: [(name(*n), size(*freed_bytes))].into(),
                })
            }
            Self::Futile(count) => TraceItem::Futile { count: size(*count) },
        }
    }
}

fn run(settings: &Settings, events: &[(u32, bool, Event)]) -> Trace {
    let soft_limit_bytes = size(settings.soft_limit_bytes).max(Budget::MIN_SOFT_LIMIT_BYTES);
    let mut trace = Trace::new(soft_limit_bytes, None, settings.profile()).expect("valid settings");
    let mut at = Duration::ZERO;
    for (wait, is_long, event) in events.iter().take(MOST_EVENTS) {
        at += Duration::from_millis(if *is_long { (*wait).into() } else { u64::from(wait % 4096) });
        trace.push(TraceEvent { at, item: event.item() }).expect("a valid event");
    }
    trace
}

/// What is read of bytes is written as it can be read again.
fn lines(with_header: bool, lines: &[u8]) -> Option<Trace> {
    let mut file = Vec::new();
    if with_header {
        let empty = Trace::new(64 << 20, None, Profile::default()).expect("valid settings");
        empty.write(&mut file).expect("a vector takes everything");
    }
    file.extend(lines);
    let trace = match Trace::read(&file[..]) {
        Ok(trace) => trace,
        Err(error) => {
            assert!(error.to_string().starts_with("line "), "{error}");
            return None;
        }
    };
    let mut written = Vec::new();
    trace.write(&mut written).expect("a vector takes everything");
    let again = Trace::read(&written[..]).expect("what was written can be read");
    assert_eq!(again.events(), trace.events());
    (trace.events().len() <= MOST_EVENTS).then_some(trace)
}

fn check(trace: &Trace, report: &ReplayReport) {
    let profile = trace.profile();
    let changes: Vec<_> = report.history.level_changes().collect();
    for pair in changes.windows(2) {
        let dwelt = pair[1].at - pair[0].at;
        assert!(pair[1].to > pair[1].from || dwelt >= profile.dwell, "{pair:?}");
    }
    let warning = profile.watermarks.warning;
    let is_calm = report.history.samples().all(|point| point.usage_ratio < warning);
    if is_calm {
        assert_eq!((report.replayed.cleanups_total, report.replayed.level_changes_total), (0, 0));
        assert_eq!(report.replayed.freed_bytes_total, 0);
    }
}

fuzz_target!(|input: Input| {
    let trace = match &input {
        Input::Lines { with_header, lines: bytes } => lines(*with_header, bytes),
        Input::Run { settings, events } => Some(run(settings, events)),
    };
    let Some(trace) = trace else { return };
    let replay = Replay::new(trace.config());
    let report = replay.play(&trace).expect("the recorded settings are valid");
    check(&trace, &report);
    assert_eq!(replay.play(&trace).expect("as before"), report);
    assert!(!report.to_string().is_empty() && !report.history.to_string().is_empty());
});
