//! What is written is read back, and understood by others: by the messages that protoc makes of
//! the published schema, and by `go tool pprof` where that is installed.

use super::super::testing::{profile, site};
use super::super::{HeapProfile, Site, StackEnd};
use super::schema::Profile;
use super::{read, schema};
use crate::error::Error;

/// Two tags, an inlined call, an address without a name, one of no file, and a stack that is cut.
fn shop() -> HeapProfile {
    let images = site("images", &[0x1_1010, 0x1_1020, 0x1_1030, 0x1_1040], 3 << 20);
    let mut sounds = site("sounds", &[0x1_1010, 0x1_1050, 0x7777], 1 << 20);
    sounds.end = StackEnd::NotUnwound;
    let mut shop = profile(&[images, sounds]).mapped().named(&[
        (0x1_1010, &["bursar_alloc::profile::take", "__rust_alloc"]),
        (0x1_1020, &["alloc::vec::Vec<T,A>::push"]),
        (0x1_1030, &["<shop::Page as shop::Load>::decode", "shop::load"]),
        (0x1_1040, &["main"]),
    ]);
    shop.samples_lost_total = 5;
    shop
}

mod ours {
    use prost::Message;

    use super::super::bounds::bounded;
    use super::*;

    fn decoded(bytes: &[u8]) -> Profile {
        Profile::decode(&*bounded(bytes).unwrap()).unwrap()
    }

    #[test]
    fn a_profile_is_read_back_as_the_same() {
        for profile in [shop(), profile(&[]), shop().since(&profile(&[])).unwrap()] {
            assert_eq!(HeapProfile::from_pprof(&profile.to_pprof()).unwrap(), profile);
        }
        let plain = decoded(&shop().to_pprof()).encode_to_vec();
        assert_eq!(HeapProfile::from_pprof(&plain).unwrap(), shop());
    }

    #[test]
    fn sites_have_the_same_keys_when_they_are_read_back() {
        let keys =
            |profile: &HeapProfile| profile.sites().iter().map(Site::key).collect::<Vec<_>>();
        let read = HeapProfile::from_pprof(&shop().to_pprof()).unwrap();
        assert_eq!(keys(&read), keys(&shop()));
    }

    #[test]
    fn figures_below_zero_are_kept() {
        let now = profile(&[site("images", &[1], 10)]);
        let grown = now.since(&profile(&[site("images", &[2], 30)])).unwrap();
        let read = HeapProfile::from_pprof(&grown.to_pprof()).unwrap();
        assert_eq!(read.total_bytes(), -20);
        assert_eq!(read.difference_since(), grown.difference_since());
    }

    #[test]
    fn the_same_profile_gives_the_same_bytes() {
        assert_eq!(shop().to_pprof(), shop().to_pprof());
    }

    type Change = fn(&mut Profile);

