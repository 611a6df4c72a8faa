//! `bursar profile` of services whose profiles are made by hand, by the messages that protoc makes
//! of pprof's published schema.

use std::fs;
use std::path::Path;

use bursar::{Envelope, Failure, HeapProfile};
use pprof::protos::{
    Function, Label, Line, Location, Mapping, Message, Profile, Sample, ValueType,
};

use crate::server::{Stream, reply, right, serve};
use crate::{bursar, complaint, stdout};

/// The run that is written into profiles unless a test says another.
const RUN: u64 = 7;

/// Builds a profile as a service writes it.
struct Made {
    profile: Profile,
}

impl Made {
    fn new(run: u64) -> Self {
        let mut made = Self { profile: Profile::default() };
        made.text("");
        for name in ["samples", "inuse_objects", "inuse_space"] {
            let ty = made.text(name);
            made.profile.sample_type.push(ValueType { ty, unit: 0 });
        }
        made.profile.period = 512 << 10;
        let header = made.text(&format!(
            "bursar-heap-profile format=1 run={run} taken_unix_ms=1800000000000 samples_total=9 \
             samples_lost_total=0"
        ));
        made.profile.comment.push(header);
        let filename = made.text("/usr/bin/shop");
        made.profile.mapping.push(Mapping {
            id: 1,
            memory_start: 0x1000,
            memory_limit: 0x9000,
            filename,
            ..Mapping::default()
        });
        made
    }

    /// One more site: a tag, the names of its calls, innermost first, and its bytes.
    fn site(mut self, tag: &str, names: &[&str], bytes: i64) -> Self {
        let mut location_id = Vec::new();
        for name in names {
            // The same name is at the same address.
            let address = 0x1000 + self.text(name) as u64;
            location_id.push(self.location(name, address, 1));
        }
        location_id.push(self.location(&format!("tag:{tag}"), 0, 0));
        let label = vec![Label { key: self.text("tag"), str: self.text(tag), ..Label::default() }];
        self.profile.sample.push(Sample { location_id, value: vec![1, bytes, bytes], label });
        self
    }

    fn location(&mut self, name: &str, address: u64, mapping_id: u64) -> u64 {
        let (id, name) = (self.profile.location.len() as u64 + 1, self.text(name));
        self.profile.function.push(Function { id, name, ..Function::default() });
        let line = vec![Line { function_id: id, line: 0 }];
        self.profile.location.push(Location { id, mapping_id, address, line, is_folded: false });
        id
    }

    fn text(&mut self, text: &str) -> i64 {
        let table = &mut self.profile.string_table;
        let place = table.iter().position(|it| it == text).unwrap_or_else(|| {
            table.push(text.to_owned());
            table.len() - 1
        });
        place as i64
    }

    fn bytes(&self) -> Vec<u8> {
        self.profile.encode_to_vec()
    }
}

fn shop() -> Made {
    Made::new(RUN).site("images", &["shop::decode", "main"], 3 << 20).site(
        "sounds",
        &["shop::load", "main"],
        1 << 20,
    )
}

fn send(stream: &mut dyn Stream, bytes: &[u8]) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nX-Bursar-Format: 1\r\nContent-Type: application/octet-stream\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        bytes.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(bytes));
}

/// A service that answers this profile to whatever is asked.
fn serving(made: &Made) -> String {
    let bytes = made.bytes();
    serve(move |_, stream| send(stream, &bytes))
}

fn refusing(status: &'static str, code: &'static str, message: &'static str) -> String {
    serve(move |_, stream| {
        let envelope = Envelope::<()>::error(Failure::new(code, message));
        reply(stream, status, &serde_json::to_string(&envelope).unwrap());
    })
}

fn run(url: &str, more: &[&str]) -> std::process::Output {
    bursar(&[&["profile", "--url", url], more].concat())
}

