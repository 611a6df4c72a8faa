//! One run: a server, started in its container, under the load until either
//! ends.

use crate::answers::Answers;
use crate::container::{Container, Limits};
use crate::load::{Ask, Load, Tally, fetch};
use crate::process::{self, PATIENCE};
use crate::progress::Progress;
use crate::sample::{Gauge, Sample, Sampler};
use crate::server::{ACCOUNT, Account};
use crate::show::grouped;
use crate::switch;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

/// How often the progress is shown, and a limit of the drill's own enforced.
const TICK: Duration = Duration::from_millis(50);

/// What a run is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The bare allocator, under caches that grow without bound.
    Bare,
    /// The bare allocator, under caches of a fixed size.
    Fixed {
        /// Entries that each cache keeps at most.
        entries: usize,
    },
    /// The allocator accounted, and held to a budget.
    Bursar,
    /// As bare, with no limit on memory.
    Unlimited,
}

/// What all runs have in common.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) limit: u64,
    pub(crate) budget: u64,
    /// Bursar's profile, by its name.
    pub(crate) profile: String,
    /// The container's quota of processor time, if it is to have one.
    pub(crate) cores: Option<f64>,
    pub(crate) contained: bool,
    pub(crate) longest: Duration,
    pub(crate) connections: u16,
    /// Requests a second, if not as many as can be.
    pub(crate) rate: Option<u32>,
    pub(crate) sequence: Arc<[Ask]>,
    pub(crate) answers: Arc<Answers>,
}

/// How a server ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It answered the whole sequence.
    Served,
    /// It still served when its time was up.
    TimeUp,
    /// The kernel killed it for want of memory.
    Killed,
    /// The drill stopped it above the limit that it watches itself.
    Stopped,
    /// It ended in another way.
    Died(String),
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) fate: Fate,
    pub(crate) alive: Duration,
    pub(crate) tally: Tally,
    pub(crate) samples: Vec<Sample>,
    pub(crate) peak: u64,
    pub(crate) swap: Option<&'static str>,
    /// The share of the quota's periods in which the server was held back.
    pub(crate) throttled: Option<f64>,
    /// What the server says itself, if it lived.
    pub(crate) account: Option<Account>,
}

/// Runs `subject` under the plan's load.
pub(crate) async fn run(plan: &Plan, subject: Subject) -> Result<Report, String> {
    let container = container(plan, subject)?;
    let mut child = spawn(plan, subject, container.as_ref())?;
    // Held here, since waiting for a child would close it: its end is the word
    // for the server to end.
    let leash = child.stdin.take();
    let address = process::greeting(&mut child).await?;
    let gauge = match &container {
        Some(container) => Gauge::Container(container.figures()),
        None => Gauge::Resident { limit: limit(plan, subject) },
    };
    let served = Arc::new(AtomicU64::new(0));
    let id = child.id().ok_or("the server ended at once")?;
    let sampler = Sampler::start(id, gauge, Arc::clone(&served))?;
    let (ended, load) = begin(plan, address, &served);
    let begun = Instant::now();
    let shown = Shown {
        progress: Progress::new(&subject.label(), plan.sequence.len() as u64, "requests"),
        sampler: &sampler,
        served: &served,
    };
    let end = watch_until_end(&mut child, load, &ended, &shown).await?;
    shown.progress.finish();
    let alive = begun.elapsed();
    let samples = sampler.stop();
    let account = match end.status {
        None => Some(ask_account(address).await?),
        Some(_) => None,
    };
    drop(leash);
    if timeout(PATIENCE, child.wait()).await.is_err() {
        // It may have ended by itself just now.
        let _ = child.kill().await;
    }
    Ok(Report {
        fate: fate(&end, container.as_ref(), plan),
        alive,
        peak: peak(container.as_ref(), &samples),
        swap: container.as_ref().map(Container::swap),
        throttled: container.as_ref().and_then(|it| it.quota()?.throttled_share()),
        tally: end.tally,
        samples,
        account,
    })
}

