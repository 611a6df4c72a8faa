//! Charts of what was measured, as SVG: each once for light pages and once for dark ones.

mod bars;
mod canvas;
mod lines;
mod theme;

use std::error::Error;
use std::fs;
use std::path::Path;

pub(crate) use self::bars::{Bar, Bars, Group};
pub(crate) use self::lines::{Line, Lines};
pub(crate) use self::theme::Hue;
use self::theme::THEMES;
use crate::measure::{Configuration, Kind};

/// What is drawn, and what is said about it.
#[derive(Debug)]
pub(crate) struct Chart {
    /// The files' name, without what it ends with.
    pub(crate) name: &'static str,
    /// The heading; a reader who cannot see the chart is told this too.
    pub(crate) title: String,
    pub(crate) drawing: Drawing,
}

/// How it is drawn.
#[derive(Debug)]
pub(crate) enum Drawing {
    Bars(Bars),
    Lines(Lines),
}

/// A series in a chart's legend.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) title: String,
    pub(crate) hue: Hue,
}

impl Series {
    pub(crate) fn new(title: impl Into<String>, hue: Hue) -> Self {
        Self { title: title.into(), hue }
    }
}

/// The series of a backend's programs: the same in every chart that has them.
pub(crate) fn series_of<'p>(
    programs: impl IntoIterator<Item = &'p &'static Configuration>,
) -> Vec<Series> {
    let mut peers = [Hue::Orange, Hue::Purple, Hue::Vermilion].into_iter().cycle();
    let mut hue = |kind| match kind {
        Kind::Bare => Some(Hue::Grey),
        Kind::Bursar => Some(Hue::Blue),
        Kind::Sampled => Some(Hue::Green),
        Kind::Peer => peers.next(),
    };
    let series = |program: &&Configuration| {
        Series::new(program.title, hue(program.kind).unwrap_or(Hue::Vermilion))
    };
    programs.into_iter().map(series).collect()
}

impl Chart {
    /// Writes the chart's files into `directory`, which is made if need be.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Box<dyn Error>> {
        let why = |error| format!("{}: {error}", directory.display());
        fs::create_dir_all(directory).map_err(why)?;
        for theme in &THEMES {
            let path = directory.join(format!("{}{}.svg", self.name, theme.suffix));
            let drawn = match &self.drawing {
                Drawing::Bars(bars) => bars.draw(&path, &self.title, theme),
                Drawing::Lines(lines) => lines.draw(&path, &self.title, theme),
            };
            drawn.map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }

    /// What shows the chart in a page of Markdown, in the look that suits the reader's.
    pub(crate) fn markdown(&self, directory: &Path) -> String {
        let (files, title) = (directory.join(self.name), &self.title);
        let files = files.display();
        format!(
            "<picture>\n  \
             <source media=\"(prefers-color-scheme: dark)\" srcset=\"{files}-dark.svg\">\n  \
             <img alt=\"{title}\" src=\"{files}.svg\">\n\
             </picture>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Spread;

    fn spread(median: f64) -> Spread {
        Spread { least: median * 0.9, median, most: median * 1.2 }
    }

    fn bars() -> Chart {
        let bars = vec![Bar::of(0, spread(1.29)), Bar::of(1, spread(3.89))];
        let drawing = Drawing::Bars(Bars {
            axis: "over bare".to_owned(),
            decimals: 2,
            series: vec![Series::new("Bursar", Hue::Blue), Series::new("a peer", Hue::Orange)],
            groups: vec![Group { title: "pairs of 48 B".to_owned(), bars }],
            mark: Some((1.0, "bare".to_owned())),
        });
        Chart { name: "overhead", title: "What it costs".to_owned(), drawing }
    }

    fn lines() -> Chart {
        let points = vec![(1.0, spread(10.0)), (240.0, spread(15_000.0))];
        let drawing = Drawing::Lines(Lines {
            across: "tags".to_owned(),
            up: "us".to_owned(),
            is_log: true,
            lines: vec![Line { series: Series::new("16 threads", Hue::Blue), points }],
        });
        Chart { name: "snapshot", title: "A snapshot".to_owned(), drawing }
    }

    #[test]
    fn each_chart_is_a_file_for_light_pages_and_one_for_dark_ones() {
        let directory = tempfile::tempdir().unwrap();
        let charts = directory.path().join("docs/charts");
        for chart in [bars(), lines()] {
            chart.write(&charts).unwrap();
            let read = |suffix| {
                let path = charts.join(format!("{}{suffix}.svg", chart.name));
                fs::read_to_string(path).unwrap()
            };
            let (light, dark) = (read(""), read("-dark"));
            assert!(light.contains("#FFFFFF") && !dark.contains("#FFFFFF"), "{}", chart.name);
            for svg in [light, dark] {
                assert!(svg.contains(&chart.title), "{svg}");
                assert!(svg.trim_end().ends_with("</svg>"), "{svg}");
            }
        }
    }

    #[test]
    fn every_group_series_and_figure_of_bars_is_written_out() {
        let directory = tempfile::tempdir().unwrap();
        bars().write(directory.path()).unwrap();
        let svg = fs::read_to_string(directory.path().join("overhead.svg")).unwrap();
        for words in ["pairs of 48 B", "Bursar", "a peer", "1.29", "3.89", "over bare"] {
            assert!(svg.contains(words), "{words} in {svg}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error = bars().write(&file.join("charts")).unwrap_err().to_string();
        assert!(error.contains("file/charts"), "{error}");
    }

    #[test]
    fn markdown_shows_the_file_that_suits_the_page() {
        let markdown = bars().markdown(Path::new("docs/charts"));
        assert!(markdown.contains("srcset=\"docs/charts/overhead-dark.svg\""), "{markdown}");
        assert!(markdown.contains("alt=\"What it costs\" src=\"docs/charts/overhead.svg\""));
    }
}
