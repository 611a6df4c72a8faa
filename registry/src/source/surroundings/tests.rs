//! A monitor's reading of a fixture tree, with each file failing on its own.

use super::*;
use crate::source::LimitSource;
use crate::source::fixture::Fixture;
use crate::source::fixture_trees::{V2, add_machine, v2};

const MIB: u64 = 1 << 20;

/// A container of 512 MiB on a machine of 16 GiB.
fn container() -> Fixture {
    let root = v2("/app", &[("/app", "536870912", "max")]);
    add_machine(&root);
    root
}

fn surroundings(root: &Fixture, given_bytes: Option<u64>) -> Surroundings {
    let process = Err(SourceError::Unsupported { what: "a fixture's process" });
    Surroundings::new(process, Limits::discover_under(root.path(), given_bytes, |_| None))
}

fn read(surroundings: &mut Surroundings, at_ms: u64) -> Sample {
    let mut sample = Sample::default();
    surroundings.read(Duration::from_millis(at_ms), &mut sample);
    sample
}

#[test]
fn a_sample_has_all_that_can_be_read_and_a_reason_for_the_rest() {
    let root = container();
    let mut surroundings = surroundings(&root, None);
    let sample = read(&mut surroundings, 0);
    assert_eq!(sample.working_set_bytes, Some(200 * MIB));
    assert_eq!(sample.limit_bytes, Some(512 * MIB));
    assert_eq!(sample.container_swap_bytes, Some(7 * MIB));
    assert_eq!(sample.container_stall.map(|stall| stall.full_avg10_percent), Some(0.25));
    assert_eq!(sample.container_events.and_then(|events| events.oom_kill), Some(2));
    assert_eq!(sample.system.and_then(|system| system.available_bytes), Some(8192 * MIB));
    assert_eq!(sample.system_stall.map(|stall| stall.some_avg10_percent), Some(1.5));
    let unavailable = surroundings.unavailable();
    assert_eq!(unavailable.keys().collect::<Vec<_>>(), ["resident_bytes"]);
    assert!(unavailable["resident_bytes"].contains("a fixture's process"), "{unavailable:?}");
}

#[test]
fn what_is_in_memory_is_read_again_after_ten_milliseconds_or_when_it_was_changed() {
    let root = container();
    let mut surroundings = surroundings(&root, None);
    read(&mut surroundings, 0);
    let grows_to = |mib: u64| {
        root.write(&format!("{V2}/app/memory.current"), format!("{}\n", mib * MIB));
    };
    grows_to(350);
    let before = read(&mut surroundings, 9).working_set_bytes;
    let due = read(&mut surroundings, 10).working_set_bytes;
    assert!(before < due, "{before:?} {due:?}");
    grows_to(330);
    assert_eq!(read(&mut surroundings, 11).working_set_bytes, due);
    surroundings.refresh();
    assert!(read(&mut surroundings, 12).working_set_bytes < due);
}

#[test]
fn each_figure_fails_on_its_own_and_comes_back() {
    let root = container();
    let mut surroundings = surroundings(&root, None);
    let whole = read(&mut surroundings, 0);
    let mut now_ms = 0;
    for (path, figure) in [
        ("sys/fs/cgroup/app/memory.current", "working_set_bytes"),
        ("sys/fs/cgroup/app/memory.swap.current", "container_swap_bytes"),
        ("sys/fs/cgroup/app/memory.pressure", "container_stall"),
        ("sys/fs/cgroup/app/memory.events", "container_events"),
        ("proc/meminfo", "system"),
        ("proc/pressure/memory", "system_stall"),
    ] {
        let content = std::fs::read(root.path().join(path)).expect("it is there");
        root.make_directory(path);
        now_ms += 100;
        let torn = read(&mut surroundings, now_ms);
        assert_ne!(torn, whole, "{figure}");
        let unavailable = surroundings.unavailable();
        assert_eq!(unavailable.len(), 2, "{unavailable:?}");
        assert!(unavailable[figure].contains("cannot be read"), "{unavailable:?}");

        root.remove(path);
        root.write(path, content);
        now_ms += 100;
        assert_eq!(read(&mut surroundings, now_ms), whole, "{figure}");
        assert_eq!(surroundings.unavailable().len(), 1);
    }
}

