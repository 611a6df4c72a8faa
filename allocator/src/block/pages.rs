//! Zeroed memory for the maps of address space, of which only touched pages cost anything.
//!
//! On Linux, Android, FreeBSD and Apple's systems it is asked of the kernel itself, so that no
//! allocator's lock is taken on the path of an allocation. Elsewhere, on Windows above all, it
//! comes from the platform's allocator, which may take its own; under Miri too, which has no
//! kernel beneath it.

pub(super) use source::{get, release};

#[cfg(all(
    any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_vendor = "apple"
    ),
    not(miri)
))]
mod source {
    use std::ffi::c_int;
    use std::ptr::{self, NonNull};

    #[cfg(target_os = "android")]
    use libc::__errno as errno_location;
    #[cfg(target_os = "linux")]
    use libc::__errno_location as errno_location;
    #[cfg(any(target_os = "freebsd", target_vendor = "apple"))]
    use libc::__error as errno_location;

    /// Linux can refuse what it could not serve if all of it were touched: it is told not to
    /// reckon with the whole of this.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const UNRESERVED: c_int = libc::MAP_NORESERVE;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const UNRESERVED: c_int = 0;

    /// So many zeroed bytes from the start of a page on, or none. `errno` stays as it was.
    pub(in crate::block) fn get(len: usize) -> Option<NonNull<u8>> {
        let _kept = Errno::keep();
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANON | UNRESERVED;
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing there is.
        let pages = unsafe { libc::mmap(ptr::null_mut(), len, access, kind, -1, 0) };
        if pages == libc::MAP_FAILED { None } else { NonNull::new(pages.cast()) }
    }

    /// Gives memory back. Where the kernel cannot take it (it may have to split what it merged,
    /// and have no room to note that), it stays mapped and unused. `errno` stays as it was.
    ///
    /// # Safety
    ///
    /// `bytes` came from [`get`] at this length, and nobody uses them any more.
    pub(in crate::block) unsafe fn release(bytes: NonNull<u8>, len: usize) {
        let _kept = Errno::keep();
        // SAFETY: the caller gives up this very mapping.
        let _ = unsafe { libc::munmap(bytes.as_ptr().cast(), len) };
    }

    /// The calling thread's `errno`, put back when dropped: who allocates between a failed call
    /// and the look at its reason must find that reason.
    struct Errno(c_int);

    impl Errno {
        fn keep() -> Self {
            Self(Self::get())
        }

        fn location() -> *mut c_int {
            // SAFETY: asks for an address, and has no conditions.
            unsafe { errno_location() }
        }

        fn get() -> c_int {
            // SAFETY: the calling thread's own `errno`, there for as long as the thread is.
            unsafe { Self::location().read() }
        }

        fn set(value: c_int) {
            // SAFETY: as in `get`; no reference to it is ever made.
            unsafe { Self::location().write(value) };
        }
    }

    impl Drop for Errno {
        fn drop(&mut self) {
            Self::set(self.0);
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn errno_is_kept_whether_the_kernel_gives_pages_or_refuses_them() {
            // A page, and nearly all that could ever be addressed.
            for len in [4096, usize::MAX & !0xFFFF] {
                Errno::set(libc::EDOM);
                let pages = get(len);
                assert_eq!(Errno::get(), libc::EDOM, "after asking for {len} bytes");
                assert_eq!(pages.is_some(), len == 4096);
                if let Some(pages) = pages {
                    // SAFETY: it came from `get` at this length, and is used nowhere.
                    unsafe { release(pages, len) };
                    assert_eq!(Errno::get(), libc::EDOM, "after giving them back");
                }
            }
        }
    }
}

#[cfg(not(all(
    any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_vendor = "apple"
    ),
    not(miri)
)))]
mod source {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::ptr::NonNull;

    /// So many zeroed bytes, or none.
    pub(in crate::block) fn get(len: usize) -> Option<NonNull<u8>> {
        // No alignment is asked for: `System` would fill an aligned block with zeros itself, and
        // so touch all of it.
        let layout = Layout::array::<u8>(len).ok().filter(|layout| layout.size() != 0)?;
        // SAFETY: the layout's size is not zero.
        NonNull::new(unsafe { System.alloc_zeroed(layout) })
    }

    /// # Safety
    ///
    /// `bytes` came from [`get`] at this length, and nobody uses them any more.
    pub(in crate::block) unsafe fn release(bytes: NonNull<u8>, len: usize) {
        // SAFETY: `get` made this layout of the same length.
        let layout = unsafe { Layout::from_size_align_unchecked(len, 1) };
        // SAFETY: the caller gives up this very block.
        unsafe { System.dealloc(bytes.as_ptr(), layout) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_zero_and_writable_from_end_to_end() {
        const LEN: usize = 64 << 10;
        let bytes = get(LEN).unwrap();
        // SAFETY: so many bytes, zeroed, and nobody else has them.
        let slice = unsafe { std::slice::from_raw_parts_mut(bytes.as_ptr(), LEN) };
        assert!(slice.iter().all(|&byte| byte == 0));
        slice.fill(7);
        // SAFETY: they came from `get` at this length; the slice is used no more.
        unsafe { release(bytes, LEN) };
    }

    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn what_is_given_back_does_not_use_up_address_space() {
        const LEN: usize = 1 << 20;
        let address_space_kib = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
            size.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap()
        };
        let before = address_space_kib();
        for _ in 0..10_000 {
            let bytes = get(LEN).unwrap();
            // SAFETY: they came from `get` at this length, and are not used.
            unsafe { release(bytes, LEN) };
        }
        // Other tests run meanwhile; kept, these would be ten GiB.
        assert!(address_space_kib() < before + (2 << 20));
    }
}
