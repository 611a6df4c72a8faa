//! Profiles made by hand, for tests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::modules::Module;
use super::symbols::{Frame, Symbols};
use super::{HeapProfile, Site, StackEnd};

/// A whole stack that keeps so many bytes, in blocks of one byte.
pub(crate) fn site(tag: &str, stack: &[u64], bytes: i64) -> Site {
    Site {
        tag: tag.to_owned().into(),
        stack: stack.to_vec(),
        end: StackEnd::Root,
        samples: bytes.signum(),
        live_bytes: bytes,
        live_blocks: bytes,
    }
}

/// A profile of this process, taken a day after 1970, that knows no names.
pub(crate) fn profile(sites: &[Site]) -> HeapProfile {
    let mut profile = HeapProfile {
        taken_at: SystemTime::UNIX_EPOCH + Duration::from_secs(86_400),
        since: None,
        run: 0xfeed_0000_0000_0007,
        interval_bytes: 524_288,
        samples_total: 100,
        samples_lost_total: 0,
        sites: sites.to_vec(),
        modules: Arc::default(),
        symbols: Arc::default(),
    };
    profile.sort();
    profile
}

pub(crate) fn frame(name: &str) -> Frame {
    Frame { name: name.into(), file: Some("src/main.rs".into()), line: 7 }
}

impl HeapProfile {
    /// With these names for addresses, of what is inlined there the innermost first.
    pub(crate) fn named(mut self, names: &[(u64, &[&str])]) -> Self {
        let frames = |names: &[&str]| names.iter().map(|name| frame(name)).collect();
        let names: HashMap<_, _> = names.iter().map(|(at, names)| (*at, frames(names))).collect();
        self.symbols = Arc::new(Symbols::of(names));
        self
    }

    /// As a program at 0x10000 has it that is mapped from 0x1000 of its file on.
    pub(crate) fn mapped(mut self) -> Self {
        let module = Module {
            start: 0x1_1000,
            limit: 0x1_3000,
            file_offset: 0x1000,
            base: 0x1_0000,
            path: "/usr/bin/shop".into(),
            build_id: "c0ffee".into(),
        };
        self.modules = [module].into();
        self
    }
}

/// The addresses of the calls that lead to whoever calls this, innermost first, this one among
/// them.
#[cfg(feature = "profile")]
#[inline(never)]
pub(crate) fn stack_here() -> Vec<u64> {
    let mut stack = Vec::new();
    backtrace::trace(|frame| {
        stack.extend((frame.ip() as u64).checked_sub(1));
        true
    });
    stack
}
