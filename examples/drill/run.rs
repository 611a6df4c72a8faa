//! One run: a server, started in its container, under the load until either
//! ends.

use crate::answers::Answers;
use crate::container::Container;
use crate::load::{Ask, Load, Tally, fetch};
use crate::progress::Progress;
use crate::sample::{Gauge, Sample, Sampler};
use crate::server::GREETING;
use crate::switch;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

/// A server that has not begun, or not ended, by then never will.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the progress is shown, and a limit of the drill's own enforced.
const TICK: Duration = Duration::from_millis(50);

/// Which of the two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heap {
    /// The allocator alone.
    Bare,
    /// Accounted, and held to a budget.
    Bursar,
}

/// What both runs have in common.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) limit: u64,
    pub(crate) budget: u64,
    pub(crate) contained: bool,
    /// The bare run's caches keep so many at most, if so told.
    pub(crate) entries: Option<usize>,
    pub(crate) longest: Duration,
    pub(crate) connections: u16,
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

/// What Bursar did, by its own account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reclaim {
    pub(crate) cleanups: u64,
    /// Bytes of entries that caches and pools gave up.
    pub(crate) freed: u64,
    /// Bytes of pages that then went back to the system.
    pub(crate) collected: u64,
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
    pub(crate) reclaim: Option<Reclaim>,
}

/// Runs the server with `heap` under the plan's load.
pub(crate) async fn run(plan: &Plan, heap: Heap) -> Result<Report, String> {
    let container = container(plan, heap)?;
    let mut child = spawn(plan, heap, container.as_ref())?;
    // Held here, since waiting for a child would close it: its end is the word
    // for the server to end.
    let leash = child.stdin.take();
    let address = greeting(&mut child).await?;
    let gauge = match &container {
        Some(container) => Gauge::Container(container.figures()),
        None => Gauge::Resident { limit: plan.limit },
    };
    let served = Arc::new(AtomicU64::new(0));
    let id = child.id().ok_or("the server ended at once")?;
    let sampler = Sampler::start(id, gauge, Arc::clone(&served))?;
    let (ended, load) = begin(plan, address, &served);
    let begun = Instant::now();
    let shown = Shown {
        progress: Progress::new(heap.label(), plan.sequence.len() as u64, "requests"),
        sampler: &sampler,
        served: &served,
    };
    let end = watch_until_end(&mut child, load, &ended, &shown).await?;
    shown.progress.finish();
    let alive = begun.elapsed();
    let samples = sampler.stop();
    let reclaim = match end.status {
        None => what_it_did(address).await?,
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
        tally: end.tally,
        samples,
        reclaim,
    })
}

impl Heap {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Heap::Bare => "bare allocator",
            Heap::Bursar => "under Bursar",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Heap::Bare => "bare",
            Heap::Bursar => "bursar",
        }
    }
}

fn container(plan: &Plan, heap: Heap) -> Result<Option<Container>, String> {
    let name = format!("bursar-drill-{}-{}", std::process::id(), heap.name());
    let make = || Container::create(&name, plan.limit);
    plan.contained.then(make).transpose()
}

/// Whether a container can be made and joined here; if not, why.
pub(crate) async fn try_container(limit: u64) -> Result<(), String> {
    let name = format!("bursar-drill-{}-try", std::process::id());
    let container = Container::create(&name, limit)?;
    let mut command = this_program(Some(&container), &["nothing".into()])?;
    let output = command.output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("no process can join one ({})", said.trim()))
}

/// This program once more, inside `container` if there is one.
fn this_program(container: Option<&Container>, then: &[OsString]) -> Result<Command, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    if let Some(container) = container {
        command.arg("join").arg(container.directory()).arg("--");
    }
    command.args(then).kill_on_drop(true);
    Ok(command)
}

fn spawn(plan: &Plan, heap: Heap, container: Option<&Container>) -> Result<Child, String> {
    let mut then: Vec<OsString> = vec!["serve".into()];
    let bound = match heap {
        Heap::Bare => plan.entries.map(|entries| ("--entries", entries.to_string())),
        Heap::Bursar => Some(("--budget", plan.budget.to_string())),
    };
    if let Some((name, value)) = bound {
        then.extend([name.into(), value.into()]);
    }
    let mut command = this_program(container, &then)?;
    match heap {
        Heap::Bare => command.env(switch::BARE, "1"),
        Heap::Bursar => command.env_remove(switch::BARE),
    };
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let cannot = |error| format!("the server cannot be started: {error}");
    command.spawn().map_err(cannot)
}

/// Waits for the server's first line, which says where it listens.
async fn greeting(child: &mut Child) -> Result<SocketAddr, String> {
    let stdout = child.stdout.take().ok_or("the server has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = timeout(PATIENCE, lines.next_line()).await;
    let line = line.map_err(|_| "the server says nothing")?;
    let line = line.map_err(|error| error.to_string())?.unwrap_or_default();
    let address = line.strip_prefix(GREETING).and_then(|rest| rest.parse().ok());
    address.ok_or_else(|| "the server ended before it listened".to_owned())
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

/// Asks the living server for Bursar's figures; a bare one has none.
async fn what_it_did(address: SocketAddr) -> Result<Option<Reclaim>, String> {
    let stats = fetch(address, "/stats").await;
    let stats = stats.map_err(|error| format!("the server does not say what it did: {error}"))?;
    let stats: serde_json::Value =
        serde_json::from_slice(&stats).map_err(|error| error.to_string())?;
    let figure = |name: &str| stats.get(name).and_then(serde_json::Value::as_u64);
    let did = || {
        Some(Reclaim {
            cleanups: figure("cleanups_total")?,
            freed: figure("freed_bytes_total")?,
            collected: figure("collected_bytes_total")?,
        })
    };
    Ok(did())
}

/// Killed by the kernel is only what ended by SIGKILL while the container
/// counted a kill.
fn fate(end: &End, container: Option<&Container>, plan: &Plan) -> Fate {
    let kills = container.and_then(|container| container.figures().kills());
    match end.status {
        Some(_) if end.stopped => Fate::Stopped,
        Some(status) if by_sigkill(status) && kills.is_some_and(|kills| kills > 0) => Fate::Killed,
        Some(status) => Fate::Died(status.to_string()),
        None if end.tally.served + end.tally.failed < plan.sequence.len() as u64 => Fate::TimeUp,
        None => Fate::Served,
    }
}

#[cfg(unix)]
fn by_sigkill(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(libc::SIGKILL)
}

#[cfg(not(unix))]
fn by_sigkill(_: ExitStatus) -> bool {
    false
}

fn peak(container: Option<&Container>, samples: &[Sample]) -> u64 {
    let counted = container.and_then(|container| container.figures().peak());
    let seen = samples.iter().map(|sample| sample.memory).max();
    counted.or(seen).unwrap_or(0)
}
