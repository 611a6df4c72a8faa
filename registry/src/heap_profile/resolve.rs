//! Finding the names of functions in the running process.

use std::collections::HashMap;
use std::ffi::c_void;
use std::process;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::qualified::qualified;
use super::symbols::{Frame, Symbols, fit};
use crate::bursar::BURSAR;
use crate::error::Error;

/// The most calls that are kept of those inlined into one.
const MAX_INLINED: usize = 64;

/// The process that looks names up; 0 while none does. A forked child finds its parent's here if
/// that did so at the fork.
static LOOKING: AtomicU32 = AtomicU32::new(0);

/// The one turn that there is at looking names up.
#[derive(Debug)]
struct Turn;

impl Turn {
    fn take() -> Result<Self, Error> {
        let own = process::id();
        match LOOKING.compare_exchange(0, own, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(Self),
            Err(holder) if holder == own => Err(Error::ProfileBusy),
            // What that thread was at, `backtrace`'s lock among it, is left so for ever.
            Err(_) => Err(Error::SymbolsUnavailable {
                reason: "the process was forked while its parent looked them up",
            }),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        LOOKING.store(0, Ordering::Release);
    }
}

/// The names at `addresses`, each within an instruction. What they are found in, debug
/// information that takes tens of megabytes, is let go of at the end.
pub(super) fn resolve(mut addresses: Vec<u64>) -> Result<Symbols, Error> {
    let _turn = Turn::take()?;
    let _tag = BURSAR.enter();
    // Those of one file together.
    addresses.sort_unstable();
    addresses.dedup();
    let _cache = Cache;
    let mut texts = HashMap::new();
    let frames = addresses.into_iter().map(|address| (address, frames_at(address, &mut texts)));
    Ok(Symbols::of(frames.filter(|(_, frames)| !frames.is_empty()).collect()))
}

/// What `backtrace` keeps of files that it has read; dropped before the turn is given up.
#[derive(Debug)]
struct Cache;

impl Drop for Cache {
    fn drop(&mut self) {
        backtrace::clear_symbol_cache();
    }
}

/// Names that were met before: thousands of frames are of few functions.
type Texts = HashMap<String, Arc<str>>;

fn frames_at(address: u64, texts: &mut Texts) -> Box<[Frame]> {
    let mut frames = Vec::new();
    let Ok(address) = usize::try_from(address) else { return frames.into() };
    // `backtrace` takes it for a return address, and looks at the byte before it.
    let behind: *mut c_void = ptr::without_provenance_mut(address.wrapping_add(1));
    backtrace::resolve(behind, |symbol| {
        let Some(name) = symbol.name() else { return };
        if frames.len() == MAX_INLINED {
            return;
        }
        let file = symbol.filename().map(|file| text(texts, &file.to_string_lossy()));
        // In this form without the hash at the end.
        let name = text(texts, &qualified(&format!("{name:#}"), file.as_deref()));
        frames.push(Frame { name, file, line: symbol.lineno().unwrap_or(0) });
    });
    frames.into()
}

fn text(texts: &mut Texts, text: &str) -> Arc<str> {
    let text = fit(text);
    if let Some(known) = texts.get(&text) {
        return Arc::clone(known);
    }
    let known: Arc<str> = text.as_str().into();
    texts.insert(text, Arc::clone(&known));
    known
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::testing::stack_here;
    use super::*;

    /// There is one turn in the process, so the tests take turns.
    static TESTS: Mutex<()> = Mutex::new(());

    /// An address within the call in this function.
    #[inline(never)]
    fn address_of_a_call() -> u64 {
        let of_this = |address: &u64| {
            let frames = frames_at(*address, &mut Texts::new());
            frames.iter().any(|frame| frame.name.ends_with("address_of_a_call"))
        };
        stack_here().into_iter().find(of_this).expect("this function has called")
    }

    #[test]
    fn a_call_is_found_by_its_function_with_file_and_line() {
        let _turn = TESTS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let address = address_of_a_call();
        let symbols = resolve(vec![address, address, 1]).unwrap();
        let frames = symbols.at(address);
        let frame = frames.last().unwrap();
        assert!(frame.name.ends_with("resolve::tests::address_of_a_call"), "{frame:?}");
        assert!(frame.file.as_ref().unwrap().ends_with("heap_profile/resolve.rs"), "{frame:?}");
        assert!((100..150).contains(&frame.line), "{frame:?}");
        assert_eq!(symbols.at(1), [], "there is no code");
    }

    #[test]
    fn a_second_one_meanwhile_is_refused_at_once_and_the_next_is_not() {
        let _turn = TESTS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let first = Turn::take().unwrap();
        assert_eq!(resolve(Vec::new()), Err(Error::ProfileBusy));
        drop(first);
        assert!(resolve(Vec::new()).is_ok());
    }

    #[test]
    fn a_child_forked_meanwhile_is_refused_and_waits_for_nobody() {
        let _turn = TESTS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let parents = process::id().wrapping_add(1);
        LOOKING.store(parents, Ordering::Relaxed);
        let refused = resolve(vec![1]).unwrap_err();
        assert_eq!(refused.code(), "symbols_unavailable");
        LOOKING.store(0, Ordering::Relaxed);
        assert!(resolve(vec![1]).is_ok());
    }
}
