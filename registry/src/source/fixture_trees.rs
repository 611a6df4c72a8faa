//! Whole trees for tests: a process in a cgroup of v1 or v2, and its machine.

use super::fixture::Fixture;

pub(super) const V2_MOUNT: &str =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
pub(super) const V1_MOUNTS: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
    32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
    35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:7 - cgroup cgroup rw,memory\n\
    41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
pub(super) const V2: &str = "sys/fs/cgroup";
pub(super) const V1: &str = "sys/fs/cgroup/memory";

/// A v2 level with these limits, 300 MiB used, 100 MiB of it inactive pages, and 7 MiB
/// in swap.
pub(super) fn v2_level(root: &Fixture, level: &str, max: &str, high: &str) {
    root.write(&format!("{V2}{level}/memory.max"), format!("{max}\n"));
    root.write(&format!("{V2}{level}/memory.high"), format!("{high}\n"));
    root.write(&format!("{V2}{level}/memory.current"), "314572800\n");
    root.write(
        &format!("{V2}{level}/memory.stat"),
        "anon 209715200\nfile 104857600\nworkingset_inactive_file 7\ninactive_file 104857600\n",
    );
    root.write(
        &format!("{V2}{level}/memory.events"),
        "low 0\nhigh 9\nmax 4\noom 3\noom_kill 2\noom_group_kill 1\n",
    );
    root.write(&format!("{V2}{level}/memory.swap.current"), "7340032\n");
    root.write(&format!("{V2}{level}/memory.pressure"), STALL);
}

/// A process in cgroup `path` of a v2 hierarchy with these levels.
pub(super) fn v2(path: &str, levels: &[(&str, &str, &str)]) -> Fixture {
    let root = Fixture::new();
    root.write("proc/self/cgroup", format!("0::{path}\n"));
    root.write("proc/self/mountinfo", V2_MOUNT);
    root.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    for (level, max, high) in levels {
        v2_level(&root, level, max, high);
    }
    root
}

/// A v1 level with this limit and hierarchical limit, used as the v2 ones.
pub(super) fn v1_level(root: &Fixture, level: &str, limit: &str, hierarchical: &str) {
    root.write(&format!("{V1}{level}/memory.limit_in_bytes"), format!("{limit}\n"));
    root.write(&format!("{V1}{level}/memory.usage_in_bytes"), "314572800\n");
    root.write(
        &format!("{V1}{level}/memory.stat"),
        format!(
            "cache 5\ninactive_file 5\nhierarchical_memory_limit {hierarchical}\n\
             total_inactive_file 104857600\n"
        ),
    );
    root.write(
        &format!("{V1}{level}/memory.oom_control"),
        "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    );
    root.write(&format!("{V1}{level}/memory.failcnt"), "4\n");
    root.write(&format!("{V1}{level}/memory.memsw.usage_in_bytes"), "321912832\n");
}

/// The v1 sentinel of 4 KiB pages.
pub(super) const NONE_V1: &str = "9223372036854771712";

pub(super) fn v1(path: &str, levels: &[(&str, &str, &str)]) -> Fixture {
    let root = Fixture::new();
    root.write("proc/self/cgroup", format!("4:memory:{path}\n1:cpu:/elsewhere\n0::/\n"));
    root.write("proc/self/mountinfo", V1_MOUNTS);
    root.write("sys/fs/cgroup/unified/cgroup.controllers", "\n");
    for (level, limit, hierarchical) in levels {
        v1_level(&root, level, limit, hierarchical);
    }
    root
}

/// Of a container or a machine.
pub(super) const STALL: &str = "some avg10=1.50 avg60=0.16 avg300=0.25 total=1831710\n\
    full avg10=0.25 avg60=0.14 avg300=0.22 total=1524860\n";

/// Adds a machine of 16 GiB: half of it available, and of 2 GiB of swap, 1 GiB free.
pub(super) fn add_machine(root: &Fixture) {
    root.write(
        "proc/meminfo",
        "MemTotal:       16777216 kB\nMemFree:          400000 kB\nMemAvailable:    8388608 kB\n\
         SwapTotal:       2097152 kB\nSwapFree:        1048576 kB\n",
    );
    root.write("proc/pressure/memory", STALL);
}
