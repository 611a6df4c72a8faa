//! Names with the modules that they are in, where debug information leaves those out.
//!
//! `debug = "line-tables-only"` has the functions that were inlined by their bare names: `push`,
//! and not `alloc::vec::Vec<T>::push`. Their files say which crate and module that is, for the
//! standard library's and for crates as cargo unpacks them; a program's own files do not.

/// The name with the crate and the module that its file is of, if it has no path itself.
pub(super) fn qualified(name: &str, file: Option<&str>) -> String {
    let has_path = name.starts_with(['<', '_']) && !name.starts_with("__rust_begin")
        || name.split(['<', '{']).next().is_some_and(|start| start.contains("::"));
    match file.filter(|_| !has_path).and_then(module_of) {
        Some(module) => format!("{module}::{name}"),
        None => name.to_owned(),
    }
}

/// `alloc::vec` of `/rustc/0123abcd/library/alloc/src/vec/mod.rs`.
fn module_of(file: &str) -> Option<String> {
    let file = file.replace('\\', "/");
    let (folder, within) = file.split_once("/src/").map(|(folder, _)| {
        // The innermost: cargo unpacks crates below a folder of that name, too.
        let last = file.rfind("/src/").unwrap_or(folder.len());
        (&file[..last], &file[last + "/src/".len()..])
    })?;
    let (parents, unpacked) = folder.rsplit_once('/')?;
    let crate_name = if parents.ends_with("/library") {
        unpacked.to_owned()
    } else if parents.contains("/registry/src/") {
        let (name, version) = unpacked.rsplit_once('-')?;
        version.starts_with(|first: char| first.is_ascii_digit()).then(|| name.replace('-', "_"))?
    } else if unpacked == "allocator" && is_allocators(within) {
        // As it lies beside this crate, where it is not unpacked.
        "bursar_alloc".to_owned()
    } else {
        return None;
    };
    let modules = within.strip_suffix(".rs")?.split('/');
    let modules = modules.filter(|module| !matches!(*module, "lib" | "main" | "mod"));
    Some([crate_name.as_str()].into_iter().chain(modules).collect::<Vec<_>>().join("::"))
}

/// The files whose functions an allocation goes through.
fn is_allocators(within: &str) -> bool {
    ["global.rs", "global/", "profile/"].iter().any(|start| within.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUSTC: &str = "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library";
    const CARGO: &str = "/home/me/.cargo/registry/src/some-index-1949cf8c6b5b557f";

    #[test]
    fn a_bare_name_has_the_crate_and_module_that_its_file_is_of() {
        for (name, file, expected) in [
            ("alloc_impl", "/alloc/src/alloc.rs", "alloc::alloc::alloc_impl"),
            ("push<u8>", "/alloc/src/vec/mod.rs", "alloc::vec::push<u8>"),
            (
                "__rust_begin_short_backtrace<f>",
                "/std/src/sys/backtrace.rs",
                "std::sys::backtrace::__rust_begin_short_backtrace<f>",
            ),
        ] {
            assert_eq!(qualified(name, Some(&format!("{RUSTC}{file}"))), expected);
        }
        let hashbrown = format!("{CARGO}/hashbrown-0.17.2/src/raw.rs");
        let name = "do_alloc<hashbrown::alloc::Global>";
        assert_eq!(qualified(name, Some(&hashbrown)), format!("hashbrown::raw::{name}"));
        let unpacked = format!("{CARGO}/bursar-alloc-0.1.0/src/global/sampled.rs");
        let beside = "/home/me/bursar/allocator/src/global/sampled.rs";
        for file in [&*unpacked, beside] {
            assert_eq!(
                qualified("sample_if_due", Some(file)),
                "bursar_alloc::global::sampled::sample_if_due"
            );
        }
        let windows = r"C:\Users\me\.cargo\registry\src\index-1\lru-0.19.1\src\lib.rs";
        assert_eq!(qualified("put", Some(windows)), "lru::put");
    }

    #[test]
    fn a_name_with_a_path_and_one_of_a_programs_own_file_stay_as_they_are() {
        let library = format!("{RUSTC}/alloc/src/vec/mod.rs");
        for name in [
            "shop::load",
            "alloc::vec::Vec<T>::push",
            "<alloc::vec::Vec<T> as core::clone::Clone>::clone",
            "_start",
            "__libc_start_main",
        ] {
            assert_eq!(qualified(name, Some(&library)), name);
        }
        for file in ["/home/me/shop/src/main.rs", "/home/me/allocator/src/shop.rs", "x.rs", ""] {
            assert_eq!(qualified("load", Some(file)), "load", "{file}");
        }
        assert_eq!(qualified("load", None), "load");
    }
}
