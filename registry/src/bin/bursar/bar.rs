//! The bar of usage with the watermarks on it: cells, to be drawn as text or in colours.

use bursar::{PressureLevel, Watermarks};

/// One character of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    Used,
    Free,
    /// Where a level begins.
    Mark(PressureLevel),
}

const MARKED: [PressureLevel; 3] =
    [PressureLevel::Warning, PressureLevel::Critical, PressureLevel::Emergency];

/// `width` cells of which `usage_ratio` are used. A mark is where its level begins; those that
/// share a cell are shown as the highest.
pub(crate) fn cells(usage_ratio: f64, watermarks: &Watermarks, width: usize) -> Vec<Cell> {
    // A number that is none is nothing; casts stop at the ends of their range.
    let place = |ratio: f64| (ratio * width as f64).round() as usize;
    let used = place(usage_ratio).min(width);
    let mut cells = vec![Cell::Free; width];
    cells[..used].fill(Cell::Used);
    for level in MARKED {
        let at = place(watermarks.of(level)).min(width.saturating_sub(1));
        if let Some(cell) = cells.get_mut(at) {
            *cell = Cell::Mark(level);
        }
    }
    cells
}

/// The level that a cell lies in.
pub(crate) fn level_at(index: usize, watermarks: &Watermarks, width: usize) -> PressureLevel {
    let ratio = (index as f64 + 0.5) / width.max(1) as f64;
    let is_reached = |level: &PressureLevel| ratio >= watermarks.of(*level);
    MARKED.into_iter().rev().find(is_reached).unwrap_or_default()
}

/// A bar as text: `#` used, `-` free, `w`, `c` and `e` where the levels begin, in capitals once
/// they are reached.
pub(crate) fn text(usage_ratio: f64, watermarks: &Watermarks, width: usize) -> String {
    let letter = |level: PressureLevel| {
        let initial = level.as_str().chars().next().unwrap_or(' ');
        if usage_ratio >= watermarks.of(level) { initial.to_ascii_uppercase() } else { initial }
    };
    let draw = |cell| match cell {
        Cell::Used => '#',
        Cell::Free => '-',
        Cell::Mark(level) => letter(level),
    };
    cells(usage_ratio, watermarks, width).into_iter().map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: Watermarks = Watermarks { warning: 0.7, critical: 0.8, emergency: 0.95 };

    #[test]
    fn the_bar_shows_what_is_used_and_where_the_levels_begin() {
        assert_eq!(text(0.25, &MARKS, 20), "#####---------w-c--e");
        assert_eq!(text(0.85, &MARKS, 20), "##############W#C--e");
        assert_eq!(text(7.0, &MARKS, 20), "##############W#C##E");
        assert_eq!(level_at(15, &MARKS, 20), PressureLevel::Warning);
        assert_eq!(level_at(19, &MARKS, 20), PressureLevel::Emergency);
    }

    #[test]
    fn numbers_that_make_no_sense_make_no_panic() {
        let mad = Watermarks { warning: f64::NAN, critical: -1e300, emergency: f64::INFINITY };
        for ratio in [f64::NAN, -1.0, f64::INFINITY, 1e300] {
            for width in [0, 1, 3] {
                assert_eq!(text(ratio, &mad, width).len(), width);
                assert!(level_at(width, &mad, width) <= PressureLevel::Emergency);
            }
        }
    }
}
