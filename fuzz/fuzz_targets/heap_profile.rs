//! A heap profile out of a file or of another process: any bytes in pprof's format, compressed or
//! not, and a real one with bytes of it changed. What can be read can be shown in every form,
//! compared and written again without a panic, is the same when it is read back, and shows no more
//! than its bounds let it.

#![no_main]

use std::sync::LazyLock;

use bursar::{Error, HeapProfile};
use libfuzzer_sys::fuzz_target;

/// Two tags, calls with names and without, a stack that is cut, a mapping.
const REAL: &[u8] = include_bytes!("heap_profile/real.pb");

static READ: LazyLock<HeapProfile> =
    LazyLock::new(|| HeapProfile::from_pprof(REAL).expect("it is read"));

/// `REAL` with as many of its bytes changed as there are pairs of a place and a value.
fn changed(changes: &[u8]) -> Vec<u8> {
    let mut bytes = REAL.to_vec();
    for change in changes.chunks_exact(3) {
        let place = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[place] = change[2];
    }
    bytes
}

fn check(bytes: &[u8]) {
    let profile = match HeapProfile::from_pprof(bytes) {
        Ok(profile) => profile,
        Err(error) => {
            assert_eq!(error.code(), "unreadable_profile");
            return;
        }
    };
    let text = profile.to_string();
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    let collapsed = profile.to_collapsed();
    assert!(collapsed.lines().count() <= profile.sites().len());
    match profile.to_flame_graph() {
        Ok(svg) => assert!(svg.contains("</svg>")),
        Err(error) => assert_eq!(error, Error::EmptyProfile),
    }
    let again = HeapProfile::from_pprof(&profile.to_pprof()).expect("as it was written");
    assert_eq!(again.sites(), profile.sites());
    assert_eq!(again.to_collapsed(), collapsed);
    for other in [&again, &READ] {
        if let Ok(grown) = profile.since(other) {
            let _ = (grown.to_string(), grown.to_flame_graph());
        }
    }
    assert!(again.since(&profile).expect("of the same run").sites().is_empty());
    for (tag, bytes) in profile.tags() {
        assert_eq!(profile.of_tag(tag).expect("it is there").total_bytes(), bytes);
    }
}

fuzz_target!(|data: &[u8]| {
    check(data);
    check(&changed(data));
});
