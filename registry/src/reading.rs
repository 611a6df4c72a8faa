//! What is read of the system and of the container beside usage: the parts of a
//! [`Sample`](crate::Sample) that are more than one number.

/// The whole machine's memory, as `/proc/meminfo` tells it, in bytes; `None` where a line is
/// missing.
///
/// In a container these are the host's figures, unless the runtime puts the container's own in
/// their place (LXCFS, gVisor).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SystemUsage {
    /// Memory that the kernel manages: `MemTotal`. A little less than what is built in.
    pub total_bytes: Option<u64>,
    /// What could be had without swapping, by the kernel's own estimate: `MemAvailable`.
    pub available_bytes: Option<u64>,
    /// Room for pages out of memory: `SwapTotal`. 0 without swap.
    pub swap_total_bytes: Option<u64>,
    /// What of that room is free: `SwapFree`.
    pub swap_free_bytes: Option<u64>,
}

/// How long tasks stood still for want of memory: the kernel's pressure stall information (PSI).
///
/// *Some* is time in which at least one task waited for memory, *full* time in which all that
/// were not idle did. The averages move every 2 seconds; the totals tell of shorter spells.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct MemoryStall {
    /// Share of the last 10 seconds in which some task stood still, in percent: 0 to 100.
    pub some_avg10_percent: f64,
    /// Time in which some task stood still since the cgroup was made or the system booted, in
    /// microseconds. Never falls.
    pub some_total_us: u64,
    /// Share of the last 10 seconds in which all tasks stood still, in percent: 0 to 100.
    pub full_avg10_percent: f64,
    /// Time in which all tasks stood still, in microseconds. Never falls.
    pub full_total_us: u64,
}

/// What has happened to the container for want of memory since its cgroup was made. Counts, none
/// of which ever falls; `None` where the kernel keeps no such count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CgroupEvents {
    /// Times it was reclaimed from although below `memory.low`. Cgroup v2 only.
    pub low: Option<u64>,
    /// Times its tasks were throttled since usage was over `memory.high`. Cgroup v2 only.
    pub high: Option<u64>,
    /// Times usage was about to go over the limit: v2 `max`, v1 `memory.failcnt`. Each is a
    /// reclaim by the kernel, and need not end in a kill.
    pub max: Option<u64>,
    /// Times reclaim did not help, so that an allocation was about to fail. Cgroup v2 only.
    pub oom: Option<u64>,
    /// Processes that the kernel killed.
    pub oom_kill: Option<u64>,
}
