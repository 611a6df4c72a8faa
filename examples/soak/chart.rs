//! The chart: memory beside limit and budget, the load, and Bursar's own memory,
//! over one time.

use crate::row::Row;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

const SIZE: (u32, u32) = (960, 760);
/// Heights of the first two of three panels.
const HEIGHTS: (u32, u32) = (430, 165);
/// So many times what is drawn is the height of the memory panel: the names of its
/// lines are above them all.
const ROOM_FOR_NAMES: f64 = 1.45;
const FONT: &str = "sans-serif";
/// Points of a line at most: more than there are pixels would only be more file.
const POINTS: usize = 480;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Axes<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Line = Vec<(f64, f64)>;

/// The colours of everything; those of the lines differ for every kind of eye.
struct Colours {
    paper: RGBColor,
    ink: RGBColor,
    faint: RGBColor,
    limit: RGBColor,
    budget: RGBColor,
    used: RGBColor,
    live: RGBColor,
}

static LIGHT: Colours = Colours {
    paper: RGBColor(255, 255, 255),
    ink: RGBColor(40, 44, 52),
    faint: RGBColor(226, 229, 234),
    limit: RGBColor(180, 60, 0),
    budget: RGBColor(110, 115, 125),
    used: RGBColor(0, 114, 178),
    live: RGBColor(0, 140, 105),
};

static DARK: Colours = Colours {
    paper: RGBColor(13, 17, 23),
    ink: RGBColor(201, 209, 217),
    faint: RGBColor(48, 54, 61),
    limit: RGBColor(240, 136, 62),
    budget: RGBColor(139, 148, 158),
    used: RGBColor(86, 180, 233),
    live: RGBColor(40, 190, 150),
};

/// What is drawn.
#[derive(Debug)]
pub(crate) struct Chart<'a> {
    pub(crate) rows: &'a [Row],
    pub(crate) dark: bool,
}

impl Chart<'_> {
    /// Writes the chart to `path` as SVG.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        // Whole or not at all: whoever looks meanwhile sees the last one.
        let unfinished = path.with_extension("svg.part");
        let root = SVGBackend::new(&unfinished, SIZE).into_drawing_area();
        root.fill(&self.colours().paper)?;
        let (memory, below) = root.split_vertically(HEIGHTS.0);
        let (load, own) = below.split_vertically(HEIGHTS.1);
        self.memory(&memory)?;
        let (used, live) = (self.colours().used, self.colours().live);
        self.single(&load, "Requests a second", "", self.load(), used)?;
        let own_memory = self.line(|row| Some(row.bursar as f64 / 1024.0));
        self.single(&own, "Memory of Bursar itself", "KiB", own_memory, live)?;
        root.present()?;
        drop((memory, load, own, root));
        std::fs::rename(&unfinished, path)?;
        Ok(())
    }

    fn colours(&self) -> &'static Colours {
        if self.dark { &DARK } else { &LIGHT }
    }

    fn memory(&self, area: &Area<'_>) -> Result<(), Box<dyn Error>> {
        let colours = self.colours();
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let contained = self.rows.iter().any(|row| row.limit.is_some());
        let limit = self.line(|row| row.limit.map(mebibytes));
        let used = self.line(|row| row.container.or(row.resident).map(mebibytes));
        let budget = self.line(|row| Some(mebibytes(row.budget)));
        let live = self.line(|row| Some(mebibytes(row.live)));
        let top =
            [&limit, &budget, &used].into_iter().map(|line| highest(line)).fold(1.0, f64::max);
        let used_name = if contained { "used by the container" } else { "resident" };
        let mut axes = self.axes(area, "Memory of one service", "MiB", top * ROOM_FOR_NAMES)?;
        self.draw(&mut axes, limit, colours.limit, "the container's limit")?;
        self.draw(&mut axes, budget, colours.budget, "Bursar's budget")?;
        self.draw(&mut axes, used, colours.used, used_name)?;
        self.draw(&mut axes, live, colours.live, "live in the heap")?;
        axes.configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .label_font((FONT, 15).into_font().color(&colours.ink))
            .background_style(colours.paper.mix(0.9))
            .border_style(colours.faint)
            .margin(12)
            .draw()?;
        Ok(())
    }

    /// A panel with one line.
    fn single(
        &self,
        area: &Area<'_>,
        title: &str,
        unit: &str,
        line: Line,
        colour: RGBColor,
    ) -> Result<(), Box<dyn Error>> {
        let mut axes = self.axes(area, title, unit, highest(&line).max(1.0) * 1.1)?;
        self.draw(&mut axes, line, colour, title)
    }

    fn axes<'a, 'b>(
        &self,
        area: &'a Area<'b>,
        title: &str,
        unit: &str,
        top: f64,
    ) -> Result<Axes<'a, 'b>, Box<dyn Error>> {
        let colours = self.colours();
        let font = |size: u32| (FONT, size).into_font().color(&colours.ink);
        let end = self.rows.last().map_or(1.0, |row| row.seconds).max(1.0);
        let (name, each) = if end < 300.0 { ("seconds", 1.0) } else { ("minutes", 60.0) };
        let mut axes = ChartBuilder::on(area)
            .caption(title, font(18))
            .margin(10)
            .x_label_area_size(38)
            .y_label_area_size(66)
            .build_cartesian_2d(0.0..end / each, 0.0..top)?;
        axes.configure_mesh()
            .bold_line_style(colours.faint)
            .light_line_style(TRANSPARENT)
            .axis_style(colours.ink)
            .label_style(font(14))
            .axis_desc_style(font(14))
            .y_labels(5)
            .x_desc(name)
            .y_desc(unit)
            .x_label_formatter(&|time| format!("{time}"))
            .y_label_formatter(&|value| format!("{value:.0}"))
            .draw()?;
        Ok(axes)
    }

    fn draw(
        &self,
        axes: &mut Axes<'_, '_>,
        line: Line,
        colour: RGBColor,
        name: &str,
    ) -> Result<(), Box<dyn Error>> {
        if line.is_empty() {
            return Ok(());
        }
        axes.draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(4)));
        Ok(())
    }

    /// A figure over time, in few enough points: of the rows that share one, the
    /// highest.
    fn line(&self, figure: impl Fn(&Row) -> Option<f64>) -> Line {
        let each = self.unit();
        let point = |rows: &[Row]| {
            let highest = rows.iter().filter_map(&figure).reduce(f64::max)?;
            Some((rows.last()?.seconds / each, highest))
        };
        self.rows.chunks(self.chunk()).filter_map(point).collect()
    }

    /// Requests a second, over the rows that share a point.
    fn load(&self) -> Line {
        let each = self.unit();
        let mut before = Row::default();
        let mut point = |rows: &[Row]| {
            let last = rows.last().copied()?;
            let (served, time) = (last.served - before.served, last.seconds - before.seconds);
            before = last;
            Some((last.seconds / each, served as f64 / time.max(0.001)))
        };
        self.rows.chunks(self.chunk()).filter_map(&mut point).collect()
    }

    fn chunk(&self) -> usize {
        self.rows.len().div_ceil(POINTS).max(1)
    }

    fn unit(&self) -> f64 {
        let end = self.rows.last().map_or(0.0, |row| row.seconds);
        if end < 300.0 { 1.0 } else { 60.0 }
    }
}

fn highest(line: &[(f64, f64)]) -> f64 {
    line.iter().map(|point| point.1).fold(0.0, f64::max)
}
