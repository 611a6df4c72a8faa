//! Fixture trees: v1, v2, nested, hybrid, namespaces, and hostile files.

use std::io::ErrorKind;

use super::*;
use crate::source::fixture::Fixture;
use crate::source::fixture_trees::{
    NONE_V1, V1, V1_MOUNTS, V2, V2_MOUNT, v1, v1_level, v2, v2_level,
};

const MIB: u64 = 1 << 20;

fn discovered(root: &Fixture) -> Cgroup {
    Cgroup::discover_under(root.path()).expect("a memory cgroup")
}

/// The limit in bytes and where it stands.
fn limit(root: &Fixture) -> Option<(u64, String)> {
    let limit = discovered(root).limit().expect("readable limits");
    limit.map(|limit| (limit.bytes, limit.from))
}

fn assert_usage(cgroup: &Cgroup) {
    assert_eq!(
        cgroup.usage(),
        Ok(CgroupUsage {
            usage_bytes: 300 * MIB,
            working_set_bytes: 200 * MIB,
            inactive_file_bytes: 100 * MIB,
        })
    );
    assert_eq!(cgroup.oom_kills(), Ok(2));
}

#[test]
fn v2_own_limit_usage_and_kills() {
    let root = v2("/app", &[("/app", "536870912", "max")]);
    assert_eq!(
        limit(&root),
        Some((512 * MIB, "/sys/fs/cgroup/app/memory.max (own cgroup)".to_owned()))
    );
    assert_usage(&discovered(&root));
}

#[test]
fn v2_high_below_max_is_the_limit() {
    let root = v2("/app", &[("/app", "536870912", "402653184")]);
    let (bytes, from) = limit(&root).expect("limited");
    assert_eq!(bytes, 384 * MIB);
    assert_eq!(from, "/sys/fs/cgroup/app/memory.high (own cgroup)");
}

#[test]
fn v2_the_tightest_ancestor_holds() {
    let root = v2(
        "/pods/one/app",
        &[
            ("/pods", "1073741824", "max"),
            ("/pods/one", "268435456", "max"),
            ("/pods/one/app", "536870912", "max"),
        ],
    );
    let (bytes, from) = limit(&root).expect("limited");
    assert_eq!(bytes, 256 * MIB);
    assert_eq!(from, "/sys/fs/cgroup/pods/one/memory.max (1 level above)");

    v2_level(&root, "/pods", "max", "134217728");
    let (bytes, from) = limit(&root).expect("limited");
    assert_eq!(bytes, 128 * MIB);
    assert_eq!(from, "/sys/fs/cgroup/pods/memory.high (2 levels above)");
}

#[test]
fn v2_without_any_limit_is_unlimited() {
    let root = v2("/app", &[("/app", "max", "max")]);
    assert_eq!(limit(&root), None);
    v2_level(&root, "/app", "9223372036854771712", "max");
    assert_eq!(limit(&root), None);
}

#[test]
fn v2_a_limit_changed_at_run_time_is_seen() {
    let root = v2("/app", &[("/app", "536870912", "max")]);
    let cgroup = discovered(&root);
    root.write("sys/fs/cgroup/app/memory.max", "268435456\n");
    let limit = cgroup.limit().expect("readable").expect("limited");
    assert_eq!(limit.bytes, 256 * MIB);
}

#[test]
fn v1_a_look_at_the_limit_files_does_not_ask_the_statistics() {
    let root = v1("/app", &[("", NONE_V1, NONE_V1), ("/app", "536870912", "268435456")]);
    let cgroup = discovered(&root);
    let known = cgroup.tightest().expect("readable");
    assert!(!cgroup.has_limit_changed(known), "a hidden ancestor's 256 MiB");
    let app = |limit, hierarchical| v1_level(&root, "/app", limit, hierarchical);
    app("1073741824", "134217728");
    assert!(!cgroup.has_limit_changed(known), "neither file tells of a tighter limit");
    app("134217728", "134217728");
    assert!(cgroup.has_limit_changed(known));
    app("536870912", "536870912");
    let known = cgroup.tightest().expect("readable");
    app("402653184", "402653184");
    assert!(cgroup.has_limit_changed(known));
    app("1073741824", "1073741824");
    assert!(cgroup.has_limit_changed(known), "a raised one too");
    app(NONE_V1, NONE_V1);
    assert!(cgroup.has_limit_changed(known));
}

