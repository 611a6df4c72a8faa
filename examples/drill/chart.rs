//! The chart: memory over time of the runs, beside the limit and the budget.

use crate::run::{Fate, Report};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SIZE: (u32, u32) = (960, 480);
const FONT: &str = "sans-serif";

/// The colours on a page.
#[derive(Debug)]
struct Look {
    paper: RGBColor,
    ink: RGBColor,
    faint: RGBColor,
    bare: RGBColor,
    bursar: RGBColor,
    limit: RGBColor,
    budget: RGBColor,
}

const LIGHT: Look = Look {
    paper: WHITE,
    ink: RGBColor(40, 44, 52),
    faint: RGBColor(226, 229, 234),
    bare: RGBColor(200, 60, 40),
    bursar: RGBColor(20, 105, 175),
    limit: RGBColor(90, 20, 20),
    budget: RGBColor(110, 115, 125),
};

const DARK: Look = Look {
    paper: RGBColor(13, 17, 23),
    ink: RGBColor(230, 237, 243),
    faint: RGBColor(48, 54, 61),
    bare: RGBColor(240, 120, 50),
    bursar: RGBColor(86, 180, 233),
    limit: RGBColor(255, 170, 160),
    budget: RGBColor(150, 158, 168),
};

type Axes<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// What is drawn.
#[derive(Debug)]
pub(crate) struct Chart<'a> {
    /// Not where Bursar runs alone.
    pub(crate) bare: Option<&'a Report>,
    pub(crate) bursar: &'a Report,
    pub(crate) limit: u64,
    pub(crate) budget: u64,
    /// Whether the memory is the container's count or the process's.
    pub(crate) contained: bool,
}

impl Chart<'_> {
    /// Writes the chart to `path` as SVG, and one for dark pages beside it.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        self.draw(path, &LIGHT)?;
        self.draw(&dark(path), &DARK)
    }

    fn draw(&self, path: &Path, look: &Look) -> Result<(), Box<dyn Error>> {
        let root = SVGBackend::new(path, SIZE).into_drawing_area();
        root.fill(&look.paper)?;
        let mut axes = self.axes(&root, look)?;
        self.level(&mut axes, self.limit, look.limit, "limit")?;
        self.level(&mut axes, self.budget, look.budget, "Bursar's budget")?;
        self.memory(&mut axes, self.bursar, look.bursar, "with Bursar")?;
        if let Some(bare) = self.bare {
            self.memory(&mut axes, bare, look.bare, "bare allocator")?;
            self.end_of_bare(&mut axes, bare, look.bare)?;
        }
        axes.configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .label_font((FONT, 15).into_font().color(&look.ink))
            .background_style(look.paper.mix(0.9))
            .border_style(look.faint)
            .margin(12)
            .draw()?;
        root.present()?;
        Ok(())
    }

    fn axes<'a, 'b>(
        &self,
        root: &'a DrawingArea<SVGBackend<'b>, Shift>,
        look: &Look,
    ) -> Result<Axes<'a, 'b>, Box<dyn Error>> {
        let whose = if self.contained { "the container" } else { "the process" };
        let title = format!(
            "Memory of {whose} over time: one service, one load, a limit of {:.0} MiB",
            mebibytes(self.limit)
        );
        let mut axes = ChartBuilder::on(root)
            .caption(title, (FONT, 19).into_font().color(&look.ink))
            .margin(14)
            .x_label_area_size(44)
            .y_label_area_size(58)
            .build_cartesian_2d(0.0..self.seconds(), 0.0..mebibytes(self.limit) * 1.12)?;
        axes.configure_mesh()
            .bold_line_style(look.faint)
            .light_line_style(TRANSPARENT)
            .axis_style(look.ink)
            .label_style((FONT, 14).into_font().color(&look.ink))
            .axis_desc_style((FONT, 15).into_font().color(&look.ink))
            .x_desc("seconds")
            .y_desc("MiB")
            .x_label_formatter(&|seconds| format!("{seconds}"))
            .y_label_formatter(&|mebibytes| format!("{mebibytes:.0}"))
            .draw()?;
        Ok(axes)
    }

    /// The length of the longer run.
    fn seconds(&self) -> f64 {
        let bare = self.bare.map_or(Duration::ZERO, |bare| bare.alive);
        bare.max(self.bursar.alive).as_secs_f64().max(1.0)
    }

    /// A horizontal line with its name and value.
    fn level(
        &self,
        axes: &mut Axes<'_, '_>,
        bytes: u64,
        colour: RGBColor,
        name: &str,
    ) -> Result<(), Box<dyn Error>> {
        let (end, at) = (self.seconds(), mebibytes(bytes));
        axes.draw_series(DashedLineSeries::new(
            [(0.0, at), (end, at)],
            8,
            5,
            colour.stroke_width(2),
        ))?
        .label(format!("{name}: {at:.0} MiB"))
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(2)));
        Ok(())
    }

    /// A run's memory as a line over a faint area.
    fn memory(
        &self,
        axes: &mut Axes<'_, '_>,
        run: &Report,
        colour: RGBColor,
        name: &str,
    ) -> Result<(), Box<dyn Error>> {
        let points = points(run);
        axes.draw_series(AreaSeries::new(points.clone(), 0.0, colour.mix(0.10)))?;
        axes.draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(4)));
        Ok(())
    }

    /// Marks where the bare run ended, and how.
    fn end_of_bare(
        &self,
        axes: &mut Axes<'_, '_>,
        bare: &Report,
        colour: RGBColor,
    ) -> Result<(), Box<dyn Error>> {
        let what = match bare.fate {
            Fate::Killed => "killed by the kernel",
            Fate::Stopped => "stopped by the drill",
            _ => return Ok(()),
        };
        let Some(&at) = points(bare).last() else {
            return Ok(());
        };
        axes.draw_series([Cross::new(at, 7, colour.stroke_width(3))])?;
        let words = format!("bare allocator {what} after {:.1} s", bare.alive.as_secs_f64());
        // Towards the middle, so that it fits beside the mark.
        let late = at.0 > self.seconds() / 2.0;
        let (side, step) = if late { (HPos::Right, -0.012) } else { (HPos::Left, 0.012) };
        let style = (FONT, 15).into_font().color(&colour);
        let style = style.pos(Pos::new(side, VPos::Center));
        let beside = (at.0 + self.seconds() * step, mebibytes(self.limit) * 1.06);
        axes.draw_series([Text::new(words, beside, style)])?;
        Ok(())
    }
}

