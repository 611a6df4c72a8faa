//! The soak's client: starts the server in its container, has the load run, looks
//! at all of it every second, and ends it.

use crate::answers::Answers;
use crate::chart::Chart;
use crate::churn::Churned;
use crate::container::{Container, Limits};
use crate::judge::{End, Outcome};
use crate::limiter::Limiter;
use crate::load::fetch;
use crate::options::Options;
use crate::process::{self, PATIENCE};
use crate::processor;
use crate::progress::Progress;
use crate::row::{Row, Table};
use crate::server::{Account, CHURN, COMPARE, FINISH};
use crate::show::bytes;
use crate::traffic::{Counts, Traffic};
use crate::waves;
use bursar::{Envelope, Stats};
use std::error::Error;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::process::{Child, ChildStdin};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Requests a second for each core of `--share`, on average: with the churn,
/// which takes [`CHURN_SHARE`] of it, they come to about that.
const RATE: f64 = 1_500.0;
/// The churn's part of `--share`.
const CHURN_SHARE: f64 = 0.3;
/// The churn holds this part of the limit at most.
const HELD_PART: u64 = 12;
/// Between two answers of the statistics beside those of each second.
const SCRAPE_EVERY: Duration = Duration::from_millis(250);
/// The statistics that are asked for in turn.
const SCRAPED: [&str; 4] = ["/metrics", "/stats", "/history", "/health"];

/// Runs the soak.
pub(crate) async fn run(options: &Options) -> Result<Outcome, Box<dyn Error>> {
    let answers = answers(options.pictures()).await?;
    let mut soak = Soak::begin(options).await?;
    let (ended, told) = watch::channel(false);
    let rates = waves::rates(options.seed, options.seconds(), RATE * options.share);
    let traffic = Traffic {
        address: soak.address,
        answers,
        seed: options.seed,
        rates,
        ended: told,
        counts: Arc::clone(&soak.counts),
    };
    let traffic = tokio::spawn(traffic.run());
    let scraper = tokio::spawn(scrape(soak.statistics, Arc::clone(&soak.unread)));
    let end = soak.watch(traffic, &ended).await;
    scraper.abort();
    soak.finish(end?).await
}

async fn answers(pictures: u64) -> Result<Arc<Answers>, Box<dyn Error>> {
    let answers = tokio::task::spawn_blocking(move || Answers::compute(pictures)).await?;
    println!("All answers together: {}, from {pictures} pictures.", bytes(answers.bytes()));
    Ok(Arc::new(answers))
}

