//! The built program `bursar` against services over real sockets: right ones, which answer what a
//! running Bursar says, and hostile ones.

mod doctor;
mod hostile;
#[cfg(unix)]
mod profile;
mod replay;
mod server;
mod status;
mod top;
mod watch;

use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};

use bursar::{
    AccountingAllocator, Bursar, Entry, History, PurgeOutcome, PurgeRequest, Purgeable, Stats,
    System, Tag,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

static THUMBNAILS: Tag = Tag::new("thumbnails");

/// Says that it could free a megabyte.
struct Thumbnails;

impl Purgeable for Thumbnails {
    fn purgeable_bytes(&self) -> u64 {
        1 << 20
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        PurgeOutcome::Empty
    }
}

/// What a running Bursar said once: the JSON of these is what the services of the tests answer.
fn readings() -> (Stats, History) {
    static READINGS: OnceLock<(Stats, History)> = OnceLock::new();
    let read = || {
        let bursar = Bursar::builder().budget("1GiB").start().unwrap();
        let entry = Entry::new("thumbnails", Arc::new(Thumbnails));
        let _registration = bursar.register(entry).unwrap();
        let _held = {
            let _tag = THUMBNAILS.enter();
            vec![1_u8; 3 << 20]
        };
        (bursar.stats(), bursar.history())
    };
    READINGS.get_or_init(read).clone()
}

/// Runs the program to its end.
fn bursar(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bursar"));
    command.args(arguments).env_remove("NO_COLOR");
    command
}

/// The standard output of a run, which is to end with `code`.
#[track_caller]
fn stdout(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(!output.stdout.contains(&0x1b), "an escape code in what is piped");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one line of complaint of a run, which is to end with `code` and to print nothing.
#[track_caller]
fn complaint(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert!(stderr.starts_with("bursar: ") && stderr.ends_with('\n'), "{stderr:?}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(!stderr.trim_end().contains(char::is_control), "{stderr:?}");
    stderr
}
