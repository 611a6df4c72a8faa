//! [`CpuShare`]: what cleanups may take of a core.

use std::time::Duration;

/// A leaky bucket of time: cleanups fill it by the time they take, and it drains at their share
/// of a core. Full, the next cleanup waits.
///
/// Time is the wall's, which the time on a core never exceeds: what a callback waits counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuShare {
    share: f64,
    filled: Duration,
    drained_at: Duration,
}

/// What a full bucket holds: as much as the share gives in this time. So long may cleanups run
/// without a pause before the cap is felt.
const WINDOW: Duration = Duration::from_secs(2);

impl CpuShare {
    pub(crate) fn new(share: f64) -> Self {
        Self { share, filled: Duration::ZERO, drained_at: Duration::ZERO }
    }

    /// Whether another cleanup may run now.
    pub(crate) fn allows(&mut self, now: Duration) -> bool {
        let drained = now.saturating_sub(self.drained_at).as_secs_f64() * self.share;
        // A drain past all there is, as after a clock's jump, empties it.
        let drained = Duration::try_from_secs_f64(drained).unwrap_or(Duration::MAX);
        self.filled = self.filled.saturating_sub(drained);
        self.drained_at = now;
        self.filled < WINDOW.mul_f64(self.share)
    }

    /// Counts a cleanup that has run.
    pub(crate) fn spend(&mut self, elapsed: Duration) {
        self.filled = self.filled.saturating_add(elapsed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn over_a_minute_cleanups_get_their_share_however_often_they_ask() {
        let mut cpu = CpuShare::new(0.25);
        let mut spent = Duration::ZERO;
        let mut now = Duration::ZERO;
        while now < Duration::from_secs(60) {
            now += MS;
            if cpu.allows(now) {
                cpu.spend(10 * MS);
                spent += 10 * MS;
                now += 10 * MS;
            }
        }
        let share = spent.as_secs_f64() / now.as_secs_f64();
        assert!((0.24..0.27).contains(&share), "{share}");
    }

    #[test]
    fn a_burst_after_a_rest_is_allowed_up_to_the_window() {
        let mut cpu = CpuShare::new(0.25);
        let mut burst = 0;
        while cpu.allows(Duration::from_secs(100)) {
            cpu.spend(10 * MS);
            burst += 1;
        }
        assert_eq!(burst, 50);
    }

    #[test]
    fn a_clock_that_jumps_empties_it_and_one_that_runs_backwards_does_no_harm() {
        let mut cpu = CpuShare::new(0.25);
        cpu.spend(Duration::from_secs(100));
        assert!(!cpu.allows(Duration::from_secs(1)));
        assert!(!cpu.allows(Duration::ZERO));
        assert!(cpu.allows(Duration::MAX));
    }
}
