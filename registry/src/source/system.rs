//! The whole machine's memory, swap and memory pressure.

use std::ops::ControlFlow;
use std::path::Path;

use super::error::SourceError;
use super::psi::read_stall;
use super::reader::{Lines, SourceFile, parse_number};
use crate::reading::{MemoryStall, SystemUsage};

const MEMINFO: &str = "/proc/meminfo";
const PRESSURE: &str = "/proc/pressure/memory";

/// The whole machine's memory: what there is, what is available, and how long
/// tasks wait for it.
///
/// In a container these are the host's figures, which say nothing about the
/// container's limit but much about why the kernel is slow: see [`SystemUsage`].
///
/// `Send + Sync`: any number of threads may read at once, without a lock.
///
/// # Examples
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// let system = bursar::SystemMemory::open()?;
/// if let Some(bytes) = system.usage()?.available_bytes {
///     println!("{bytes} bytes can be had without swapping");
/// }
/// # }
/// # Ok::<(), bursar::SourceError>(())
/// ```
#[derive(Debug)]
pub struct SystemMemory {
    meminfo: SourceFile,
    pressure: SourceFile,
}

impl SystemMemory {
    /// Computes the paths; reads nothing.
    ///
    /// # Errors
    /// [`SourceError::Unsupported`] where the system is not Linux.
    pub fn open() -> Result<Self, SourceError> {
        if !cfg!(target_os = "linux") {
            return Err(SourceError::Unsupported { what: "the system's memory" });
        }
        Ok(Self::open_under(Path::new("/")))
    }

    /// As [`SystemMemory::open`], with another directory in the place of `/`:
    /// it holds `proc/meminfo` and `proc/pressure/memory`. For tests.
    #[must_use]
    pub fn open_under(root: &Path) -> Self {
        let file = |name: &str| SourceFile::new(root, Path::new(name));
        Self { meminfo: file(MEMINFO), pressure: file(PRESSURE) }
    }

    /// Memory and swap of the whole machine. A line that the kernel does not
    /// write is `None`.
    ///
    /// Cost: one file; about 5 us on Linux 6.18 x86-64. Allocates nothing.
    ///
    /// # Errors
    /// [`SourceError::Unreadable`]; [`SourceError::Garbled`] where a line is not
    /// a number of kB, where the total is zero, and where all four lines are
    /// missing.
    pub fn usage(&self) -> Result<SystemUsage, SourceError> {
        self.meminfo.lines(MeminfoLines::default())
    }

    /// How long the machine's tasks stood still for want of memory.
    ///
    /// Cost: one small file; about 3 us on Linux 6.18 x86-64. Allocates
    /// nothing.
    ///
    /// # Errors
    /// [`SourceError::Unreadable`], as with kernels before 4.20 and those built
    /// or booted without PSI, or [`SourceError::Garbled`].
    pub fn stall(&self) -> Result<MemoryStall, SourceError> {
        read_stall(&self.pressure)
    }

    /// The file of [`SystemMemory::usage`], for humans.
    pub(super) fn usage_file(&self) -> &str {
        self.meminfo.name()
    }
}

const A_SIZE: &str = "lines of a name, a colon and a number of kB";

/// The wanted lines among `Name:    NUMBER kB`.
#[derive(Default)]
struct MeminfoLines(SystemUsage);

impl Lines for MeminfoLines {
    type Answer = SystemUsage;

