//! A library with an accounting allocator of its own, loaded late.

use std::cell::RefCell;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::ffi::{CStr, CString, c_void};
use std::hint::black_box;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, OnceLock};
use std::{mem, thread};

use bursar_alloc::{Tag, tag_usage, usage};

use crate::forked::fork;
use crate::functions::Functions;
use crate::raw_thread::RawThread;
use crate::stories::stories;

pub(crate) fn run() {
    if !path().exists() {
        println!("skipped: {:?} is not built; `cargo test` without `--test` builds it", path());
        return;
    }
    if let Some(status) = rerun_with_room_for_static_thread_locals() {
        assert!(status.success(), "{status}");
        return;
    }
    stories![
        a_library_and_its_program_count_each_their_own_blocks,
        each_thread_has_a_slot_in_the_librarys_books_until_its_end,
        many_libraries_can_be_loaded_into_threads_that_run_already,
        a_library_can_be_closed_under_a_thread_that_has_a_slot_in_it,
        a_library_can_be_unloaded_by_a_thread_that_had_a_slot_in_it,
        a_child_of_a_program_with_libraries_has_one_slot_in_each,
    ];
}

/// With jemalloc among the features, its code is in the library too, though not in use there.
/// Its thread-locals are of the kind that has to be in the static block that a thread gets at its
/// start; they are 2 KiB, and glibc leaves less than that for libraries. So the program is run
/// again with more room.
fn rerun_with_room_for_static_thread_locals() -> Option<ExitStatus> {
    const TUNABLES: &str = "GLIBC_TUNABLES";
    let is_needed = cfg!(all(feature = "jemalloc", target_os = "linux", target_env = "gnu"));
    if !is_needed || std::env::var_os(TUNABLES).is_some() {
        return None;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(std::env::args_os().skip(1));
    again.env(TUNABLES, "glibc.rtld.optional_static_tls=65536");
    Some(again.status().unwrap())
}

/// A library that is loaded, and its functions.
#[derive(Clone, Copy)]
struct Library {
    handle: *mut c_void,
    functions: Functions,
}

// SAFETY: what is behind the handle may be used on any thread.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    fn open(path: &Path) -> Self {
        let c_path = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: nothing runs when the library is loaded but its runtime's own constructors.
        let handle = unsafe { libc::dlopen(c_path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!handle.is_null(), "dlopen {path:?}: {}", last_error());
        // SAFETY: the library is loaded.
        let symbol = unsafe { libc::dlsym(handle, c"late_functions".as_ptr()) };
        assert!(!symbol.is_null(), "dlsym: {}", last_error());
        // SAFETY: the library has the same source of the type as this program.
        let functions =
            unsafe { mem::transmute::<*mut c_void, extern "C" fn() -> Functions>(symbol) };
        Self { handle, functions: functions() }
    }

    /// Opens a copy of the file, which is a library of its own to the program.
    fn open_copy() -> Self {
        static COPIES: AtomicUsize = AtomicUsize::new(0);
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let name = format!("{DLL_PREFIX}late_{}_{number}{DLL_SUFFIX}", std::process::id());
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::copy(path(), &copy).unwrap();
        let library = Self::open(&copy);
        std::fs::remove_file(&copy).unwrap();
        library
    }

    /// Its functions may be gone afterwards.
    fn close(self) {
        // SAFETY: it was opened, and is closed once.
        let status = unsafe { libc::dlclose(self.handle) };
        assert_eq!(status, 0, "dlclose: {}", last_error());
    }
}

fn last_error() -> String {
    // SAFETY: nothing is asked of the caller.
    let error = unsafe { libc::dlerror() };
    assert!(!error.is_null());
    // SAFETY: a string of libc's, good until the next call of this kind on this thread.
    unsafe { CStr::from_ptr(error) }.to_string_lossy().into_owned()
}

/// The example, beside the directory of this test.
fn path() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let directory = program.parent().and_then(Path::parent).unwrap();
    directory.join(format!("examples/{DLL_PREFIX}late_library{DLL_SUFFIX}"))
}

/// The functions of the library of its own name, which is loaded once and for all.
fn library() -> Functions {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| Library::open(&path())).functions
}

/// The library has a tag of this name too.
static SHARED_NAME: Tag = Tag::new("late/shared-name");

fn a_library_and_its_program_count_each_their_own_blocks() {
    let _held = SHARED_NAME.scope(|| black_box(vec![0u8; 1234]));
    let library = library();
    assert!((library.is_installed)());
    (library.churn)(5000);
    assert_eq!((library.live_bytes)(), 0);
    // Under a tag entered in the program, the library has none entered.
    SHARED_NAME.scope(|| (library.churn)(5000));
    assert_eq!((library.live_bytes)(), 0);
    assert_eq!(tag_usage(&SHARED_NAME).live_bytes, 1234);
    assert_eq!(tag_usage(&SHARED_NAME).allocated_bytes_total, 1234);
}

