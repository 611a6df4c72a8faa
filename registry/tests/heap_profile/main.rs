//! The heap profile over a real process: sampled, named, compared, served, and told of by the
//! doctor. One story after the other: sampling is the process's, and one Bursar runs at a time.

mod doctor;
#[cfg(unix)]
#[path = "../../../allocator/tests/support/forked.rs"]
mod forked;
mod odd;
mod profile;
#[cfg(feature = "serve")]
mod served;
#[path = "../../../allocator/tests/support/stories.rs"]
mod stories;

use std::hint::black_box;

use bursar::{AccountingAllocator, Bursar, HeapProfile, HeapProfileSite, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn main() {
    stories::stories![
        profile::without_being_switched_on_there_is_none_and_it_is_said_how_to,
        profile::it_names_the_code_that_keeps_a_tags_bytes,
        profile::what_grew_between_two_is_their_difference,
        profile::a_file_of_it_is_read_back_as_it_was,
        profile::it_is_switched_on_and_off_while_bursar_runs_and_off_with_it,
        profile::what_the_samples_take_is_charged_to_bursars_own_tag,
        profile::a_hundred_threads_allocate_while_names_are_looked_up,
        profile::a_child_takes_a_profile_of_itself,
        doctor::the_code_that_leaks_is_named_and_what_fills_a_cache_is_not,
    ];
    #[cfg(feature = "serve")]
    stories::stories![
        served::it_is_served_in_each_format,
        served::what_is_added_in_some_time_is_waited_for_and_others_are_answered_meanwhile,
    ];
    stories::stories![odd::a_program_without_symbols_shows_places_in_its_file];
    #[cfg(unix)]
    stories::stories![odd::a_profile_is_taken_as_the_process_ends];
}

/// A Bursar that samples by so many bytes in the mean; past what this thread may still allocate
/// before it looks.
fn sampling(interval_bytes: u64) -> Bursar {
    let builder = Bursar::builder().budget("256MiB").threadless(true);
    let bursar = builder.sampling_interval(interval_bytes).start().unwrap();
    settle();
    bursar
}

/// Has this thread take notice of what was switched.
fn settle() {
    drop(black_box(vec![0u8; 1 << 20]));
}

/// The one site whose calls have this function among the innermost.
fn site_of<'a>(profile: &'a HeapProfile, function: &str) -> &'a HeapProfileSite {
    let is_its = |site: &&HeapProfileSite| {
        let calls = profile.top_frames(site.key(), 3);
        calls.iter().any(|call| call.contains(function))
    };
    let mut sites = profile.sites().iter().filter(is_its);
    let site = sites.next().unwrap_or_else(|| panic!("no {function} in {profile}"));
    assert!(sites.next().is_none(), "more than one {function} in {profile}");
    site
}