    fn line(&mut self, line: &[u8]) -> Result<ControlFlow<()>, &'static str> {
        let usage = &mut self.0;
        let places = [
            (&b"MemTotal:"[..], &mut usage.total_bytes),
            (b"MemAvailable:", &mut usage.available_bytes),
            (b"SwapTotal:", &mut usage.swap_total_bytes),
            (b"SwapFree:", &mut usage.swap_free_bytes),
        ];
        for (name, place) in places {
            if let Some(value) = line.strip_prefix(name) {
                *place = Some(parse_kib(value).ok_or(A_SIZE)?);
            }
        }
        if usage.total_bytes == Some(0) {
            return Err("a total above zero");
        }
        // The kernel writes it after the others.
        let has_all = usage.swap_free_bytes.is_some();
        Ok(if has_all { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn end(self) -> Result<SystemUsage, &'static str> {
        if self.0 == SystemUsage::default() { Err(A_SIZE) } else { Ok(self.0) }
    }
}

/// Blanks, a number of KiB and ` kB`, which is what the kernel calls them.
fn parse_kib(text: &[u8]) -> Option<u64> {
    parse_number(text.trim_ascii_start().strip_suffix(b" kB")?)?.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::source::fixture::Fixture;

    const MEMINFO_TEXT: &str = "MemTotal:       16384000 kB\nMemFree:          400000 kB\n\
        MemAvailable:    8192000 kB\nBuffers:               0 kB\nSwapCached:            9 kB\n\
        SwapTotal:       2048000 kB\nSwapFree:        1024000 kB\nDirty: nonsense\n";

    fn fixture(meminfo: impl AsRef<[u8]>) -> (Fixture, SystemMemory) {
        let root = Fixture::new();
        root.write("proc/meminfo", meminfo);
        let system = SystemMemory::open_under(root.path());
        (root, system)
    }

    #[test]
    fn memory_and_swap_are_given_in_bytes() {
        let (_root, system) = fixture(MEMINFO_TEXT);
        let usage = system.usage().expect("readable");
        assert_eq!(usage.total_bytes, Some(16_384_000 << 10));
        assert_eq!(usage.available_bytes, Some(8_192_000 << 10));
        assert_eq!(usage.swap_total_bytes, Some(2_048_000 << 10));
        assert_eq!(usage.swap_free_bytes, Some(1_024_000 << 10));
    }

    #[test]
    fn a_line_that_is_not_there_is_not_known() {
        let (_root, system) = fixture("MemTotal: 1000 kB\nMemFree: 10 kB\n");
        let usage = system.usage().expect("readable");
        let expected = SystemUsage { total_bytes: Some(1_024_000), ..SystemUsage::default() };
        assert_eq!(usage, expected);
    }

    #[test]
    fn hostile_lines_are_errors_that_name_them() {
        for wrong in [
            "MemTotal: 0 kB",
            "MemTotal: -1 kB",
            "MemTotal: kB",
            "MemTotal:",
            "MemTotal: max",
            "MemTotal: 1000",
            "MemTotal: 1000 MB",
            "MemTotal: 18014398509481984 kB",
            "MemAvailable: 18446744073709551616 kB",
            "SwapFree: 1.5 kB",
        ] {
            let (_root, system) = fixture(format!("{wrong}\nSwapTotal: 7 kB\n"));
            let error = system.usage().expect_err(wrong);
            assert!(
                matches!(&error, SourceError::Garbled { file, found, .. }
                    if file == MEMINFO && found == wrong),
                "{wrong:?} gave {error:?}"
            );
        }
        for nothing in ["", "\n\n", "\0\0\0", "MemTotally: 7 kB\n"] {
            let (_root, system) = fixture(nothing);
            assert!(matches!(system.usage(), Err(SourceError::Garbled { .. })), "{nothing:?}");
        }
    }

    #[test]
    fn each_file_fails_on_its_own() {
        let (root, system) = fixture(MEMINFO_TEXT);
        assert!(system.usage().is_ok());
        let missing =
            SourceError::Unreadable { file: PRESSURE.to_owned(), kind: ErrorKind::NotFound };
        assert_eq!(system.stall(), Err(missing));
        root.make_directory("proc/meminfo");
        root.write("proc/pressure/memory", "some avg10=0.00 total=1\nfull avg10=0.00 total=2\n");
        assert_eq!(system.stall().map(|stall| stall.full_total_us), Ok(2));
        assert!(matches!(system.usage(), Err(SourceError::Unreadable { .. })));
    }

    #[test]
    fn the_real_system_answers_or_says_why_not() {
        let system = SystemMemory::open();
        if cfg!(target_os = "linux") {
            let usage = system.expect("Linux").usage().expect("/proc is mounted");
            assert!(usage.available_bytes <= usage.total_bytes);
        } else {
            assert!(matches!(system, Err(SourceError::Unsupported { .. })));
        }
    }
}
