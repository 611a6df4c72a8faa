//! The chart of a replay: both footprints over time, watermarks, limit, levels and cleanups.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::report::{ReplayPoint, ReplayReport};
use crate::pressure::PressureLevel;

const SIZE: (u32, u32) = (960, 520);
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(40, 44, 52);
const FAINT: RGBColor = RGBColor(226, 229, 234);
const RECORDED: RGBColor = RGBColor(120, 125, 135);
const REPLAYED: RGBColor = RGBColor(20, 105, 175);
const LIMIT: RGBColor = RGBColor(90, 20, 20);
const WATERMARK: RGBColor = RGBColor(150, 120, 60);
/// Of warning, critical and emergency.
const LEVELS: [RGBColor; 3] =
    [RGBColor(250, 225, 140), RGBColor(245, 170, 90), RGBColor(225, 90, 70)];
/// The strip of levels below the curves, as a share of the height of the curves.
const STRIP: f64 = 0.05;
/// Of the names of lines, in pixels.
const LABEL_HEIGHT: i32 = 14;
/// Room above the highest of all, for the legend.
const HEADROOM: f64 = 1.35;

type Axes<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn Error>>;

impl ReplayReport {
    /// Draws a chart as SVG into `writer`: the recorded and the replayed footprint over time, the
    /// container's limit, the soft limit and the watermarks of the replay, a strip of its levels,
    /// and a mark for each cleanup of both. Some 100 KiB.
    ///
    /// # Errors
    ///
    /// The writer's.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use bursar::{Profile, Replay, Sample, Trace, TraceEvent, TraceItem};
    /// # let mut trace = Trace::new(64 << 20, None, Profile::default())?;
    /// # trace.push(TraceEvent { at: std::time::Duration::ZERO, item: TraceItem::Sample(Box::default()) })?;
    /// let report = Replay::new(trace.config()).play(&trace)?;
    /// let mut svg = Vec::new();
    /// report.write_chart(&mut svg)?;
    /// assert!(svg.starts_with(b"<svg"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn write_chart(&self, mut writer: impl Write) -> io::Result<()> {
        let mut svg = String::new();
        Chart::of(self).draw(&mut svg).map_err(|error| io::Error::other(error.to_string()))?;
        writer.write_all(svg.as_bytes())
    }

    /// [`write_chart`](Self::write_chart) into a file, which is replaced if it is there.
    ///
    /// # Errors
    ///
    /// The file's.
    pub fn save_chart(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.write_chart(File::create(path)?)
    }
}

/// What time is shown in.
struct Unit {
    name: &'static str,
    seconds: f64,
}

impl Unit {
    /// The one that makes short numbers of a run that long.
    fn of(end: Duration) -> Self {
        match end.as_secs() {
            0..=900 => Self { name: "seconds", seconds: 1.0 },
            901..=36_000 => Self { name: "minutes", seconds: 60.0 },
            _ => Self { name: "hours", seconds: 3600.0 },
        }
    }

    fn measure(&self, time: Duration) -> f64 {
        time.as_secs_f64() / self.seconds
    }
}

/// What is drawn, in MiB and units of time.
struct Chart<'a> {
    report: &'a ReplayReport,
    points: Vec<ReplayPoint>,
    unit: Unit,
    begin: f64,
    end: f64,
    top: f64,
}

impl<'a> Chart<'a> {
    fn of(report: &'a ReplayReport) -> Self {
        let points: Vec<_> = report.points.iter().copied().collect();
        let unit = Unit::of(report.end);
        let begin = points.first().map_or(0.0, |point| unit.measure(point.at));
        let end = unit.measure(report.end).max(begin + 1.0);
        let highest = [
            report.recorded.peak_footprint_bytes,
            report.replayed.peak_footprint_bytes,
            report.replayed.soft_limit_bytes,
        ];
        let highest = highest.into_iter().max().unwrap_or(0);
        // A limit far above everything would press the curves flat.
        let limit = report.limit_bytes.filter(|&limit| limit / 4 <= highest);
        let top = mebibytes(highest.max(limit.unwrap_or(0))).max(1.0);
        Self { report, points, unit, begin, end, top }
    }

