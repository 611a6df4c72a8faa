//! Bars in groups, lying, so that the words beside them have room.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::Series;
use super::canvas::{DrawResult, MARGIN, WIDTH, WORDS, sheet, style, top_height, width_of};
use super::theme::Theme;
use crate::measure::Spread;

/// Of a bar, in pixels.
const THICKNESS: u32 = 17;
/// What a bar takes in all, and what is left free below a group.
const STEP: u32 = 20;
const GROUP_GAP: u32 = 14;
/// Of the axis with its figures and what they are.
const AXIS_HEIGHT: u32 = 58;
/// Of the words at a mark, above the bars.
const MARK_HEIGHT: u32 = 22;

/// Groups of bars.
#[derive(Debug)]
pub(crate) struct Bars {
    /// What is measured, with its unit.
    pub(crate) axis: String,
    /// Of the figure at each bar.
    pub(crate) decimals: usize,
    pub(crate) series: Vec<Series>,
    pub(crate) groups: Vec<Group>,
    /// A line across all bars, with its words.
    pub(crate) mark: Option<(f64, String)>,
}

/// What belongs together.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) bars: Vec<Bar>,
}

/// A median, and between what the figures lay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bar {
    /// Which series.
    series: usize,
    spread: Spread,
}

impl Bar {
    pub(crate) fn of(series: usize, spread: Spread) -> Self {
        Self { series, spread }
    }
}

impl Bars {
    pub(super) fn draw(&self, path: &Path, title: &str, theme: &Theme) -> DrawResult<()> {
        let top = top_height(self.series.iter());
        let mark_height = if self.mark.is_some() { MARK_HEIGHT } else { 0 };
        let height = top + mark_height + self.height() + AXIS_HEIGHT;
        let (root, area) = sheet(path, height, title, self.series.iter(), theme)?;
        let names = self.groups.iter().map(|group| width_of(&group.title, WORDS));
        let left = (names.max().unwrap_or(0) + MARGIN + 10) as u32;
        // Downwards, in pixels.
        let down = f64::from(self.height())..0.0;
        let mut axes = ChartBuilder::on(&area)
            .margin_right(MARGIN)
            .margin_top(mark_height)
            .set_label_area_size(LabelAreaPosition::Left, left)
            .set_label_area_size(LabelAreaPosition::Bottom, AXIS_HEIGHT)
            .build_cartesian_2d(0.0..self.most(left), down)?;
        axes.configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .y_labels(0)
            .bold_line_style(theme.faint)
            .light_line_style(TRANSPARENT)
            .axis_style(theme.ink)
            .label_style(style(WORDS, theme.ink, HPos::Center))
            .axis_desc_style(style(WORDS, theme.ink, HPos::Center))
            .x_labels(7)
            .x_desc(self.axis.as_str())
            .x_label_formatter(&|value| short(*value))
            .draw()?;
        let plot = axes.plotting_area();
        for (at, group) in self.starts().zip(&self.groups) {
            let middle = at + group.bars.len() as u32 * STEP / 2;
            let (x, y) = plot.map_coordinate(&(0.0, f64::from(middle)));
            let name = style(WORDS, theme.ink, HPos::Right);
            root.draw_text(&group.title, &name, (x - 10, y))?;
            for (number, bar) in group.bars.iter().enumerate() {
                let above = at + number as u32 * STEP;
                let below = f64::from(above + THICKNESS);
                let (above, middle) = (f64::from(above), (f64::from(above) + below) / 2.0);
                let colour = theme.colour(self.series[bar.series].hue);
                let Spread { least, median, most } = bar.spread;
                plot.draw(&Rectangle::new([(0.0, above), (median, below)], colour.filled()))?;
                let whisker = [(least, middle), (most, middle)];
                plot.draw(&PathElement::new(whisker, theme.ink.mix(0.65).stroke_width(1)))?;
                let (x, y) = plot.map_coordinate(&(median.max(most), middle));
                let figure = format!("{median:.*}", self.decimals);
                root.draw_text(&figure, &style(WORDS, theme.ink, HPos::Left), (x + 6, y))?;
            }
        }
        if let Some((value, words)) = &self.mark {
            let line = [(*value, 0.0), (*value, f64::from(self.height()))];
            plot.draw(&PathElement::new(line, theme.ink.stroke_width(1)))?;
            let (x, y) = plot.map_coordinate(&(*value, 0.0));
            let words_style = style(WORDS, theme.ink, HPos::Center);
            root.draw_text(words, &words_style, (x, y - MARK_HEIGHT as i32 / 2))?;
        }
        root.present()?;
        Ok(())
    }

