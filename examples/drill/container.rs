//! A container: a control group with a memory limit, of either version, and
//! with a quota of processor time where one is wanted.
//!
//! Only file names differ between the two versions; both count the kernel's
//! kills as `oom_kill N` in a file of such lines. The version 2 path is
//! exercised only over a fixture tree, in the tests.

use crate::groups::{Group, Hierarchies, Version, count};
use crate::quota::Quota;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The names of one version's files.
#[derive(Debug)]
struct Files {
    limit: &'static str,
    usage: &'static str,
    peak: &'static str,
    events: &'static str,
}

const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    peak: "memory.max_usage_in_bytes",
    events: "memory.oom_control",
};

const V2: Files = Files {
    limit: "memory.max",
    usage: "memory.current",
    peak: "memory.peak",
    events: "memory.events",
};

/// The limit of memory and swap together, in version 1 only.
const WITH_SWAP: &str = "memory.memsw.limit_in_bytes";

/// What a container is held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes; without it memory is counted and not limited.
    pub(crate) memory: Option<u64>,
    /// A share of one or several processors.
    pub(crate) cores: Option<f64>,
}

/// Control groups with limits, removed when dropped.
#[derive(Debug)]
pub(crate) struct Container {
    group: Group,
    files: &'static Files,
    swap: &'static str,
    quota: Option<Quota>,
}

/// What a container counts, readable while its owner is busy elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    directory: PathBuf,
    files: &'static Files,
}

impl Container {
    /// Makes a container called `name`, or says why there can be none.
    pub(crate) fn create(name: &str, limits: Limits) -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup")
            .map_err(|error| format!("this system has no control groups ({error})"))?;
        let hierarchies = Hierarchies { root: Path::new("/sys/fs/cgroup"), own: &own };
        Self::create_in(hierarchies, name, limits)
    }

    fn create_in(hierarchies: Hierarchies<'_>, name: &str, limits: Limits) -> Result<Self, String> {
        let mut reason = "no control group here can limit memory".to_owned();
        for (parent, version) in hierarchies.places("memory", V1.limit) {
            let group = match Group::create(&parent, name) {
                Ok(group) => group,
                Err(error) => {
                    reason = format!("no control group could be made ({error})");
                    continue;
                }
            };
            let files = if version == Version::V1 { &V1 } else { &V2 };
            let swap = match limits.memory.map(|bytes| limit_memory(&group, files, bytes)) {
                None => "of no matter (memory is not limited)",
                Some(Ok(swap)) => swap,
                Some(Err(error)) => {
                    reason = format!("no memory limit could be set ({error})");
                    continue;
                }
            };
            let quota = |cores| Quota::set(hierarchies, name, (&group, version), cores);
            let quota = limits.cores.map(quota).transpose()?;
            return Ok(Self { group, files, swap, quota });
        }
        Err(reason)
    }

    /// Whether what does not fit is swapped out.
    pub(crate) fn swap(&self) -> &'static str {
        self.swap
    }

    /// The quota of processor time, if the container has one.
    #[allow(dead_code, reason = "the soak is this code's other program, and sets no quota")]
    pub(crate) fn quota(&self) -> Option<&Quota> {
        self.quota.as_ref()
    }

    /// The directories a process joins by.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &Path> {
        let quota = self.quota.as_ref().and_then(Quota::directory_to_join);
        std::iter::once(self.group.directory()).chain(quota)
    }

    /// Changes the memory limit. Lowering it below what is used is refused by
    /// version 1 if the kernel cannot reclaim that, and answered by version 2
    /// with a kill: see what is used first.
    #[allow(dead_code, reason = "only the soak, this code's other program, changes the limit")]
    pub(crate) fn set_limit(&self, bytes: u64) -> io::Result<()> {
        let bytes = bytes.to_string();
        // Version 1 never holds memory and swap together below memory alone:
        // going up it is set first, and going down, where that fails, last.
        let with_swap = || self.group.set(WITH_SWAP, &bytes);
        let first = with_swap();
        self.group.set(self.files.limit, &bytes)?;
        // Where swap is not counted both fail, and nothing is lost.
        first.or_else(|_| with_swap()).or(Ok(()))
    }

    pub(crate) fn figures(&self) -> Figures {
        Figures { directory: self.group.directory().to_owned(), files: self.files }
    }
}

/// Sets the limit and what it takes for it to hold; answers whether what does
/// not fit is swapped out.
fn limit_memory(group: &Group, files: &Files, bytes: u64) -> io::Result<&'static str> {
    let bytes = bytes.to_string();
    group.set(files.limit, &bytes)?;
    let no_swap = group
        .set("memory.swap.max", "0")
        .or_else(|_| group.set(WITH_SWAP, &bytes))
        .or_else(|_| group.set("memory.swappiness", "0"));
    Ok(match (no_swap, machine_swaps()) {
        (_, Some(false)) => "off (this machine has none)",
        (Ok(()), _) => "off (for the container)",
        (Err(_), _) => "ON: what does not fit may be swapped out instead",
    })
}

/// Whether this machine swaps at all, where that is known.
fn machine_swaps() -> Option<bool> {
    let swaps = fs::read_to_string("/proc/swaps").ok()?;
    Some(swaps.lines().count() > 1)
}

impl Figures {
    /// Bytes charged to the container now.
    pub(crate) fn usage(&self) -> Option<u64> {
        self.number(self.files.usage)
    }

    /// The most that was ever charged to it.
    pub(crate) fn peak(&self) -> Option<u64> {
        self.number(self.files.peak)
    }

    /// Processes that the kernel killed for want of memory here.
    pub(crate) fn kills(&self) -> Option<u64> {
        let events = fs::read_to_string(self.directory.join(self.files.events)).ok()?;
        count(&events, "oom_kill")
    }

    fn number(&self, file: &str) -> Option<u64> {
        let text = fs::read_to_string(self.directory.join(file)).ok()?;
        text.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::write;

    #[test]
    fn the_figures_of_both_versions_are_read() {
        let root = tempfile::tempdir().expect("a directory");
        for (files, events) in [
            (&V1, "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
            (&V2, "low 0\nhigh 0\nmax 71\noom 1\noom_kill 1\noom_group_kill 0\n"),
        ] {
            let directory = root.path().to_owned();
            write(&directory.join(files.usage), "134213632\n");
            write(&directory.join(files.peak), "134217728\n");
            write(&directory.join(files.events), events);
            let figures = Figures { directory, files };
            assert_eq!(figures.usage(), Some(134_213_632));
            assert_eq!(figures.peak(), Some(134_217_728));
            assert_eq!(figures.kills(), Some(1));
        }
    }

    #[test]
    fn a_place_without_control_groups_says_so() {
        let root = tempfile::tempdir().expect("a directory");
        let hierarchies = Hierarchies { root: root.path(), own: "0::/\n" };
        let limits = Limits { memory: Some(1 << 20), cores: None };
        let refused = Container::create_in(hierarchies, "drill", limits);
        assert_eq!(refused.err().as_deref(), Some("no control group here can limit memory"));
    }
}