    fn draw(&self, svg: &mut String) -> Drawn {
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let mut axes = self.axes(&root)?;
        self.levels(&mut axes)?;
        self.lines(&mut axes)?;
        let recorded = self.curve(|point| point.recorded_footprint_bytes);
        axes.draw_series(LineSeries::new(recorded, RECORDED.stroke_width(2)))?
            .label("footprint, recorded")
            .legend(|at| sample_of_line(at, RECORDED.stroke_width(3)));
        let replayed = self.curve(|point| point.replayed_footprint_bytes);
        axes.draw_series(AreaSeries::new(replayed.clone(), 0.0, REPLAYED.mix(0.10)))?;
        axes.draw_series(LineSeries::new(replayed, REPLAYED.stroke_width(2)))?
            .label("footprint, replayed")
            .legend(|at| sample_of_line(at, REPLAYED.stroke_width(3)));
        self.cleanups(&mut axes, "recorded", RECORDED, |point| {
            (point.recorded_footprint_bytes, point.recorded_cleanups)
        })?;
        self.cleanups(&mut axes, "replayed", REPLAYED, |point| {
            (point.replayed_footprint_bytes, point.replayed_cleanups)
        })?;
        axes.configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font((FONT, 14).into_font().color(&INK))
            .background_style(WHITE.mix(0.9))
            .border_style(FAINT)
            .margin(8)
            .draw()?;
        root.present()?;
        Ok(())
    }

    fn axes<'r, 'b>(
        &self,
        root: &'r DrawingArea<SVGBackend<'b>, Shift>,
    ) -> Result<Axes<'r, 'b>, Box<dyn Error>> {
        let [budget, recorded] =
            [self.report.replayed.soft_limit_bytes, self.report.recorded.soft_limit_bytes]
                .map(mebibytes);
        let title =
            format!("A budget of {budget:.0} MiB, played on a run recorded with {recorded:.0} MiB");
        let bottom = -self.top * STRIP * 1.5;
        let mut axes = ChartBuilder::on(root)
            .caption(title, (FONT, 19).into_font().color(&INK))
            .margin(14)
            .margin_right(80)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(self.begin..self.end, bottom..self.top * HEADROOM)?;
        axes.configure_mesh()
            .bold_line_style(FAINT)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .label_style((FONT, 14).into_font().color(&INK))
            .axis_desc_style((FONT, 15).into_font().color(&INK))
            .x_desc(self.unit.name)
            .y_desc("MiB")
            .x_label_formatter(&|time| format!("{time}"))
            .y_label_formatter(&|mebibytes| {
                if *mebibytes < 0.0 { String::new() } else { format!("{mebibytes:.0}") }
            })
            .draw()?;
        Ok(axes)
    }

    fn curve(&self, figure: fn(&ReplayPoint) -> u64) -> Vec<(f64, f64)> {
        let at = |point: &ReplayPoint| (self.unit.measure(point.at), mebibytes(figure(point)));
        self.points.iter().map(at).collect()
    }

    /// The strip of levels above normal, below the curves.
    fn levels(&self, axes: &mut Axes<'_, '_>) -> Drawn {
        for (level, colour) in PressureLevel::ABOVE_NORMAL.into_iter().zip(LEVELS) {
            let strips: Vec<_> = self
                .spans(level)
                .map(|(from, to)| {
                    let corners =
                        [(from, -self.top * STRIP * 1.25), (to, -self.top * STRIP * 0.25)];
                    Rectangle::new(corners, colour.filled())
                })
                .collect();
            if strips.is_empty() {
                continue;
            }
            axes.draw_series(strips)?.label(format!("level {level}")).legend(move |(x, y)| {
                Rectangle::new([(x, y - 5), (x + 22, y + 5)], colour.filled())
            });
        }
        Ok(())
    }

    /// When `level` was in force in the replay; each span lasts until the next point.
    fn spans(&self, level: PressureLevel) -> impl Iterator<Item = (f64, f64)> {
        let ends = self.points.iter().skip(1).map(|point| self.unit.measure(point.at));
        let mut spans: Vec<(f64, f64)> = Vec::new();
        for (point, end) in self.points.iter().zip(ends.chain([self.end])) {
            let begin = self.unit.measure(point.at);
            match spans.last_mut() {
                _ if point.replayed_level != level => {}
                Some(last) if last.1 >= begin => last.1 = end,
                _ => spans.push((begin, end)),
            }
        }
        spans.into_iter()
    }

