//! What happens to the container beside its usage: swap, stalls and the
//! kernel's own counts.

use std::ops::ControlFlow;

use super::Cgroup;
use crate::reading::{CgroupEvents, MemoryStall};
use crate::source::cgroup_paths::Version;
use crate::source::error::SourceError;
use crate::source::psi::read_stall;
use crate::source::reader::{A_STATISTIC, Lines, parse_number};

impl Cgroup {
    /// Bytes of the cgroup's pages that are in swap: v2 `memory.swap.current`,
    /// v1 `memory.memsw.usage_in_bytes` less `memory.usage_in_bytes`, which are
    /// read one after the other.
    ///
    /// Cost: one small file, two on v1; about 7 us on Linux 6.18 x86-64 for v1's two.
    /// Allocates nothing.
    ///
    /// # Errors
    /// [`SourceError::Unreadable`], as where the kernel does not account for
    /// swap, or [`SourceError::Garbled`].
    pub fn swap_bytes(&self) -> Result<u64, SourceError> {
        let bytes = self.swap.number()?;
        match self.version {
            Version::V1 => Ok(bytes.saturating_sub(self.usage.number()?)),
            Version::V2 => Ok(bytes),
        }
    }

    /// How long the cgroup's tasks stood still for want of memory:
    /// `memory.pressure`.
    ///
    /// Cost: one small file; about 3 us on Linux 6.18 x86-64. Allocates
    /// nothing.
    ///
    /// # Errors
    /// [`SourceError::Unreadable`], as with most kernels on v1, before 4.20, and
    /// where PSI is off; or [`SourceError::Garbled`].
    pub fn stall(&self) -> Result<MemoryStall, SourceError> {
        read_stall(&self.pressure)
    }

    /// The kernel's counts of what happened for want of memory: v2
    /// `memory.events`, of this cgroup and those below it; v1 `memory.failcnt`
    /// and `oom_kill` of `memory.oom_control`, of this cgroup alone.
    ///
    /// Cost: one small file, two on v1; about 7 us on Linux 6.18 x86-64 for v1's two.
    /// Allocates nothing.
    ///
    /// # Errors
    /// [`SourceError::Unreadable`] or [`SourceError::Garbled`].
    pub fn events(&self) -> Result<CgroupEvents, SourceError> {
        let mut events = self.oom.lines(EventLines::default())?;
        if let Some(failures) = &self.failures {
            events.max = Some(failures.number()?);
        }
        Ok(events)
    }
}

/// The wanted lines among those of a name, a blank and a count.
#[derive(Default)]
struct EventLines {
    events: CgroupEvents,
    is_such_a_file: bool,
}

impl Lines for EventLines {
    type Answer = CgroupEvents;

    fn line(&mut self, line: &[u8]) -> Result<ControlFlow<()>, &'static str> {
        let events = &mut self.events;
        let mut fields = line.splitn(2, |&byte| byte == b' ');
        // Written into where nothing is wanted of a line that belongs there.
        let mut passed_over = None;
        let place = match fields.next() {
            Some(b"low") => &mut events.low,
            Some(b"high") => &mut events.high,
            Some(b"max") => &mut events.max,
            Some(b"oom") => &mut events.oom,
            Some(b"oom_kill") => &mut events.oom_kill,
            Some(b"under_oom") => &mut passed_over,
            _ => return Ok(ControlFlow::Continue(())),
        };
        *place = Some(fields.next().and_then(parse_number).ok_or(A_STATISTIC)?);
        self.is_such_a_file = true;
        Ok(ControlFlow::Continue(()))
    }

    fn end(self) -> Result<CgroupEvents, &'static str> {
        if self.is_such_a_file { Ok(self.events) } else { Err("lines of an event and its count") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::fixture::Fixture;
    use crate::source::fixture_trees::{STALL, V1, V2, v1, v2};

    fn discovered(root: &Fixture) -> Cgroup {
        Cgroup::discover_under(root.path()).expect("a memory cgroup")
    }

    fn v2_app() -> Fixture {
        v2("/app", &[("/app", "max", "max")])
    }

    fn v1_app() -> Fixture {
        v1("/app", &[("/app", "536870912", "536870912")])
    }

    #[track_caller]
    fn assert_names<T: std::fmt::Debug>(read: Result<T, SourceError>, name: &str) {
        let error = read.expect_err("a hostile file");
        assert!(error.to_string().starts_with(&format!("/{name} ")), "{error}");
    }

    #[test]
    fn v2_tells_swap_stall_and_every_event() {
        let root = v2_app();
        let cgroup = discovered(&root);
        assert_eq!(cgroup.swap_bytes(), Ok(7 << 20));
        let stall = cgroup.stall().expect("readable");
        assert_eq!((stall.some_avg10_percent, stall.full_total_us), (1.5, 1_524_860));
        let events = CgroupEvents {
            low: Some(0),
            high: Some(9),
            max: Some(4),
            oom: Some(3),
            oom_kill: Some(2),
        };
        assert_eq!(cgroup.events(), Ok(events));
    }

    #[test]
    fn v1_tells_swap_and_how_often_the_limit_was_hit_and_killed_for() {
        let root = v1_app();
        let cgroup = discovered(&root);
        assert_eq!(cgroup.swap_bytes(), Ok(7 << 20));
        let events = CgroupEvents { max: Some(4), oom_kill: Some(2), ..CgroupEvents::default() };
        assert_eq!(cgroup.events(), Ok(events));
        assert_names(cgroup.stall(), &format!("{V1}/app/memory.pressure"));
    }

    #[test]
    fn a_hybrid_container_is_not_told_the_stall_of_another_hierarchy() {
        let root = v1_app();
        root.write("sys/fs/cgroup/unified/memory.pressure", STALL);
        assert!(discovered(&root).stall().is_err());
    }

    #[test]
    fn an_old_kernel_has_fewer_counts() {
        let root = v2_app();
        root.write(&format!("{V2}/app/memory.events"), "low 0\nhigh 9\nmax 4\noom 3\n");
        assert_eq!(discovered(&root).events().map(|events| events.oom_kill), Ok(None));
        let root = v1_app();
        root.write(&format!("{V1}/app/memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\n");
        let events = CgroupEvents { max: Some(4), ..CgroupEvents::default() };
        assert_eq!(discovered(&root).events(), Ok(events));
    }

    #[test]
    fn v1_swap_read_behind_a_falling_usage_is_not_negative() {
        let root = v1_app();
        root.write(&format!("{V1}/app/memory.memsw.usage_in_bytes"), "1000\n");
        assert_eq!(discovered(&root).swap_bytes(), Ok(0));
    }

    #[test]
    fn hostile_swap_and_events_are_errors_that_name_the_file() {
        let root = v2_app();
        let cgroup = discovered(&root);
        let swap = format!("{V2}/app/memory.swap.current");
        for wrong in ["", "max", "-1", "18446744073709551616", "12 bananas"] {
            root.write(&swap, format!("{wrong}\n"));
            assert_names(cgroup.swap_bytes(), &swap);
        }
        root.make_directory(&swap);
        assert_names(cgroup.swap_bytes(), &swap);
        let events = format!("{V2}/app/memory.events");
        for wrong in ["", "nonsense", "max", "max x", "oom 18446744073709551616", "high 1 2"] {
            root.write(&events, format!("{wrong}\n"));
            assert_names(cgroup.events(), &events);
        }
        root.remove(&events);
        assert_names(cgroup.events(), &events);

        let root = v1_app();
        let failures = format!("{V1}/app/memory.failcnt");
        root.write(&failures, "often\n");
        assert_names(discovered(&root).events(), &failures);
    }
}
