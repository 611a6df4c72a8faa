//! [`PressureSignal`]: the level in force, for whoever has to act on it: to shed load, to slow
//! down, to say so to a load balancer.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::contain::contain;
use crate::pressure::PressureLevel;
use crate::profile::{Profile, Watermarks};

/// The level in force, readable at any time from anywhere: one load. Clones are the same signal.
///
/// # Examples
///
/// A handler that refuses new work while memory is short:
///
/// ```
/// use bursar::PressureSignal;
///
/// fn admit(signal: &PressureSignal) -> Result<(), &'static str> {
///     if signal.should_shed() { Err("503: memory is short") } else { Ok(()) }
/// }
/// # assert!(admit(&PressureSignal::default()).is_ok());
/// ```
#[derive(Clone, Default)]
pub struct PressureSignal {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    level: AtomicU8,
    /// The bits of an `f64`.
    usage: AtomicU64,
    /// Those of the profile that the monitor was started with: no other comes after.
    watermarks: OnceLock<Watermarks>,
    panics: AtomicU64,
    /// Held while the level changes, so that who waits misses none.
    changing: Mutex<()>,
    changed: Condvar,
    subscribers: Mutex<Vec<Arc<Subscriber>>>,
}

type Subscriber = dyn Fn(PressureLevel) + Send + Sync;

impl PressureSignal {
    /// The level in force; normal once Bursar is stopped, and in a forked child what it was at the
    /// fork.
    #[must_use]
    pub fn level(&self) -> PressureLevel {
        // Relaxed: the level says nothing of any other memory.
        match self.inner.level.load(Ordering::Relaxed) {
            0 => PressureLevel::Normal,
            1 => PressureLevel::Warning,
            2 => PressureLevel::Critical,
            _ => PressureLevel::Emergency,
        }
    }

    /// Usage as a share of what it may be, by the tightest of budget and container, at the last
    /// reading; 0 once Bursar is stopped. Above normal it is at most a tenth of a second old, and
    /// while purge callbacks run as old as these take; without a thread it is of the last
    /// checkpoint. One load, which says nothing of any other memory: beside
    /// [`level`](Self::level) it may be of the reading before or after. It falls as soon as usage
    /// does, while the level stays for its dwell.
    ///
    /// # Examples
    ///
    /// ```
    /// let signal = bursar::PressureSignal::default();
    /// assert_eq!(signal.usage_ratio(), 0.0);
    /// ```
    #[must_use]
    pub fn usage_ratio(&self) -> f64 {
        f64::from_bits(self.inner.usage.load(Ordering::Relaxed))
    }

    /// The watermarks that the level is judged by.
    pub(crate) fn watermarks(&self) -> Watermarks {
        *self.inner.watermarks.get_or_init(|| Profile::default().watermarks)
    }

    /// Sets the watermarks, once and before anyone reads.
    pub(crate) fn set_watermarks(&self, watermarks: Watermarks) {
        let _ = self.inner.watermarks.set(watermarks);
    }

    /// Whether new work should be refused: at [`PressureLevel::Emergency`]. Spare health checks.
    /// For a share of it that grows with usage see [`Shedding`](crate::Shedding).
    #[must_use]
    pub fn should_shed(&self) -> bool {
        self.level() == PressureLevel::Emergency
    }

