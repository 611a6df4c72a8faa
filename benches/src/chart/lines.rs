//! Lines through medians, over a scale of which each step is many times the one before.

use std::path::Path;

use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::Series;
use super::bars::short;
use super::canvas::{Area, DrawResult, MARGIN, WORDS, sheet, style};
use super::theme::Theme;
use crate::measure::Spread;

const HEIGHT: u32 = 440;
const ACROSS_HEIGHT: u32 = 52;
const UP_WIDTH: u32 = 84;
/// What is left free at either end of a scale, as the part of its length.
const FREE: f64 = 0.04;

/// Lines in one frame.
#[derive(Debug)]
pub(crate) struct Lines {
    /// What is varied.
    pub(crate) across: String,
    /// What is measured, with its unit.
    pub(crate) up: String,
    /// Whether the scale upwards is one of powers of ten; else it begins at zero.
    pub(crate) is_log: bool,
    pub(crate) lines: Vec<Line>,
}

/// What was measured at each value of what is varied.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) series: Series,
    pub(crate) points: Vec<(f64, Spread)>,
}

impl Lines {
    pub(super) fn draw(&self, path: &Path, title: &str, theme: &Theme) -> DrawResult<()> {
        let series = self.lines.iter().map(|line| &line.series);
        let (root, area) = sheet(path, HEIGHT, title, series, theme)?;
        let values = self.values();
        let (Some(first), Some(last)) = (values.first(), values.last()) else {
            return Err("there is nothing to draw".into());
        };
        let across = widened(*first, *last);
        let across = (across.0..across.1).log_scale().with_key_points(values);
        let (least, most) = self.extent();
        if self.is_log {
            let (least, most) = widened(least, most);
            let up = (least..most).log_scale().with_key_points(powers_of_ten(least, most));
            self.draw_over(&area, across, up, theme)?;
        } else {
            self.draw_over(&area, across, 0.0..most * (1.0 + FREE), theme)?;
        }
        root.present()?;
        Ok(())
    }

    fn draw_over<X, Y>(
        &self,
        area: &Area<'_>,
        across: impl plotters::coord::ranged1d::AsRangedCoord<CoordDescType = X, Value = f64>,
        up: impl plotters::coord::ranged1d::AsRangedCoord<CoordDescType = Y, Value = f64>,
        theme: &Theme,
    ) -> DrawResult<()>
    where
        X: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let mut axes = ChartBuilder::on(area)
            .margin(MARGIN)
            .x_label_area_size(ACROSS_HEIGHT)
            .y_label_area_size(UP_WIDTH)
            .build_cartesian_2d(across, up)?;
        axes.configure_mesh()
            .bold_line_style(theme.faint)
            .light_line_style(TRANSPARENT)
            .axis_style(theme.ink)
            .label_style(style(WORDS, theme.ink, HPos::Center))
            .axis_desc_style(style(WORDS, theme.ink, HPos::Center))
            .x_desc(self.across.as_str())
            .y_desc(self.up.as_str())
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| short(*value))
            .draw()?;
        for line in &self.lines {
            let colour = theme.colour(line.series.hue);
            for &(x, Spread { least, most, .. }) in &line.points {
                let spread = [(x, self.drawn(least)), (x, self.drawn(most))];
                let spread = PathElement::new(spread, colour.mix(0.7).stroke_width(1));
                axes.plotting_area().draw(&spread)?;
            }
            let medians = line.points.iter().map(|&(x, spread)| (x, self.drawn(spread.median)));
            let medians: Vec<_> = medians.collect();
            for &at in &medians {
                axes.plotting_area().draw(&Circle::new(at, 4, colour.filled()))?;
            }
            axes.plotting_area().draw(&PathElement::new(medians, colour.stroke_width(2)))?;
        }
        Ok(())
    }

    /// Each value of what is varied, in order.
    fn values(&self) -> Vec<f64> {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let mut values: Vec<f64> = points.map(|point| point.0).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    }

    /// The least and the most of what is drawn.
    fn extent(&self) -> (f64, f64) {
        let points = self.lines.iter().flat_map(|line| &line.points);
        points.fold((f64::INFINITY, 0.0), |(least, most), (_, spread)| {
            (least.min(self.drawn(spread.least)), f64::max(most, spread.most))
        })
    }

    /// On a scale of powers there is no zero.
    fn drawn(&self, value: f64) -> f64 {
        if self.is_log { value.max(LEAST_DRAWN) } else { value }
    }
}

/// What a scale of powers of ten begins with at the least.
const LEAST_DRAWN: f64 = 1e-3;

/// A little below the first and above the last, on a scale of powers.
fn widened(first: f64, last: f64) -> (f64, f64) {
    // A single value is in the middle of its scale.
    let free = (last / first).powf(FREE).max(1.1);
    (first / free, last * free)
}

/// Those that lie between.
fn powers_of_ten(least: f64, most: f64) -> Vec<f64> {
    let powers = least.log10().ceil() as i32..=most.log10().floor() as i32;
    powers.map(|power| 10f64.powi(power)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Hue;
    use super::*;

    fn line(points: &[(f64, f64)]) -> Line {
        let spread = |&(x, median)| (x, Spread { least: median / 2.0, median, most: median * 2.0 });
        let points = points.iter().map(spread).collect();
        Line { series: Series::new("one", Hue::Blue), points }
    }

    fn lines(is_log: bool) -> Lines {
        let lines = vec![line(&[(1.0, 10.0), (240.0, 5.0)]), line(&[(1.0, 40.0), (8.0, 0.0)])];
        Lines { across: "tags".to_owned(), up: "us".to_owned(), is_log, lines }
    }

    #[test]
    fn the_scales_are_of_all_lines() {
        assert_eq!(lines(false).values(), [1.0, 8.0, 240.0]);
        assert_eq!(lines(false).extent(), (0.0, 80.0));
        assert_eq!(lines(true).extent(), (LEAST_DRAWN, 80.0));
    }

    #[test]
    fn a_scale_of_powers_has_room_at_its_ends_and_is_marked_at_powers_of_ten() {
        let (least, most) = widened(1.0, 1000.0);
        assert!((0.5..1.0).contains(&least) && (1000.0..2000.0).contains(&most));
        assert_eq!(powers_of_ten(least, most), [1.0, 10.0, 100.0, 1000.0]);
        let (least, most) = widened(8.0, 8.0);
        assert!(least < 8.0 && most > 8.0);
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        let none = Lines { lines: Vec::new(), ..lines(true) };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("none.svg");
        let error = none.draw(&path, "none", &super::super::theme::THEMES[0]).unwrap_err();
        assert_eq!(error.to_string(), "there is nothing to draw");
    }
}