#[test]
fn reasons_are_put_into_words_once() {
    let root = container();
    root.remove("sys/fs/cgroup/app/memory.pressure");
    let mut surroundings = surroundings(&root, None);
    read(&mut surroundings, 0);
    let first = surroundings.unavailable();
    read(&mut surroundings, 100);
    assert!(Arc::ptr_eq(&first, &surroundings.unavailable()));
}

#[test]
fn what_changes_slowly_is_read_at_most_every_tenth_of_a_second() {
    let root = container();
    let mut surroundings = surroundings(&root, None);
    read(&mut surroundings, 1000);
    root.write(&format!("{V2}/app/memory.max"), "268435456\n");
    root.write(&format!("{V2}/app/memory.swap.current"), "0\n");
    root.write(&format!("{V2}/app/memory.current"), "104857700\n");
    let early = read(&mut surroundings, 1099);
    assert_eq!(early.limit_bytes, Some(512 * MIB));
    assert_eq!(early.container_swap_bytes, Some(7 * MIB));
    assert_eq!(early.working_set_bytes, Some(100), "read each time");
    let due = read(&mut surroundings, 1100);
    assert_eq!(due.limit_bytes, Some(256 * MIB));
    assert_eq!(due.container_swap_bytes, Some(0));
}

#[test]
fn a_limit_that_changes_is_followed_with_a_new_report() {
    let root = container();
    let mut surroundings = surroundings(&root, None);
    let from_the_start = surroundings.limits();
    assert_eq!(from_the_start.limit_bytes, Some(512 * MIB), "known before the first reading");
    read(&mut surroundings, 0);
    assert!(Arc::ptr_eq(&from_the_start, &surroundings.limits()), "nothing has changed");

    root.write(&format!("{V2}/app/memory.max"), "268435456\n");
    assert_eq!(read(&mut surroundings, 100).limit_bytes, Some(256 * MIB));
    assert_eq!(surroundings.limits().limit_bytes, Some(256 * MIB));
}

#[test]
fn a_look_at_the_limit_alone_tells_of_a_change_until_it_has_been_read() {
    let root = container();
    let mut surroundings = surroundings(&root, None);
    read(&mut surroundings, 0);
    assert!(!surroundings.has_limit_changed());
    for (mib, content) in [(256, "268435456\n"), (300, "314572800\n")] {
        root.write(&format!("{V2}/app/memory.max"), content);
        assert!(surroundings.has_limit_changed());
        assert_eq!(read(&mut surroundings, 1).limit_bytes, Some(mib * MIB), "however lately read");
        assert!(!surroundings.has_limit_changed());
    }
    root.make_directory(&format!("{V2}/app/memory.max"));
    assert!(!surroundings.has_limit_changed(), "left to a reading, which has the reason");
}

#[test]
fn a_limit_that_cannot_be_read_any_more_stays_in_force() {
    let root = container();
    let mut surroundings = surroundings(&root, None);
    read(&mut surroundings, 0);
    root.make_directory(&format!("{V2}/app/memory.max"));
    assert_eq!(read(&mut surroundings, 100).limit_bytes, Some(512 * MIB));
    assert_eq!(surroundings.limits().from, Some(LimitSource::Cgroup));
    assert!(surroundings.unavailable()["limit_bytes"].contains("memory.max"));
}

#[test]
fn a_given_limit_tightens_a_containers_and_is_no_measure_for_a_login_session() {
    let root = container();
    assert_eq!(read(&mut surroundings(&root, Some(64 * MIB)), 0).limit_bytes, Some(64 * MIB));
    root.write(&format!("{V2}/app/memory.max"), "max\n");
    let mut unlimited = surroundings(&root, Some(64 * MIB));
    let sample = read(&mut unlimited, 0);
    assert_eq!(sample.limit_bytes, None);
    assert!(sample.process_limit_bytes.is_some(), "what the process may use by itself");
    assert_eq!(unlimited.limits().limit_bytes, Some(64 * MIB));
}