fn each_thread_has_a_slot_in_the_librarys_books_until_its_end() {
    const THREADS: usize = 20;
    let library = library();
    let (begin, end) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    thread::scope(|scope| {
        let threads: [_; THREADS] = std::array::from_fn(|_| {
            scope.spawn(|| {
                (library.churn)(100);
                (library.keep)(500);
                begin.wait();
                end.wait();
            })
        });
        begin.wait();
        assert_eq!((library.slots_in_use)(), THREADS as u64 + 1);
        assert_eq!((library.live_bytes)(), THREADS as u64 * 500);
        end.wait();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert_eq!((library.slots_in_use)(), 1);
    assert_eq!((library.live_bytes)(), 0, "kept until the threads' ends");
}

/// Were a library's thread-locals in the static block that a thread gets at its start, there would
/// be room for a few libraries only.
fn many_libraries_can_be_loaded_into_threads_that_run_already() {
    const THREADS: usize = 3;
    const LIBRARIES: usize = 12;
    let loaded: OnceLock<Vec<Library>> = OnceLock::new();
    let (begin, end) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                begin.wait();
                begin.wait();
                for Library { functions: library, .. } in loaded.get().unwrap() {
                    (library.churn)(1000);
                    (library.keep)(10);
                }
                end.wait();
                end.wait();
            });
        }
        begin.wait();
        assert!(loaded.set((0..LIBRARIES).map(|_| Library::open_copy()).collect()).is_ok());
        begin.wait();
        end.wait();
        for Library { functions: library, .. } in loaded.get().unwrap() {
            assert!((library.is_installed)());
            assert_eq!((library.live_bytes)(), THREADS as u64 * 10);
            assert_eq!((library.slots_in_use)(), THREADS as u64 + 1);
        }
        end.wait();
    });
}

/// A thread that runs code of a library at its end holds it open, whatever else is closed: libc
/// unloads it at the next `dlclose` after that.
fn a_library_can_be_closed_under_a_thread_that_has_a_slot_in_it() {
    let library = Library::open_copy();
    let Functions { churn, keep, .. } = library.functions;
    let (begin, end) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            churn(100);
            keep(500);
            begin.wait();
            end.wait();
        });
        begin.wait();
        library.close();
        end.wait();
        thread.join().unwrap();
    });

    // By a thread that Rust has not made.
    RawThread::spawn(|| {
        let library = Library::open_copy();
        let Functions { churn, keep, .. } = library.functions;
        churn(100);
        keep(500);
        library.close();
    })
    .join();

    // Both are unloaded now, and nothing of them is called any more.
    Library::open_copy().close();
    thread::spawn(|| black_box(vec![0u8; 100])).join().unwrap();
    fork(|| assert_eq!(usage().thread_slots_in_use, 1));
}

fn a_library_can_be_unloaded_by_a_thread_that_had_a_slot_in_it() {
    struct ClosesWhenDropped(Option<Library>);
    impl Drop for ClosesWhenDropped {
        fn drop(&mut self) {
            self.0.take().unwrap().close();
        }
    }
    thread_local! {
        static LAST: RefCell<Option<ClosesWhenDropped>> = const { RefCell::new(None) };
    }
    let library = Library::open_copy();
    thread::spawn(move || {
        // What is first in a thread is last at its end: the library's own thread-locals are gone
        // by then, so it is unloaded there and then. Keys come after.
        LAST.set(Some(ClosesWhenDropped(Some(library))));
        (library.functions.churn)(100);
        (library.functions.keep)(500);
    })
    .join()
    .unwrap();
}

fn a_child_of_a_program_with_libraries_has_one_slot_in_each() {
    const THREADS: usize = 5;
    let library = library();
    let (begin, end) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                (library.keep)(100);
                begin.wait();
                end.wait();
            });
        }
        begin.wait();
        fork(|| {
            assert_eq!((library.slots_in_use)(), 1);
            assert_eq!(usage().thread_slots_in_use, 1);
            (library.churn)(1000);
            assert_eq!((library.live_bytes)(), THREADS as u64 * 100);
            thread::scope(|scope| {
                scope.spawn(|| (library.keep)(7)).join().unwrap();
            });
            assert_eq!((library.live_bytes)(), THREADS as u64 * 100);
        });
        end.wait();
    });
}
