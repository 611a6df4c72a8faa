//! `bursar watch`: records a service's run from outside.

mod follow;
mod recording;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bursar::{History, PressureLevel, Stats};
use bytesize::ByteSize;
use clap::Args;
use tokio::time::{Instant, sleep_until, timeout};

use crate::client::Client;
use crate::failure::{Failure, Kind, plain};
use crate::options::time;
use crate::output::{complain, print};
use crate::signals::{Signals, unless_stopped};
use follow::Follower;
use recording::Recording;

/// How often the history is asked for: it keeps some twenty seconds of readings, and is larger
/// than the statistics.
const HISTORY_AT_REST: Duration = Duration::from_secs(5);
/// Likewise while the level is above normal: what has not been asked for yet is lost when the
/// service is killed.
const HISTORY_UNDER_PRESSURE: Duration = Duration::from_secs(1);
/// How often a line tells how it goes.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// A service that has been away for so long is gone.
const GONE_AFTER: Duration = Duration::from_secs(10);

/// Records a service's run, to be played again by `bursar replay`
///
/// Writes what the service has read and done into a trace, and shows a line a second. Ctrl-C ends
/// it, and so does the end of the service; the file is whole either way.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The trace to write
    #[arg(long, value_name = "FILE")]
    record: PathBuf,

    /// End after so many seconds, up to a year
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    seconds: Option<u64>,

    /// How often the statistics are asked for
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = time)]
    interval: Duration,

    /// Write over a file that is there already
    #[arg(long)]
    overwrite: bool,
}

pub(crate) async fn run(client: &Client, options: &Options) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let Some(first) = unless_stopped(&mut signals, read(client)).await else { return Ok(()) };
    let mut watch = Watch::begin(&options.record, options.overwrite, first?)?;
    let end = options.seconds.map(|seconds| watch.began + Duration::from_secs(seconds));
    let result = watch.follow(client, options.interval, end, &mut signals).await;
    // However it ended, the file is to be whole and said to be there.
    watch.write(true)?;
    let (lasted, path) = (watch.began.elapsed(), options.record.display());
    let events = watch.recording.finish()?;
    let seconds = lasted.as_secs_f64();
    print(&format!("{path}: {events} events in {seconds:.1} s; play them with bursar replay"))?;
    result
}

async fn read(client: &Client) -> Result<(Stats, History), Failure> {
    // In this order: what the statistics count, the history has, if it has not dropped it.
    Ok((client.stats().await?, client.history().await?))
}

/// A recording under way.
struct Watch {
    began: Instant,
    recording: Recording,
    follower: Follower,
    stats: Stats,
    history: History,
    history_at: Instant,
    told_at: Option<Instant>,
    away_since: Option<Instant>,
}

impl Watch {
    fn begin(
        path: &Path,
        overwrite: bool,
        (stats, history): (Stats, History),
    ) -> Result<Self, Failure> {
        let recording = Recording::create(path, &stats, overwrite)?;
        let follower = Follower::starting_at(&stats, &history);
        let now = Instant::now();
        let mut watch = Self {
            began: now,
            recording,
            follower,
            stats,
            history,
            history_at: now,
            told_at: None,
            away_since: None,
        };
        watch.write(false)?;
        watch.tell()?;
        Ok(watch)
    }

    /// Asks again and again until the end, a signal, or something that cannot be mended.
    async fn follow(
        &mut self,
        client: &Client,
        interval: Duration,
        end: Option<Instant>,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        let mut next = self.began + interval;
        loop {
            let until = end.map_or(next, |end| end.min(next));
            let is_stopped = unless_stopped(signals, sleep_until(until)).await.is_none();
            if is_stopped || end.is_some_and(|end| Instant::now() >= end) {
                break;
            }
            match unless_stopped(signals, self.ask(client)).await {
                None => break,
                Some(Ok((stats, history))) => self.take(client, stats, history)?,
                Some(Err(failure)) => self.miss(failure)?,
            }
            self.tell()?;
            // A service that is slow is not asked more often to make up for it.
            next = (next + interval).max(Instant::now());
        }
        // The last readings, if the service still answers.
        match timeout(TOLD_EVERY, read(client)).await {
            Ok(Ok((stats, history))) => self.take(client, stats, Some(history)),
            _ => Ok(()),
        }
    }

    /// The statistics, and the history when it is due.
    async fn ask(&self, client: &Client) -> Result<(Stats, Option<History>), Failure> {
        let stats = client.stats().await?;
        let is_pressed = stats.level.max(self.stats.level) > PressureLevel::Normal;
        let every = if is_pressed { HISTORY_UNDER_PRESSURE } else { HISTORY_AT_REST };
        let is_due = self.history_at.elapsed() >= every;
        let history = if is_due { Some(client.history().await?) } else { None };
        Ok((stats, history))
    }

    fn take(
        &mut self,
        client: &Client,
        stats: Stats,
        history: Option<History>,
    ) -> Result<(), Failure> {
        if stats.uptime < self.stats.uptime {
            let what = "was started anew: the recording of its former run ends here";
            return Err(Failure::new(Kind::Unreachable, format!("{} {what}", client.address())));
        }
        self.away_since = None;
        self.stats = stats;
        match history {
            Some(history) => {
                self.history = history;
                self.history_at = Instant::now();
                self.write(false)
            }
            None => {
                self.follower.note_sizes(&self.stats);
                Ok(())
            }
        }
    }

    /// Bears with a service that is away or busy, for some seconds.
    fn miss(&mut self, failure: Failure) -> Result<(), Failure> {
        let since = match self.away_since {
            Some(since) => since,
            None => {
                complain(&failure.to_string());
                *self.away_since.insert(Instant::now())
            }
        };
        let may_pass = matches!(failure.kind, Kind::Unreachable | Kind::Late | Kind::NotBursar);
        if may_pass && since.elapsed() < GONE_AFTER { Ok(()) } else { Err(failure) }
    }

    fn write(&mut self, is_over: bool) -> Result<(), Failure> {
        let events = self.follower.advance(&self.stats, &self.history, is_over);
        self.recording.add(events)
    }

    /// A line a second.
    fn tell(&mut self) -> Result<(), Failure> {
        if self.told_at.is_some_and(|at| at.elapsed() < TOLD_EVERY) {
            return Ok(());
        }
        // In step with the seconds, unless it has fallen behind.
        let now = Instant::now();
        let due = self.told_at.map_or(now, |at| at + TOLD_EVERY);
        self.told_at = Some(if now - due < TOLD_EVERY { due } else { now });
        if self.away_since.is_some() {
            return print("no answer");
        }
        let stats = &self.stats;
        let seconds = self.began.elapsed().as_secs();
        let line = format!(
            "{seconds:>5} s  {:<9} {:>5.1} %  live {:>10}  cleanups {}",
            stats.level,
            100.0 * stats.usage_ratio,
            ByteSize(stats.live_bytes).to_string(),
            stats.cleanups_total,
        );
        print(&plain(&line))
    }
}
