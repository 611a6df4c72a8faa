//! What the samples stand for: right in the mean, whatever the sizes.

use bursar_alloc::Tag;

use super::{sample_every, samples, sites_of};

/// Estimate and truth may differ by so many standard errors: once in some hundred million runs.
const STANDARD_ERRORS: f64 = 6.0;

/// Whether an estimate of live bytes is what it should be. The variance of the estimator is the
/// sum over all blocks of `size^2 * (1 - p) / p`.
fn assert_near(tag: &str, sizes: &[usize], interval: u64) {
    let truth: f64 = sizes.iter().map(|&size| size as f64).sum();
    let variance = |&size: &usize| {
        let hit = -(-(size as f64) / interval as f64).exp_m1();
        (size as f64).powi(2) * (1.0 - hit) / hit
    };
    let error = sizes.iter().map(variance).sum::<f64>().sqrt();
    let estimate: f64 = sites_of(tag).iter().map(|site| site.live_bytes as f64).sum();
    let off = (estimate - truth).abs();
    assert!(off <= STANDARD_ERRORS * error + 1.0, "{tag}: {estimate} for {truth}, {error} off");
    // The sizes are many enough for this to tell something.
    assert!(error < truth / 10.0, "{tag}: {error} of {truth}");
}

pub(super) fn each_tag_and_site_is_estimated_without_bias() {
    static SMALL: Tag = Tag::new("profile/small");
    static MIXED: Tag = Tag::new("profile/mixed");
    static LARGE: Tag = Tag::new("profile/large");
    const INTERVAL: u64 = 20_000;
    sample_every(INTERVAL);
    let sizes = |from: usize, to: usize, count: usize| -> Vec<usize> {
        (0..count).map(|n| from + n * 7919 % (to - from)).collect()
    };
    let of = |tag: &'static Tag, sizes: &[usize]| -> Vec<Vec<u8>> {
        sizes.iter().map(|&size| tag.scope(|| Vec::with_capacity(size))).collect()
    };
    let plans = [
        (&SMALL, "profile/small", sizes(8, 100, 60_000)),
        (&MIXED, "profile/mixed", sizes(100, 60_000, 100)),
        (&LARGE, "profile/large", sizes(100_000, 200_000, 20)),
    ];
    let lost = samples().samples_lost_total;
    let kept: Vec<_> = plans.iter().map(|(tag, _, sizes)| of(tag, sizes)).collect();
    assert_eq!(samples().samples_lost_total, lost);
    for (_, name, sizes) in &plans {
        assert_near(name, sizes, INTERVAL);
    }
    drop(kept);
    for (_, name, _) in &plans {
        assert_eq!(sites_of(name).len(), 0);
    }
}

pub(super) fn what_shrinks_and_grows_is_estimated_without_bias() {
    static SHRUNK: Tag = Tag::new("profile/shrunk");
    static GROWN: Tag = Tag::new("profile/regrown");
    const INTERVAL: u64 = 20_000;
    sample_every(INTERVAL);
    let sizes: Vec<usize> = (0..4000).map(|n| 200 + n * 7919 % 2000).collect();
    let shrunk: Vec<Vec<u8>> = sizes
        .iter()
        .map(|&size| {
            let mut block = SHRUNK.scope(|| Vec::with_capacity(8 * size));
            block.shrink_to(size);
            block
        })
        .collect();
    let grown: Vec<Vec<u8>> = sizes
        .iter()
        .map(|&size| {
            let mut block = GROWN.scope(|| Vec::with_capacity(size / 3));
            block.reserve_exact(3 * size);
            block.shrink_to(size / 2);
            block.reserve_exact(size);
            block
        })
        .collect();
    assert_near("profile/shrunk", &sizes, INTERVAL);
    assert_near("profile/regrown", &sizes, INTERVAL);
    drop((shrunk, grown));
}
