//! The container's limit and usage, as cgroup v1 and v2 tell them.

use std::path::Path;

use super::cgroup_paths::{self, Place, Version};
use super::error::SourceError;
use super::reader::SourceFile;

/// The limit on memory that holds for this process's container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ContainerLimit {
    /// The tightest limit, in bytes. Never zero.
    pub bytes: u64,
    /// Where it stands, for humans: the file, and how far above the process.
    pub from: String,
}

/// What a container uses, in one reading.
///
/// The figures are the kernel's for the whole cgroup and everything below it:
/// other processes of the container, page cache, tmpfs and kernel memory count.
/// `usage_bytes` and `inactive_file_bytes` come from two files read one after
/// the other, so under load they are a few microseconds apart; the kernel's
/// `inactive_file` may itself lag by up to two seconds on cgroup v2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CgroupUsage {
    /// All that is charged, in bytes: v2 `memory.current`, v1
    /// `memory.usage_in_bytes`. Includes page cache that the kernel would drop
    /// before it kills.
    pub usage_bytes: u64,
    /// Usage less inactive file pages, in bytes, not below zero. What
    /// Kubernetes counts, and the figure to compare with the limit.
    pub working_set_bytes: u64,
    /// File pages not used of late, in bytes: v2 `inactive_file`, v1
    /// `total_inactive_file`.
    pub inactive_file_bytes: u64,
}

/// The memory cgroup of this process: its limits and what it uses.
///
/// Found once, read often. All paths are computed by [`Cgroup::discover`]; a
/// read opens the files, so a limit changed at run time is seen by the next
/// read. A process that is moved to another cgroup has to discover again.
///
/// `Send + Sync`: any number of threads may read at once, without a lock.
#[derive(Debug)]
pub struct Cgroup {
    /// Own level first.
    limits: Vec<LimitFile>,
    usage: SourceFile,
    /// The file and the key of the inactive file pages.
    inactive_file: (SourceFile, &'static str),
    /// The file that counts OOM kills; on v2, all events.
    oom: SourceFile,
    /// On v1, the file that counts how often the limit was hit.
    failures: Option<SourceFile>,
    /// On v2 what is in swap; on v1 that and `usage` together.
    swap: SourceFile,
    version: Version,
    pressure: SourceFile,
}

/// A limit, and which of the cgroup's files holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TightestLimit {
    pub(super) bytes: u64,
    index: usize,
}

/// One place where a limit may stand.
#[derive(Debug)]
struct LimitFile {
    file: SourceFile,
    /// The line that holds it, in a file of many lines.
    key: Option<&'static str>,
    /// Levels above the process's own cgroup.
    levels_up: usize,
}

impl Cgroup {
    /// Finds the memory cgroup of this process on the real system.
    ///
    /// Reads `/proc/self/cgroup` and `/proc/self/mountinfo` and looks which
    /// files are there: about 50 us on Linux 6.18 x86-64 with few mounts. Where v1 controllers and a
    /// unified v2 hierarchy are mounted side by side, the one that controls
    /// memory is taken. Where the process's path is not below the mount (a
    /// cgroup namespace), the mount's root is its cgroup.
    ///
    /// # Errors
    /// [`SourceError::Unsupported`] where the system is not Linux,
    /// [`SourceError::NoMemoryController`] where no memory cgroup is visible,
    /// [`SourceError::Unreadable`] or [`SourceError::Garbled`] where one of the
    /// two files cannot be understood.
    pub fn discover() -> Result<Self, SourceError> {
        if !cfg!(target_os = "linux") {
            return Err(SourceError::Unsupported { what: "the container's memory limit" });
        }
        Self::discover_under(Path::new("/"))
    }

    /// As [`Cgroup::discover`], with another directory in the place of `/`: it
    /// holds `proc/self/cgroup`, `proc/self/mountinfo` and `sys/fs/cgroup`.
    /// For tests, and for a host's file system mounted into a container.
    ///
    /// # Errors
    /// Those of [`Cgroup::discover`], but for `Unsupported`.
    pub fn discover_under(root: &Path) -> Result<Self, SourceError> {
        let place = cgroup_paths::locate(root)?;
        let own = &place.levels[0];
        let file = |name: &str| SourceFile::new(root, &own.join(name));
        let (usage, inactive_file, oom, swap) = match place.version {
            Version::V1 => (
                "memory.usage_in_bytes",
                "total_inactive_file",
                "memory.oom_control",
                "memory.memsw.usage_in_bytes",
            ),
            Version::V2 => {
                ("memory.current", "inactive_file", "memory.events", "memory.swap.current")
            }
        };
        Ok(Self {
            usage: file(usage),
            inactive_file: (file("memory.stat"), inactive_file),
            oom: file(oom),
            failures: (place.version == Version::V1).then(|| file("memory.failcnt")),
            swap: file(swap),
            version: place.version,
            pressure: file("memory.pressure"),
            limits: limit_files(root, &place),
        })
    }

