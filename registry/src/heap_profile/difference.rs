//! What has been added from one profile to a later one.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::{HeapProfile, Site, StackEnd};
use crate::error::Error;

impl HeapProfile {
    /// What has been added since an earlier profile of the same process, for each tag and stack:
    /// below zero where there is less, and left out where nothing has changed. Text and pprof show
    /// both; collapsed stacks and flame graphs show what has grown, since neither can draw less
    /// than nothing.
    ///
    /// The names that either knows are kept. A pass over both, and memory for both.
    ///
    /// # Errors
    ///
    /// [`Error::OtherRun`] if they are of different processes, or of different runs of one: the
    /// addresses of one mean something else in the other.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # #[cfg(feature = "profile")]
    /// # fn grown(bursar: &bursar::Bursar) -> Result<(), bursar::Error> {
    /// let earlier = bursar.heap_profile()?;
    /// // ... an hour later ...
    /// let mut grown = bursar.heap_profile()?.since(&earlier)?;
    /// grown.resolve_symbols()?;
    /// println!("{grown}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn since(&self, earlier: &Self) -> Result<Self, Error> {
        if self.run != earlier.run {
            return Err(Error::OtherRun);
        }
        let symbols = match (&self.symbols, &earlier.symbols) {
            (ours, theirs) if Arc::ptr_eq(ours, theirs) => Arc::clone(ours),
            (ours, theirs) => Arc::new((**ours).clone().and(theirs)),
        };
        let sites = difference(&self.sites, &earlier.sites);
        Ok(Self {
            since: Some(earlier.taken_at),
            samples_total: self.samples_total.saturating_sub(earlier.samples_total),
            samples_lost_total: self.samples_lost_total.saturating_sub(earlier.samples_lost_total),
            symbols,
            ..self.with(sites.into_iter())
        })
    }
}

/// What a site is told from others by.
type Place<'a> = (&'a Cow<'static, str>, &'a [u64], StackEnd);

fn difference(now: &[Site], earlier: &[Site]) -> Vec<Site> {
    let mut added: HashMap<Place<'_>, [i64; 3]> = HashMap::new();
    let signed = now.iter().map(|site| (site, 1)).chain(earlier.iter().map(|site| (site, -1)));
    for (site, sign) in signed {
        let sums = added.entry((&site.tag, &site.stack, site.end)).or_default();
        let figures = [site.samples, site.live_bytes, site.live_blocks];
        for (sum, figure) in sums.iter_mut().zip(figures) {
            *sum = sum.saturating_add(figure.saturating_mul(sign));
        }
    }
    let sites = added.into_iter().map(|((tag, stack, end), sums)| {
        let [samples, live_bytes, live_blocks] = sums;
        let (tag, stack) = (tag.clone(), stack.to_vec());
        Site { tag, stack, end, samples, live_bytes, live_blocks }
    });
    sites.filter(|site| !site.is_nothing()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{profile, site};
    use super::*;

    #[test]
    fn what_grew_shrank_came_and_went_is_told_and_what_stayed_is_not() {
        let mut earlier = profile(&[
            site("images", &[1], 10),
            site("images", &[2], 50),
            site("images", &[3], 7),
            site("sounds", &[4], 30),
        ]);
        earlier.samples_total = 60;
        let mut now = profile(&[
            site("images", &[1], 110),
            site("images", &[2], 20),
            site("images", &[3], 7),
            site("sounds", &[1], 5),
        ]);
        now.taken_at += Duration::from_secs(60);
        let grown = now.since(&earlier).unwrap();
        let told: Vec<_> = grown.sites().iter().map(|site| (&*site.tag, site.live_bytes)).collect();
        assert_eq!(told, [("images", 100), ("sounds", 5), ("images", -30), ("sounds", -30)]);
        assert_eq!(grown.total_bytes(), 45);
        assert_eq!(grown.samples_total(), 40);
        assert_eq!(grown.difference_since(), Some(earlier.taken_at()));
        assert_eq!(grown.taken_at(), now.taken_at());
    }

    #[test]
    fn stacks_that_end_otherwise_are_others() {
        let mut cut = site("images", &[1], 10);
        cut.end = StackEnd::TooDeep;
        let grown = profile(&[cut]).since(&profile(&[site("images", &[1], 10)])).unwrap();
        assert_eq!(grown.sites().len(), 2);
    }

    #[test]
    fn the_names_that_either_knows_are_kept() {
        let earlier = profile(&[site("images", &[1], 10)]).named(&[(1, &["main"])]);
        let now = profile(&[site("images", &[2, 1], 10)]).named(&[(2, &["load"])]);
        let text = now.since(&earlier).unwrap().to_collapsed();
        assert_eq!(text, "tag:images;main;load 10\n");
    }

    #[test]
    fn profiles_of_different_runs_are_not_compared() {
        let now = profile(&[site("images", &[1], 10)]);
        let mut other = now.clone();
        other.run += 1;
        assert_eq!(now.since(&other), Err(Error::OtherRun));
    }

    #[test]
    fn figures_at_the_ends_of_their_range_stay_within_it() {
        let (most, least) = (site("a", &[1], i64::MAX), site("a", &[1], i64::MIN));
        let grown = profile(&[most]).since(&profile(&[least])).unwrap();
        assert_eq!(grown.sites()[0].live_bytes, i64::MAX);
    }
}
