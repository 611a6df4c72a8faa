//! Which programs there are, and what each is compared with.

/// The programs over one backend: it bare, and what counts around it.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) title: &'static str,
    pub(crate) bare: Configuration,
    counting: &'static [Configuration],
}

/// One program.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) program: &'static str,
    pub(crate) title: &'static str,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bare,
    Bursar,
    /// Bursar while the heap is sampled. Built with the feature `profile` only.
    Sampled,
    /// Built with the feature `peers` only.
    Peer,
}

static BACKENDS: [Backend; 3] = [
    Backend {
        title: "jemalloc",
        bare: Configuration::new("bare_jemalloc", "bare", Kind::Bare),
        counting: &[
            Configuration::new("bursar_jemalloc", "Bursar", Kind::Bursar),
            Configuration::new("sampled_jemalloc", "Bursar, sampled", Kind::Sampled),
            Configuration::new("tracking_jemalloc", "tracking-allocator", Kind::Peer),
            Configuration::new("cap_jemalloc", "cap", Kind::Peer),
        ],
    },
    Backend {
        title: "mimalloc",
        bare: Configuration::new("bare_mimalloc", "bare", Kind::Bare),
        counting: &[Configuration::new("bursar_mimalloc", "Bursar", Kind::Bursar)],
    },
    Backend {
        title: "System",
        bare: Configuration::new("bare_system", "bare", Kind::Bare),
        counting: &[
            Configuration::new("bursar_system", "Bursar", Kind::Bursar),
            Configuration::new("stats_system", "stats_alloc", Kind::Peer),
            Configuration::new("peak_system", "peak_alloc", Kind::Peer),
        ],
    },
];

impl Configuration {
    const fn new(program: &'static str, title: &'static str, kind: Kind) -> Self {
        Self { program, title, kind }
    }
}

impl Backend {
    pub(crate) fn all() -> &'static [Self] {
        &BACKENDS
    }

    /// Every program, as far as it was built, the bare one first.
    pub(crate) fn programs(&'static self) -> impl Iterator<Item = &'static Configuration> {
        std::iter::once(&self.bare).chain(self.counting())
    }

    /// What counts around this backend, as far as it was built.
    pub(crate) fn counting(&'static self) -> impl Iterator<Item = &'static Configuration> {
        let is_built = |counting: &&Configuration| match counting.kind {
            Kind::Peer => cfg!(feature = "peers"),
            Kind::Sampled => cfg!(feature = "profile"),
            Kind::Bare | Kind::Bursar => true,
        };
        self.counting.iter().filter(is_built)
    }

    /// Bursar around this backend.
    pub(crate) fn bursar(&'static self) -> Option<&'static Configuration> {
        self.counting.iter().find(|counting| counting.kind == Kind::Bursar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_backend_has_a_bare_program_first_and_bursar_around_it() {
        for backend in Backend::all() {
            let programs: Vec<_> = backend.programs().collect();
            assert_eq!(programs[0].kind, Kind::Bare);
            assert_eq!(programs[1].program, backend.bursar().unwrap().program);
            assert!(programs[1..].iter().all(|program| program.kind != Kind::Bare));
        }
    }
}
