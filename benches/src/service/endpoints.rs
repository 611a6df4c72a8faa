//! Microseconds on a processor of an answer about a process with much to tell of.

use std::error::Error;
use std::hint::black_box;

use bursar::{Endpoints, open_metrics};
use http::{Request, StatusCode};
use http_body_util::BodyExt;

use super::scene::Scene;
use super::{Extent, table};
use crate::measure::{Spread, Table, cell, dash, in_turns, of_this_thread};

/// What a round asks for.
const ANSWERS: usize = 200;
const QUICK_ANSWERS: usize = 2;
/// As many readings as a history keeps, which takes a minute.
const READINGS: usize = 520;
const QUICK_READINGS: usize = 2;

const BAR: &str = "< 1,000 us";

/// What is made, and how long it is, in bytes.
type Make<'a> = Box<dyn Fn() -> Result<usize, Box<dyn Error>> + 'a>;

struct Contestant<'a> {
    title: &'a str,
    bar: Option<&'static str>,
    make: Make<'a>,
}

/// The table of answers: how long each takes to make, and is.
pub(super) fn measure(extent: Extent) -> Result<Table, Box<dyn Error>> {
    let readings = extent.of(READINGS, QUICK_READINGS);
    eprintln!("{readings} readings");
    let scene = Scene::set(readings)?;
    let endpoints = Endpoints::new(&scene.bursar);
    let contestants = [
        Contestant {
            title: "stats()",
            bar: None,
            make: Box::new(|| Ok(black_box(scene.bursar.stats()).tags.len())),
        },
        Contestant {
            title: "open_metrics(&stats())",
            bar: Some(BAR),
            make: Box::new(|| Ok(black_box(open_metrics(&scene.bursar.stats())).len())),
        },
        of_path(&endpoints, "/metrics", Some(BAR)),
        of_path(&endpoints, "/stats", None),
        of_path(&endpoints, "/history", None),
        of_path(&endpoints, "/health", None),
    ];
    let heading = scene.describe();
    let mut table = table([heading.as_str(), "microseconds on a processor", "bytes", "bar"]);
    let answers = extent.of(ANSWERS, QUICK_ANSWERS);
    eprintln!("{} rounds of {answers} answers each", extent.rounds);
    let micros = in_turns(extent.rounds, contestants.len(), |number| {
        micros_of_an_answer(&contestants[number].make, answers)
    })?;
    for (contestant, micros) in contestants.iter().zip(micros) {
        let bytes = (contestant.make)()?;
        table.add([
            contestant.title.to_owned(),
            cell(Spread::of(micros), 1),
            if contestant.title == "stats()" { dash() } else { bytes.to_string() },
            contestant.bar.map_or_else(dash, str::to_owned),
        ]);
    }
    Ok(table)
}

fn of_path<'a>(
    endpoints: &'a Endpoints,
    path: &'static str,
    bar: Option<&'static str>,
) -> Contestant<'a> {
    let mut request = Request::new(());
    *request.uri_mut() = http::Uri::from_static(path);
    let make = move || {
        let answer = black_box(endpoints.respond(&request));
        let status = answer.status();
        if status != StatusCode::OK {
            return Err(format!("GET {path} is answered with {status}").into());
        }
        Ok(length(answer.body()))
    };
    Contestant { title: path, bar, make: Box::new(make) }
}

/// What the answer's body is known to have.
fn length(body: &impl BodyExt) -> usize {
    body.size_hint().exact().unwrap_or(0) as usize
}

fn micros_of_an_answer(make: &Make<'_>, answers: usize) -> Result<f64, Box<dyn Error>> {
    let begun = of_this_thread()?;
    for _ in 0..answers {
        if make()? == 0 {
            return Err("an answer was empty".into());
        }
    }
    Ok(of_this_thread()?.saturating_sub(begun).as_secs_f64() * 1e6 / answers as f64)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn an_empty_answer_is_an_error_and_no_quick_one() {
        let answer_of = |bytes: usize| -> Make<'static> { Box::new(move || Ok(bytes)) };
        let error = micros_of_an_answer(&answer_of(0), 3).unwrap_err();
        assert_eq!(error.to_string(), "an answer was empty");
        assert!(micros_of_an_answer(&answer_of(1), 3).unwrap() >= 0.0);
    }
}
