//! The service's one singleton: tables that are costly to compute, needed by
//! every picture and never changed.

use once_cell::sync::Lazy;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tables made at the first picture.
static TABLES: Lazy<Tables> = Lazy::new(Tables::compute);
/// Times they were made.
static BUILT: AtomicU64 = AtomicU64::new(0);

/// How often the tables were built: once, from the first picture on.
#[must_use]
pub fn tables_built() -> u64 {
    BUILT.load(Ordering::Relaxed)
}

/// What the renderer looks up instead of computing.
pub(crate) struct Tables {
    /// Linear light, 12 bits, to the 8 bits of sRGB.
    gamma: Vec<u8>,
}

/// Steps of linear light in the table.
pub(crate) const LINEAR_STEPS: u32 = 4096;

impl Tables {
    /// The tables, made by the first caller.
    pub(crate) fn shared() -> &'static Self {
        &TABLES
    }

    /// The sRGB value of `linear` light, which is clamped to the table.
    pub(crate) fn srgb(&self, linear: u32) -> u8 {
        self.gamma[linear.min(LINEAR_STEPS - 1) as usize]
    }

    fn compute() -> Self {
        BUILT.fetch_add(1, Ordering::Relaxed);
        let curve = |step: u32| {
            let light = f64::from(step) / f64::from(LINEAR_STEPS - 1);
            let encoded = if light <= 0.003_130_8 {
                light * 12.92
            } else {
                1.055 * light.powf(1.0 / 2.4) - 0.055
            };
            (encoded * 255.0).round() as u8
        };
        Self { gamma: (0..LINEAR_STEPS).map(curve).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_runs_from_black_to_white_and_never_falls() {
        let tables = Tables::shared();
        assert_eq!(tables.srgb(0), 0);
        assert_eq!(tables.srgb(LINEAR_STEPS * 2), 255);
        let falls = (1..LINEAR_STEPS).any(|step| tables.srgb(step) < tables.srgb(step - 1));
        assert!(!falls);
    }
}
