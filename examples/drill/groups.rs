//! Control groups of the drill's own, of either version: where they can be
//! made, their files, and their removal on the way out.

use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Which kind of hierarchy a group is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// One hierarchy a controller.
    V1,
    /// One for all.
    V2,
}

/// The hierarchies of this machine and where in them this process is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hierarchies<'a> {
    /// Where they are mounted.
    pub(crate) root: &'a Path,
    /// What `/proc/self/cgroup` says.
    pub(crate) own: &'a str,
}

impl Hierarchies<'_> {
    /// Where a group with `controller` might be made, in the order to try;
    /// `v1_file` is one that each group of that controller's own hierarchy has.
    ///
    /// Version 1 has no rule about where: the top first. Version 2 wants a
    /// group that hands the controller on to its children, nearest first, from
    /// our own upward.
    pub(crate) fn places(&self, controller: &str, v1_file: &str) -> Vec<(PathBuf, Version)> {
        let mut found = Vec::new();
        let top = self.root.join(controller);
        if top.join(v1_file).exists() {
            found.push((top.clone(), Version::V1));
            let path = self.own.lines().find_map(|line| {
                let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
                controllers.split(',').any(|c| c == controller).then_some(path)
            });
            found.extend(path.map(|path| (below(&top, path), Version::V1)));
        }
        if let Some(path) = self.own.lines().find_map(|line| line.strip_prefix("0::")) {
            let hands_on = |directory: &&Path| {
                fs::read_to_string(directory.join("cgroup.subtree_control"))
                    .is_ok_and(|on| on.split_whitespace().any(|c| c == controller))
            };
            let nearest = below(self.root, path);
            let upward = nearest.ancestors().take_while(|at| at.starts_with(self.root));
            found.extend(upward.filter(hands_on).map(|at| (at.to_owned(), Version::V2)));
        }
        found
    }
}

/// `path`, absolute within a hierarchy, below `root` and never above it.
fn below(root: &Path, path: &str) -> PathBuf {
    let inside = Path::new(path).components().filter(|part| matches!(part, Component::Normal(_)));
    root.join(inside.collect::<PathBuf>())
}

/// A control group, removed when dropped.
#[derive(Debug)]
pub(crate) struct Group {
    directory: PathBuf,
}

impl Group {
    /// Makes the group `name` below `parent`.
    pub(crate) fn create(parent: &Path, name: &str) -> io::Result<Self> {
        let directory = parent.join(name);
        // One left by a drill that was killed, if it had our number.
        let _ = fs::remove_dir(&directory);
        fs::create_dir(&directory)?;
        Ok(Self { directory })
    }

    /// Writes `value` into one of the group's files.
    pub(crate) fn set(&self, file: &str, value: &str) -> io::Result<()> {
        // A control group's files are the kernel's: none is made here.
        let mut file = fs::OpenOptions::new().write(true).open(self.directory.join(file))?;
        file.write_all(value.as_bytes())
    }

    /// The directory a process joins by.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A killed process leaves the group a moment after the signal.
        for _ in 0..100 {
            match fs::remove_dir(&self.directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    sleep(Duration::from_millis(20));
                }
                _ => return,
            }
        }
        eprintln!("{} could not be removed", self.directory.display());
    }
}

/// The figure of `name` in a file of lines such as `oom_kill 1`.
pub(crate) fn count(text: &str, name: &str) -> Option<u64> {
    let figure = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(figure)
}

#[cfg(test)]
pub(crate) fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    fs::write(path, text).expect("a file");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directories(root: &Path, own: &str, controller: &str, v1_file: &str) -> Vec<PathBuf> {
        let places = Hierarchies { root, own }.places(controller, v1_file);
        places.into_iter().map(|(at, _)| at).collect()
    }

    #[test]
    fn version_2_takes_the_nearest_group_that_hands_the_controller_on() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |path: &str| root.path().join(path);
        write(&at("cgroup.subtree_control"), "cpu memory\n");
        write(&at("user/cgroup.subtree_control"), "memory pids\n");
        write(&at("user/shell/cgroup.subtree_control"), "\n");
        let found = |controller| directories(root.path(), "0::/user/shell\n", controller, "limit");
        assert_eq!(found("memory"), [at("user"), root.path().to_owned()]);
        assert_eq!(found("cpu"), [root.path().to_owned()]);
        assert_eq!(found("io"), [] as [PathBuf; 0]);
    }

    #[test]
    fn version_1_begins_at_the_top() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |path: &str| root.path().join(path);
        write(&at("memory/limit"), "9223372036854771712\n");
        write(&at("cpu/quota"), "-1\n");
        let own = "5:cpu,cpuacct:/x\n4:memory:/a/../b\n0::/\n";
        let found = directories(root.path(), own, "memory", "limit");
        assert_eq!(found, [at("memory"), at("memory/a/b")]);
        assert_eq!(directories(root.path(), own, "cpu", "quota"), [at("cpu"), at("cpu/x")]);
    }

    #[test]
    fn a_count_is_found_by_its_whole_name() {
        let events = "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n";
        assert_eq!(count(events, "oom_kill"), Some(1));
        assert_eq!(count(events, "oom"), None);
        assert_eq!(count("nr_periods x\n", "nr_periods"), None);
    }
}
