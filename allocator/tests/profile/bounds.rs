//! Off and on, and what the samples may take.

use bursar_alloc::{
    Sampling, SamplingError, Tag, heap_samples, sampling_stats, start_sampling, stop_sampling,
    tag_usage,
};

use super::{live_samples_of, sample_every, samples};

pub(super) fn nothing_is_sampled_until_it_is_switched_on() {
    drop(std::hint::black_box(vec![0u8; 10 << 20]));
    assert_eq!((heap_samples(), sampling_stats()), (None, None));
}

pub(super) fn settings_that_make_no_sense_are_refused() {
    let refused = |sampling| start_sampling(sampling).unwrap_err();
    let sampling = Sampling::default();
    for given_bytes in [0, (1 << 40) + 1, u64::MAX] {
        let error = refused(Sampling { interval_bytes: given_bytes, ..sampling });
        assert_eq!(error, SamplingError::Interval { given_bytes });
        assert!(error.to_string().contains(&given_bytes.to_string()), "{error}");
    }
    for given_bytes in [0, 1, 16_000] {
        let error = refused(Sampling { table_bytes: given_bytes, ..sampling });
        let SamplingError::TableTooSmall { min_bytes, .. } = error else { panic!("{error}") };
        assert!(
            min_bytes > given_bytes
                && error.to_string().contains("16000") == (given_bytes == 16_000)
        );
    }
    assert_eq!(sampling_stats(), None);
}

pub(super) fn switched_off_nothing_is_read_and_what_was_sampled_is_freed_right() {
    static TAG: Tag = Tag::new("profile/off");
    sample_every(1);
    let block = TAG.scope(|| vec![1u8; 100]);
    assert_eq!(live_samples_of("profile/off"), 1);
    stop_sampling();
    assert_eq!((heap_samples(), sampling_stats()), (None, None));
    drop(std::hint::black_box(vec![0u8; 1 << 20]));
    let later = TAG.scope(|| vec![1u8; 100]);
    sample_every(1);
    assert_eq!(live_samples_of("profile/off"), 1, "of what was allocated meanwhile, nothing");
    drop((block, later));
    assert_eq!((tag_usage(&TAG).live_bytes, live_samples_of("profile/off")), (0, 0));
}

pub(super) fn a_full_table_loses_samples_and_counts_them_and_nothing_else() {
    static TAG: Tag = Tag::new("profile/full");
    sample_every(1);
    let before = sampling_stats().unwrap();
    let blocks: Vec<_> = (0..2000).map(|_| TAG.scope(|| vec![1u8; 100])).collect();
    let after = sampling_stats().unwrap();
    assert_eq!(after.live_samples, after.capacity);
    assert!(after.samples_lost_total >= before.samples_lost_total + 900, "{after:?}");
    assert!(samples().samples_lost_total >= after.samples_lost_total);
    assert_eq!(tag_usage(&TAG).live_bytes, 200_000);
    drop(blocks);
    assert_eq!(tag_usage(&TAG).live_bytes, 0);
    assert!(sampling_stats().unwrap().live_samples < after.capacity);
}
