//! The web instance: Bursar within 512 MiB and half a core, under a steady load
//! for a long time, and whether it kept what such an instance is held to.

use crate::report::table;
use crate::run::{self, Fate, Plan, Report, Subject};
use crate::show::{bytes, or_dash, percent};
use crate::verdict::Verdict;
use bursar::PressureLevel;
use bytesize::ByteSize;

/// The most memory it may ever use.
const MOST_MEMORY: ByteSize = ByteSize::mb(400);
/// The hit rate is above that.
const HIT_RATE_ABOVE: f64 = 0.80;
/// Memory grows by less than this over the last requests.
const GROWTH_BELOW: ByteSize = ByteSize::mb(100);
/// So many.
const LAST_REQUESTS: u64 = 100;

/// Runs the instance and prints; whether it kept everything.
pub(crate) async fn drill(plan: &Plan) -> Result<(Report, bool), String> {
    let report = run::run(plan, Subject::Bursar).await?;
    println!("{}", table(&[("with Bursar", &report)]));
    println!("processor: {}", processor(plan, &report));
    let verdicts = verdicts(&report);
    for verdict in &verdicts {
        println!("{verdict}");
    }
    let passed = verdicts.iter().all(|verdict| verdict.passed);
    Ok((report, passed))
}

fn processor(plan: &Plan, report: &Report) -> String {
    let used = or_dash(report.cores_used(), |cores| format!("{cores:.2} cores used"));
    let throttled = |share| format!(", held back in {} of its periods", percent(share));
    match plan.cores {
        Some(cores) => format!(
            "{used} of a quota of {cores}{}",
            report.throttled.map(throttled).unwrap_or_default()
        ),
        None => format!("{used}, without a quota"),
    }
}

fn verdicts(report: &Report) -> Vec<Verdict> {
    let below = |size: ByteSize| format!("below {size}", size = bytes(size.as_u64()));
    let growth = report.growth(LAST_REQUESTS);
    let (did, tables) = (report.reclaim(), report.account.map(|account| account.tables_built));
    let tally = &report.tally;
    let verdict = |what, found, bar, passed| Verdict { what, found, bar, passed };
    vec![
        verdict(
            "the server",
            report.fate.in_words(),
            "serves everything".to_owned(),
            report.fate == Fate::Served,
        ),
        verdict(
            "answers",
            format!("{} wrong, {} failed", tally.wrong, tally.failed),
            "none wrong, none failed".to_owned(),
            tally.wrong == 0 && tally.failed == 0,
        ),
        verdict(
            "memory used at most",
            bytes(report.peak),
            format!("at most {}", bytes(MOST_MEMORY.as_u64())),
            report.peak <= MOST_MEMORY.as_u64(),
        ),
        verdict(
            "hit rate",
            percent(report.hit_rate()),
            format!("above {}", percent(HIT_RATE_ABOVE)),
            report.hit_rate() > HIT_RATE_ABOVE,
        ),
        verdict(
            "growth over the last 100 requests",
            or_dash(growth, bytes),
            below(GROWTH_BELOW),
            growth.is_some_and(|bytes| bytes < GROWTH_BELOW.as_u64()),
        ),
        verdict(
            "cleanups",
            or_dash(did, |did| format!("{}, highest level {}", did.cleanups, did.highest)),
            "some, all below the critical level".to_owned(),
            did.is_some_and(|did| did.cleanups > 0 && did.highest < PressureLevel::Critical),
        ),
        verdict(
            "singletons: tables built",
            or_dash(tables, |times| times.to_string()),
            "1".to_owned(),
            tables == Some(1),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::report;
    use crate::sample::Sample;
    use crate::server::{Account, Reclaim};
    use std::time::Duration;

    /// An instance that keeps everything, if only just.
    fn kept() -> Report {
        let mut report = report(Fate::Served);
        report.peak = 400_000_000;
        (report.tally.served, report.tally.hits) = (1_000, 801);
        let sample = |served, memory| Sample {
            at: Duration::from_secs(served),
            memory,
            cpu: Duration::from_secs(served / 4),
            served,
        };
        report.samples = vec![sample(900, 200_000_000), sample(1_000, 299_999_999)];
        let reclaim =
            Reclaim { cleanups: 1, freed: 1, collected: 0, highest: PressureLevel::Warning };
        report.account = Some(Account { bursar: Some(reclaim), tables_built: 1 });
        report
    }

    /// What is missed once `change` is made to an instance that keeps everything.
    fn missed(change: impl FnOnce(&mut Report)) -> Vec<&'static str> {
        let mut report = kept();
        change(&mut report);
        let missed = verdicts(&report).into_iter().filter(|verdict| !verdict.passed);
        missed.map(|verdict| verdict.what).collect()
    }

    fn reclaim(report: &mut Report) -> &mut Reclaim {
        let account = report.account.as_mut().expect("an account");
        account.bursar.as_mut().expect("what Bursar did")
    }

    #[test]
    fn an_instance_that_just_keeps_everything_passes() {
        assert_eq!(missed(|_| ()), [] as [&str; 0]);
    }

    #[test]
    fn each_thing_that_is_not_kept_fails_by_itself() {
        assert_eq!(missed(|report| report.fate = Fate::Killed), ["the server"]);
        assert_eq!(missed(|report| report.fate = Fate::TimeUp), ["the server"]);
        assert_eq!(missed(|report| report.tally.wrong = 1), ["answers"]);
        assert_eq!(missed(|report| report.tally.failed = 1), ["answers"]);
        assert_eq!(missed(|report| report.peak += 1), ["memory used at most"]);
        assert_eq!(missed(|report| report.tally.hits = 800), ["hit rate"]);
        let growth = "growth over the last 100 requests";
        assert_eq!(missed(|report| report.samples[1].memory += 1), [growth]);
        assert_eq!(missed(|report| report.samples.clear()), [growth]);
        assert_eq!(missed(|report| reclaim(report).cleanups = 0), ["cleanups"]);
        let critical = |report: &mut Report| reclaim(report).highest = PressureLevel::Critical;
        assert_eq!(missed(critical), ["cleanups"]);
        let account = |report: &mut Report| report.account.as_mut().expect("one").tables_built = 2;
        assert_eq!(missed(account), ["singletons: tables built"]);
    }

    #[test]
    fn a_server_that_died_says_nothing_and_fails_what_only_it_could_say() {
        assert_eq!(
            missed(|report| report.account = None),
            ["cleanups", "singletons: tables built"]
        );
    }
}