fn path_in(directory: &tempfile::TempDir, name: &str) -> String {
    directory.path().join(name).to_str().unwrap().to_owned()
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

#[test]
fn the_largest_sites_are_shown_with_their_tags_and_calls() {
    let text = stdout(&run(&serving(&shop()), &[]), 0);
    assert!(text.starts_with("heap of 2027-01-15T08:00:00Z: 4.0 MiB live in 2 sites"), "{text}");
    assert!(text.contains("    3.0 MiB  images  (3145728 blocks, 1 sampled)\n"), "{text}");
    assert!(text.contains("\n             shop::decode\n             main\n"), "{text}");
    assert!(text.contains("sounds"), "{text}");
}

#[test]
fn one_tag_is_asked_for_by_its_name() {
    let bytes = shop().bytes();
    let url = serve(move |path, stream| {
        assert_eq!(path, "/memory/profile?tag=images/x%26y");
        send(stream, &bytes);
    });
    let line = complaint(&run(&url, &["--tag", "images/x&y"]), 2);
    assert!(line.contains("\"images/x&y\"") && line.contains("images, sounds"), "{line}");
    let text = stdout(&run(&serving(&shop()), &["--tag", "sounds"]), 0);
    assert!(text.contains("sounds") && !text.contains("images"), "{text}");
}

#[test]
fn a_files_name_says_which_form_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let url = serving(&shop());
    let written = |name: &str, more: &[&str]| {
        let path = path_in(&directory, name);
        assert_eq!(stdout(&run(&url, &[&["-o", &*path], more].concat()), 0), "");
        fs::read(path).unwrap()
    };
    assert!(written("heap.svg", &[]).starts_with(b"<?xml"));
    let collapsed = b"tag:images;main;shop::decode 3145728\ntag:sounds;main;shop::load 1048576\n";
    assert_eq!(written("heap.folded", &[]), collapsed);
    assert_eq!(written("heap.svg", &["--format", "collapsed"]), collapsed);
    let pprof = written("heap.pb.gz", &[]);
    assert!(pprof.starts_with(&[0x1f, 0x8b]));
    assert_eq!(HeapProfile::from_pprof(&pprof), HeapProfile::from_pprof(&shop().bytes()));
    assert!(written("heap", &["--format", "text"]).starts_with(b"heap of "));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 4, "nothing else stays");
}

#[test]
fn other_forms_can_be_piped() {
    let url = serving(&shop());
    let output = run(&url, &["--format", "pprof"]);
    let read = HeapProfile::from_pprof(&output.stdout).unwrap();
    assert_eq!(read.total_bytes(), 4 << 20);
    assert!(stdout(&run(&url, &["--format", "flamegraph"]), 0).contains("</svg>\n"));
    let text = stdout(&run(&url, &["--format", "collapsed"]), 0);
    assert!(text.ends_with("tag:sounds;main;shop::load 1048576\n"), "{text}");
}

#[test]
fn what_has_been_added_since_an_earlier_profile_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let earlier = path_in(&directory, "earlier.pb.gz");
    stdout(&run(&serving(&shop()), &["--output", &earlier]), 0);
    let now = Made::new(RUN).site("images", &["shop::decode", "main"], 8 << 20);
    let url = serving(&now);
    let text = stdout(&run(&url, &["--diff", &earlier]), 0);
    assert!(text.contains("+4.0 MiB in 2 sites"), "{text}");
    assert!(text.contains("   +5.0 MiB  images") && text.contains("   -1.0 MiB  sounds"), "{text}");
    // A tag that has nothing any more is told of as well.
    let text = stdout(&run(&url, &["--diff", &earlier, "--tag", "sounds"]), 0);
    assert!(text.contains("-1.0 MiB  sounds") && !text.contains("images"), "{text}");

    let difference = path_in(&directory, "difference.pb.gz");
    stdout(&run(&url, &["--diff", &earlier, "-o", &difference]), 0);
    let line = complaint(&run(&url, &["--diff", &difference]), 7);
    assert!(line.contains("difference.pb.gz: it is a difference itself"), "{line}");
    let svg = path_in(&directory, "nothing.svg");
    let shrunk = Made::new(RUN).site("images", &["shop::decode", "main"], 1 << 20);
    let line = complaint(&run(&serving(&shrunk), &["--diff", &earlier, "-o", &svg]), 7);
    assert!(line.contains("nothing to draw") && !Path::new(&svg).exists(), "{line}");
}