#[test]
fn v2_a_cgroup_without_the_controller_is_charged_to_its_ancestor() {
    let root = v2("/service/thread", &[("/service", "536870912", "max")]);
    root.make_directory("sys/fs/cgroup/service/thread");
    let (bytes, from) = limit(&root).expect("limited");
    assert_eq!(bytes, 512 * MIB);
    assert_eq!(from, "/sys/fs/cgroup/service/memory.max (own cgroup)");
    assert_usage(&discovered(&root));
}

#[test]
fn v2_a_namespace_is_mounted_at_its_own_root() {
    for path in ["/", "/kubepods/pod1/not/visible/here", "/../../outside"] {
        let root = v2(path, &[("", "536870912", "max")]);
        let (bytes, from) = limit(&root).expect("limited");
        assert_eq!(bytes, 512 * MIB, "{path}");
        assert_eq!(from, "/sys/fs/cgroup/memory.max (own cgroup)", "{path}");
        assert_usage(&discovered(&root));
    }
}

#[test]
fn v2_a_mount_of_a_part_of_the_hierarchy() {
    let root = v2("/docker/1/inner", &[("", "268435456", "max"), ("/inner", "536870912", "max")]);
    let mount = V2_MOUNT.replace(" / /sys", " /docker/1 /sys");
    root.write("proc/self/mountinfo", mount);
    let (bytes, from) = limit(&root).expect("limited");
    assert_eq!(bytes, 256 * MIB);
    assert_eq!(from, "/sys/fs/cgroup/memory.max (1 level above)");
}

#[test]
fn v2_the_root_of_the_whole_hierarchy_is_unlimited_and_has_no_usage() {
    let root = v2("/", &[]);
    let cgroup = discovered(&root);
    assert_eq!(cgroup.limit(), Ok(None));
    assert_unreadable(cgroup.usage(), "/sys/fs/cgroup/memory.current", ErrorKind::NotFound);
}

#[test]
fn v1_own_limit_usage_and_kills() {
    let root = v1("/app", &[("", NONE_V1, NONE_V1), ("/app", "536870912", "536870912")]);
    assert_eq!(
        limit(&root),
        Some((
            512 * MIB,
            "/sys/fs/cgroup/memory/app/memory.limit_in_bytes (own cgroup)".to_owned()
        ))
    );
    assert_usage(&discovered(&root));
}

#[test]
fn v1_sentinels_are_unlimited() {
    // 4 KiB and 64 KiB pages, and the line itself.
    for none in [NONE_V1, "9223372036854710272", "1152921504606846976"] {
        let root = v1("/app", &[("", none, none), ("/app", none, none)]);
        assert_eq!(limit(&root), None, "{none}");
    }
}

#[test]
fn v1_a_tighter_parent_holds() {
    let root = v1(
        "/pod/app",
        &[
            ("", NONE_V1, NONE_V1),
            ("/pod", "268435456", "268435456"),
            ("/pod/app", NONE_V1, "268435456"),
        ],
    );
    let (bytes, from) = limit(&root).expect("limited");
    assert_eq!(bytes, 256 * MIB);
    assert_eq!(from, "/sys/fs/cgroup/memory/pod/memory.limit_in_bytes (1 level above)");
}

#[test]
fn v1_the_hierarchical_limit_knows_hidden_ancestors() {
    let root = v1("/docker/1", &[("", NONE_V1, "134217728")]);
    let mounts = V1_MOUNTS.replace("0:32 / ", "0:32 /docker/1 ");
    root.write("proc/self/mountinfo", mounts);
    let (bytes, from) = limit(&root).expect("limited");
    assert_eq!(bytes, 128 * MIB);
    assert_eq!(from, "/sys/fs/cgroup/memory/memory.stat, hierarchical_memory_limit (own cgroup)");
}