    /// Limit, soft limit and watermarks, each with its name at the right edge.
    fn lines(&self, axes: &mut Axes<'_, '_>) -> Drawn {
        let soft_limit = mebibytes(self.report.replayed.soft_limit_bytes);
        let mut lines: Vec<_> = PressureLevel::ABOVE_NORMAL
            .into_iter()
            .map(|level| (soft_limit * self.report.watermarks.of(level), WATERMARK, level.as_str()))
            .chain([(soft_limit, INK, "budget")])
            .collect();
        let limit = self.report.limit_bytes.map(mebibytes);
        lines.extend(limit.filter(|&limit| limit <= self.top).map(|at| (at, LIMIT, "limit")));
        lines.sort_by(|a, b| a.0.total_cmp(&b.0));

        let mut lowest = i32::MAX;
        for (at, colour, name) in lines {
            let ends = [(self.begin, at), (self.end, at)];
            axes.draw_series(DashedLineSeries::new(ends, 6, 5, colour.stroke_width(1)))?;
            // Names that would lie on each other are moved apart, upward.
            let (_, y) = axes.backend_coord(&(self.end, at));
            let label_y = y.min(lowest.saturating_sub(LABEL_HEIGHT));
            lowest = label_y;
            let style = (FONT, 13).into_font().color(&colour);
            let style = style.pos(Pos::new(HPos::Left, VPos::Center));
            let label = Text::new(name, (6, label_y - y), style);
            axes.draw_series([EmptyElement::at((self.end, at)) + label])?;
        }
        Ok(())
    }

    /// A mark on the curve for each point with cleanups.
    fn cleanups(&self, axes: &mut Axes<'_, '_>, run: &str, colour: RGBColor, of: OfRun) -> Drawn {
        let cleaned_up = self.points.iter().map(of).zip(&self.points).filter(|(of, _)| of.1 > 0);
        let marks: Vec<_> = cleaned_up
            .map(|((bytes, _), point)| (self.unit.measure(point.at), mebibytes(bytes)))
            .map(|at| TriangleMarker::new(at, 5, colour.filled()))
            .collect();
        if !marks.is_empty() {
            axes.draw_series(marks)?
                .label(format!("cleanup, {run}"))
                .legend(move |(x, y)| TriangleMarker::new((x + 11, y), 5, colour.filled()));
        }
        Ok(())
    }
}

/// A run's footprint and cleanups at a point.
type OfRun = fn(&ReplayPoint) -> (u64, u64);

fn sample_of_line((x, y): (i32, i32), style: ShapeStyle) -> PathElement<(i32, i32)> {
    PathElement::new([(x, y), (x + 22, y)], style)
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pressure::Sample;
    use crate::profile::Profile;
    use crate::trace::{Trace, TraceEvent, TraceItem};

    fn svg(samples: impl IntoIterator<Item = (Duration, Sample)>) -> String {
        let mut trace = Trace::new(100 << 20, None, Profile::default()).unwrap();
        for (at, sample) in samples {
            trace.push(TraceEvent { at, item: TraceItem::Sample(Box::new(sample)) }).unwrap();
        }
        let report = crate::Replay::new(trace.config()).play(&trace).unwrap();
        let mut svg = Vec::new();
        report.write_chart(&mut svg).unwrap();
        String::from_utf8(svg).unwrap()
    }

    #[test]
    fn the_chart_names_both_budgets_every_line_and_the_levels_that_were_reached() {
        let sample = |live_mib: u64| Sample {
            live_bytes: live_mib << 20,
            limit_bytes: Some(120 << 20),
            ..Sample::default()
        };
        let svg = svg((0..=85).map(|second| (Duration::from_secs(second), sample(second))));
        for text in ["A budget of 100 MiB", "level warning", "level critical", "limit", "seconds"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(!svg.contains("level emergency"));
    }

    #[test]
    fn a_run_of_nothing_and_one_of_everything_have_a_chart_too() {
        assert!(svg([]).ends_with("</svg>\n"));
        let most = Sample {
            live_bytes: Trace::MAX_VALUE,
            charged_bytes: Trace::MAX_VALUE,
            limit_bytes: Some(0),
            ..Sample::default()
        };
        let late = Duration::from_millis(Trace::MAX_VALUE);
        let svg = svg([(Duration::ZERO, most), (late, most)]);
        assert!(svg.contains("hours") && !svg.contains("NaN"), "{svg}");
    }
}
