//! Which calls are the allocator's own: every stack ends in them, and they say nothing.

/// What the names of the allocator's own functions begin with, after a `<` if there is one.
/// Nothing of a program's runs inside them; what tells what was done (`Vec::push`, `Box::new`) is
/// not among them.
const OWN: [&str; 5] = [
    "alloc::alloc::",
    "alloc::raw_vec::",
    "bursar_alloc::global::",
    "bursar_alloc::profile::",
    "backtrace::backtrace::",
];

/// The functions that the compiler puts between a program and its allocator, after `__rust_` or
/// `__rg_`.
const SHIMS: [&str; 3] = ["alloc", "alloc_zeroed", "realloc"];

/// The same as a regular expression, for a profile's `drop_frames`.
pub(super) const OWN_REGEX: &str = r"<?(alloc::alloc|alloc::raw_vec|bursar_alloc::global|bursar_alloc::profile|backtrace::backtrace)::.*|(__rustc(\[[0-9a-f]+\])?::)?__(rust|rg)_(alloc|alloc_zeroed|realloc)";

/// What names of the standard library begin with, after a `<` if there is one; that of its hash
/// tables is a crate of its own.
const LIBRARY: [&str; 4] = ["alloc::", "core::", "hashbrown::", "std::"];

/// Whether a function is the allocator's own.
pub(super) fn is_allocators(name: &str) -> bool {
    is_shim(name) || begins_with(name, &OWN)
}

/// Whether a function is the standard library's.
pub(super) fn is_library(name: &str) -> bool {
    begins_with(name, &LIBRARY)
}

fn begins_with(name: &str, prefixes: &[&str]) -> bool {
    let name = name.strip_prefix('<').unwrap_or(name);
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn is_shim(name: &str) -> bool {
    let name = match name.strip_prefix("__rustc") {
        // `__rustc::` or, with the crate's hash, `__rustc[...]::`.
        Some(rest) => rest.split_once("::").map_or(name, |(_, name)| name),
        None => name,
    };
    let shim = name.strip_prefix("__rust_").or_else(|| name.strip_prefix("__rg_"));
    shim.is_some_and(|shim| SHIMS.contains(&shim))
}

/// How many of the innermost calls are the allocator's: all inside the outermost one that is,
/// unless the whole stack is. As `pprof` drops frames.
pub(super) fn own_frames<'a>(
    names: impl DoubleEndedIterator<Item = &'a str> + ExactSizeIterator,
) -> usize {
    let mut is_called = false;
    for (index, name) in names.enumerate().rev() {
        match is_allocators(name) {
            true if is_called => return index + 1,
            true => {}
            false => is_called = true,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_ALLOCATOR: [&str; 12] = [
        "__rust_alloc",
        "__rg_realloc",
        "__rustc::__rust_alloc_zeroed",
        "__rustc[5224e6b81cd82a8f]::__rg_alloc",
        "<bursar_alloc::global::AccountingAllocator<B> as core::alloc::global::GlobalAlloc>::alloc",
        "bursar_alloc::profile::sampler::take",
        "backtrace::backtrace::trace",
        "alloc::alloc::exchange_malloc",
        "<alloc::alloc::Global as core::alloc::Allocator>::allocate",
        "alloc::raw_vec::RawVecInner<A>::try_allocate_in",
        "alloc::raw_vec::finish_grow",
        "<alloc::raw_vec::RawVec<u8>>::grow_one",
    ];

    const OF_PROGRAM: [&str; 9] = [
        "main",
        "alloc::vec::Vec<T,A>::push",
        "alloc::boxed::Box<T>::new",
        "<bursar_alloc::future::Tagged<F> as core::future::future::Future>::poll",
        "bursar_alloc::tag::Tag::enter",
        "shop::alloc::alloc::pages",
        "backtrace::capture::Backtrace::new",
        "__rust_alloc_error_handler",
        "__rustc_version",
    ];

    #[test]
    fn the_allocators_own_functions_are_known_from_those_that_say_what_was_done() {
        for name in OF_ALLOCATOR {
            assert!(is_allocators(name), "{name}");
        }
        for name in OF_PROGRAM {
            assert!(!is_allocators(name), "{name}");
        }
    }

    #[test]
    fn the_expression_for_pprof_says_the_same() {
        let expression = regex_lite::Regex::new(&format!("^({OWN_REGEX})$")).unwrap();
        for name in OF_ALLOCATOR.iter().chain(&OF_PROGRAM) {
            assert_eq!(expression.is_match(name), is_allocators(name), "{name}");
        }
    }

    #[test]
    fn all_inside_the_outermost_call_to_the_allocator_is_its_own() {
        let own = |names: &[&str]| own_frames(names.iter().copied());
        assert_eq!(own(&["memcpy", "__rust_alloc", "shop::add", "main"]), 2);
        assert_eq!(own(&["__rust_alloc", "alloc::alloc::alloc", "main"]), 2);
        assert_eq!(own(&["shop::add", "main"]), 0);
        assert_eq!(own(&["__rust_alloc", "__rg_alloc"]), 0, "nobody called it");
        assert_eq!(own(&[]), 0);
    }

    #[test]
    fn the_library_is_told_from_a_program() {
        for name in ["alloc::vec::Vec<T,A>::push", "<core::iter::Map<I,F> as X>::next", "std::a"] {
            assert!(is_library(name), "{name}");
        }
        for name in ["main", "shop::std::f", "<shop::Page as core::clone::Clone>::clone"] {
            assert!(!is_library(name), "{name}");
        }
    }
}