#[test]
fn hybrid_takes_the_hierarchy_that_controls_memory() {
    let root = v1("/app", &[("", NONE_V1, NONE_V1), ("/app", "268435456", "268435456")]);
    // A unified hierarchy with pressure files, and none of memory's own.
    root.write("sys/fs/cgroup/unified/memory.pressure", "some avg10=0.00\n");
    assert_eq!(limit(&root).expect("limited").0, 256 * MIB);
    assert_usage(&discovered(&root));
}

#[test]
fn the_mount_that_shows_most_is_taken() {
    let root = v2("/pod/app", &[("/pod", "268435456", "max"), ("/pod/app", "max", "max")]);
    let part = "29 23 0:26 /pod/app /mnt/part rw - cgroup2 cgroup2 rw\n";
    root.write("proc/self/mountinfo", format!("{part}{V2_MOUNT}"));
    root.make_directory("mnt/part");
    assert_eq!(limit(&root).expect("limited").0, 256 * MIB);
}

#[test]
fn without_a_memory_cgroup_nothing_is_guessed() {
    let nothing_mounted = v2("/app", &[("/app", "1048576", "max")]);
    nothing_mounted.write("proc/self/mountinfo", "");
    let no_membership = v2("/app", &[("/app", "1048576", "max")]);
    no_membership.write("proc/self/cgroup", "\0\n:::\n17\n");
    let no_controller = v2("/app", &[]);
    no_controller.write("sys/fs/cgroup/cgroup.controllers", "cpu pids\n");
    let hidden_v1 = v1("/app", &[]);
    hidden_v1.write("proc/self/mountinfo", V2_MOUNT);
    let no_cgroups = v2("/app", &[("/app", "1048576", "max")]);
    no_cgroups.remove("proc/self/cgroup");
    for root in [nothing_mounted, no_membership, no_controller, hidden_v1, no_cgroups] {
        let error = Cgroup::discover_under(root.path()).expect_err("no memory cgroup");
        assert!(matches!(error, SourceError::NoMemoryController { .. }), "{error:?}");
    }
}

#[test]
fn discovery_names_the_table_that_is_missing_or_strange() {
    let root = v2("/app", &[]);
    root.write("proc/self/cgroup", b"0::/\xff\n");
    let error = Cgroup::discover_under(root.path()).expect_err("not text");
    assert_garbled(Err::<(), _>(error), "/proc/self/cgroup", "0::/\u{fffd}\n");
    root.remove("proc/self/mountinfo");
    root.write("proc/self/cgroup", "0::/\n");
    let error = Cgroup::discover_under(root.path()).expect_err("no mounts");
    assert_unreadable(Err::<(), _>(error), "/proc/self/mountinfo", ErrorKind::NotFound);
}

#[test]
fn hostile_limits_are_errors_that_name_file_and_content() {
    let root = v2("/pod/app", &[("/pod", "max", "max"), ("/pod/app", "1048576", "max")]);
    let cgroup = discovered(&root);
    // Also above an own limit that is readable: it might be the tightest.
    for level in ["/pod", "/pod/app"] {
        for name in ["memory.max", "memory.high"] {
            let file = format!("{V2}{level}/{name}");
            for wrong in ["", "0", "-1", "+5", "1 2", "4096k", "maximum", "18446744073709551616"] {
                root.write(&file, format!("{wrong}\n"));
                assert_garbled(cgroup.limit(), &format!("/{file}"), wrong);
            }
            root.write(&file, "");
            assert_garbled(cgroup.limit(), &format!("/{file}"), "");
            root.remove(&file);
            assert_unreadable(cgroup.limit(), &format!("/{file}"), ErrorKind::NotFound);
            root.make_directory(&file);
            assert_unreadable(cgroup.limit(), &format!("/{file}"), ErrorKind::IsADirectory);
            root.remove(&file);
            root.write(&file, "max\n");
        }
    }
}

#[test]
fn hostile_v1_limits_are_errors() {
    let root = v1("/", &[("", "1048576", "1048576")]);
    let cgroup = discovered(&root);
    root.write(&format!("{V1}/memory.stat"), "cache 1\nhierarchical_memory_limit -1\n");
    assert_garbled(
        cgroup.limit(),
        "/sys/fs/cgroup/memory/memory.stat",
        "hierarchical_memory_limit -1",
    );
    root.write(&format!("{V1}/memory.stat"), "cache 1\n");
    assert_garbled(cgroup.limit(), "/sys/fs/cgroup/memory/memory.stat", "cache 1\n");
}

