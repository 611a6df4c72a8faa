//! Forking a process that Bursar watches.

#[cfg(unix)]
#[path = "../../allocator/tests/support/forked.rs"]
mod forked;
#[cfg(unix)]
#[path = "../../allocator/tests/support/stories.rs"]
mod stories;

use bursar::{AccountingAllocator, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn main() {
    #[cfg(unix)]
    children::run();
}

#[cfg(unix)]
mod children {
    use bursar::{Bursar, Error, PressureLevel};

    use crate::forked::fork;
    use crate::stories::stories;

    pub(crate) fn run() {
        stories![
            a_child_has_no_monitor_and_waits_for_none,
            a_child_that_asks_for_something_is_not_held_up_and_nothing_is_done,
            a_child_may_start_a_bursar_of_its_own_and_the_parents_goes_on,
        ];
        #[cfg(feature = "serve")]
        stories![a_child_has_no_server_to_stop_and_the_parents_goes_on];
    }

    fn a_child_has_no_monitor_and_waits_for_none() {
        let bursar = Bursar::builder().budget("64MiB").start().unwrap();
        fork(|| {
            assert_eq!(bursar.reclaim(PressureLevel::Warning), Err(Error::NotRunning));
            assert_eq!(bursar.checkpoint(), Err(Error::NotRunning));
            assert!(bursar.compliance().is_compliant);
            bursar.stop();
            drop(bursar);
        });
    }

    fn a_child_that_asks_for_something_is_not_held_up_and_nothing_is_done() {
        let bursar = Bursar::builder().budget("64MiB").start().unwrap();
        let deferral = bursar.defer_purging();
        bursar.request_reclaim(PressureLevel::Warning);
        let reservation = bursar.try_reserve(1 << 20).unwrap();
        fork(|| {
            let before = bursar.stats().cleanups_total;
            bursar.request_reclaim(PressureLevel::Critical);
            bursar.request_collect();
            drop(deferral);
            drop(reservation);
            let stats = bursar.stats();
            assert_eq!((stats.cleanups_total, stats.reserved_bytes), (before, 0));
        });
    }

    fn a_child_may_start_a_bursar_of_its_own_and_the_parents_goes_on() {
        let bursar = Bursar::builder().budget("64MiB").start().unwrap();
        fork(|| {
            let own = Bursar::builder().budget("32MiB").start().unwrap();
            own.reclaim(PressureLevel::Warning).unwrap();
            own.stop();
        });
        bursar.reclaim(PressureLevel::Warning).unwrap();
    }

    #[cfg(feature = "serve")]
    fn a_child_has_no_server_to_stop_and_the_parents_goes_on() {
        use std::io::{Read, Write};
        use std::os::unix::net::UnixStream;

        use bursar::{Endpoints, StatsServer};

        let bursar = Bursar::builder().budget("64MiB").start().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stats.sock");
        let server = StatsServer::unix(&path).start(Endpoints::new(&bursar)).unwrap();
        let mut server = Some(server);
        fork(|| drop(server.take()));
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
        drop(server);
        assert!(!path.exists());
    }
}
