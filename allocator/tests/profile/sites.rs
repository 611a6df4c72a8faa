//! Where a sample says that its block was allocated.

use std::hint::black_box;

use bursar_alloc::{HeapSite, StackEnd, Tag};

use super::{sample_every, sample_nothing, sites_of};

/// The names of the functions on a stack, the innermost first.
fn names(site: &HeapSite) -> Vec<String> {
    // Symbols are thousands of blocks that stay: they would fill the table.
    sample_nothing();
    let mut names = Vec::new();
    for &address in &site.stack {
        let address = std::ptr::without_provenance_mut(address);
        backtrace::resolve(address, |symbol| {
            names.extend(symbol.name().map(|name| format!("{name:#}")));
        });
    }
    names
}

/// Whether a function has this name: without the modules that it is in, which not every kind of
/// debug information has.
fn is_called(name: &str, function: &str) -> bool {
    name.rsplit("::").next() == Some(function)
}

/// Where in the stack a function of this name is.
fn depth_of(names: &[String], function: &str) -> usize {
    let found = names.iter().position(|name| is_called(name, function));
    found.unwrap_or_else(|| panic!("no {function} in {names:#?}"))
}

#[inline(never)]
fn decode(size: usize) -> Vec<u8> {
    black_box(vec![1u8; size])
}

#[inline(never)]
fn render(size: usize) -> Vec<u8> {
    black_box(vec![2u8; size])
}

#[inline(never)]
fn handle(size: usize) -> [Vec<u8>; 2] {
    black_box([decode(size), render(size)])
}

pub(super) fn a_site_is_the_code_that_allocated() {
    static TAG: Tag = Tag::new("profile/sites");
    sample_every(1);
    let kept: Vec<_> = TAG.scope(|| (0..10).map(|_| handle(1000)).collect());
    let sites = sites_of("profile/sites");
    let all: Vec<_> = sites.iter().map(names).collect();
    for function in ["decode", "render"] {
        let (site, names) = sites
            .iter()
            .zip(&all)
            .find(|(_, names)| names.iter().any(|name| is_called(name, function)))
            .unwrap_or_else(|| panic!("no {function} in {all:#?}"));
        assert_eq!((site.samples, site.live_bytes, site.live_blocks), (10, 10_000, 10));
        assert_eq!(site.stack_end, StackEnd::Root, "{names:#?}");
        let (own, caller) = (depth_of(names, function), depth_of(names, "handle"));
        assert!(own < caller && caller < depth_of(names, "main"), "{names:#?}");
    }
    // What samples is not told of.
    assert!(!all.iter().flatten().any(|name| name.contains("::profile::")), "{all:#?}");
    drop(kept);
}

#[inline(never)]
fn fill(lines: &mut Vec<u64>) {
    for line in 0..100_000 {
        lines.push(line);
    }
}

pub(super) fn a_vector_that_grows_is_where_it_grew() {
    static TAG: Tag = Tag::new("profile/grown");
    sample_every(10_000);
    let mut lines = TAG.scope(|| Vec::with_capacity(1));
    TAG.scope(|| fill(&mut lines));
    let [site] = &sites_of("profile/grown")[..] else { panic!("one block") };
    depth_of(&names(site), "fill");
    assert_eq!(site.live_bytes, 8 * lines.capacity() as u64);
}

#[inline(never)]
fn descend(depth: usize) -> Vec<u8> {
    if depth == 0 { decode(1000) } else { black_box(descend(depth - 1)) }
}

pub(super) fn a_stack_that_is_too_deep_says_so() {
    static TAG: Tag = Tag::new("profile/deep");
    sample_every(1);
    let kept = TAG.scope(|| [descend(10), descend(500)]);
    let mut sites = sites_of("profile/deep");
    sites.sort_by_key(|site| site.stack.len());
    let [shallow, deep] = &sites[..] else { panic!("two stacks") };
    assert_eq!((shallow.stack_end, deep.stack_end), (StackEnd::Root, StackEnd::TooDeep));
    assert_eq!(deep.stack.len(), 123);
    depth_of(&names(deep), "decode");
    drop(kept);
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
std::arch::global_asm!(
    ".globl bursar_test_without_tables",
    "bursar_test_without_tables:",
    "push rbx",
    "call rdi",
    "pop rbx",
    "ret",
);

pub(super) fn code_without_unwind_tables_ends_the_stack_and_it_says_so() {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    {
        use std::cell::Cell;

        static TAG: Tag = Tag::new("profile/assembly");
        unsafe extern "C" {
            fn bursar_test_without_tables(f: extern "C" fn());
        }
        extern "C" fn allocate() {
            KEPT.set(decode(1000));
        }
        thread_local!(static KEPT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) });
        sample_every(1);
        // SAFETY: it calls the function and returns.
        TAG.scope(|| unsafe { bursar_test_without_tables(allocate) });
        let [site] = &sites_of("profile/assembly")[..] else { panic!("one block") };
        // LLVM's unwinder, which is musl's, does not tell.
        let end = if cfg!(target_env = "gnu") { StackEnd::NotUnwound } else { StackEnd::Root };
        assert_eq!(site.stack_end, end, "{:#?}", names(site));
        depth_of(&names(site), "decode");
        assert!(!names(site).iter().any(|name| is_called(name, "main")));
        drop(KEPT.take());
    }
}

pub(super) fn a_thread_is_unwound_to_its_root() {
    static TAG: Tag = Tag::new("profile/thread");
    sample_every(1);
    let kept = std::thread::spawn(|| {
        // Past what this thread may allocate before it looks.
        drop(decode(1 << 20));
        TAG.scope(|| decode(1000))
    });
    let kept = kept.join().unwrap();
    let [site] = &sites_of("profile/thread")[..] else { panic!("one block") };
    depth_of(&names(site), "decode");
    if cfg!(target_env = "gnu") {
        assert_eq!(site.stack_end, StackEnd::Root, "{:#?}", names(site));
    }
    drop(kept);
}
