//! A profile where it is asked for at an odd time, or of an odd program.

use std::hint::black_box;
use std::process::Command;
#[cfg(unix)]
use std::sync::OnceLock;

#[cfg(unix)]
use bursar::Bursar;
use bursar::Tag;

use super::sampling;

static IMAGES: Tag = Tag::new("images");

#[inline(never)]
fn decode_image() -> Vec<u8> {
    black_box(vec![1u8; 2_000_000])
}

/// Set in the program without symbols.
const STRIPPED: &str = "BURSAR_TEST_STRIPPED";

pub(super) fn a_program_without_symbols_shows_places_in_its_file() {
    if std::env::var_os(STRIPPED).is_some() {
        let bursar = sampling(10_000);
        let image = IMAGES.scope(decode_image);
        let mut profile = bursar.heap_profile().unwrap();
        profile.resolve_symbols().unwrap();
        let stacks = profile.of_tag("images").unwrap().to_collapsed();
        assert!(stacks.contains("stripped+0x") && !stacks.contains("decode_image"), "{stacks}");
        drop(image);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("stripped");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    match Command::new("strip").arg(&program).status() {
        Ok(status) => assert!(status.success()),
        Err(error) => return eprintln!("skipped: there is no `strip` here ({error})"),
    }
    let mut story = Command::new(&program);
    story.arg("a_program_without_symbols").env(STRIPPED, "1");
    let output = story.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// After `main`, when other libraries' handlers may have run already. The last story: nothing comes
/// after it but the end.
#[cfg(unix)]
pub(super) fn a_profile_is_taken_as_the_process_ends() {
    static BURSAR: OnceLock<(Bursar, Vec<u8>)> = OnceLock::new();
    extern "C" fn at_exit() {
        let (bursar, _) = BURSAR.get().expect("set before");
        let mut profile = bursar.heap_profile().unwrap();
        profile.resolve_symbols().unwrap();
        assert_eq!(&*super::site_of(&profile, "decode_image").tag, "images");
        assert!(!profile.to_pprof().is_empty());
        println!("a profile was taken at the exit");
    }
    let bursar = sampling(10_000);
    let image = IMAGES.scope(decode_image);
    assert!(BURSAR.set((bursar, image)).is_ok());
    // SAFETY: the handler is there for as long as the program.
    assert_eq!(unsafe { libc::atexit(at_exit) }, 0);
}
