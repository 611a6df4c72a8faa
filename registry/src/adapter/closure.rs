//! [`FnPurgeable`]: anything at all, by closures.

use std::fmt;
use std::sync::Arc;

use bursar_alloc::TagHandle;

use crate::purge::{PurgeOutcome, PurgeRequest, Purgeable, PurgeableFigures};
use crate::registry::Entry;

/// Two closures that say how much there is to free and free it: what has no adapter of its own is
/// registered by this in one line, under its tag's name.
///
/// The closures run on the monitor's thread, or on that of whoever asks for a cleanup or reads
/// statistics, with the tag entered: the contract of [`Purgeable`] is theirs. A registration keeps
/// what they own alive, so let them own a [`Weak`](std::sync::Weak).
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use bursar::{FnPurgeable, PurgeOutcome, Registry, Tag};
///
/// static DRAFTS: Tag = Tag::new("drafts");
///
/// let drafts: Arc<Mutex<Vec<String>>> = Arc::default();
/// let registry = Registry::default();
/// let (counted, purged) = (Arc::downgrade(&drafts), Arc::downgrade(&drafts));
/// let _registration = registry.register(FnPurgeable::new(
///     &DRAFTS,
///     move || {
///         let Some(drafts) = counted.upgrade() else { return 0 };
///         drafts.try_lock().map_or(0, |drafts| drafts.iter().map(|text| text.len() as u64).sum())
///     },
///     move |_request| {
///         let Some(drafts) = purged.upgrade() else { return PurgeOutcome::Empty };
///         let Ok(mut locked) = drafts.try_lock() else { return PurgeOutcome::Busy };
///         let taken = std::mem::take(&mut *locked);
///         // Freed with the lock given back.
///         drop(locked);
///         PurgeOutcome::Freed(taken.iter().map(|text| text.len() as u64).sum())
///     },
/// ))?;
/// # Ok::<(), bursar::Error>(())
/// ```
#[must_use = "it does nothing before it is registered"]
pub struct FnPurgeable {
    tag: TagHandle,
    purgeable_bytes: Box<dyn Fn() -> u64 + Send + Sync>,
    purge: Box<dyn Fn(&PurgeRequest) -> PurgeOutcome + Send + Sync>,
    pressure_passed: Option<Box<dyn Fn() + Send + Sync>>,
    figures: Option<Box<dyn Fn() -> PurgeableFigures + Send + Sync>>,
}

impl FnPurgeable {
    /// What is charged to `tag`: `purgeable_bytes` says about how much `purge` could free now.
    pub fn new(
        tag: impl Into<TagHandle>,
        purgeable_bytes: impl Fn() -> u64 + Send + Sync + 'static,
        purge: impl Fn(&PurgeRequest) -> PurgeOutcome + Send + Sync + 'static,
    ) -> Self {
        Self {
            tag: tag.into(),
            purgeable_bytes: Box::new(purgeable_bytes),
            purge: Box::new(purge),
            pressure_passed: None,
            figures: None,
        }
    }

    /// Calls `f` once after each pressure: see [`Purgeable::pressure_passed`].
    pub fn on_pressure_passed(self, f: impl Fn() + Send + Sync + 'static) -> Self {
        Self { pressure_passed: Some(Box::new(f)), ..self }
    }

    /// Has `figures` say what is counted of it, for statistics: see [`Purgeable::figures`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::{FnPurgeable, PurgeOutcome, Purgeable, PurgeableFigures, Tag};
    ///
    /// static DRAFTS: Tag = Tag::new("drafts");
    ///
    /// let purgeable = FnPurgeable::new(&DRAFTS, || 0, |_| PurgeOutcome::Empty).figures(|| {
    ///     let mut figures = PurgeableFigures::default();
    ///     figures.entries = Some(7);
    ///     figures
    /// });
    /// assert_eq!(Purgeable::figures(&purgeable).entries, Some(7));
    /// ```
    pub fn figures(self, figures: impl Fn() -> PurgeableFigures + Send + Sync + 'static) -> Self {
        Self { figures: Some(Box::new(figures)), ..self }
    }
}

impl Purgeable for FnPurgeable {
    fn purgeable_bytes(&self) -> u64 {
        let _tag = self.tag.enter();
        (self.purgeable_bytes)()
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        let _tag = self.tag.enter();
        (self.purge)(request)
    }

    fn pressure_passed(&self) {
        if let Some(pressure_passed) = &self.pressure_passed {
            let _tag = self.tag.enter();
            pressure_passed();
        }
    }

    fn figures(&self) -> PurgeableFigures {
        let _tag = self.tag.enter();
        self.figures.as_ref().map(|figures| figures()).unwrap_or_default()
    }
}

/// Registered under its tag's name, in the stage [`Stage::Trim`](crate::Stage::Trim).
impl From<FnPurgeable> for Entry {
    fn from(closures: FnPurgeable) -> Self {
        let tag = closures.tag.clone();
        Entry::new(tag.name(), Arc::new(closures)).tag(tag)
    }
}

impl fmt::Debug for FnPurgeable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnPurgeable").field("tag", &self.tag.name()).finish_non_exhaustive()
    }
}
