//! Processor time that processes have used.

use std::time::Duration;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// What process `id` has used since it began, where that is known.
pub(crate) fn used(id: u32) -> Option<Duration> {
    let id = Pid::from_u32(id);
    let mut system = System::new().ok()?;
    let what = ProcessRefreshKind::nothing().with_cpu().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[id]), true, what);
    Some(Duration::from_millis(system.process(id)?.accumulated_cpu_time()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn our_own_process_is_seen_to_use_some() {
        let begun = Instant::now();
        while used(std::process::id()).expect("a figure").is_zero() {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing after a minute");
        }
    }
}