    /// The tightest limit of this process's cgroup and all visible ones above
    /// it; `None` when none has a limit.
    ///
    /// On v2 both `memory.max` (beyond it the kernel kills) and `memory.high`
    /// (beyond it the kernel throttles) count. On v1 `memory.limit_in_bytes`,
    /// and `hierarchical_memory_limit` of `memory.stat`, which knows ancestors
    /// that a container cannot see. A figure of 2^60 or more is no limit.
    ///
    /// Cost: two small files a level on v2, one on v1 and `memory.stat`; about
    /// 19 us for three levels of v1 on Linux 6.18 x86-64. Allocates only the
    /// `from` of its answer.
    ///
    /// # Errors
    /// [`SourceError::Unreadable`] or [`SourceError::Garbled`] for the first
    /// file that cannot be understood, even if others can: the one that cannot
    /// might be the tightest. A limit of zero is garbled.
    pub fn limit(&self) -> Result<Option<ContainerLimit>, SourceError> {
        let tightest = self.tightest()?;
        Ok(tightest
            .map(|limit| ContainerLimit { bytes: limit.bytes, from: self.limit_place(limit) }))
    }

    /// As [`Cgroup::limit`], without words: allocates nothing on success.
    pub(super) fn tightest(&self) -> Result<Option<TightestLimit>, SourceError> {
        self.tightest_of(|_| true)
    }

    /// Whether a limit file says otherwise than that `known` is the tightest limit. Statistics,
    /// which the kernel has to add up, are not asked: a limit that only they know stays.
    pub(super) fn has_limit_changed(&self, known: Option<TightestLimit>) -> bool {
        let Ok(now) = self.tightest_of(|place| place.key.is_none()) else { return false };
        match known {
            Some(known) if self.limits[known.index].key.is_some() => {
                now.is_some_and(|now| now.bytes < known.bytes)
            }
            _ => now != known,
        }
    }

    fn tightest_of(
        &self,
        is_asked: impl Fn(&LimitFile) -> bool,
    ) -> Result<Option<TightestLimit>, SourceError> {
        let mut tightest: Option<TightestLimit> = None;
        for (index, place) in self.limits.iter().enumerate() {
            if !is_asked(place) {
                continue;
            }
            let bytes = match place.key {
                None => place.file.limit()?,
                Some(key) => place.file.statistic_limit(key)?,
            };
            let Some(bytes) = bytes else { continue };
            // On a tie the nearest stands.
            if tightest.is_none_or(|least| bytes < least.bytes) {
                tightest = Some(TightestLimit { bytes, index });
            }
        }
        Ok(tightest)
    }

    /// Where a limit of this cgroup stands, for humans.
    pub(super) fn limit_place(&self, limit: TightestLimit) -> String {
        self.limits[limit.index].describe()
    }

    /// What the cgroup uses now, whoever in it uses it.
    ///
    /// Cost: two small files; about 12 us on Linux 6.18 x86-64. Allocates
    /// nothing.
    ///
    /// # Errors
    /// [`SourceError::Unreadable`] or [`SourceError::Garbled`]. A process in
    /// the root of the whole v2 hierarchy gets `Unreadable`: the kernel keeps
    /// no usage for it.
    pub fn usage(&self) -> Result<CgroupUsage, SourceError> {
        let usage_bytes = self.usage.number()?;
        let (file, key) = &self.inactive_file;
        let inactive_file_bytes = file.statistic(key)?;
        Ok(CgroupUsage {
            usage_bytes,
            // The two were read at different moments.
            working_set_bytes: usage_bytes.saturating_sub(inactive_file_bytes),
            inactive_file_bytes,
        })
    }

    /// How many processes of this cgroup the kernel has killed for want of
    /// memory since the cgroup was made: `oom_kill` of v2 `memory.events` (with
    /// the cgroups below) or of v1 `memory.oom_control` (without). Never falls.
    ///
    /// Cost: one small file; about 4 us on Linux 6.18 x86-64. Allocates
    /// nothing.
    ///
    /// # Errors
    /// [`SourceError::Unreadable`] or [`SourceError::Garbled`]; kernels before
    /// 4.13 have no such count.
    pub fn oom_kills(&self) -> Result<u64, SourceError> {
        self.oom.statistic("oom_kill")
    }
}

impl LimitFile {
    fn describe(&self) -> String {
        let file = self.file.name();
        let key = self.key.map_or(String::new(), |key| format!(", {key}"));
        match self.levels_up {
            0 => format!("{file}{key} (own cgroup)"),
            1 => format!("{file}{key} (1 level above)"),
            levels => format!("{file}{key} ({levels} levels above)"),
        }
    }
}

/// Every file that may hold a limit, own level first.
fn limit_files(root: &Path, place: &Place) -> Vec<LimitFile> {
    let mut files = Vec::new();
    let mut add = |level: &Path, levels_up, name: &str, key| {
        let file = SourceFile::new(root, &level.join(name));
        files.push(LimitFile { file, key, levels_up });
    };
    let bare = usize::from(place.top_is_bare);
    let limited = &place.levels[..place.levels.len() - bare];
    for (levels_up, level) in limited.iter().enumerate() {
        match place.version {
            Version::V1 => add(level, levels_up, "memory.limit_in_bytes", None),
            Version::V2 => {
                add(level, levels_up, "memory.max", None);
                // Some sandboxes have the one and not the other.
                if cgroup_paths::present(root, &level.join("memory.high")) {
                    add(level, levels_up, "memory.high", None);
                }
            }
        }
    }
    if place.version == Version::V1 {
        let key = Some("hierarchical_memory_limit");
        add(&place.levels[0], 0, "memory.stat", key);
    }
    files
}

mod events;
#[cfg(test)]
mod tests;