#[test]
fn an_earlier_file_that_is_of_another_run_or_no_profile_ends_with_7_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let url = serving(&shop());
    let other = path_in(&directory, "other.pb.gz");
    stdout(&run(&serving(&Made::new(RUN + 1)), &["-o", &other]), 0);
    let no_profile = path_in(&directory, "notes.txt");
    fs::write(&no_profile, "what is this").unwrap();
    let huge = path_in(&directory, "huge");
    fs::File::create(&huge).unwrap().set_len(17 << 20).unwrap();
    for (file, reason) in [
        (&*other, "other.pb.gz: the two heap profiles are of different processes"),
        (&no_profile, "notes.txt: this is no heap profile"),
        (&huge, "huge: it has more than 16 MiB"),
        ("/no/such/file", "/no/such/file: No such file"),
    ] {
        let line = complaint(&run(&url, &["--diff", file]), 7);
        assert!(line.contains(reason), "{line}");
    }
}

#[test]
fn a_service_that_has_no_profile_ends_with_5_and_says_what_to_do() {
    let line = complaint(&run(&serve(right("/memory")), &[]), 5);
    assert!(line.contains("no such path (not_found)"), "{line}");
    assert!(line.contains("`Endpoints::profile`"), "{line}");
    let url = refusing("409 Conflict", "profile_off", "the heap is not sampled");
    let line = complaint(&run(&url, &[]), 5);
    assert!(line.contains("refused: the heap is not sampled (profile_off)"), "{line}");
    let url = refusing("503 Service Unavailable", "profile_busy", "one at a time");
    assert!(complaint(&run(&url, &[]), 5).contains("profile_busy"));
    complaint(&run("http://127.0.0.1:1", &[]), 3);
}

#[test]
fn an_answer_that_is_no_profile_ends_with_5_and_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(&directory, "heap.pb.gz");
    let mut cut = shop().bytes();
    cut.truncate(cut.len() / 2);
    let other = {
        let mut made = shop();
        made.profile.comment.clear();
        made.bytes()
    };
    for answer in [Vec::new(), b"{}".to_vec(), vec![0xff; 1000], cut, other] {
        let url = serve(move |_, stream| send(stream, &answer));
        let line = complaint(&run(&url, &["-o", &path]), 5);
        assert!(line.contains("could not be read"), "{line}");
    }
    // A success that has an envelope is none.
    let url = refusing("200 OK", "profile_off", "off");
    complaint(&run(&url, &["-o", &path]), 5);
    assert!(is_empty(directory.path()));
}

#[test]
fn names_that_would_move_the_cursor_are_shown_without_it() {
    let name = "a\u{1b}]0;title\u{7}\u{9b}2J\nlevel\u{202e}";
    let url = serving(&Made::new(RUN).site("images\u{1b}[2J", &[name, "main"], 1 << 20));
    for format in ["text", "collapsed", "flamegraph"] {
        let text = stdout(&run(&url, &["--format", format]), 0);
        let moves = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        assert!(!text.contains(moves), "{text:?}");
    }
}

#[test]
fn a_file_that_cannot_be_written_ends_with_7_and_is_named() {
    let line = complaint(&run(&serving(&shop()), &["-o", "/no/such/place/heap.svg"]), 7);
    assert!(line.contains("/no/such/place/heap.svg: No such file"), "{line}");
    let directory = tempfile::tempdir().unwrap();
    complaint(&run(&serving(&shop()), &["-o", directory.path().to_str().unwrap()]), 7);
    assert!(is_empty(directory.path()));
}

#[test]
fn a_form_that_is_not_known_ends_with_2() {
    let output = run("http://127.0.0.1:1", &["--format", "svg"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("flamegraph"));
}
