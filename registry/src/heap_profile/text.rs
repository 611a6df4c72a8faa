//! A profile in plain text: its largest sites, and who calls there.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use bytesize::ByteSize;

use super::{HeapProfile, Site};

const MOST_SITES: usize = 20;
const MOST_CALLS: usize = 4;
/// The last second that RFC 3339 can write.
const LAST_SECOND: u64 = 253_402_300_799;

/// The 20 largest sites, with their tags and their innermost calls as [`top_frames`] has them; of a
/// difference, what has grown most, and then what has shrunk most.
///
/// [`top_frames`]: HeapProfile::top_frames
impl fmt::Display for HeapProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = size(self.total_bytes(), self.since.is_some());
        let count = self.sites.len();
        match self.since {
            None => write!(f, "heap of {}: {total} live in {}", at(self.taken_at), sites(count))?,
            Some(since) => {
                let (since, now) = (at(since), at(self.taken_at));
                write!(f, "heap from {since} to {now}: {total} in {}", sites(count))?;
            }
        }
        write!(f, ", {}", estimate(self))?;
        if self.samples_lost_total > 0 {
            let lost = self.samples_lost_total;
            write!(
                f,
                "\n{lost} samples were lost for want of room: what they stand for is missing"
            )?;
        }
        let shown = self.shown_sites();
        for site in &shown {
            self.fmt_site(f, site)?;
        }
        match self.sites.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, "\n\nand {} more", sites(more)),
        }
    }
}

impl HeapProfile {
    /// The first ones, and of a difference the last ones that have shrunk.
    fn shown_sites(&self) -> Vec<&Site> {
        let shrunk = self.sites.iter().filter(|site| site.live_bytes < 0).count();
        let rest = self.sites.len() - shrunk;
        let (first, last) = if shrunk > 0 && rest > 0 {
            (rest.min(MOST_SITES / 2), shrunk.min(MOST_SITES / 2))
        } else {
            (rest.min(MOST_SITES), shrunk.min(MOST_SITES))
        };
        self.sites[..first].iter().chain(&self.sites[self.sites.len() - last..]).collect()
    }

    fn fmt_site(&self, f: &mut fmt::Formatter<'_>, site: &Site) -> fmt::Result {
        let bytes = size(site.live_bytes, self.since.is_some());
        let (blocks, samples) = (site.live_blocks, site.samples);
        write!(f, "\n\n{bytes:>11}  {}  ({blocks} blocks, {samples} sampled)", site.tag)?;
        for call in self.top_frames_of(site, MOST_CALLS) {
            write!(f, "\n             {call}")?;
        }
        Ok(())
    }
}

fn sites(count: usize) -> String {
    format!("{count} {}", if count == 1 { "site" } else { "sites" })
}

/// How the figures came to be.
pub(super) fn estimate(profile: &HeapProfile) -> String {
    format!("estimated by a sample every {} or so", ByteSize(profile.interval_bytes))
}

/// A number of bytes; with its sign if that says something.
fn size(bytes: i64, is_signed: bool) -> String {
    let sign = match bytes {
        ..0 => "-",
        0 => "",
        1.. if is_signed => "+",
        1.. => "",
    };
    format!("{sign}{}", ByteSize(bytes.unsigned_abs()))
}

/// A moment in whole seconds.
pub(super) fn at(moment: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let moment = UNIX_EPOCH + std::time::Duration::from_secs(seconds.min(LAST_SECOND));
    humantime::format_rfc3339_seconds(moment).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{profile, site};
    use super::*;

    #[test]
    fn the_largest_sites_are_told_with_their_tags_and_calls() {
        let sites = [site("images", &[2, 1], 8 << 20), site("sounds", &[1], 3 << 10)];
        let profile = profile(&sites).named(&[(1, &["main"]), (2, &["shop::load"])]);
        let expected = "\
heap of 1970-01-02T00:00:00Z: 8.0 MiB live in 2 sites, estimated by a sample every 512.0 KiB or so

    8.0 MiB  images  (8388608 blocks, 1 sampled)
             shop::load (src/main.rs:7)
             main (src/main.rs:7)

    3.0 KiB  sounds  (3072 blocks, 1 sampled)
             main (src/main.rs:7)";
        assert_eq!(profile.to_string(), expected);
    }

    #[test]
    fn of_many_sites_the_largest_are_told_and_the_others_counted() {
        let sites: Vec<_> = (0..57).map(|at| site("images", &[at], 100 - at as i64)).collect();
        let text = profile(&sites).to_string();
        assert_eq!(text.matches("  images  ").count(), 20);
        assert!(text.ends_with("\n\nand 37 sites more"), "{text}");
    }

    #[test]
    fn of_a_difference_what_has_grown_and_what_has_shrunk_is_told() {
        let earlier: Vec<_> = (0..40).map(|at| site("images", &[at], 100)).collect();
        let now: Vec<_> =
            (0..40).map(|at| site("images", &[at], if at < 20 { 300 } else { 50 })).collect();
        let text = profile(&now).since(&profile(&earlier)).unwrap().to_string();
        assert!(text.contains(": +2.9 KiB in 40 sites"), "{text}");
        assert_eq!(text.matches("     +200 B  images").count(), 10, "{text}");
        assert_eq!(text.matches("      -50 B  images").count(), 10, "{text}");
    }

    #[test]
    fn lost_samples_are_told_of() {
        let mut profile = profile(&[]);
        profile.samples_lost_total = 12;
        assert!(profile.to_string().contains("\n12 samples were lost"), "{profile}");
    }

    #[test]
    fn moments_beyond_what_can_be_written_are_the_last_one() {
        assert_eq!(
            at(UNIX_EPOCH + std::time::Duration::from_secs(1 << 40)),
            "9999-12-31T23:59:59Z"
        );
    }
}
