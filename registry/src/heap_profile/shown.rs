//! The calls of a site as people see them: by their names, without the allocator's own.

use std::borrow::Cow;

use super::symbols::Frame;
use super::trim::{is_library, own_frames};
use super::{HeapProfile, Site};

/// A call as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown<'a> {
    pub(super) name: Cow<'a, str>,
    /// File and line, if they are known.
    pub(super) place: Option<(&'a str, u32)>,
}

impl<'a> From<&'a Frame> for Shown<'a> {
    fn from(frame: &'a Frame) -> Self {
        let place = frame.file.as_deref().map(|file| (file, frame.line));
        Self { name: Cow::Borrowed(&frame.name), place }
    }
}

impl HeapProfile {
    /// The calls of a site, innermost first, those inlined among them; at the end what stands for
    /// calls that are missing.
    pub(super) fn shown<'a>(&'a self, site: &'a Site) -> Vec<Shown<'a>> {
        let mut calls: Vec<Shown<'a>> = Vec::with_capacity(site.stack.len() + 1);
        for &address in &site.stack {
            match self.symbols.at(address) {
                [] => calls.push(self.unnamed(address)),
                frames => calls.extend(frames.iter().map(Shown::from)),
            }
        }
        calls.drain(..own_frames(calls.iter().map(|call| &*call.name)));
        let marker = site.end.marker();
        calls.extend(marker.map(|marker| Shown { name: Cow::Borrowed(marker), place: None }));
        calls
    }

    fn unnamed(&self, address: u64) -> Shown<'static> {
        let name = match self.module_of(address) {
            Some(module) => module.place(address),
            None => format!("{address:#x}"),
        };
        Shown { name: name.into(), place: None }
    }

    /// As [`top_frames`](Self::top_frames), of a site of this profile.
    pub(super) fn top_frames_of(&self, site: &Site, most: usize) -> Vec<String> {
        let calls = self.shown(site);
        let is_programs = |call: &&Shown<'_>| !is_library(&call.name);
        let programs = calls.iter().filter(is_programs).take(most).map(with_place);
        let programs: Vec<_> = programs.collect();
        if !programs.is_empty() {
            return programs;
        }
        // Of a stack in the library alone all of it.
        calls.iter().take(most).map(with_place).collect()
    }
}

fn with_place(call: &Shown<'_>) -> String {
    match call.place {
        Some((file, 0)) => format!("{} ({})", call.name, short(file)),
        Some((file, line)) => format!("{} ({}:{line})", call.name, short(file)),
        None => call.name.clone().into_owned(),
    }
}

/// The path without what all files of the toolchain, or of cargo's, begin with.
fn short(file: &str) -> &str {
    if file.starts_with("/rustc/")
        && let Some(start) = file.find("/library/")
    {
        return &file[start + 1..];
    }
    let unpacked = file.split_once("/registry/src/");
    unpacked.and_then(|(_, within)| within.split_once('/')).map_or(file, |(_, within)| within)
}

#[cfg(test)]
mod tests {
    use super::super::StackEnd;
    use super::super::testing::{profile, site};

    const NAMES: [(u64, &[&str]); 6] = [
        (1, &["bursar_alloc::profile::take", "__rust_alloc"]),
        (2, &["alloc::raw_vec::finish_grow", "alloc::vec::Vec<T,A>::push"]),
        (3, &["<core::iter::Map<I,F> as core::iter::Iterator>::fold"]),
        (4, &["shop::decode", "shop::load"]),
        (5, &["std::rt::lang_start"]),
        (6, &["main"]),
    ];

    fn shown(stack: &[u64], end: StackEnd) -> Vec<String> {
        let mut site = site("images", stack, 10);
        site.end = end;
        let profile = profile(&[site]).named(&NAMES).mapped();
        profile.shown(&profile.sites()[0]).iter().map(|call| call.name.to_string()).collect()
    }

    #[test]
    fn calls_are_shown_with_those_inlined_and_without_the_allocators_own() {
        let calls = [
            "alloc::vec::Vec<T,A>::push",
            "<core::iter::Map<I,F> as core::iter::Iterator>::fold",
            "shop::decode",
            "shop::load",
            "std::rt::lang_start",
            "main",
        ];
        assert_eq!(shown(&[1, 2, 3, 4, 5, 6], StackEnd::Root), calls);
    }

    #[test]
    fn a_stack_that_is_not_whole_says_so_where_it_ends() {
        for end in [StackEnd::TooDeep, StackEnd::NotUnwound] {
            let calls = shown(&[1, 4], end);
            assert_eq!(calls[..2], ["shop::decode", "shop::load"]);
            assert!(calls[2].starts_with("[outer calls not k"), "{calls:?}");
        }
        assert_ne!(shown(&[4], StackEnd::TooDeep), shown(&[4], StackEnd::NotUnwound));
    }

    #[test]
    fn an_address_without_a_name_is_shown_by_its_place_in_its_file_or_as_it_is() {
        assert_eq!(shown(&[0x1_1234, 0x7777], StackEnd::Root), ["shop+0x1234", "0x7777"]);
    }

    #[test]
    fn the_top_is_the_programs_innermost_calls_with_file_and_line() {
        let site = site("images", &[1, 2, 3, 4, 5, 6], 10);
        let profile = profile(std::slice::from_ref(&site)).named(&NAMES);
        let top = profile.top_frames(site.key(), 2);
        assert_eq!(top, ["shop::decode (src/main.rs:7)", "shop::load (src/main.rs:7)"]);
        let whole = profile.top_frames(site.key(), usize::MAX);
        assert_eq!(whole[2..], ["main (src/main.rs:7)"], "without the library's calls");
        assert_eq!(profile.top_frames(site.key() ^ 1, 2), [""; 0]);
    }

    #[test]
    fn paths_of_the_toolchain_and_of_cargo_are_shown_from_where_they_differ() {
        for (file, expected) in [
            ("/rustc/0123/library/alloc/src/vec/mod.rs", "library/alloc/src/vec/mod.rs"),
            ("/home/me/.cargo/registry/src/index-1/lru-0.19.1/src/lib.rs", "lru-0.19.1/src/lib.rs"),
            ("/home/me/shop/src/main.rs", "/home/me/shop/src/main.rs"),
            ("/rustc/0123", "/rustc/0123"),
            ("", ""),
        ] {
            assert_eq!(super::short(file), expected);
        }
    }

    #[test]
    fn a_stack_in_the_library_alone_has_a_top_all_the_same() {
        let site = site("images", &[2, 3, 5], 10);
        let profile = profile(std::slice::from_ref(&site)).named(&NAMES);
        assert_eq!(profile.top_frames(site.key(), 9).len(), 3);
    }
}
