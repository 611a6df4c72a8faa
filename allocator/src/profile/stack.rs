//! The stack of the calling thread, taken without allocating.
//!
//! By the platform's own unwinder, which goes by unwind tables and wants no frame pointers. It
//! takes no lock and no memory on Linux with glibc 2.35 and the unwinder of GCC 12, or newer ones;
//! others take the lock of the loader's list of libraries while they look a table up.

use std::ffi::c_void;

use super::site::StackEnd;

/// Hands the return addresses of the calling functions to `keep`, the innermost first, until it
/// answers false. Left out are functions whose frames lie at `below` or further in.
#[inline(never)]
pub(super) fn capture(below: *const u8, keep: &mut dyn FnMut(usize) -> bool) {
    let mut is_inside = true;
    let mut visit = |frame: &backtrace::Frame| {
        let address = frame.ip().addr();
        // Some platforms end with a frame of nowhere.
        if address == 0 {
            return false;
        }
        // Once outside, always: and at once, if `below` is not where the stack is.
        let depth = below.addr().wrapping_sub(frame.sp().addr());
        is_inside = is_inside && depth < MOST_INSIDE && !frame.sp().is_null();
        is_inside || keep(address)
    };
    // SAFETY: what has to be synchronised is Windows's debug help library, which tracing uses on
    // 32-bit Windows alone: there no sample is taken (see `IS_SUPPORTED`).
    unsafe { backtrace::trace_unsynchronized(&mut visit) };
}

/// The frames of who takes a sample lie within so many bytes. AddressSanitizer keeps local variables
/// elsewhere than on the stack; there they are in the sample, too.
const MOST_INSIDE: usize = 64 << 10;

/// Whether stacks can be taken here.
pub(super) const IS_SUPPORTED: bool = cfg!(any(unix, all(windows, target_pointer_width = "64")));

/// What is beyond the outermost of the addresses, none of which are missing.
pub(super) fn end_of(stack: &[usize], is_too_deep: bool) -> StackEnd {
    match stack.last() {
        Some(_) if is_too_deep => StackEnd::TooDeep,
        // The unwinder stops where the tables say that there is no caller, as they do of the
        // function that a thread begins with; and where there is no table: GCC's at that function,
        // LLVM's one before it.
        Some(&address) if has_unwind_table(address) => StackEnd::Root,
        _ => StackEnd::NotUnwound,
    }
}

#[cfg(all(unix, not(miri)))]
fn has_unwind_table(address: usize) -> bool {
    unsafe extern "C" {
        /// Of the unwinder that the standard library is linked with.
        fn _Unwind_FindEnclosingFunction(address: *mut c_void) -> *mut c_void;
    }
    let address = std::ptr::without_provenance_mut(address);
    // SAFETY: it takes any address and follows none that is outside of unwind tables.
    !unsafe { _Unwind_FindEnclosingFunction(address) }.is_null()
}

/// On Windows every function that calls another has a table. (Miri unwinds nothing foreign.)
#[cfg(any(not(unix), miri))]
fn has_unwind_table(_: usize) -> bool {
    let _not_called: Option<*mut c_void> = None;
    true
}
