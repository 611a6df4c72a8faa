//! Lines that are read, and lines that are not.

use super::*;
use crate::pressure::{PressureLevel, Sample};
use crate::trace::{TraceItem, TracedCleanup, TracedPurgeable};

const SAMPLE: &str = r#"{"at_ms":2000,"event":"sample","live_bytes":5,"charged_bytes":0}"#;

fn header() -> String {
    let mut file = Vec::new();
    Trace::new(64 << 20, None, Profile::default()).unwrap().write(&mut file).unwrap();
    String::from_utf8(file).unwrap()
}

fn read(lines: &str) -> Result<Trace, TraceError> {
    Trace::read((header() + lines).as_bytes())
}

#[test]
fn a_trace_is_written_and_read_as_it_was() {
    let mut trace = Trace::new(64 << 20, Some(80 << 20), Profile::dense()).unwrap();
    let sample = Sample { live_bytes: 1, dirty_bytes: Some(2), ..Sample::default() };
    let purgeable = TracedPurgeable {
        name: "cache".to_owned(),
        stage: crate::Stage::Trim,
        priority: -3,
        rebuild_cost: crate::RebuildCost::High,
        purgeable_bytes: 7,
    };
    let freed_bytes_by_name = [("cache".to_owned(), 5)].into();
    let cleanup =
        TracedCleanup { count: 1, freed_bytes: 5, collected_bytes: 4, freed_bytes_by_name };
    for (millis, item) in (0..).zip([
        TraceItem::Sample(Box::new(sample)),
        TraceItem::Purgeable(purgeable),
        TraceItem::Level { level: PressureLevel::Critical },
        TraceItem::Cleanup(cleanup),
        TraceItem::Futile { count: 3 },
    ]) {
        let at = std::time::Duration::from_millis(millis);
        trace.push(TraceEvent { at, item }).unwrap();
    }
    let mut file = Vec::new();
    trace.write(&mut file).unwrap();
    assert_eq!(Trace::read(&file[..]).unwrap(), trace);

    let text = String::from_utf8(file).unwrap();
    assert!(text.starts_with(r#"{"bursar_trace":1,"soft_limit_bytes":67108864,"#), "{text}");
    assert!(text.contains(r#"{"at_ms":2,"event":"level","level":"critical"}"#), "{text}");
}

#[test]
fn a_bad_line_is_named_with_what_was_found_and_what_is_allowed() {
    for (bad, reason) in [
        ("nonsense", "expected ident"),
        (r#"{"at_ms":1,"event":"sampel"}"#, "unknown variant `sampel`, expected one of `sample`"),
        (r#"{"at_ms":-1,"event":"futile","count":1}"#, "invalid value: integer `-1`"),
        (r#"{"at_ms":1,"event":"sample"}"#, "missing field `live_bytes`"),
        (r#"{"at_ms":1,"event":"futile","count":9000000000000000}"#, "2^50 or less"),
        (r#"{"at_ms":1,"event":"level","level":"calm"}"#, "unknown variant `calm`"),
    ] {
        let error = read(&format!("{SAMPLE}\n{bad}\n")).unwrap_err();
        let TraceError::InvalidLine { line: 3, found, .. } = &error else { panic!("{error}") };
        assert_eq!(found, bad);
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_name_that_no_purgeable_can_have_is_refused() {
    let purgeable = r#"{"at_ms":1,"event":"purgeable","name":"two words","stage":"trim","priority":0,"rebuild_cost":"low","purgeable_bytes":1}"#;
    let error = read(&format!("{purgeable}\n")).unwrap_err();
    assert!(error.to_string().contains("\"two words\" is not allowed"), "{error}");
}

#[test]
fn a_last_line_that_was_cut_off_is_left_out_and_told_of() {
    for cut in 1..SAMPLE.len() {
        let trace = read(&format!("{SAMPLE}\n{}", &SAMPLE[..cut])).unwrap();
        assert_eq!((trace.truncated_line(), trace.events().len()), (Some(3), 1), "{cut}");
    }
    let whole = read(&format!("{SAMPLE}\n{SAMPLE}")).unwrap();
    assert_eq!((whole.truncated_line(), whole.events().len()), (None, 2));
}

#[test]
fn the_first_line_says_what_it_is_or_the_file_is_refused() {
    for bad in ["", "\n", "{}", SAMPLE, r#"{"bursar_trace":1,"soft_limit_bytes":5}"#, "\u{0}"] {
        let error = Trace::read(bad.as_bytes()).unwrap_err();
        assert!(matches!(error, TraceError::InvalidHeader { .. }), "{bad:?}: {error}");
    }
    let error = Trace::read(&br#"{"bursar_trace":2,"budget":"other"}"#[..]).unwrap_err();
    assert_eq!(error, TraceError::UnknownVersion { found: 2, allowed: 1 });
    let tiny = header().replace("67108864", "5");
    let error = Trace::read(tiny.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("a budget of 5 bytes is too small"), "{error}");
}

#[test]
fn lines_out_of_order_are_put_in_order_and_fields_that_are_not_known_passed_over() {
    let earlier = SAMPLE.replace("2000", "1000").replace("}", ",\"of_a_later_version\":[1]}");
    let trace = read(&format!("{SAMPLE}\n\n{earlier}\n")).unwrap();
    let times: Vec<_> = trace.events().iter().map(|event| event.at.as_millis()).collect();
    assert_eq!(times, [1000, 2000]);
}

#[test]
fn a_line_without_an_end_and_a_reader_that_fails_are_errors_that_name_the_line() {
    let endless = io::Cursor::new(header()).chain(io::BufReader::new(io::repeat(b'x')));
    let error = Trace::read(endless).unwrap_err();
    assert!(error.to_string().contains("line 2 of the trace could not be read"), "{error}");

    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let error = Trace::read(io::BufReader::new(Broken)).unwrap_err();
    assert!(error.to_string().contains("line 1") && error.to_string().contains("disk"), "{error}");
}
