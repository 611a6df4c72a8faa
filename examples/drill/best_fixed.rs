//! Bursar beside the best fixed size there is: sizes are tried under the same
//! limit and load, and the best run again in turns with Bursar.

use crate::board::{Board, LEAST_THROUGHPUT, MOST_POINTS, Outcome, Size, median};
use crate::run::{self, Plan, Subject};
use crate::search::Search;
use crate::show::{self, bytes, grouped, percent};
use comfy_table::CellAlignment;

/// Tries, compares and prints; whether the drill was passed.
pub(crate) async fn drill(plan: &Plan, rounds: usize) -> Result<bool, String> {
    let board = fill(plan, rounds).await?;
    println!("{}", table(&board, &plan.profile));
    for line in summary(&board) {
        println!("{line}");
    }
    let near = board.distance().is_some_and(|distance| distance.passes());
    Ok(show::complain(&board.complaints()) && near)
}

async fn fill(plan: &Plan, rounds: usize) -> Result<Board, String> {
    let mut board = Board::default();
    let search = search(plan);
    while let Some(entries) = search.next(&board.tried()) {
        let subject = Subject::Fixed { entries };
        let trial = outcome(plan, subject).await?;
        println!("{}: {}", subject.label(), in_words(&trial));
        board.sizes.push(Size { entries, trial, finals: Vec::new() });
    }
    for round in 1..=rounds {
        let bursar = outcome(plan, Subject::Bursar).await?;
        println!("round {round}, {}: {}", Subject::Bursar.label(), in_words(&bursar));
        board.bursar.push(bursar);
        while let Some(entries) = board.due(round) {
            let subject = Subject::Fixed { entries };
            let outcome = outcome(plan, subject).await?;
            println!("round {round}, {}: {}", subject.label(), in_words(&outcome));
            board.add_final(entries, outcome);
        }
    }
    board.unlimited = Some(outcome(plan, Subject::Unlimited).await?);
    Ok(board)
}

/// Begins well below what could fit by the size of the answers.
fn search(plan: &Plan) -> Search {
    let entries = plan.answers.pictures();
    let entry_bytes = (plan.answers.bytes() / entries).max(1);
    let first = (plan.limit / entry_bytes * 2 / 5) as usize;
    Search { first, most: entries as usize }
}

async fn outcome(plan: &Plan, subject: Subject) -> Result<Outcome, String> {
    Ok(Outcome::of(&run::run(plan, subject).await?))
}

fn in_words(run: &Outcome) -> String {
    let (fate, hit_rate) = (run.fate.in_words(), percent(run.hit_rate));
    let rate = grouped(run.per_cpu_second as u64);
    format!("{fate}, hit rate {hit_rate}, {rate} requests a CPU-second, peak {}", bytes(run.peak))
}

/// Every size, smallest first, then Bursar and what there would be with all the
/// memory in the world.
fn table(board: &Board, profile: &str) -> String {
    let mut table = show::table([
        "caches",
        "fate",
        "runs",
        "hit rate",
        "requests a CPU-second",
        "peak memory",
        "",
    ]);
    let mut sizes: Vec<&Size> = board.sizes.iter().collect();
    sizes.sort_by_key(|size| size.entries);
    for size in sizes {
        let name = Subject::Fixed { entries: size.entries }.label();
        let runs: Vec<Outcome> = size.runs().cloned().collect();
        table.add_row(row(name, &runs, size.counting(), remark(board, size.entries)));
    }
    let bursar = format!("Bursar, profile {profile}");
    table.add_row(row(bursar, &board.bursar, &board.bursar, String::new()));
    if let Some(run) = &board.unlimited {
        let run = std::slice::from_ref(run);
        let remark = "no limit on anything".to_owned();
        table.add_row(row(Subject::Unlimited.label(), run, run, remark));
    }
    show::align(&mut table);
    for words in [1, 6] {
        if let Some(column) = table.column_mut(words) {
            column.set_cell_alignment(CellAlignment::Left);
        }
    }
    table.to_string()
}

