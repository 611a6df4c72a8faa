//! The chart of ratios to the bare backend.

use crate::chart::{Bar, Bars, Chart, Drawing, Group, series_of};
use crate::measure::{Backend, Figures};
use crate::workload::WORKLOADS;

/// Bars for each workload that was measured; none if there is none.
pub(super) fn chart(backend: &'static Backend, figures: &Figures) -> Option<Chart> {
    let counting: Vec<_> = backend.counting().collect();
    let bare = backend.bare.program;
    let bars = |workload| {
        let ratios = counting.iter().map(|it| figures.ratios(workload, it.program, bare));
        let bars = ratios.enumerate();
        bars.filter_map(|(number, ratios)| Some(Bar::of(number, ratios?))).collect::<Vec<_>>()
    };
    let groups = WORKLOADS
        .iter()
        .map(|workload| Group { title: workload.title.to_owned(), bars: bars(workload.name) });
    let groups: Vec<_> = groups.filter(|group| !group.bars.is_empty()).collect();
    (!groups.is_empty()).then(|| Chart {
        name: "overhead",
        title: format!("What counting costs, over {}", backend.title),
        drawing: Drawing::Bars(Bars {
            axis: format!("time, as a multiple of {} bare; less is better", backend.title),
            decimals: 2,
            series: series_of(&counting),
            groups,
            mark: Some((1.0, "bare".to_owned())),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Kind;

    #[test]
    fn each_workload_has_a_bar_for_each_that_counts_and_none_for_the_bare_backend() {
        let mut figures = Figures::default();
        let nanos = |kind| if kind == Kind::Bare { 10.0 } else { 12.5 };
        figures.take_turns(3, &["churn"], |_, of| Ok(Some(nanos(of.kind)))).unwrap();
        let backend = &Backend::all()[0];
        let Drawing::Bars(bars) = chart(backend, &figures).unwrap().drawing else {
            panic!("they are bars")
        };
        assert_eq!(bars.groups.len(), 1);
        assert_eq!(bars.groups[0].title, "churn of 8-256 B");
        assert_eq!(bars.groups[0].bars.len(), backend.counting().count());
        assert_eq!(bars.series[0].title, "Bursar");
    }

    #[test]
    fn what_was_not_measured_is_not_drawn() {
        assert!(chart(&Backend::all()[0], &Figures::default()).is_none());
    }
}
