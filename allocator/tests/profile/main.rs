//! The heap profile: which code keeps bytes alive. One story after the other: sampling is the
//! process's.

mod bounds;
#[path = "../support/checked.rs"]
mod checked;
mod estimates;
#[cfg(unix)]
#[path = "../support/forked.rs"]
mod forked;
mod life;
mod sites;
#[path = "../support/stories.rs"]
mod stories;

use bursar_alloc::{
    AccountingAllocator, HeapSamples, HeapSite, Sampling, System, heap_samples, start_sampling,
    usage,
};
use checked::Checked;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Checked<System>> =
    AccountingAllocator::new(Checked::new(System));

fn main() {
    stories::stories![
        bounds::nothing_is_sampled_until_it_is_switched_on,
        bounds::settings_that_make_no_sense_are_refused,
        life::a_block_that_is_freed_leaves_the_profile_on_whatever_thread,
        life::a_resized_block_keeps_its_tag_and_its_sample,
        life::a_block_that_cannot_be_resized_stays_sampled_as_it_was,
        life::a_zeroed_block_is_sampled_as_any_other,
        life::a_sampled_block_takes_its_sample_to_another_tag,
        life::what_is_allocated_at_a_threads_end_is_sampled_and_counted_right,
        life::a_hundred_threads_allocate_while_profiles_are_read,
        life::a_forked_child_has_the_profile_of_its_own_heap,
        sites::a_site_is_the_code_that_allocated,
        sites::a_vector_that_grows_is_where_it_grew,
        sites::a_stack_that_is_too_deep_says_so,
        sites::code_without_unwind_tables_ends_the_stack_and_it_says_so,
        sites::a_thread_is_unwound_to_its_root,
        estimates::each_tag_and_site_is_estimated_without_bias,
        estimates::what_shrinks_and_grows_is_estimated_without_bias,
        bounds::switched_off_nothing_is_read_and_what_was_sampled_is_freed_right,
        bounds::a_full_table_loses_samples_and_counts_them_and_nothing_else,
    ];
    // Every block that was sampled was freed by its own layout, or the process had ended.
    for tag in usage().tags.iter().filter(|tag| tag.name.starts_with("profile/")) {
        assert_eq!((tag.live_bytes, tag.live_blocks), (0, 0), "{}", tag.name);
    }
}

/// Samples from here on by so many bytes in the mean, this thread too.
fn sample_every(interval_bytes: u64) {
    start_sampling(Sampling { interval_bytes, ..Sampling::default() }).unwrap();
    // Past what the thread may still allocate before it looks.
    drop(std::hint::black_box(vec![0u8; 1 << 20]));
}

/// Takes as good as no samples any more from here on, this thread neither.
fn sample_nothing() {
    sample_every(1 << 40);
}

fn samples() -> HeapSamples {
    heap_samples().expect("sampling is on")
}

/// The sites of a tag.
fn sites_of(tag: &str) -> Vec<HeapSite> {
    samples().sites.into_iter().filter(|site| site.tag == tag).collect()
}

/// The live samples of a tag.
fn live_samples_of(tag: &str) -> u64 {
    sites_of(tag).iter().map(|site| site.samples).sum()
}
