//! How the stack of an allocation is shown in a line.

use super::found::shown;

/// A stack in words.
pub(super) struct ShownStack {
    /// The innermost function that is not plumbing, if any has a name.
    pub(super) place: Option<String>,
    /// The innermost calls.
    pub(super) calls: String,
    pub(super) has_names: bool,
}

/// Calls that are shown: enough to find the place, in a line.
const CALLS: usize = 6;
/// Addresses that are shown. Without names nobody knows which of them are the allocator's, of
/// which there are some four: so there are more.
const ADDRESSES: usize = 12;

/// Crates whose functions allocate for whoever calls them: what is to be found is the caller.
const PLUMBING: [&str; 7] =
    ["alloc::", "bursar_alloc::", "core::", "std::", "hashbrown::", "__rust", "__rdl"];

fn is_plumbing(name: &str) -> bool {
    // `<alloc::vec::Vec<T> as core::iter::Extend<T>>::extend` is one too.
    let name = name.trim_start_matches(['<', '&']);
    PLUMBING.iter().any(|start| name.starts_with(start))
}

/// By the names of its functions, the innermost first, or else by its addresses.
pub(super) fn shown_stack(names: &[String], addresses: &[u64]) -> ShownStack {
    // All of it may be the standard library's.
    let from = names.iter().position(|name| !is_plumbing(name)).unwrap_or(0);
    let calls: Vec<String> = match names.is_empty() {
        true => addresses.iter().take(ADDRESSES).map(|address| format!("{address:#x}")).collect(),
        false => names[from..].iter().take(CALLS).map(|name| shown(name)).collect(),
    };
    let place = names.get(from).map(|name| format!("`{}`", shown(name)));
    ShownStack { place, calls: calls.join(" < "), has_names: !names.is_empty() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_place_is_the_innermost_function_that_does_not_allocate_for_others() {
        let stack = shown_stack(
            &names(&[
                "__rustc::__rust_alloc",
                "<bursar_alloc::AccountingAllocator<B> as core::alloc::GlobalAlloc>::alloc",
                "alloc::raw_vec::RawVec<T,A>::grow_one",
                "<alloc::vec::Vec<T> as core::iter::Extend<T>>::extend",
                "hashbrown::raw::RawTable<T,A>::reserve_rehash",
                "rusty::images::load",
                "core::ops::function::FnOnce::call_once",
                "shop::main",
            ]),
            &[1, 2, 3],
        );
        assert_eq!(stack.place.as_deref(), Some("`rusty::images::load`"));
        let calls = "rusty::images::load < core::ops::function::FnOnce::call_once < shop::main";
        assert_eq!(stack.calls, calls);
        assert!(stack.has_names);
    }

    #[test]
    fn a_stack_of_the_standard_library_alone_is_shown_from_its_top() {
        let stack = shown_stack(&names(&["alloc::vec::push", "std::thread::spawn"]), &[]);
        assert_eq!(stack.place.as_deref(), Some("`alloc::vec::push`"));
    }

    #[test]
    fn without_names_there_are_addresses_and_of_either_no_more_than_fit() {
        let stack = shown_stack(&[], &[0xdead_beef, 16]);
        assert_eq!((stack.calls.as_str(), stack.has_names), ("0xdeadbeef < 0x10", false));
        assert_eq!(stack.place, None);
        let many = shown_stack(&[], &[7; 100]);
        assert_eq!(many.calls.split(" < ").count(), ADDRESSES);
        let long = shown_stack(&vec!["\u{1b}x".repeat(10_000); 100], &[]);
        assert!(long.calls.len() < 2000 && !long.calls.contains('\u{1b}'));
        assert_eq!(shown_stack(&[], &[]).calls, "");
    }
}
