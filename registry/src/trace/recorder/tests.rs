//! Recordings of a made-up process. What runs on the recorder's thread in earnest, the cursor,
//! is moved by hand here.

use super::*;
use crate::budget::Budget;
use crate::config::Config;
use crate::monitor::{Monitor, Settings};
use crate::profile::Profile;
use crate::testing::{FakeCache, FakeClock, FakeProcess, MIB, PanicsWhenDropped};

struct Setting {
    process: FakeProcess,
    clock: Arc<FakeClock>,
    monitor: Monitor,
    recorded: Recorded,
}

fn setting() -> Setting {
    let (process, registry) = (FakeProcess::default(), Registry::default());
    let (clock, shared) = (Arc::new(FakeClock::default()), Arc::new(Shared::default()));
    let monitor = Monitor::new(
        Settings { budget: Budget::new(100 * MIB).unwrap(), config: Config::default() },
        registry.clone(),
        Box::new(process.clone()),
        Arc::clone(&clock) as Arc<dyn Clock>,
        Arc::clone(&shared),
    );
    let recorded = Recorded { shared, registry, clock: Arc::clone(&clock) as Arc<dyn Clock> };
    Setting { process, clock, monitor, recorded }
}

impl Setting {
    fn step_with_live_mib(&mut self, mib: u64) {
        self.clock.advance(Duration::from_secs(1));
        self.process.set_live_mib(mib);
        self.monitor.step();
    }

    fn cursor(&self) -> Cursor {
        Cursor::starting_at(&self.recorded.shared.lock())
    }
}

/// The kinds of events, with a figure of each.
fn kinds(events: &[TraceEvent]) -> Vec<String> {
    let kind = |event: &TraceEvent| match &event.item {
        TraceItem::Sample(sample) => format!("sample {}", sample.live_bytes / MIB),
        TraceItem::Purgeable(cache) => format!("{} {}", cache.name, cache.purgeable_bytes / MIB),
        TraceItem::Level { level } => level.to_string(),
        TraceItem::Cleanup(cleanup) => format!("{} cleanup", cleanup.count),
        TraceItem::Futile { count } => format!("{count} futile"),
    };
    events.iter().map(kind).collect()
}

#[test]
fn what_comes_after_the_start_is_recorded_once_and_in_order() {
    let mut setting = setting();
    let cache = FakeCache::new(&setting.process, 60);
    let _registration = setting.recorded.registry.register(cache.entry("cache")).unwrap();
    setting.step_with_live_mib(20);
    setting.step_with_live_mib(60);
    let mut cursor = setting.cursor();
    setting.step_with_live_mib(71);
    let first = cursor.advance(&setting.recorded, false);
    assert_eq!(kinds(&first), ["sample 60"], "a higher reading may still come in that tenth");

    setting.step_with_live_mib(57);
    let second = cursor.advance(&setting.recorded, false);
    assert_eq!(kinds(&second), ["sample 71", "warning", "1 cleanup", "cache 48"]);
    let last = cursor.advance(&setting.recorded, true);
    assert_eq!(kinds(&last), ["sample 57", "normal"]);
    assert!(cursor.advance(&setting.recorded, true).is_empty());
}

#[test]
fn the_level_in_force_at_the_start_is_told_of() {
    let mut setting = setting();
    setting.step_with_live_mib(85);
    let events = setting.cursor().advance(&setting.recorded, true);
    assert_eq!(kinds(&events), ["sample 85", "critical"]);
}

#[test]
fn cleanups_whose_reports_are_gone_are_counted_in_one() {
    let mut setting = setting();
    let cache = FakeCache::new(&setting.process, 10_000);
    let _registration = setting.recorded.registry.register(cache.entry("cache")).unwrap();
    let mut cursor = setting.cursor();
    (0..50).for_each(|_| setting.step_with_live_mib(71));
    let events = cursor.advance(&setting.recorded, true);
    let cleanups = events.iter().filter_map(|event| match &event.item {
        TraceItem::Cleanup(cleanup) => Some(cleanup),
        _ => None,
    });
    let counts: Vec<_> = cleanups.clone().map(|cleanup| cleanup.count).collect();
    assert_eq!(counts.iter().sum::<u64>(), 50);
    assert_eq!(counts.len(), 33, "32 reports and the rest");
    let freed: u64 = cleanups.map(|cleanup| cleanup.freed_bytes).sum();
    assert_eq!(freed, setting.recorded.shared.lock().freed_bytes_total);
}

#[test]
fn a_size_is_told_of_when_it_has_changed_and_when_its_purgeable_is_gone() {
    let setting = setting();
    let cache = FakeCache::new(&setting.process, 64);
    let registration = setting.recorded.registry.register(cache.entry("cache")).unwrap();
    let mut cursor = setting.cursor();
    let mut sizes = || kinds(&cursor.advance(&setting.recorded, false));
    assert_eq!(sizes(), ["cache 64"]);
    assert!(sizes().is_empty());
    setting.process.set_live_mib(64);
    let request = |mib| crate::PurgeRequest::new(mib * MIB, PressureLevel::Warning);
    crate::Purgeable::purge(&*cache, &request(1));
    assert!(sizes().is_empty(), "a 64th is not worth a line");
    crate::Purgeable::purge(&*cache, &request(1));
    assert_eq!(sizes(), ["cache 62"]);
    drop(registration);
    assert_eq!(sizes(), ["cache 0"]);
    assert!(sizes().is_empty());
}

/// A writer that takes so many bytes and then fails.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::Error::other("no space left"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_ends_the_recording_and_is_told_of() {
    let trace = Trace::new(100 * MIB, None, Profile::default()).unwrap();
    let recording = TraceWriter::start(&trace, setting().recorded, Full(0)).unwrap();
    // For ever, if it is not told of.
    while recording.error().is_none() {
        thread::yield_now();
    }
    assert_eq!(recording.error().unwrap(), "no space left");
    assert_eq!(recording.finish().unwrap_err().to_string(), "no space left");
}

#[test]
fn a_writer_that_panics_ends_the_recording_and_is_told_of() {
    struct Throwing;
    impl Write for Throwing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            PanicsWhenDropped::throw();
            Ok(0)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Drop for Throwing {
        fn drop(&mut self) {
            PanicsWhenDropped::throw();
        }
    }
    let trace = Trace::new(100 * MIB, None, Profile::default()).unwrap();
    let recording = TraceWriter::start(&trace, setting().recorded, Throwing).unwrap();
    while recording.error().is_none() {
        thread::yield_now();
    }
    assert_eq!(recording.error().unwrap(), "the writer panicked");
    assert_eq!(recording.finish().unwrap_err().to_string(), "the writer panicked");
}

#[test]
fn what_was_recorded_can_be_read() {
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);
    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut setting = setting();
    setting.step_with_live_mib(85);
    let kept = Kept::default();
    let trace = Trace::new(100 * MIB, None, Profile::default()).unwrap();
    let recording = TraceWriter::start(&trace, setting.recorded, kept.clone()).unwrap();
    assert_eq!(recording.error(), None);
    assert_eq!(recording.finish().unwrap(), 3, "header, reading, level");
    let read = Trace::read(&kept.0.lock().unwrap()[..]).unwrap();
    assert_eq!(kinds(read.events()), ["sample 85", "critical"]);
}
