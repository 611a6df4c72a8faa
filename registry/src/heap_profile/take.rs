//! Taking a profile of the running process, and looking its names up.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bursar_alloc::HeapSamples;

use super::modules::{MAX_MODULES, Module};
use super::resolve::resolve;
use super::symbols::Symbols;
use super::{HeapProfile, modules};
use crate::bursar::BURSAR;
use crate::error::Error;

/// What the allocator has sampled of what lives now.
pub(crate) fn take() -> Result<HeapProfile, Error> {
    let _tag = BURSAR.enter();
    bursar_alloc::heap_samples().map(HeapProfile::from).ok_or(Error::ProfileOff)
}

impl From<HeapSamples> for HeapProfile {
    /// A profile of now. Reads the process's list of mappings and the head of each file in it:
    /// some hundred microseconds.
    fn from(samples: HeapSamples) -> Self {
        let mut profile = Self {
            taken_at: whole_milliseconds(SystemTime::now()),
            since: None,
            run: run(),
            interval_bytes: samples.interval_bytes,
            samples_total: samples.samples_total,
            samples_lost_total: samples.samples_lost_total,
            sites: samples.sites.into_iter().map(Into::into).collect(),
            modules: Arc::default(),
            symbols: Arc::default(),
        };
        profile.sort();
        profile.modules = modules_of(&profile.addresses()).into();
        profile
    }
}

/// The program, and what else has code at one of `addresses`.
fn modules_of(addresses: &[u64]) -> Vec<Module> {
    let mut modules = modules::of_process();
    let mut index = 0;
    modules.retain(|module| {
        let is_program = index == 0;
        index += 1;
        is_program || addresses.iter().any(|address| module.holds(*address))
    });
    modules.truncate(MAX_MODULES);
    modules
}

impl HeapProfile {
    /// Looks up the names of functions, with file and line where the program has debug
    /// information, for the formats to show. What is known already is not looked up again. A
    /// program without symbols gets the names of its libraries' functions at most, and no error.
    /// A profile of another run, read from a file, stays as it is: its addresses mean nothing
    /// here.
    ///
    /// **This costs.** The calling thread reads the debug information of the program and its
    /// libraries: from milliseconds to some seconds, and tens of megabytes while it does so,
    /// charged to the tag `bursar` and let go of at the end, the cache of the crate `backtrace`
    /// among it. What is not needed is best left out before
    /// ([`of_tag`](Self::of_tag), [`of_sites`](Self::of_sites)); or write a profile without names
    /// ([`to_pprof`](Self::to_pprof)), and have `pprof` find them in the program's file elsewhere.
    ///
    /// # Errors
    ///
    /// [`Error::ProfileBusy`] if another thread is at this: there is one turn in the process, and
    /// it is not waited for. [`Error::SymbolsUnavailable`] in a child that was forked while its
    /// parent was at this.
    pub fn resolve_symbols(&mut self) -> Result<(), Error> {
        if self.run != run() {
            return Ok(());
        }
        let _tag = BURSAR.enter();
        let mut unknown = self.addresses();
        unknown.retain(|address| !self.symbols.knows(*address));
        if !unknown.is_empty() {
            let symbols: Symbols = resolve(unknown)?;
            self.symbols = Arc::new(symbols.and(&self.symbols));
        }
        Ok(())
    }

    /// The addresses of all stacks, each once, in the order in which they are met.
    fn addresses(&self) -> Vec<u64> {
        let mut met = HashSet::new();
        let addresses = self.sites.iter().flat_map(|site| &site.stack).copied();
        addresses.filter(|address| met.insert(*address)).collect()
    }
}

fn whole_milliseconds(at: SystemTime) -> SystemTime {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::new(since.as_secs(), since.subsec_millis() * 1_000_000)
}

/// A number by which this process is told from others, its earlier runs and its parent among them.
/// Never 0.
fn run() -> u64 {
    static START: AtomicU64 = AtomicU64::new(0);
    // Not a `OnceLock`: a forked child might find that taken for ever.
    let start = match START.load(Ordering::Relaxed) {
        0 => {
            let new = RandomState::new().hash_one(0) | 1;
            START
                .compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed)
                .err()
                .unwrap_or(new)
        }
        start => start,
    };
    // A child has its parent's start.
    let own = start ^ (u64::from(process::id()) << 32);
    if own == 0 { start } else { own }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{profile, site, stack_here};
    use super::*;

    #[inline(never)]
    fn of_this_process() -> HeapProfile {
        let mut profile = profile(&[site("images", &stack_here(), 4096)]);
        profile.run = run();
        profile.modules = modules_of(&profile.addresses()).into();
        profile
    }

    fn try_resolve(profile: &mut HeapProfile) {
        // Another test may have the turn.
        while let Err(error) = profile.resolve_symbols() {
            assert_eq!(error, Error::ProfileBusy);
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_names_of_a_real_stack_are_in_every_format() {
        let mut profile = of_this_process();
        try_resolve(&mut profile);
        let name = "of_this_process";
        let formats = [
            profile.to_string(),
            profile.to_collapsed(),
            profile.to_flame_graph().unwrap(),
            HeapProfile::from_pprof(&profile.to_pprof()).unwrap().to_collapsed(),
        ];
        for text in formats {
            assert!(text.contains(name), "{text}");
        }
        let key = profile.sites()[0].key();
        let top = profile.top_frames(key, 3);
        assert!(top.iter().any(|frame| frame.contains("of_this_process (")), "{top:?}");
    }

    #[test]
    fn the_caches_of_looking_names_up_are_let_go_of() {
        // The first time, what stays is made: thread-locals and the like.
        try_resolve(&mut of_this_process());
        backtrace::clear_symbol_cache();
        let section = bursar_alloc::Section::begin();
        let mut profile = of_this_process();
        try_resolve(&mut profile);
        drop(profile);
        // Where the allocator is not installed nothing is counted, and nothing is to be held.
        let kept = section.end().map_or(0, |usage| usage.net_bytes());
        assert!(kept < 64 << 10, "{kept} bytes stay");
    }

    #[test]
    fn without_names_a_place_in_the_programs_file_is_shown() {
        let profile = of_this_process();
        let text = profile.to_collapsed();
        let program = std::env::current_exe().unwrap();
        let program = program.file_name().unwrap().to_string_lossy().into_owned();
        if cfg!(target_os = "linux") {
            assert!(text.contains(&format!("{program}+0x")), "{text}");
        }
    }

    #[test]
    fn a_profile_of_another_run_is_given_no_names_of_this_one() {
        let mut foreign = of_this_process();
        foreign.run ^= 1;
        let before = foreign.clone();
        foreign.resolve_symbols().unwrap();
        assert_eq!(foreign, before);
    }

    #[test]
    fn while_nothing_is_sampled_there_is_no_profile_and_it_is_said_how_to_have_one() {
        if bursar_alloc::heap_samples().is_none() {
            let error = take().unwrap_err();
            assert_eq!(error.code(), "profile_off");
            assert!(error.to_string().contains("switch"), "{error}");
        }
    }

    #[test]
    fn a_process_has_one_number_for_as_long_as_it_runs() {
        assert_ne!(run(), 0);
        assert_eq!(run(), run());
    }
}
