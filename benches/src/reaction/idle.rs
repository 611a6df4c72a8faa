//! What the monitor costs while nothing happens.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bursar::Bursar;
use bursar_alloc::Collect;

use super::table;
use crate::measure::{Ran, Table, on_processor};

const BUDGET_BYTES: u64 = 64 << 20;
/// The monitor's thread, by its name.
const MONITOR: &str = "bursar-monitor";

/// A thread that has no name by then is not there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Allocated and freed again a second by the thread that has the monitor woken.
const CHURN_BYTES_A_SECOND: usize = 100 << 20;
const CHURN_ROUNDS_A_SECOND: usize = 100;
const CHURN_BLOCK_BYTES: usize = 64 << 10;

/// The table of what the monitor's thread and the process use while this one sleeps for `time`,
/// and what the monitor's uses in as much time while another has it woken by the allocator.
pub(super) fn measure(time: Duration) -> Result<Table, Box<dyn Error>> {
    if !cfg!(target_os = "linux") {
        return Err("a thread's processor time is read as Linux tells it".into());
    }
    // What was measured before left free pages, and giving those back is work.
    bursar_alloc::collect(Collect::Purge);
    let bursar = Bursar::builder().budget(BUDGET_BYTES).start()?;
    let interval = bursar.budget().profile().interval;
    let monitor = task_once_it_runs(MONITOR)?;
    let heading = format!("{} s long, read every {interval:?}", time.as_secs());
    let mut table = table([heading.as_str(), "on a processor", "of a core", "times it ran"]);
    eprintln!("{} s of nothing", time.as_secs());
    let (idle, whole) = over(time, &monitor)?;
    table.add(row("the monitor's thread, idle", idle));
    table.add(row("the whole process, idle", whole));
    eprintln!("{} s of allocating and freeing", time.as_secs());
    let (woken, _) = while_churning(|| over(time, &monitor))??;
    table.add(row("the monitor's thread, woken by 100 MiB/s freed at once", woken));
    Ok(table)
}

/// A thread's share of a core, and how often it was put on one.
struct Used {
    time: Duration,
    over: Duration,
    runs: u64,
}

fn row(name: &str, used: Used) -> [String; 4] {
    let share = used.time.as_secs_f64() / used.over.as_secs_f64();
    let (time, share) = (format!("{:.1?}", used.time), format!("{:.4} %", share * 100.0));
    [name.to_owned(), time, share, used.runs.to_string()]
}

/// What the monitor's thread and the whole process use while the calling thread sleeps.
fn over(time: Duration, monitor: &Path) -> Result<(Used, Used), Box<dyn Error>> {
    let (before, whole_before) = (on_processor(monitor)?, whole_process()?);
    let begun = Instant::now();
    thread::sleep(time);
    let over = begun.elapsed();
    let since = |now: Ran, before: Ran| Used {
        time: now.time.saturating_sub(before.time),
        over,
        runs: now.runs.saturating_sub(before.runs),
    };
    Ok((since(on_processor(monitor)?, before), since(whole_process()?, whole_before)))
}

/// Runs `f` beside a thread whose blocks die young, so that the headroom is used up again and
/// again while next to nothing is live.
fn while_churning<T>(f: impl FnOnce() -> T) -> Result<T, Box<dyn Error>> {
    let is_over = AtomicBool::new(false);
    let churn = || {
        while !is_over.load(Ordering::Relaxed) {
            for _ in 0..CHURN_BYTES_A_SECOND / CHURN_ROUNDS_A_SECOND / CHURN_BLOCK_BYTES {
                drop(black_box(Vec::<u8>::with_capacity(CHURN_BLOCK_BYTES)));
            }
            thread::sleep(Duration::from_secs(1) / CHURN_ROUNDS_A_SECOND as u32);
        }
    };
    thread::scope(|scope| {
        let churning = scope.spawn(churn);
        let result = f();
        is_over.store(true, Ordering::Relaxed);
        churning.join().map(|()| result).map_err(|_| "the churning thread panicked".into())
    })
}

/// As [`task`], of a thread that was just started: it gives itself its name when it first runs.
fn task_once_it_runs(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let begun = Instant::now();
    loop {
        match task(name) {
            Err(_) if begun.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(1)),
            found => return found,
        }
    }
}

/// The directory of this process's thread called `name`.
fn task(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim_end() == name {
            return Ok(task);
        }
    }
    Err(format!("there is no thread called {name}").into())
}

/// What all threads there are have run up to now.
fn whole_process() -> Result<Ran, Box<dyn Error>> {
    let tasks: Result<Vec<_>, _> = fs::read_dir("/proc/self/task")?.collect();
    // A thread that has ended since it was listed has nothing to read.
    let ran = tasks?.into_iter().filter_map(|task| on_processor(&task.path()).ok());
    Ok(ran.fold(Ran::default(), |sum, ran| Ran {
        time: sum.time + ran.time,
        runs: sum.runs + ran.runs,
    }))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_thread_is_found_by_its_name_and_is_part_of_the_whole() {
        let found = thread::Builder::new().name("looked-for".to_owned()).spawn(|| {
            // What a thread has run is brought up to date when it stops running.
            thread::sleep(Duration::from_millis(1));
            let task = task("looked-for").unwrap();
            (on_processor(&task).unwrap(), whole_process().unwrap())
        });
        let (thread, whole) = found.unwrap().join().unwrap();
        assert!(
            thread.time > Duration::ZERO && thread.time <= whole.time,
            "{thread:?} of {whole:?}"
        );
        assert!(thread.runs > 0 && thread.runs <= whole.runs, "{thread:?} of {whole:?}");
        assert!(task("nobody").unwrap_err().to_string().contains("nobody"));
    }
}