    /// What is said of a profile that `change` has changed.
    fn refusal(change: impl Fn(&mut Profile)) -> String {
        let mut profile = decoded(&shop().to_pprof());
        change(&mut profile);
        match HeapProfile::from_pprof(&profile.encode_to_vec()) {
            Err(Error::UnreadableProfile { reason }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_there_is_not_looked_for_and_what_is_too_much_is_not_read() {
        let changes: [(Change, &str); 12] = [
            (|it| it.comment.clear(), "not written by Bursar"),
            (|it| it.string_table.clear(), "not written by Bursar"),
            (|it| it.location.clear(), "call that is not there"),
            (|it| it.function[0].id = 0, "a function that is not there"),
            (|it| it.function[0].name = i64::MIN, "text that is not there"),
            (|it| it.mapping[0].build_id = 1 << 40, "text that is not there"),
            (|it| it.sample_type.clear(), "it has no samples"),
            (|it| it.sample[0].value.truncate(2), "too few values"),
            (|it| it.sample[0].location_id = vec![1; 257], "more than 256 calls"),
            (|it| it.sample[0].location_id.truncate(4), "has no tag"),
            (|it| it.sample[0].value[2] = i64::MIN, "out of range"),
            (|it| it.mapping = vec![schema::Mapping::default(); 1025], "1024 mappings"),
        ];
        for (change, reason) in changes {
            let refusal = refusal(change);
            assert!(refusal.contains(reason), "{reason}: {refusal}");
        }
        let refusal = refusal(|it| {
            let line = it.location[0].line[0];
            it.location[0].line = vec![line; 257];
        });
        assert!(refusal.contains("at one address"), "{refusal}");
    }

    #[test]
    fn a_profile_that_is_cut_off_or_damaged_anywhere_is_refused_or_read_without_a_panic() {
        let plain = decoded(&shop().to_pprof()).encode_to_vec();
        for length in 0..plain.len() {
            let _ = HeapProfile::from_pprof(&plain[..length]);
        }
        let mut refused = 0;
        for at in 0..plain.len() {
            for flipped in [0x01, 0x80, 0xff] {
                let mut damaged = plain.clone();
                damaged[at] ^= flipped;
                match HeapProfile::from_pprof(&damaged) {
                    Ok(profile) => drop((profile.to_string(), profile.to_collapsed())),
                    Err(error) => {
                        assert_eq!(error.code(), "unreadable_profile");
                        refused += 1;
                    }
                }
            }
        }
        assert!(refused > plain.len() / 10, "{refused}");
        let packed = shop().to_pprof();
        for length in 0..packed.len() {
            assert!(HeapProfile::from_pprof(&packed[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn names_out_of_a_file_move_no_cursor() {
        let mut profile = decoded(&shop().to_pprof());
        for text in &mut profile.string_table {
            *text = text.replace("main", "ma\u{1b}[2J\nin");
        }
        let read = HeapProfile::from_pprof(&profile.encode_to_vec()).unwrap();
        assert!(read.to_collapsed().contains("ma\u{fffd}[2J\u{fffd}in"), "{read:?}");
        assert!(!read.to_string().contains('\u{1b}'));
    }

    #[test]
    fn a_stack_is_read_back_from_the_messages_that_it_is_in() {
        let profile = decoded(&shop().to_pprof());
        assert!(read::MAX_STACK > profile.sample[0].location_id.len());
        assert_eq!(profile.sample[0].location_id.len(), 5, "four calls and the tag");
        assert_eq!(profile.sample[1].location_id.len(), 5, "three calls, the cut and the tag");
    }
}

/// By the messages that protoc makes of profile.proto.
#[cfg(unix)]
mod official {
    use std::io::Read;

    use pprof::protos::{Message, Profile};

    use super::*;

    fn decoded(profile: &HeapProfile) -> Profile {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&*profile.to_pprof()).read_to_end(&mut plain).unwrap();
        Profile::decode(&*plain).unwrap()
    }

    fn text(profile: &Profile, place: i64) -> &str {
        &profile.string_table[usize::try_from(place).unwrap()]
    }

    #[test]
    fn types_period_and_times_are_those_of_a_heap_profile() {
        let mut grown = shop();
        grown.since = Some(grown.taken_at - std::time::Duration::from_millis(2500));
        let profile = decoded(&grown);
        let types: Vec<_> = profile
            .sample_type
            .iter()
            .map(|of| (text(&profile, of.ty), text(&profile, of.unit)))
            .collect();
        let expected = [("samples", "count"), ("inuse_objects", "count"), ("inuse_space", "bytes")];
        assert_eq!(types, expected);
        assert_eq!(text(&profile, profile.default_sample_type), "inuse_space");
        let period = profile.period_type.as_ref().unwrap();
        assert_eq!((text(&profile, period.ty), text(&profile, period.unit)), ("space", "bytes"));
        assert_eq!((profile.period, profile.time_nanos), (524_288, 86_400_000_000_000));
        assert_eq!(profile.duration_nanos, 2_500_000_000);
        assert_eq!(profile.string_table[0], "");
        assert!(text(&profile, profile.drop_frames).contains("bursar_alloc::global"));
    }

    #[test]
    fn a_sample_has_its_figures_its_tag_and_its_calls_with_those_inlined() {
        let profile = decoded(&shop());
        let sample = &profile.sample[0];
        assert_eq!(sample.value, [1, 3 << 20, 3 << 20]);
        let [label] = &*sample.label else { panic!("{sample:?}") };
        assert_eq!((text(&profile, label.key), text(&profile, label.str)), ("tag", "images"));
        let names: Vec<Vec<_>> = sample
            .location_id
            .iter()
            .map(|id| {
                let location = profile.location.iter().find(|it| it.id == *id).unwrap();
                let function = |line: &pprof::protos::Line| {
                    let function = profile.function.iter().find(|it| it.id == line.function_id);
                    text(&profile, function.unwrap().name)
                };
                location.line.iter().map(function).collect()
            })
            .collect();
        let expected: [&[&str]; 5] = [
            &["bursar_alloc::profile::take", "__rust_alloc"],
            &["alloc::vec::Vec<T,A>::push"],
            &["<shop::Page as shop::Load>::decode", "shop::load"],
            &["main"],
            &["tag:images"],
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_call_has_its_file_and_line_and_its_place_in_the_program() {
        let profile = decoded(&shop());
        let load = profile.location.iter().find(|it| it.address == 0x1_1030).unwrap();
        assert_eq!((load.mapping_id, load.line[0].line), (1, 7));
        let function = &profile.function[load.line[0].function_id as usize - 1];
        assert_eq!(text(&profile, function.filename), "src/main.rs");
        let [mapping] = &*profile.mapping else { panic!("{:?}", profile.mapping) };
        assert_eq!((mapping.memory_start, mapping.memory_limit), (0x1_1000, 0x1_3000));
        assert_eq!(mapping.file_offset, 0x1000);
        assert_eq!(text(&profile, mapping.filename), "/usr/bin/shop");
        assert_eq!(text(&profile, mapping.build_id), "c0ffee");
        assert!(mapping.has_functions && mapping.has_inline_frames && mapping.has_line_numbers);
    }

    #[test]
    fn without_names_there_are_addresses_for_a_tool_to_find_them_by() {
        let mut nameless = shop();
        nameless.symbols = std::sync::Arc::default();
        let profile = decoded(&nameless);
        assert!(!profile.mapping[0].has_functions);
        let named = profile.location.iter().filter(|it| !it.line.is_empty());
        assert!(named.clone().all(|it| it.address == 0), "only what is no call");
        assert_eq!(named.count(), 3, "two tags, and where a stack is cut");
    }

    #[test]
    fn lost_samples_and_stacks_that_are_cut_are_told_in_comments() {
        let profile = decoded(&shop());
        let comments: Vec<_> = profile.comment.iter().map(|at| text(&profile, *at)).collect();
        let has = |part: &str| comments.iter().any(|comment| comment.contains(part));
        assert!(has("5 samples were lost") && has("1 of 2 stacks are not whole"), "{comments:?}");
        assert!(!decoded(&profile_without_faults()).comment.is_empty(), "where it is from");
    }

    fn profile_without_faults() -> HeapProfile {
        super::profile(&[site("images", &[1], 10)])
    }
}

/// By the tool itself. Where it is not installed, the tests say that they are skipped.
mod tool {
    use std::io::{self, Write};
    use std::process::Command;

    use super::*;

    /// What `go tool pprof` says, or `None` if there is none.
    fn pprof(arguments: &[&str], profiles: &[(&str, &HeapProfile)]) -> Option<String> {
        if Command::new("go").arg("version").output().is_err() {
            // Not by a macro: what those print is shown of tests that fail.
            let _ = writeln!(io::stderr(), "skipped: `go tool pprof` is not installed");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        for (name, profile) in profiles {
            std::fs::write(directory.path().join(name), profile.to_pprof()).unwrap();
        }
        let output = Command::new("go")
            .args(["tool", "pprof"])
            .args(arguments)
            .current_dir(directory.path())
            .env("PPROF_TMPDIR", directory.path())
            .env("HOME", directory.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        Some(String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn the_tool_shows_bytes_by_function_without_the_allocators_own() {
        let arguments = ["-top", "-cum", "-symbolize=none", "heap.pb.gz"];
        let Some(text) = pprof(&arguments, &[("heap.pb.gz", &shop())]) else { return };
        assert!(text.contains("Type: inuse_space"), "{text}");
        let line = |name: &str| {
            let line = text.lines().find(|line| line.trim_end().ends_with(name));
            line.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
        };
        assert!(line("alloc::vec::Vec<T,A>::push").trim().starts_with("3MB 75.00%"), "{text}");
        assert!(line("<shop::Page as shop::Load>::decode (inline)").contains("3MB 75.00%"));
        assert!(line("tag:sounds").contains("1MB 25.00%"), "{text}");
        line("[outer calls not known: no unwind information]");
        assert!(!text.contains("__rust_alloc") && !text.contains("bursar_alloc"), "{text}");
    }

    #[test]
    fn the_tool_knows_the_tags() {
        let Some(text) = pprof(&["-tags", "heap.pb.gz"], &[("heap.pb.gz", &shop())]) else {
            return;
        };
        assert!(text.contains("tag: Total 4.0MB"), "{text}");
        assert!(text.contains("3.0MB (75.00%): images"), "{text}");
        let arguments = ["-top", "-tagfocus=tag=sounds", "-sample_index=samples", "heap.pb.gz"];
        let text = pprof(&arguments, &[("heap.pb.gz", &shop())]).unwrap();
        assert!(text.contains("1, 50.00% of 2 total"), "{text}");
    }

    #[test]
    fn the_tool_takes_an_earlier_profile_away_from_a_later_one() {
        let mut later = shop();
        later.sites[0].live_bytes += 7 << 20;
        let profiles = [("earlier.pb.gz", &shop()), ("later.pb.gz", &later)];
        let arguments = ["-top", "-symbolize=none", "-diff_base=earlier.pb.gz", "later.pb.gz"];
        let Some(text) = pprof(&arguments, &profiles) else { return };
        assert!(text.contains("7MB, 175.00% of 4MB total"), "{text}");
        // The difference as it is told here.
        let grown = later.since(&shop()).unwrap();
        let text = pprof(&["-top", "-symbolize=none", "heap.pb.gz"], &[("heap.pb.gz", &grown)]);
        assert!(text.unwrap().contains("7MB, 100% of 7MB total"));
    }

    #[test]
    fn the_tool_tells_the_comments() {
        let Some(text) = pprof(&["-comments", "heap.pb.gz"], &[("heap.pb.gz", &shop())]) else {
            return;
        };
        assert!(text.contains("5 samples were lost for want of room"), "{text}");
    }
}