    /// Waits until the level is another than `known`, but no longer than `timeout`; answers the
    /// level then. For a thread; async code subscribes instead.
    #[must_use]
    pub fn wait_for_change(&self, known: PressureLevel, timeout: Duration) -> PressureLevel {
        // A time past the clock's range is for ever.
        let deadline = Instant::now().checked_add(timeout);
        let mut changing = lock(&self.inner.changing);
        while self.level() == known {
            let left =
                deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            let waited = self.inner.changed.wait_timeout(changing, left);
            changing = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        self.level()
    }

    /// Has `subscriber` called with each new level, until the returned value is dropped.
    ///
    /// It is called by the thread that found the level, mostly the monitor's, before it cleans
    /// up: so it should be short. A panic in it is contained and counted. A change that is being
    /// told while the subscription is dropped may still reach it, and is not waited for.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use bursar::PressureSignal;
    ///
    /// # let signal = PressureSignal::default();
    /// let (sender, levels) = mpsc::channel();
    /// let subscription = signal.subscribe(move |level| {
    ///     let _ = sender.send(level);
    /// });
    /// # drop(subscription);
    /// # assert!(levels.recv().is_err());
    /// ```
    pub fn subscribe(
        &self,
        subscriber: impl Fn(PressureLevel) + Send + Sync + 'static,
    ) -> Subscription {
        let subscriber: Arc<Subscriber> = Arc::new(subscriber);
        lock(&self.inner.subscribers).push(Arc::clone(&subscriber));
        Subscription { subscriber, signal: Arc::downgrade(&self.inner) }
    }

    /// How often a subscriber panicked.
    #[must_use]
    pub fn panics_total(&self) -> u64 {
        self.inner.panics.load(Ordering::Relaxed)
    }

    /// Sets the usage that was read.
    pub(crate) fn set_usage(&self, usage: f64) {
        self.inner.usage.store(usage.to_bits(), Ordering::Relaxed);
    }

    /// Nobody reads usage from here on: nobody is to be refused for what was read last.
    pub(crate) fn end(&self) {
        self.set_usage(0.0);
        self.set(PressureLevel::Normal);
    }

    /// Sets the level, and tells everyone if it is another. With no lock held.
    pub(crate) fn set(&self, level: PressureLevel) {
        if level == self.level() {
            return;
        }
        {
            let _changing = lock(&self.inner.changing);
            self.inner.level.store(level as u8, Ordering::Relaxed);
        }
        self.inner.changed.notify_all();
        let subscribers = lock(&self.inner.subscribers).clone();
        for subscriber in subscribers {
            // Dropped in there as well: it may be the last, and its destructor is the user's.
            if contain(move || subscriber(level)).is_none() {
                self.inner.panics.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl fmt::Debug for PressureSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PressureSignal").field("level", &self.level()).finish_non_exhaustive()
    }
}

/// Keeps a subscriber of a [`PressureSignal`]; dropped, no further change is told to it.
#[must_use = "dropping it ends the subscription"]
pub struct Subscription {
    subscriber: Arc<Subscriber>,
    signal: Weak<Inner>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(signal) = self.signal.upgrade() else { return };
        let removed = {
            let mut subscribers = lock(&signal.subscribers);
            let index = subscribers.iter().position(|other| Arc::ptr_eq(other, &self.subscriber));
            index.map(|index| subscribers.remove(index))
        };
        drop(removed);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No user code runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::testing::PanicsWhenDropped;

    #[test]
    fn a_subscriber_hears_of_each_change_once_and_of_none_after_its_end() {
        let signal = PressureSignal::default();
        let (sender, levels) = mpsc::channel();
        let subscription = signal.subscribe(move |level| sender.send(level).unwrap());
        for level in [PressureLevel::Warning, PressureLevel::Warning, PressureLevel::Emergency] {
            signal.set(level);
        }
        drop(subscription);
        signal.set(PressureLevel::Normal);
        let heard: Vec<_> = levels.iter().collect();
        assert_eq!(heard, [PressureLevel::Warning, PressureLevel::Emergency]);
    }

    #[test]
    fn load_is_to_be_shed_at_the_emergency_level_alone() {
        let signal = PressureSignal::default();
        assert!(!signal.should_shed());
        for level in PressureLevel::ABOVE_NORMAL {
            signal.set(level);
            assert_eq!(signal.level(), level);
            assert_eq!(signal.should_shed(), level == PressureLevel::Emergency);
        }
    }

    #[test]
    fn a_subscriber_that_panics_is_counted_and_the_next_is_called() {
        let signal = PressureSignal::default();
        let _fragile = signal.subscribe(|_| std::panic::resume_unwind(Box::new("as expected")));
        let (sender, levels) = mpsc::channel();
        let _sound = signal.subscribe(move |level| sender.send(level).unwrap());
        signal.set(PressureLevel::Critical);
        assert_eq!(levels.recv(), Ok(PressureLevel::Critical));
        assert_eq!(signal.panics_total(), 1);
    }

    #[test]
    fn what_a_subscriber_throws_may_throw_again_when_it_is_dropped() {
        let signal = PressureSignal::default();
        let _fragile = signal.subscribe(|_| PanicsWhenDropped::throw());
        signal.set(PressureLevel::Critical);
        assert_eq!(signal.level(), PressureLevel::Critical);
        assert_eq!(signal.panics_total(), 1);
    }

    #[test]
    fn a_subscriber_may_subscribe_and_end_its_own_subscription() {
        let signal = PressureSignal::default();
        let own = Arc::new(Mutex::new(None::<Subscription>));
        let (inner, again) = (Arc::clone(&own), signal.clone());
        *own.lock().unwrap() = Some(signal.subscribe(move |_| {
            let ended = inner.lock().unwrap().take();
            drop(ended);
            drop(again.subscribe(|_| ()));
        }));
        signal.set(PressureLevel::Warning);
        signal.set(PressureLevel::Normal);
        assert!(own.lock().unwrap().is_none());
    }

    #[test]
    fn who_waits_is_woken_by_the_change() {
        let signal = PressureSignal::default();
        let waiter = {
            let signal = signal.clone();
            std::thread::spawn(move || signal.wait_for_change(PressureLevel::Normal, Duration::MAX))
        };
        signal.set(PressureLevel::Critical);
        assert_eq!(waiter.join().unwrap(), PressureLevel::Critical);
        let at_once = signal.wait_for_change(PressureLevel::Critical, Duration::ZERO);
        assert_eq!(at_once, PressureLevel::Critical);
    }
}
