//! How long `bursar status` takes, from its start to its end.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bursar::{Endpoints, StatsServer};

use super::scene::Scene;
use super::{Extent, table};
use crate::measure::{Spread, Table, cell, dash};

/// Commands a round.
const COMMANDS: usize = 10;
const QUICK_COMMANDS: usize = 1;
const READINGS: usize = 2;
/// In which the system tells processor time, whatever it counts in itself.
const TICKS_A_SECOND: f64 = 100.0;

/// The table of commands, over a unix socket; of the reason why there are none.
pub(super) fn measure(extent: Extent, bursar: Option<&Path>) -> Result<Table, Box<dyn Error>> {
    let Some(bursar) = bursar else {
        return Ok(not_measured("--bursar PATH is to be the program, built with --features cli"));
    };
    if !cfg!(target_os = "linux") {
        return Ok(not_measured("the processor time of children is read as Linux tells it"));
    }
    let scene = Scene::set(READINGS)?;
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("bursar.sock");
    let _server = StatsServer::unix(&socket).start(Endpoints::new(&scene.bursar))?;
    let commands = extent.rounds * extent.of(COMMANDS, QUICK_COMMANDS);
    eprintln!("{commands} commands");
    let used = of_children()?;
    let times: Result<Vec<_>, _> = (0..commands).map(|_| time(bursar, &socket)).collect();
    let used = of_children()?.saturating_sub(used);
    let times = Spread::of(times?.iter().map(|time| time.as_secs_f64() * 1e3));
    let heading = format!("`bursar status` of {}", scene.describe());
    let mut table = table([heading.as_str(), "milliseconds", "longest", "bar"]);
    table.add([
        "from its start to its end".to_owned(),
        cell(times, 2),
        times.map_or_else(dash, |times| format!("{:.2}", times.most)),
        "< 50 ms".to_owned(),
    ]);
    table.add([
        format!("on a processor, mean of {commands}"),
        format!("{:.2}", used.as_secs_f64() * 1e3 / commands as f64),
        dash(),
        dash(),
    ]);
    Ok(table)
}

fn not_measured(why: &str) -> Table {
    let mut table = table(["`bursar status`", "milliseconds"]);
    table.add([format!("not measured: {why}"), dash()]);
    table
}

/// Runs the command once.
fn time(bursar: &Path, socket: &Path) -> Result<Duration, Box<dyn Error>> {
    let mut command = Command::new(bursar);
    command.arg("status").arg("--socket").arg(socket).stdin(Stdio::null());
    let begun = Instant::now();
    let output = command.output().map_err(|error| format!("{}: {error}", bursar.display()))?;
    let time = begun.elapsed();
    if !output.status.success() || output.stdout.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} status: {}\n{said}", bursar.display(), output.status).into());
    }
    Ok(time)
}

/// The processor time of all children that have ended.
fn of_children() -> Result<Duration, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/stat")?;
    of_children_in(&text).ok_or_else(|| format!("/proc/self/stat has {text:?}").into())
}

/// The fields `cutime` and `cstime`. The name, which comes before, may have anything in it.
fn of_children_in(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = fields.split(' ').skip(13).take(2).map(str::parse::<u64>);
    let [user, system] = ticks.collect::<Result<Vec<_>, _>>().ok()?.try_into().ok()?;
    Some(Duration::from_secs_f64((user + system) as f64 / TICKS_A_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_children_is_found_behind_a_name_with_anything_in_it() {
        let stat = "7 (a) b (c) R 1 7 7 0 -1 4194304 100 200 0 0 11 12 150 25 20 0 3 0 99 0 0\n";
        assert_eq!(of_children_in(stat), Some(Duration::from_millis(1750)));
        assert_eq!(of_children_in("7 (a) R 1 7"), None);
        assert_eq!(of_children_in(""), None);
    }

    #[test]
    fn a_program_that_is_not_there_or_fails_is_named() {
        let socket = Path::new("no-such.sock");
        for program in ["no-such-program", "false"] {
            let error = time(Path::new(program), socket).unwrap_err().to_string();
            assert!(error.contains(program), "{error}");
        }
    }
}