/// Asks for the statistics again and again; what is not answered is counted.
async fn scrape(statistics: SocketAddr, unread: Arc<AtomicU64>) {
    let mut ticks = interval(SCRAPE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for path in SCRAPED.iter().cycle() {
        ticks.tick().await;
        if fetch(statistics, path).await.is_err() {
            unread.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A soak under way.
struct Soak<'a> {
    options: &'a Options,
    child: Child,
    // Held here, since waiting for a child would close it: its end is the word
    // for the server to end.
    leash: Option<ChildStdin>,
    container: Option<Container>,
    limiter: Limiter,
    address: SocketAddr,
    statistics: SocketAddr,
    counts: Arc<Counts>,
    /// Statistics that were asked for and not had.
    unread: Arc<AtomicU64>,
    begun: Instant,
    /// The second from which on the churn is to be compared again.
    compare_at: u64,
    rows: Vec<Row>,
    table: Table,
    churned: Churned,
}

impl<'a> Soak<'a> {
    async fn begin(options: &'a Options) -> Result<Self, Box<dyn Error>> {
        let container = container(options).await?;
        let mut child = spawn(options, container.as_ref())?;
        let leash = child.stdin.take();
        let address = process::greeting(&mut child).await?;
        let account = account(address, CHURN).await?;
        let goals = waves::limits(options.seed, options.seconds(), options.limit_bytes());
        Ok(Self {
            options,
            child,
            leash,
            container,
            limiter: Limiter::new(goals),
            address,
            statistics: account.statistics,
            counts: Arc::default(),
            unread: Arc::default(),
            begun: Instant::now(),
            compare_at: options.compare_every().into(),
            rows: Vec::new(),
            table: Table::create(&options.csv)?,
            churned: account.churned,
        })
    }

    /// Looks every second, until the load, the server or the user ends it.
    async fn watch(
        &mut self,
        mut traffic: JoinHandle<Result<(), String>>,
        ended: &watch::Sender<bool>,
    ) -> Result<End, Box<dyn Error>> {
        let progress = Progress::new("soak", self.options.seconds().into(), "seconds");
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut interrupted = std::pin::pin!(interrupted());
        let end = loop {
            tokio::select! {
                biased;
                () = &mut interrupted => break End::Interrupted,
                status = self.child.wait() => break self.end_of_server(status?),
                _ = seconds.tick() => self.second(&progress).await?,
                done = &mut traffic => break done?.map(|()| End::Served)?,
            }
        };
        // Told first: what was in flight when the server ended has not failed.
        let _ = ended.send(true);
        traffic.abort();
        progress.finish();
        Ok(end)
    }

    async fn second(&mut self, progress: &Progress) -> Result<(), Box<dyn Error>> {
        let second = self.begun.elapsed().as_secs();
        if let Some(container) = &self.container {
            self.limiter.step(second as usize, container);
        }
        let due = second >= self.compare_at;
        let what = if due { COMPARE } else { CHURN };
        // A server that ended is found so by who waits for it.
        let Ok(row) = self.row(what).await else {
            self.unread.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        self.table.add(&row)?;
        self.rows.push(row);
        if due {
            self.compare_at = second + u64::from(self.options.compare_every());
            self.draw()?;
        }
        let memory = row.container.or(row.resident).map_or_else(String::new, bytes);
        progress.set(second, &format!("{memory}, {} differences", row.differences));
        Ok(())
    }

    async fn row(&mut self, churn: &str) -> Result<Row, Box<dyn Error>> {
        self.churned = account(self.address, churn).await?.churned;
        let stats = fetch(self.statistics, "/stats").await.map_err(|error| error.to_string())?;
        let stats: Envelope<Stats> = serde_json::from_slice(&stats)?;
        let stats = stats.into_result().map_err(|failure| failure.message)?;
        let figures = self.container.as_ref().map(Container::figures);
        let mut row = Row {
            seconds: self.begun.elapsed().as_secs_f64(),
            container: figures.and_then(|figures| figures.usage()),
            limit: self.container.is_some().then_some(self.limiter.bytes),
            churn: self.churned.pool_bytes,
            served: self.counts.served.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
            threads: self.churned.threads,
            tags: self.churned.tags,
            comparisons: self.churned.comparisons,
            differences: self.churned.differences,
            ..Row::default()
        };
        row.read(&stats);
        Ok(row)
    }

    fn draw(&self) -> Result<(), Box<dyn Error>> {
        Chart { rows: &self.rows, dark: false }.write(&self.options.chart)?;
        Chart { rows: &self.rows, dark: true }.write(&self.options.dark_chart())
    }

    /// Killed by the kernel is only what ended by SIGKILL while the container
    /// counted a kill.
    fn end_of_server(&self, status: ExitStatus) -> End {
        let figures = self.container.as_ref().map(Container::figures);
        let kills = figures.and_then(|figures| figures.kills());
        if process::by_sigkill(status) && kills.is_some_and(|kills| kills > 0) {
            return End::Killed;
        }
        End::Died(status.to_string())
    }

    /// Ends the server, if it lives, and says what came of it all.
    async fn finish(mut self, end: End) -> Result<Outcome, Box<dyn Error>> {
        let lasted = self.begun.elapsed();
        let cores = |id| Some(processor::used(id)?.as_secs_f64() / lasted.as_secs_f64());
        let server_cores = self.child.id().and_then(cores);
        let mut finished = false;
        if self.child.id().is_some() {
            if let Ok(account) = account(self.address, FINISH).await {
                self.churned = account.churned;
                finished = true;
            }
            drop(self.leash.take());
            if timeout(PATIENCE, self.child.wait()).await.is_err() {
                // It may have ended by itself just now.
                let _ = self.child.kill().await;
            }
        }
        self.draw()?;
        let figures = self.container.as_ref().map(Container::figures);
        Ok(Outcome {
            end,
            lasted,
            finished,
            contained: self.container.is_some(),
            swap: self.container.as_ref().map(Container::swap),
            peak: figures.and_then(|figures| figures.peak()),
            limit_changes: self.limiter.changes,
            rows: self.rows,
            churned: self.churned,
            served: self.counts.served.load(Ordering::Relaxed),
            hits: self.counts.hits.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
            wrong: self.counts.wrong.load(Ordering::Relaxed),
            unread: self.unread.load(Ordering::Relaxed),
            server_cores,
            client_cores: cores(std::process::id()),
        })
    }
}

/// The container, if there can be one; says so.
async fn container(options: &Options) -> Result<Option<Container>, String> {
    let limits = Limits { memory: Some(options.limit_bytes()), cores: None };
    let tried = match options.no_container {
        true => Err("--no-container was given".to_owned()),
        false => process::try_container(limits).await,
    };
    let limit = bytes(options.limit_bytes());
    match tried {
        Ok(()) => println!("The server runs in a container, whose memory limit begins at {limit}."),
        Err(reason) => {
            let budget = bytes(budget_of(options.limit_bytes()));
            println!("No container: {reason}.\nThe budget of {budget} alone holds, and stays.");
            return Ok(None);
        }
    }
    process::container("soak", limits).map(Some)
}

/// The budget that Bursar makes of a limit: it leaves a tenth, and at least 8 MiB.
pub(crate) fn budget_of(limit: u64) -> u64 {
    limit.saturating_sub((limit / 10).max(8 << 20))
}

/// Starts the server, out of reach of the terminal's Ctrl-C: it is asked for its
/// last figures after that.
fn spawn(options: &Options, container: Option<&Container>) -> Result<Child, String> {
    let share = options.share * CHURN_SHARE;
    let held = options.limit_bytes() / HELD_PART;
    let mut then: Vec<OsString> = vec!["serve".into()];
    then.extend(["--seed".into(), options.seed.to_string().into()]);
    then.extend(["--share".into(), share.to_string().into()]);
    then.extend(["--held".into(), held.to_string().into()]);
    if container.is_none() {
        let budget = budget_of(options.limit_bytes());
        then.extend(["--budget".into(), budget.to_string().into()]);
    }
    let mut command = process::this_program(container, &then)?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    #[cfg(unix)]
    command.process_group(0);
    command.spawn().map_err(|error| format!("the server cannot be started: {error}"))
}

async fn account(address: SocketAddr, path: &str) -> Result<Account, String> {
    let account = fetch(address, path).await;
    let account = account.map_err(|error| format!("the server does not answer: {error}"))?;
    serde_json::from_slice(&account).map_err(|error| error.to_string())
}

/// Ends when the user, or whoever ends this process, wants that.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    // Without such signals it runs to its end.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