    /// Of all groups, in pixels.
    fn height(&self) -> u32 {
        self.groups.iter().map(Group::height).sum()
    }

    /// Where each group begins.
    fn starts(&self) -> impl Iterator<Item = u32> {
        self.groups.iter().scan(GROUP_GAP / 2, |next, group| {
            let at = *next;
            *next += group.height();
            Some(at)
        })
    }

    /// Where the axis ends: so that the figure beside the longest bar has room.
    fn most(&self, left: u32) -> f64 {
        let bars = self.groups.iter().flat_map(|group| &group.bars);
        let longest = bars.map(|bar| bar.spread.most).chain(self.mark.iter().map(|mark| mark.0));
        let longest = longest.fold(0.0, f64::max);
        let figure = width_of(&format!("{longest:.*}", self.decimals), WORDS) + 8;
        let room = f64::from(WIDTH) - f64::from(left) - f64::from(MARGIN);
        let most = longest * room / (room - f64::from(figure));
        if most > 0.0 { most } else { 1.0 }
    }
}

impl Group {
    fn height(&self) -> u32 {
        self.bars.len() as u32 * STEP + GROUP_GAP
    }
}

/// A figure at an axis, without more decimals than it has.
pub(super) fn short(value: f64) -> String {
    // What comes of adding tenths is rounded away.
    let rounded = (value * 1e6).round() / 1e6;
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::Hue;
    use super::*;

    fn bars(medians: &[&[f64]]) -> Bars {
        let bar = |(series, &median): (usize, &f64)| {
            Bar::of(series, Spread { least: median, median, most: median * 1.5 })
        };
        let group = |medians: &&[f64]| Group {
            title: "a group".to_owned(),
            bars: medians.iter().enumerate().map(bar).collect(),
        };
        Bars {
            axis: String::new(),
            decimals: 1,
            series: vec![Series::new("one", Hue::Blue), Series::new("other", Hue::Grey)],
            groups: medians.iter().map(group).collect(),
            mark: None,
        }
    }

    #[test]
    fn groups_stand_below_each_other_and_none_lies_over_another() {
        let bars = bars(&[&[1.0, 2.0], &[3.0], &[4.0, 5.0]]);
        let starts: Vec<_> = bars.starts().collect();
        for (index, group) in bars.groups.iter().enumerate() {
            let end = starts[index] + group.bars.len() as u32 * STEP;
            let next = starts.get(index + 1).copied().unwrap_or(bars.height());
            assert!(end < next, "{end} and {next}");
        }
    }

    #[test]
    fn the_longest_bar_with_its_spread_and_its_figure_fits() {
        let bars = bars(&[&[1.0, 20.0]]);
        let room = f64::from(WIDTH) - 200.0 - f64::from(MARGIN);
        let end = 30.0 / bars.most(200) * room;
        assert!(end + f64::from(width_of("30.0", WORDS)) <= room, "{end} of {room}");
        assert!(self::bars(&[&[0.0]]).most(200) > 0.0);
        assert!(self::bars(&[]).most(200) > 0.0);
    }

    #[test]
    fn a_figure_at_an_axis_has_no_needless_decimals() {
        assert_eq!(short(0.1 + 0.2), "0.3");
        assert_eq!(short(200.0), "200");
    }
}
