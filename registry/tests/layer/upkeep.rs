//! What is done from time to time, and between requests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bursar::{MemoryLayer, PressureLevel, RequestSummary, Shedding};
use tower::{Layer, ServiceExt, service_fn};

use super::*;

/// The levels of the cleanups that are made after each of so many requests.
fn cleanups(bursar: &Bursar, layer: &MemoryLayer, requests: usize) -> Vec<Option<PressureLevel>> {
    let service = layer.layer(service_fn(|_: Request<()>| std::future::ready(ok())));
    let after_each = |_| {
        block_on(service.clone().oneshot(get("/"))).unwrap();
        bursar.checkpoint().unwrap().cleanup.map(|report| report.level)
    };
    (0..requests).map(after_each).collect()
}

#[test]
fn pages_are_given_back_after_each_so_many_requests() {
    let bursar = start();
    let layer = MemoryLayer::new(&bursar).collect_every_requests(3);
    let collected = Some(PressureLevel::Normal);
    assert_eq!(cleanups(&bursar, &layer, 7), [None, None, collected, None, None, collected, None]);
}

#[test]
fn the_ladder_runs_up_to_warning_after_each_so_many_requests() {
    let bursar = start();
    let layer = MemoryLayer::new(&bursar).reclaim_every_requests(2);
    let reclaimed = Some(PressureLevel::Warning);
    assert_eq!(cleanups(&bursar, &layer, 4), [None, reclaimed, None, reclaimed]);
}

#[test]
fn a_time_that_has_passed_is_seen_when_a_request_ends() {
    let bursar = start();
    let hourly = MemoryLayer::new(&bursar).reclaim_every(Duration::from_secs(3600));
    assert_eq!(cleanups(&bursar, &hourly, 3), [None; 3]);
    let always = MemoryLayer::new(&bursar).reclaim_every(Duration::from_nanos(1));
    assert_eq!(cleanups(&bursar, &always, 2), [Some(PressureLevel::Warning); 2]);
    let never = MemoryLayer::new(&bursar).collect_every(Duration::ZERO).collect_every_requests(0);
    assert_eq!(cleanups(&bursar, &never, 3), [None; 3]);
}

#[test]
fn purging_is_put_off_while_a_request_runs_if_asked_to() {
    let bursar = start();
    let layer = MemoryLayer::new(&bursar).defer_purging(true);
    let service = layer.layer(service_fn(|_: Request<()>| std::future::pending::<Answer>()));
    let mut running = Box::pin(service.oneshot(get("/")));
    assert!(poll(&mut running).is_pending());
    bursar.request_reclaim(PressureLevel::Warning);
    assert_eq!(bursar.checkpoint().unwrap().cleanup, None);
    drop(running);
    let cleanup = bursar.checkpoint().unwrap().cleanup.unwrap();
    assert_eq!(cleanup.level, PressureLevel::Warning);
}

#[test]
fn a_summary_tells_what_requests_have_taken_since_the_last() {
    let bursar = start();
    let summaries = Arc::new(Mutex::new(Vec::<RequestSummary>::new()));
    let told = Arc::clone(&summaries);
    let layer = MemoryLayer::new(&bursar)
        .shedding(Shedding::default())
        .summary_every_requests(3, move |summary| told.lock().unwrap().push(*summary));
    let handler = |request: Request<()>| async move {
        drop(block(request.uri().query().unwrap().parse().unwrap()));
        ok()
    };
    let service = layer.layer(service_fn(handler));
    let request = |uri| block_on(service.clone().oneshot(get(uri))).unwrap().status().as_u16();
    let uris = ["/a?1000000", "/b?2000000", "/c?6000000", "/health?3000000"];
    assert_eq!(uris.map(request), [200; 4]);
    let held = block(260 * MIB);
    bursar.checkpoint().unwrap();
    assert_eq!(["/a?1", "/a?1"].map(request), [503; 2]);
    drop(held);

    let summaries = summaries.lock().unwrap();
    let [first, second] = summaries[..] else { panic!("two by now: {summaries:?}") };
    assert_eq!((first.requests, first.failed, first.shed), (3, 0, 0));
    assert_eq!((first.allocated_bytes, first.mean_peak_bytes), (9_000_000, 3_000_000));
    assert_eq!((first.peak_bytes, first.level), (6_000_000, PressureLevel::Normal));
    assert_eq!((second.requests, second.shed, second.level), (1, 2, PressureLevel::Emergency));
    assert_eq!((second.allocated_bytes, second.peak_bytes), (3_000_000, 3_000_000));
}

#[test]
fn who_panics_when_told_a_summary_disturbs_no_request() {
    let bursar = start();
    let layer = MemoryLayer::new(&bursar)
        .summary_every_requests(1, |_| panic!("when told, as it is meant to"));
    let handler = |request: Request<()>| async move {
        if request.uri().path() == "/panic" {
            panic!("in a handler, as it is meant to")
        }
        ok()
    };
    let service = layer.layer(service_fn(handler));
    for _ in 0..2 {
        block_on(service.clone().oneshot(get("/"))).unwrap();
    }
    let panics = AssertUnwindSafe(|| block_on(service.clone().oneshot(get("/panic"))));
    catch_unwind(panics).unwrap_err();
    assert_eq!((layer.panics_total(), bursar.route("GET /").requests_total), (3, 2));
}

#[test]
fn who_is_told_a_summary_may_read_the_statistics() {
    let running = start();
    let bursar = Arc::new(running.bursar);
    let (reader, seen) = (Arc::downgrade(&bursar), Arc::new(Mutex::new(Vec::new())));
    let told = Arc::clone(&seen);
    let layer = MemoryLayer::new(&bursar).summary_every_requests(2, move |_| {
        let stats = reader.upgrade().unwrap().stats();
        told.lock().unwrap().push((stats.routes[0].requests_total, stats.requests_in_flight));
    });
    let service = layer.layer(service_fn(|_: Request<()>| std::future::ready(ok())));
    for _ in 0..4 {
        block_on(service.clone().oneshot(get("/"))).unwrap();
    }
    assert_eq!(*seen.lock().unwrap(), [(2, 0), (4, 0)]);
}

#[cfg(feature = "tracing")]
mod lines_in_the_log {
    use std::fmt::Debug;

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::*;

    /// Keeps each event as a line. Allocates, as subscribers do.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.0 += &format!(" {field}={value:?}");
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "bursar"
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn event(&self, event: &Event<'_>) {
            assert_eq!(*event.metadata().level(), Level::INFO);
            let mut line = Line(String::new());
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn there_is_one_after_each_so_many_requests() {
        let bursar = start();
        let lines = Lines::default();
        let layer = MemoryLayer::new(&bursar).log_every_requests(2);
        let service = layer.layer(service_fn(|_: Request<()>| {
            drop(block(1_000_000));
            std::future::ready(ok())
        }));
        tracing::subscriber::with_default(lines.clone(), || {
            for _ in 0..5 {
                block_on(service.clone().oneshot(get("/"))).unwrap();
            }
        });
        let line = " message=requests requests=2 failed=0 shed=0 allocated_bytes=2000000 \
                    mean_peak_bytes=1000000 peak_bytes=1000000 level=normal";
        assert_eq!(*lines.0.lock().unwrap(), [line, line]);
    }
}
