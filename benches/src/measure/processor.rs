//! Time on a processor, which neighbours on a busy machine do not lengthen by being there.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How long something has been on a processor, and how often it was put on one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ran {
    pub(crate) time: Duration,
    pub(crate) runs: u64,
}

/// What a thread has run up to now, by its directory; itself up to when it was last put off.
pub(crate) fn on_processor(task: &Path) -> Result<Ran, Box<dyn Error>> {
    let path = task.join("schedstat");
    let text = fs::read_to_string(&path).map_err(|error| {
        format!("a thread's processor time is read from {}: {error}", path.display())
    })?;
    let figures: Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
    match figures.as_deref() {
        Ok([nanos, _waited, runs]) => Ok(Ran { time: Duration::from_nanos(*nanos), runs: *runs }),
        _ => Err(format!("{} has {text:?}", path.display()).into()),
    }
}

/// What the calling thread has run up to now.
pub(crate) fn of_this_thread() -> Result<Duration, Box<dyn Error>> {
    if !cfg!(target_os = "linux") {
        return Err("a thread's processor time is read as Linux tells it".into());
    }
    // What a thread has run is brought up to date when it makes room for others.
    thread::yield_now();
    Ok(on_processor(Path::new("/proc/thread-self"))?.time)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_sleeps_is_on_no_processor_and_one_that_works_is() {
        let begun = of_this_thread().unwrap();
        thread::sleep(Duration::from_millis(200));
        let slept = of_this_thread().unwrap();
        assert!(slept - begun < Duration::from_millis(100), "{:?}", slept - begun);
        while of_this_thread().unwrap() == slept {
            std::hint::black_box((0..1000).sum::<u64>());
        }
    }
}
