//! [`Route`]: what a path asks for.

/// What there is to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Index,
    Health,
    Metrics,
    Stats,
    History,
    #[cfg(feature = "profile")]
    Profile,
}

impl Route {
    pub(super) const ALL: &[Self] = &[
        Self::Index,
        Self::Health,
        Self::Metrics,
        Self::Stats,
        Self::History,
        #[cfg(feature = "profile")]
        Self::Profile,
    ];

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Index => "/",
            Self::Health => "/health",
            Self::Metrics => "/metrics",
            Self::Stats => "/stats",
            Self::History => "/history",
            #[cfg(feature = "profile")]
            Self::Profile => "/profile",
        }
    }

    /// What `path` asks for, with or without a slash at its end.
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        Self::ALL.iter().copied().find(|route| route.path().trim_end_matches('/') == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_found_with_and_without_a_slash_at_its_end() {
        for &route in Route::ALL {
            assert_eq!(Route::of(route.path()), Some(route));
            assert_eq!(Route::of(&format!("{}/", route.path().trim_end_matches('/'))), Some(route));
        }
        assert_eq!(Route::of(""), Some(Route::Index), "what is left of a path by some routers");
    }

    #[test]
    fn nothing_else_is_found() {
        for path in ["*", "//", "/health/x", "/Health", "/health//", "health", "/stats%2f", "/../"]
        {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }
}
