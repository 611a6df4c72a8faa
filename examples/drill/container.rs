//! A memory-limited container: a control group of the drill's own, of either
//! version, removed on the way out.
//!
//! Only file names differ between the two versions; both count the kernel's
//! kills as `oom_kill N` in a file of such lines. The version 2 path is
//! exercised only over a fixture tree, in this file's tests.

use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

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

/// A control group with a memory limit, removed when dropped.
#[derive(Debug)]
pub(crate) struct Container {
    directory: PathBuf,
    files: &'static Files,
    swap: &'static str,
}

/// What a container counts, readable while its owner is busy elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    directory: PathBuf,
    files: &'static Files,
}

impl Container {
    /// Makes a container called `name`, or says why there can be none.
    pub(crate) fn create(name: &str, limit: u64) -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup")
            .map_err(|error| format!("this system has no control groups ({error})"))?;
        Self::create_below(Path::new("/sys/fs/cgroup"), &own, name, limit)
    }

    fn create_below(root: &Path, own: &str, name: &str, limit: u64) -> Result<Self, String> {
        let mut reason = "no control group here can limit memory".to_owned();
        for (parent, files) in parents(root, own) {
            let directory = parent.join(name);
            // One left by a drill that was killed, if it had our number.
            let _ = fs::remove_dir(&directory);
            if let Err(error) = fs::create_dir(&directory) {
                reason = format!("no control group could be made ({error})");
                continue;
            }
            let mut container = Self { directory, files, swap: "" };
            match container.limit_to(limit) {
                Ok(()) => return Ok(container),
                Err(error) => reason = format!("no memory limit could be set ({error})"),
            }
        }
        Err(reason)
    }

    fn limit_to(&mut self, limit: u64) -> std::io::Result<()> {
        let set = |file: &str, value: &str| {
            let path = self.directory.join(file);
            // A control group's files are the kernel's: none is made here.
            let mut file = fs::OpenOptions::new().write(true).open(path)?;
            file.write_all(value.as_bytes())
        };
        let bytes = limit.to_string();
        set(self.files.limit, &bytes)?;
        let no_swap = set("memory.swap.max", "0")
            .or_else(|_| set("memory.memsw.limit_in_bytes", &bytes))
            .or_else(|_| set("memory.swappiness", "0"));
        self.swap = match (no_swap, machine_swaps()) {
            (_, Some(false)) => "off (this machine has none)",
            (Ok(()), _) => "off (for the container)",
            (Err(_), _) => "ON: what does not fit may be swapped out instead",
        };
        Ok(())
    }

    /// Whether what does not fit is swapped out.
    pub(crate) fn swap(&self) -> &'static str {
        self.swap
    }

    /// The directory a process joins by.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn figures(&self) -> Figures {
        Figures { directory: self.directory.clone(), files: self.files }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // A killed process leaves the group a moment after the signal.
        for _ in 0..100 {
            match fs::remove_dir(&self.directory) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    sleep(Duration::from_millis(20));
                }
                _ => return,
            }
        }
        eprintln!("{} could not be removed", self.directory.display());
    }
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
        let count = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse().ok();
        events.lines().find_map(count)
    }

    fn number(&self, file: &str) -> Option<u64> {
        let text = fs::read_to_string(self.directory.join(file)).ok()?;
        text.trim().parse().ok()
    }
}

/// Where a container might be made, in the order to try.
///
/// Version 1 has no rule about where: the top first. Version 2 wants a group
/// that hands memory on to its children, nearest first, from our own upward.
fn parents(root: &Path, own: &str) -> Vec<(PathBuf, &'static Files)> {
    let mut found = Vec::new();
    let top = root.join("memory");
    if top.join(V1.limit).exists() {
        found.push((top.clone(), &V1));
        let path = own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|c| c == "memory").then_some(path)
        });
        found.extend(path.map(|path| (below(&top, path), &V1)));
    }
    if let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::")) {
        let hands_on = |directory: &&Path| {
            fs::read_to_string(directory.join("cgroup.subtree_control"))
                .is_ok_and(|on| on.split_whitespace().any(|c| c == "memory"))
        };
        let nearest = below(root, path);
        let upward = nearest.ancestors().take_while(|at| at.starts_with(root));
        found.extend(upward.filter(hands_on).map(|at| (at.to_owned(), &V2)));
    }
    found
}

/// `path`, absolute within a hierarchy, below `root` and never above it.
fn below(root: &Path, path: &str) -> PathBuf {
    let inside = Path::new(path).components().filter(|part| matches!(part, Component::Normal(_)));
    root.join(inside.collect::<PathBuf>())
}

/// Whether this machine swaps at all, where that is known.
fn machine_swaps() -> Option<bool> {
    let swaps = fs::read_to_string("/proc/swaps").ok()?;
    Some(swaps.lines().count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    #[test]
    fn version_2_takes_the_nearest_group_that_hands_memory_on() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |path: &str| root.path().join(path);
        write(&at("cgroup.subtree_control"), "cpu memory\n");
        write(&at("user/cgroup.subtree_control"), "cpu memory pids\n");
        write(&at("user/shell/cgroup.subtree_control"), "\n");
        let found = parents(root.path(), "0::/user/shell\n");
        let directories: Vec<_> = found.iter().map(|(at, _)| at.as_path()).collect();
        assert_eq!(directories, [at("user").as_path(), root.path()]);
    }

    #[test]
    fn version_1_begins_at_the_top() {
        let root = tempfile::tempdir().expect("a directory");
        let top = root.path().join("memory");
        write(&top.join(V1.limit), "9223372036854771712\n");
        let found = parents(root.path(), "5:cpu:/x\n4:memory:/a/../b\n0::/\n");
        let directories: Vec<_> = found.iter().map(|(at, _)| at.as_path()).collect();
        assert_eq!(directories, [top.as_path(), &top.join("a/b")]);
    }

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
        let refused = Container::create_below(root.path(), "0::/\n", "drill", 1 << 20);
        assert_eq!(refused.err().as_deref(), Some("no control group here can limit memory"));
    }
}
