//! What the monitor costs while nothing happens.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bursar::Bursar;

use super::table;
use crate::measure::Table;

const BUDGET_BYTES: u64 = 64 << 20;
/// The monitor's thread, by its name.
const MONITOR: &str = "bursar-monitor";

/// The table of what the monitor's thread and the process use while this one sleeps for `time`.
pub(super) fn measure(time: Duration) -> Result<Table, Box<dyn Error>> {
    if !cfg!(target_os = "linux") {
        return Err("a thread's processor time is read as Linux tells it".into());
    }
    let bursar = Bursar::builder().budget(BUDGET_BYTES).start()?;
    let interval = bursar.budget().profile().interval;
    let monitor = task(MONITOR)?;
    eprintln!("{} s of nothing", time.as_secs());
    let (before, whole_before) = (on_processor(&monitor)?, whole_process()?);
    let begun = Instant::now();
    thread::sleep(time);
    let over = begun.elapsed();
    let used = on_processor(&monitor)?.saturating_sub(before);
    let whole = whole_process()?.saturating_sub(whole_before);
    let heading = format!("idle for {} s, read every {interval:?}", time.as_secs());
    let mut table = table([heading.as_str(), "on a processor", "of a core"]);
    for (name, used) in [("the monitor's thread", used), ("the whole process", whole)] {
        let share = used.as_secs_f64() / over.as_secs_f64();
        let cells = [name.to_owned(), format!("{used:.1?}"), format!("{:.4} %", share * 100.0)];
        table.add(cells);
    }
    Ok(table)
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

/// How long a thread has run up to now.
fn on_processor(task: &Path) -> Result<Duration, Box<dyn Error>> {
    let path = task.join("schedstat");
    let text = fs::read_to_string(&path).map_err(|error| {
        format!("a thread's processor time is read from {}: {error}", path.display())
    })?;
    let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Ok(Duration::from_nanos(nanos.ok_or_else(|| format!("{} has {text:?}", path.display()))?))
}

/// How long all threads there are have run up to now.
fn whole_process() -> Result<Duration, Box<dyn Error>> {
    let tasks: Result<Vec<_>, _> = fs::read_dir("/proc/self/task")?.collect();
    // A thread that has ended since it was listed has nothing to read.
    Ok(tasks?.iter().filter_map(|task| on_processor(&task.path()).ok()).sum())
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
        assert!(thread > Duration::ZERO && thread <= whole, "{thread:?} of {whole:?}");
        assert!(task("nobody").unwrap_err().to_string().contains("nobody"));
    }
}
