//! A function in a 128 MB container that is frozen between its invocations: no thread, a
//! checkpoint after each invocation, 503 when memory is exhausted.
//!
//! `cargo run --release --example function`

use std::sync::Arc;

use bursar::{
    AccountingAllocator, Bursar, Cache, Jemalloc, PressureLevel, Profile, Tag, Watermarks,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

static REPORTS: Tag = Tag::new("reports");
static INVOCATION: Tag = Tag::new("invocation");

const MB: u64 = 1_000_000;
/// From here on the allocator's free pages are given back after an invocation: costs no data.
const COLLECT_FROM_BYTES: u64 = 80 * MB;

/// What lives from one invocation to the next.
struct Function {
    bursar: Bursar,
    reports: Cache<u64, Arc<[u8]>>,
}

struct Response {
    status: u16,
    body: String,
}

impl Function {
    fn new() -> Result<(Self, bursar::Registration), bursar::Error> {
        // Trims from 100 MB on, releases from 115, and takes everything from 125.
        let mut profile = Profile::function();
        profile.watermarks = Watermarks {
            warning: 100.0 / 128.0,
            critical: 115.0 / 128.0,
            emergency: 125.0 / 128.0,
        };
        let builder = Bursar::builder().budget(128 * MB).profile(profile).threadless(true);
        let bursar = builder.start()?;
        let reports = Cache::new(&REPORTS);
        let registration = bursar.register(&reports)?;
        Ok((Self { bursar, reports }, registration))
    }

    /// One invocation, and what is due after it.
    fn invoke(&self, id: u64) -> Result<Response, bursar::Error> {
        let response = match self.bursar.signal().should_shed() {
            true => Response { status: 503, body: "memory is exhausted, try again".to_owned() },
            false => INVOCATION.scope(|| self.handle(id)),
        };
        if self.bursar.compliance().footprint_bytes >= COLLECT_FROM_BYTES {
            self.bursar.collect()?;
        }
        self.bursar.checkpoint()?;
        Ok(response)
    }

    fn handle(&self, id: u64) -> Response {
        let report = self.reports.get_or_insert_with(id % 200, || vec![id as u8; 700_000].into());
        Response { status: 200, body: format!("report {id} of {} bytes", report.len()) }
    }

    /// What a health check answers.
    fn health(&self) -> Response {
        let compliance = self.bursar.compliance();
        let status = if compliance.is_compliant { 200 } else { 503 };
        Response { status, body: format!("{} bytes to go", compliance.margin_bytes) }
    }
}

fn main() -> Result<(), bursar::Error> {
    let (function, _registration) = Function::new()?;
    let mut highest = PressureLevel::Normal;
    for id in 0..1000 {
        let response = function.invoke(id)?;
        assert_eq!(response.status, 200, "{}", response.body);
        highest = highest.max(function.bursar.level());
    }
    let health = function.health();
    println!("health {}: {}; highest level {highest}", health.status, health.body);
    println!("{}", function.bursar.stats());
    Ok(())
}
