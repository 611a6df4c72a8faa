//! What all charts share: paper, a heading, a legend that nothing is drawn over.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Series;
use super::theme::Theme;

pub(super) const WIDTH: u32 = 860;
const FONT: &str = "sans-serif";
/// The library writes sizes as points of a font that it does not measure: this much smaller.
const PER_PIXEL: f64 = 1.24;
pub(super) const HEADING: f64 = 17.0;
pub(super) const WORDS: f64 = 13.0;
/// Of a letter in a sans-serif font, to its size: rather too wide.
const LETTER: f64 = 0.58;

/// Left of everything.
pub(super) const MARGIN: i32 = 16;
const HEADING_HEIGHT: u32 = 40;
const LEGEND_LINE: u32 = 24;
const SWATCH: i32 = 12;
/// Between a series' words and the next swatch.
const LEGEND_GAP: i32 = 22;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type DrawResult<T> = Result<T, Box<dyn std::error::Error>>;

/// Words of a size in pixels.
pub(super) fn style(size: f64, colour: RGBColor, horizontal: HPos) -> TextStyle<'static> {
    let style = (FONT, size * PER_PIXEL).into_font().color(&colour);
    style.pos(Pos::new(horizontal, VPos::Center))
}

/// How wide words are in pixels, about.
pub(super) fn width_of(words: &str, size: f64) -> i32 {
    (words.chars().count() as f64 * size * LETTER).ceil() as i32
}

/// How high heading and legend are together.
pub(super) fn top_height<'s>(series: impl Iterator<Item = &'s Series>) -> u32 {
    let lines = placed(series).last().map_or(0, |(_, _, line)| line + 1);
    HEADING_HEIGHT + lines * LEGEND_LINE
}

/// A sheet of paper of this height, with heading and legend; and what is left of it below them.
pub(super) fn sheet<'p, 's>(
    path: &'p Path,
    height: u32,
    title: &str,
    series: impl Iterator<Item = &'s Series> + Clone,
    theme: &Theme,
) -> DrawResult<(Area<'p>, Area<'p>)> {
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    root.fill(&theme.paper)?;
    root.draw_text(title, &style(HEADING, theme.ink, HPos::Left), (MARGIN, 22))?;
    let top = top_height(series.clone());
    for (series, x, line) in placed(series) {
        let y = (HEADING_HEIGHT + line * LEGEND_LINE) as i32 + 8;
        let half = SWATCH / 2;
        let swatch = [(x, y - half), (x + SWATCH, y + half)];
        root.draw(&Rectangle::new(swatch, theme.colour(series.hue).filled()))?;
        let words = style(WORDS, theme.ink, HPos::Left);
        root.draw_text(&series.title, &words, (x + SWATCH + 6, y))?;
    }
    let (_, rest) = root.split_vertically(top);
    Ok((root, rest))
}

/// Where each series stands in the legend: its left edge, and the line, counted from none.
fn placed<'s>(
    series: impl Iterator<Item = &'s Series>,
) -> impl Iterator<Item = (&'s Series, i32, u32)> {
    let (mut x, mut line) = (MARGIN, 0);
    series.map(move |series| {
        let width = SWATCH + 6 + width_of(&series.title, WORDS);
        if x > MARGIN && x + width > WIDTH as i32 - MARGIN {
            (x, line) = (MARGIN, line + 1);
        }
        let at = x;
        x += width + LEGEND_GAP;
        (series, at, line)
    })
}

#[cfg(test)]
mod tests {
    use super::super::Hue;
    use super::*;

    #[test]
    fn a_legend_that_is_too_long_goes_on_in_the_next_line_and_none_lies_over_another() {
        let series: Vec<_> =
            (0..8).map(|number| Series::new("word ".repeat(3 + number), Hue::Blue)).collect();
        let mut end = (0, 0);
        for (series, x, line) in placed(series.iter()) {
            assert!((line, x) >= end, "{x} in line {line} after {end:?}");
            let right = x + SWATCH + 6 + width_of(&series.title, WORDS);
            assert!(right <= WIDTH as i32 - MARGIN, "{right}");
            end = (line, right);
        }
        assert!(end.0 > 0);
        assert!(top_height(series.iter()) > top_height(series[..1].iter()));
    }
}