/// Beside a chart: `drill-dark.svg` beside `drill.svg`.
fn dark(chart: &Path) -> PathBuf {
    let stem = chart.file_stem().unwrap_or_default().to_string_lossy();
    let extension = chart.extension().map_or_else(|| "svg".into(), |it| it.to_string_lossy());
    chart.with_file_name(format!("{stem}-dark.{extension}"))
}

/// Memory over time. A killed run ends at the peak that its container counted,
/// which no sample saw.
fn points(run: &Report) -> Vec<(f64, f64)> {
    let sampled =
        run.samples.iter().map(|sample| (sample.at.as_secs_f64(), mebibytes(sample.memory)));
    let end = (run.alive.as_secs_f64(), mebibytes(run.peak));
    let end = (run.fate == Fate::Killed).then_some(end);
    sampled.chain(end).collect()
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::report;

    #[test]
    fn a_chart_is_drawn_for_light_pages_and_beside_it_for_dark_ones() {
        let directory = tempfile::tempdir().unwrap();
        let (bare, bursar) = (report(Fate::Killed), report(Fate::Served));
        let (bare, limit, budget) = (Some(&bare), 128 << 20, 115 << 20);
        let chart = Chart { bare, bursar: &bursar, limit, budget, contained: true };
        chart.write(&directory.path().join("run.svg")).unwrap();
        let read = |file| std::fs::read_to_string(directory.path().join(file)).unwrap();
        let (light, dark) = (read("run.svg"), read("run-dark.svg"));
        assert!(light.contains("#FFFFFF") && !dark.contains("#FFFFFF"));
        assert!(dark.contains("killed by the kernel") && light.contains("killed by the kernel"));
    }
}