impl Subject {
    pub(crate) fn label(self) -> String {
        match self {
            Subject::Bare => "bare allocator".to_owned(),
            Subject::Fixed { entries } => format!("{} entries a cache", grouped(entries as u64)),
            Subject::Bursar => "with Bursar".to_owned(),
            Subject::Unlimited => "unlimited memory".to_owned(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Subject::Bare => "bare",
            Subject::Fixed { .. } => "fixed",
            Subject::Bursar => "bursar",
            Subject::Unlimited => "unlimited",
        }
    }
}

impl Fate {
    /// Whether the server lived to the end of the load.
    pub(crate) fn lived(&self) -> bool {
        matches!(self, Fate::Served | Fate::TimeUp)
    }
}

fn container(plan: &Plan, subject: Subject) -> Result<Option<Container>, String> {
    let memory = (subject != Subject::Unlimited).then_some(plan.limit);
    let limits = Limits { memory, cores: plan.cores };
    let make = || process::container(subject.name(), limits);
    plan.contained.then(make).transpose()
}

/// The limit that the drill holds itself, where there is no container.
fn limit(plan: &Plan, subject: Subject) -> u64 {
    match subject {
        Subject::Unlimited => u64::MAX,
        _ => plan.limit,
    }
}

/// Starts the server of a run.
fn spawn(plan: &Plan, subject: Subject, container: Option<&Container>) -> Result<Child, String> {
    let mut then: Vec<OsString> = vec!["serve".into()];
    match subject {
        Subject::Bare | Subject::Unlimited => {}
        Subject::Fixed { entries } => {
            then.extend(["--entries".into(), entries.to_string().into()]);
        }
        Subject::Bursar => {
            then.extend(["--budget".into(), plan.budget.to_string().into()]);
            then.extend(["--profile".into(), plan.profile.clone().into()]);
        }
    }
    let mut command = process::this_program(container, &then)?;
    match subject {
        Subject::Bursar => command.env_remove(switch::BARE),
        _ => command.env(switch::BARE, "1"),
    };
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let cannot = |error| format!("the server cannot be started: {error}");
    command.spawn().map_err(cannot)
}

type Running = JoinHandle<Result<Tally, String>>;

/// Starts the load; the sender tells it that the server has ended.
fn begin(
    plan: &Plan,
    address: SocketAddr,
    served: &Arc<AtomicU64>,
) -> (watch::Sender<bool>, Running) {
    let (ended, told) = watch::channel(false);
    let load = Load {
        address,
        sequence: Arc::clone(&plan.sequence),
        answers: Arc::clone(&plan.answers),
        begun: Instant::now(),
        rate: plan.rate,
        until: Instant::now() + plan.longest,
        ended: told,
        next: AtomicUsize::new(0),
        served: Arc::clone(served),
    };
    (ended, tokio::spawn(load.run(plan.connections)))
}

/// What the user sees of a run meanwhile.
struct Shown<'a> {
    progress: Progress,
    sampler: &'a Sampler,
    served: &'a AtomicU64,
}

impl Shown<'_> {
    fn update(&self) {
        let memory = format!("{} MiB", self.sampler.memory() >> 20);
        self.progress.set(self.served.load(Ordering::Relaxed), &memory);
    }
}

/// How load and server ended.
struct End {
    tally: Tally,
    /// The server's, if it ended before the load.
    status: Option<ExitStatus>,
    /// Whether the drill stopped it.
    stopped: bool,
}

async fn watch_until_end(
    child: &mut Child,
    mut load: Running,
    ended: &watch::Sender<bool>,
    shown: &Shown<'_>,
) -> Result<End, String> {
    let mut ticks = interval(TICK);
    let (mut status, mut stopped) = (None, false);
    let tally = loop {
        tokio::select! {
            tally = &mut load => break tally,
            end = child.wait(), if status.is_none() => {
                status = Some(end.map_err(|error| error.to_string())?);
                // The load may have ended by itself just now.
                let _ = ended.send(true);
            }
            _ = ticks.tick() => shown.update(),
        }
        if shown.sampler.over() && !stopped {
            stopped = true;
            // It may have ended by itself just now.
            let _ = child.start_kill();
        }
    };
    let tally = tally.map_err(|error| error.to_string())??;
    Ok(End { tally, status, stopped })
}

/// Asks the living server what it did.
async fn ask_account(address: SocketAddr) -> Result<Account, String> {
    let account = fetch(address, ACCOUNT).await;
    let account =
        account.map_err(|error| format!("the server does not say what it did: {error}"))?;
    serde_json::from_slice(&account).map_err(|error| error.to_string())
}

/// Killed by the kernel is only what ended by SIGKILL while the container
/// counted a kill.
fn fate(end: &End, container: Option<&Container>, plan: &Plan) -> Fate {
    let kills = container.and_then(|container| container.figures().kills());
    match end.status {
        Some(_) if end.stopped => Fate::Stopped,
        Some(status) if process::by_sigkill(status) && kills.is_some_and(|kills| kills > 0) => {
            Fate::Killed
        }
        Some(status) => Fate::Died(status.to_string()),
        None if end.tally.served + end.tally.failed < plan.sequence.len() as u64 => Fate::TimeUp,
        None => Fate::Served,
    }
}

fn peak(container: Option<&Container>, samples: &[Sample]) -> u64 {
    let counted = container.and_then(|container| container.figures().peak());
    let seen = samples.iter().map(|sample| sample.memory).max();
    counted.or(seen).unwrap_or(0)
}