#[test]
fn hostile_usage_is_an_error() {
    let root = v2("/app", &[("/app", "max", "max")]);
    let cgroup = discovered(&root);
    let current = "sys/fs/cgroup/app/memory.current";
    for wrong in ["max", "", "-5", "18446744073709551616", "12\n34"] {
        root.write(current, format!("{wrong}\n"));
        assert_garbled(cgroup.usage(), &format!("/{current}"), wrong);
    }
    root.write(current, "1".repeat(5000));
    assert_garbled(cgroup.usage(), &format!("/{current}"), &"1".repeat(64));
    root.write(current, "1000\n");

    let stat = "sys/fs/cgroup/app/memory.stat";
    for wrong in ["inactive_file ", "inactive_file max", "inactive_file 1 2", "inactive_file -1"] {
        root.write(stat, format!("anon 1\n{wrong}\nfile 2\n"));
        assert_garbled(cgroup.usage(), &format!("/{stat}"), wrong);
    }
    root.write(stat, "a".repeat(10_000));
    assert_garbled(cgroup.usage(), &format!("/{stat}"), &"a".repeat(64));
    root.write(stat, "a 1\n".repeat(500_000));
    assert!(cgroup.usage().is_err(), "an endless file ends");
    root.remove(stat);
    assert_unreadable(cgroup.usage(), &format!("/{stat}"), ErrorKind::NotFound);
}

#[test]
fn a_statistics_file_longer_than_the_buffer_is_read_to_its_end() {
    let root = v2("/app", &[("/app", "max", "max")]);
    let cgroup = discovered(&root);
    // Every alignment of the wanted line to the buffer's end.
    for padding in 4000..4200 {
        let filler = format!("{} 1\n", "x".repeat(padding / 2 - 3)).repeat(2);
        let line = if padding % 2 == 0 { "" } else { "\n" };
        let stat = format!("{filler}{line}inactive_file 104857600");
        root.write("sys/fs/cgroup/app/memory.stat", stat);
        assert_usage(&cgroup);
    }
}

#[test]
fn more_inactive_pages_than_usage_leave_a_working_set_of_zero() {
    let root = v2("/app", &[("/app", "max", "max")]);
    root.write("sys/fs/cgroup/app/memory.current", "1000\n");
    let usage = discovered(&root).usage().expect("readable");
    assert_eq!((usage.usage_bytes, usage.working_set_bytes), (1000, 0));
}

#[test]
fn kills_that_are_not_counted_are_an_error() {
    let root = v2("/app", &[("/app", "max", "max")]);
    let cgroup = discovered(&root);
    root.write("sys/fs/cgroup/app/memory.events", "oom 3\noom_group_kill 1\n");
    assert_garbled(
        cgroup.oom_kills(),
        "/sys/fs/cgroup/app/memory.events",
        "oom 3\noom_group_kill 1\n",
    );
}

#[test]
fn the_real_system_answers_or_says_why_not() {
    match Cgroup::discover() {
        Ok(cgroup) => {
            // Never a panic; the values are the machine's.
            let _ = cgroup.limit();
            let _ = cgroup.oom_kills();
            if let Ok(usage) = cgroup.usage() {
                assert!(usage.working_set_bytes <= usage.usage_bytes);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[track_caller]
fn assert_garbled<T: std::fmt::Debug>(read: Result<T, SourceError>, name: &str, content: &str) {
    let error = read.expect_err("a hostile file");
    assert!(
        matches!(&error, SourceError::Garbled { file, found, .. } if file == name && found == content),
        "{name} holding {content:?} gave {error:?}"
    );
}

#[track_caller]
fn assert_unreadable<T: std::fmt::Debug>(read: Result<T, SourceError>, name: &str, why: ErrorKind) {
    let error = read.expect_err("a file that cannot be read");
    assert_eq!(error, SourceError::Unreadable { file: name.to_owned(), kind: why });
}
