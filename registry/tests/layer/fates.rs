//! Requests that end in every way there is, polled by one thread after the other.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bursar::{MemoryLayer, PressureLevel};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};

use super::*;

/// At once, of each fate: all of them together fit into the budget.
const OF_EACH: usize = 10;
const ROUNDS: usize = 6;
const THREADS: usize = 4;

/// What becomes of a request of the path, whether it has failed then, and how many MiB it takes.
const FATES: [(&str, bool, u64); 9] = [
    ("/answered", false, 3),
    ("/fails", true, 1),
    ("/panics", true, 1),
    ("/hangs", true, 2),
    ("/panics-when-dropped", true, 1),
    ("/body-fails", true, 2),
    ("/body-panics", true, 2),
    ("/body-hangs", false, 2),
    ("/body-panics-when-dropped", true, 2),
];

/// Without the hook, which would print it.
fn panics() -> ! {
    resume_unwind(Box::new(()))
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panics();
    }
}

/// Two frames, or what the path says in place of the second.
struct Fate {
    path: &'static str,
    polls: usize,
    _when_dropped: Option<PanicsWhenDropped>,
}

impl Body for Fate {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.polls += 1;
        if self.polls % 2 == 1 {
            return Poll::Pending;
        }
        match (self.polls, self.path) {
            (2, _) | (4, "/answered") => {
                drop(block(MIB));
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"frame")))))
            }
            (_, "/answered") => Poll::Ready(None),
            (_, "/body-fails") => Poll::Ready(Some(Err("broken off"))),
            (_, "/body-panics") => panics(),
            _ => Poll::Pending,
        }
    }
}

async fn handle(request: Request<()>) -> Result<Response<Fate>, &'static str> {
    let held = block(MIB);
    next_poll().await;
    drop(held);
    let path = FATES.iter().map(|fate| fate.0).find(|path| request.uri().path() == *path).unwrap();
    match path {
        "/fails" => return Err("broken"),
        "/panics" => panics(),
        "/hangs" => {
            let _held = block(MIB);
            std::future::pending::<()>().await;
        }
        "/panics-when-dropped" => {
            let _held = PanicsWhenDropped;
            std::future::pending::<()>().await;
        }
        _ => {}
    }
    let when_dropped = (path == "/body-panics-when-dropped").then(|| PanicsWhenDropped);
    Ok(Response::new(Fate { path, polls: 0, _when_dropped: when_dropped }))
}

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Polls each job some times, by whichever thread it comes to, and drops it.
fn work_off(jobs: Vec<Job>) {
    let jobs = Mutex::new(jobs.into_iter().map(|job| (job, 0)).collect::<VecDeque<_>>());
    let work = || {
        loop {
            let Some((mut job, polls)) = jobs.lock().unwrap().pop_front() else { return };
            let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut job)));
            match polled {
                Ok(Poll::Pending) if polls < 10 => {
                    jobs.lock().unwrap().push_back((job, polls + 1));
                }
                _ => drop(catch_unwind(AssertUnwindSafe(|| drop(job)))),
            }
        }
    };
    std::thread::scope(|threads| (0..THREADS).for_each(|_| drop(threads.spawn(work))));
}

#[test]
fn however_requests_end_their_sums_are_right_and_nothing_is_left_of_them() {
    let bursar = start();
    let layer = MemoryLayer::new(&bursar)
        .reserve(|_| Some(1000))
        .defer_purging(true)
        .summary_every_requests(7, |_| panics());
    let service = layer.layer(service_fn(handle));
    let job = |path: &'static str| -> Job {
        let answer = service.clone().oneshot(get(path));
        Box::pin(async move {
            if let Ok(answer) = answer.await {
                let _ = answer.into_body().collect().await;
            }
        })
    };
    for _ in 0..ROUNDS {
        work_off((0..OF_EACH).flat_map(|_| FATES.map(|fate| job(fate.0))).collect());
    }

    let requests = (ROUNDS * OF_EACH) as u64;
    for (path, has_failed, mib) in FATES {
        let route = bursar.route(&format!("GET {path}"));
        let failed = if has_failed { requests } else { 0 };
        assert_eq!((route.requests_total, route.failed_total), (requests, failed), "{path}");
        // What unwinds is allocated where it begins, and freed where it is caught.
        let unwinding = 200 * requests;
        let expected = requests * mib * MIB as u64;
        assert!(
            (expected..=expected + unwinding).contains(&route.allocated_bytes_total),
            "{route:?}"
        );
        assert!((0..=unwinding as i64).contains(&route.net_bytes_total), "{route:?}");
        assert!(path.contains("panics") || route.net_bytes_total == 0, "{route:?}");
    }
    let stats = bursar.stats();
    assert_eq!((stats.requests_in_flight, stats.reserved_bytes), (0, 0));
    assert_eq!(layer.panics_total(), FATES.len() as u64 * requests / 7);
    bursar.request_reclaim(PressureLevel::Warning);
    assert!(bursar.checkpoint().unwrap().cleanup.is_some(), "nothing is put off any more");
}
