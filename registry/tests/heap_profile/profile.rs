//! What a profile says, and when there is one.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

use bursar::{Bursar, Error, HeapProfile, Tag, tag_usage};

use super::{sampling, settle, site_of};

static IMAGES: Tag = Tag::new("images");
static SOUNDS: Tag = Tag::new("sounds");

#[inline(never)]
fn decode_image(size: usize) -> Vec<u8> {
    black_box(vec![1u8; size])
}

#[inline(never)]
fn record_sound(size: usize) -> Vec<u8> {
    black_box(vec![2u8; size])
}

fn named(bursar: &Bursar) -> HeapProfile {
    let mut profile = bursar.heap_profile().unwrap();
    profile.resolve_symbols().unwrap();
    profile
}

pub(super) fn without_being_switched_on_there_is_none_and_it_is_said_how_to() {
    let bursar = Bursar::builder().budget("256MiB").threadless(true).start().unwrap();
    let error = bursar.heap_profile().unwrap_err();
    assert_eq!(error, Error::ProfileOff);
    assert!(error.to_string().contains("BURSAR_SAMPLING_INTERVAL=512KiB"), "{error}");
    assert_eq!(bursar.stats().heap_sampling, None);
}

pub(super) fn it_names_the_code_that_keeps_a_tags_bytes() {
    let bursar = sampling(20_000);
    let images: Vec<_> = IMAGES.scope(|| (0..100).map(|_| decode_image(200_000)).collect());
    let sounds: Vec<_> = SOUNDS.scope(|| (0..50).map(|_| record_sound(100_000)).collect());
    let profile = named(&bursar);
    // Each is ten or five times the interval: hit but for one time in twenty thousand, or 150.
    let (image, sound) = (site_of(&profile, "decode_image"), site_of(&profile, "record_sound"));
    assert_eq!((&*image.tag, &*sound.tag), ("images", "sounds"));
    assert!((19_000_000..=21_000_000).contains(&image.live_bytes), "{profile}");
    assert!((4_500_000..=5_500_000).contains(&sound.live_bytes), "{profile}");
    assert!((95..=105).contains(&image.live_blocks), "{profile}");

    let of_images = profile.of_tag("images").unwrap();
    assert!(of_images.to_collapsed().contains("decode_image"));
    assert!(!of_images.to_collapsed().contains("record_sound"));
    assert!(profile.to_flame_graph().unwrap().contains("tag:images"));
    drop((images, sounds));
    let after = named(&bursar);
    assert!(after.sites().iter().all(|site| site.tag != "images" && site.tag != "sounds"));
}

pub(super) fn what_grew_between_two_is_their_difference() {
    let bursar = sampling(10_000);
    let images: Vec<_> = IMAGES.scope(|| (0..50).map(|_| decode_image(200_000)).collect());
    let mut sounds: Vec<_> = SOUNDS.scope(|| (0..50).map(|_| record_sound(100_000)).collect());
    let before = bursar.heap_profile().unwrap();
    sounds.truncate(20);
    let more: Vec<_> = IMAGES.scope(|| (0..30).map(|_| record_sound(100_000)).collect());
    let difference = named(&bursar).since(&before).unwrap();
    let bytes_of = |tag: &str| difference.of_tag(tag).map_or(0, |of_tag| of_tag.total_bytes());
    assert!((2_700_000..=3_300_000).contains(&bytes_of("images")), "{difference}");
    assert!((-3_300_000..=-2_700_000).contains(&bytes_of("sounds")), "{difference}");
    assert!(!difference.to_string().contains("decode_image"), "{difference}");
    drop((images, sounds, more));
}

pub(super) fn a_file_of_it_is_read_back_as_it_was() {
    let bursar = sampling(10_000);
    let images: Vec<_> = IMAGES.scope(|| (0..50).map(|_| decode_image(200_000)).collect());
    let profile = named(&bursar);
    let read = HeapProfile::from_pprof(&profile.to_pprof()).unwrap();
    let keys = |profile: &HeapProfile| -> Vec<_> {
        profile.sites().iter().map(|site| (site.key(), site.live_bytes)).collect()
    };
    assert_eq!(keys(&read), keys(&profile));
    assert_eq!(read.to_collapsed(), profile.to_collapsed());
    drop(images);
}

pub(super) fn it_is_switched_on_and_off_while_bursar_runs_and_off_with_it() {
    let bursar = Bursar::builder().budget("256MiB").threadless(true).start().unwrap();
    assert!(matches!(bursar.start_sampling(0), Err(Error::Sampling(_))));
    bursar.start_sampling(50_000).unwrap();
    settle();
    let image = IMAGES.scope(|| decode_image(2_000_000));
    let sampling = bursar.stats().heap_sampling.unwrap();
    assert_eq!(sampling.interval_bytes, 50_000);
    assert!(bursar.stats().to_string().contains("heap sampled each 48.8 KiB"));
    assert!(bursar.heap_profile().unwrap().of_tag("images").is_ok());
    bursar.stop_sampling();
    assert_eq!(bursar.heap_profile(), Err(Error::ProfileOff));
    bursar.start_sampling(10_000).unwrap();
    assert!(bursar.heap_profile().unwrap().of_tag("images").is_ok(), "it was sampled before");
    drop(bursar);
    let bursar = Bursar::builder().budget("256MiB").threadless(true).start().unwrap();
    assert_eq!(bursar.heap_profile(), Err(Error::ProfileOff));
    drop(image);
}

pub(super) fn what_the_samples_take_is_charged_to_bursars_own_tag() {
    static BURSAR: Tag = Tag::new("bursar");
    let bursar = sampling(512 << 10);
    let capacity = bursar.stats().heap_sampling.unwrap().capacity;
    let held = tag_usage(&BURSAR).live_bytes;
    assert!(held > 1024 * capacity, "{held} bytes for {capacity} samples");
}

pub(super) fn a_hundred_threads_allocate_while_names_are_looked_up() {
    let bursar = sampling(4096);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let _tag = IMAGES.enter();
                let mut kept = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    kept.push(decode_image(3000));
                    kept.truncate(50 + kept.len() % 7);
                }
            });
        }
        for _ in 0..3 {
            let profile = named(&bursar);
            let bytes = profile.of_tag("images").map_or(0, |of_tag| of_tag.total_bytes());
            // A hundred times fifty blocks of 3000 at most, when all have them.
            assert!((0..=25_000_000).contains(&bytes), "{profile}");
            HeapProfile::from_pprof(&profile.to_pprof()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(bursar.heap_profile().unwrap().of_tag("images").is_err(), "all is freed");
}

pub(super) fn a_child_takes_a_profile_of_itself() {
    #[cfg(unix)]
    {
        let bursar = sampling(10_000);
        let image = IMAGES.scope(|| decode_image(2_000_000));
        super::forked::fork(|| {
            let sound = SOUNDS.scope(|| record_sound(2_000_000));
            let profile = named(&bursar);
            assert_eq!(&*site_of(&profile, "decode_image").tag, "images");
            assert_eq!(&*site_of(&profile, "record_sound").tag, "sounds");
            drop(sound);
        });
        assert!(named(&bursar).of_tag("sounds").is_err(), "that was the child's");
        drop(image);
    }
}
