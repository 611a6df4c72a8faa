//! What sources cost in memory, and that they see what this process takes: here nothing else
//! allocates or frees meanwhile that would count.
#![cfg(target_os = "linux")]

use bursar::{AccountingAllocator, Cgroup, Process, System, SystemMemory};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

/// Bytes that this thread allocates in a read that succeeds.
fn allocated_bytes<T, E>(read: impl Fn() -> Result<T, E>) -> Option<u64> {
    let so_far = || bursar::thread_usage_total().expect("a thread of its own").allocated_bytes;
    read().ok()?;
    let before = so_far();
    read().ok()?;
    Some(so_far() - before)
}

#[test]
fn a_number_that_can_be_read_costs_no_memory() {
    let system = SystemMemory::open().expect("Linux");
    assert_eq!(allocated_bytes(|| system.usage()), Some(0), "/proc is mounted");
    let process = Process::open().expect("/proc is mounted");
    assert_eq!(allocated_bytes(|| process.resident_bytes()), Some(0));
    let mut reads = vec![allocated_bytes(|| system.stall())];
    if let Ok(cgroup) = Cgroup::discover() {
        reads.extend([
            allocated_bytes(|| cgroup.usage()),
            allocated_bytes(|| cgroup.swap_bytes()),
            allocated_bytes(|| cgroup.stall()),
            allocated_bytes(|| cgroup.events()),
        ]);
    }
    // What this machine does not have, says so, and takes memory to say it.
    assert!(reads.iter().all(|bytes| bytes.unwrap_or(0) == 0), "{reads:?}");
}

#[test]
fn a_touched_buffer_shows_in_what_is_resident() {
    const LEN: usize = 32 << 20;
    let process = Process::open().expect("/proc is mounted");
    let before = process.resident_bytes().expect("readable");
    let buffer = std::hint::black_box(vec![1_u8; LEN]);
    let during = process.resident_bytes().expect("readable");
    drop(buffer);
    assert!(during > before + LEN as u64 / 2, "{before} then {during}");
}