/// One row: how all of `runs` went, and the medians of those that count. A run
/// that was killed has answered fewer requests: its figures tell nothing.
fn row(name: String, runs: &[Outcome], counting: &[Outcome], remark: String) -> Vec<String> {
    let lived: Vec<Outcome> = counting.iter().filter(|run| run.fate.lived()).cloned().collect();
    let figure = |figure: fn(&Outcome) -> f64| median(&lived, figure);
    vec![
        name,
        fate(runs),
        runs.len().to_string(),
        show::or_dash(figure(|run| run.hit_rate), percent),
        show::or_dash(figure(|run| run.per_cpu_second), |rate| grouped(rate as u64)),
        show::or_dash(runs.iter().map(|run| run.peak).max(), bytes),
        remark,
    ]
}

/// How the runs ended: the worst of it.
fn fate(runs: &[Outcome]) -> String {
    let ended = runs.iter().filter(|run| !run.fate.lived()).count();
    let worst = runs.iter().find(|run| !run.fate.lived()).or(runs.first());
    let words = worst.map(|run| run.fate.in_words()).unwrap_or_default();
    match runs.len() {
        total if ended > 0 && total > 1 => format!("{words} in {ended} of {total} runs"),
        _ => words,
    }
}

fn remark(board: &Board, entries: usize) -> String {
    let Some(best) = board.best() else { return String::new() };
    let kinds = [(best.by_hit_rate, "hit rate"), (best.by_throughput, "throughput")];
    let kinds = kinds.into_iter().filter(|(size, _)| size.entries == entries);
    let kinds: Vec<&str> = kinds.map(|(_, kind)| kind).collect();
    if kinds.is_empty() { String::new() } else { format!("best {}", kinds.join(" and ")) }
}

/// The two distances and their bars.
fn summary(board: &Board) -> Vec<String> {
    let (Some(best), Some(distance)) = (board.best(), board.distance()) else {
        return Vec::new();
    };
    let side = if distance.points < 0.0 { "above" } else { "below" };
    vec![
        format!(
            "{}  hit rate: {:.1} points {side} the best, of {} (bar: at most {MOST_POINTS} below)",
            show::verdict(distance.hit_rate_passes()),
            distance.points.abs(),
            Subject::Fixed { entries: best.by_hit_rate.entries }.label(),
        ),
        format!(
            "{}  requests a CPU-second: {} of the best, of {} (bar: at least {:.0} %)",
            show::verdict(distance.throughput_passes()),
            percent(distance.throughput),
            Subject::Fixed { entries: best.by_throughput.entries }.label(),
            LEAST_THROUGHPUT * 100.0,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Fate;

    fn outcome(fate: Fate, hit_rate: f64) -> Outcome {
        let (per_cpu_second, peak, wrong, failed) = (12_345.0, 100 << 20, 0, 0);
        Outcome { fate, hit_rate, per_cpu_second, peak, wrong, failed }
    }

    #[test]
    fn the_table_has_each_size_with_its_fate_and_names_the_best() {
        let size = |entries, fate, hit_rate| Size {
            entries,
            trial: outcome(fate, hit_rate),
            finals: vec![outcome(Fate::Served, hit_rate + 0.01)],
        };
        let board = Board {
            sizes: vec![size(7_000, Fate::Killed, 0.9), size(5_000, Fate::Served, 0.74)],
            bursar: vec![outcome(Fate::Served, 0.70)],
            unlimited: Some(outcome(Fate::Served, 0.95)),
        };
        let table = table(&board, "dense");
        let rows: Vec<String> = table
            .lines()
            .skip(2)
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            rows,
            [
                "| 5,000 entries a cache | served everything | 2 | 75.0 % | 12,345 | 100.0 MiB | \
                 best hit rate and throughput |",
                "| 7,000 entries a cache | killed by the kernel in 1 of 2 runs | 2 | 91.0 % | \
                 12,345 | 100.0 MiB | |",
                "| Bursar, profile dense | served everything | 1 | 70.0 % | 12,345 | 100.0 MiB | |",
                "| unlimited memory | served everything | 1 | 95.0 % | 12,345 | 100.0 MiB | no \
                 limit on anything |",
            ]
        );
        let summary = summary(&board);
        assert!(summary[0].contains("5.0 points below the best, of 5,000"), "{summary:?}");
        assert!(summary[0].starts_with("FAILED"), "{summary:?}");
        assert!(summary[1].starts_with("passed  requests a CPU-second: 100.0 %"), "{summary:?}");
    }
}
