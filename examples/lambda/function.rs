//! The function: reports that are kept from one invocation to the next, within the budget.

use std::sync::{Arc, Mutex, PoisonError};

use bursar::{Bursar, Cache, Error, Profile, Registration, Tag};
use serde_json::{Value, json};

static REPORTS: Tag = Tag::new("reports");
static HELD: Tag = Tag::new("held");
static INVOCATION: Tag = Tag::new("invocation");

const MB: usize = 1_000_000;
const REPORT_BYTES: usize = 700_000;

/// What lives from one invocation to the next.
pub(crate) struct Function {
    bursar: Bursar,
    reports: Cache<u64, Arc<[u8]>>,
    /// What nobody can purge, as a leak: the budget cannot be kept once this is too much.
    held: Mutex<Vec<Vec<u8>>>,
    _registration: Registration,
}

/// What API Gateway wants back.
fn answer(status: u16, body: &str) -> Value {
    json!({ "statusCode": status, "body": body })
}

impl Function {
    /// The budget follows from the function's memory size.
    pub(crate) fn start() -> Result<Self, Error> {
        let bursar = Bursar::builder().profile(Profile::function()).threadless(true).start()?;
        let reports = Cache::new(&REPORTS);
        let registration = bursar.register(&reports)?;
        Ok(Self { bursar, reports, held: Mutex::default(), _registration: registration })
    }

    /// One invocation, and what is due before the environment may be frozen.
    pub(crate) fn invoke(&self, event: &Value) -> Result<Value, lambda_runtime::Error> {
        let path = event["path"].as_str().unwrap_or("/");
        let spared = ["/health", "/release"].contains(&path);
        let answer = match self.bursar.signal().should_shed() && !spared {
            true => answer(503, "memory is exhausted, try again"),
            false => INVOCATION.scope(|| self.handle(path)),
        };
        self.bursar.checkpoint()?;
        Ok(answer)
    }

    fn handle(&self, path: &str) -> Value {
        let mut parts = path.trim_start_matches('/').splitn(2, '/');
        let (what, number) = (parts.next(), parts.next().and_then(|text| text.parse().ok()));
        match (what, number) {
            (Some("report"), Some(id)) => self.report(id),
            (Some("hold"), Some(megabytes)) => self.hold(megabytes),
            (Some("release"), None) => self.release(),
            (Some("health"), None) => self.health(),
            _ => answer(404, "there are /report/ID, /hold/MEGABYTES, /release and /health"),
        }
    }

    fn report(&self, id: u64) -> Value {
        let report = self.reports.get_or_insert_with(id, || vec![id as u8; REPORT_BYTES].into());
        answer(200, &format!("report {id} of {} bytes", report.len()))
    }

    fn hold(&self, megabytes: u64) -> Value {
        let Ok(megabytes @ 0..=1000) = usize::try_from(megabytes) else {
            return answer(400, "at most 1000 megabytes can be held");
        };
        let block = HELD.scope(|| vec![1; megabytes * MB]);
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(block);
        answer(200, &format!("holds {megabytes} MB more"))
    }

    fn release(&self) -> Value {
        let held = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        answer(200, &format!("let go of {} blocks", held.len()))
    }

    /// What a health check answers: how far it is to the budget.
    fn health(&self) -> Value {
        let compliance = self.bursar.compliance();
        let status = if compliance.is_compliant { 200 } else { 503 };
        let (margin, level) = (compliance.margin_bytes, self.bursar.level());
        answer(status, &format!("level {level}, {} MB to the budget", margin / MB as i64))
    }
}
