//! Doing what was asked for by those who do not wait, and waiting for those who have something
//! put off.

use std::time::Duration;

use super::{INTERVAL_UNDER_PRESSURE, Monitor};
use crate::asks::Asked;
use crate::ladder::Plan;
use crate::pressure::PressureLevel;

/// What is put off while requests run. See [`PurgeDeferral`](crate::PurgeDeferral).
#[derive(Debug, Default)]
pub(super) struct PutOff {
    /// Since when something has been waiting without a cleanup in between, but for those of tags.
    since: Option<Duration>,
    /// Whether it has waited for as long as it may.
    is_over: bool,
    /// Whether something waits, by this step.
    is_wanted: bool,
}

impl PutOff {
    /// Begins a step.
    fn begin(&mut self, now: Duration, longest: Duration) {
        self.is_wanted = false;
        self.is_over = self.since.is_some_and(|since| now.saturating_sub(since) >= longest);
    }

    /// Ends a step.
    fn end(&mut self) {
        if !self.is_wanted {
            self.since = None;
        }
    }

    /// How long what waits may go on to, if something does.
    fn wait(&self, now: Duration, longest: Duration) -> Option<Duration> {
        let since = self.since.filter(|_| !self.is_over)?;
        Some(longest.saturating_sub(now.saturating_sub(since)))
    }
}

impl Monitor {
    /// Begins a step with what was asked for up to now; what is asked for from here on is for the
    /// next one.
    pub(super) fn take_asks(&mut self) {
        let now = self.clock.now();
        self.put_off.begin(now, self.settings.config.max_purge_deferral);
        self.asked.add(self.shared.asks().take());
    }

    /// Does what was asked for, but for what is to wait.
    pub(super) fn do_what_was_asked(&mut self) {
        if let Some(level) = self.asked.reclaim_level()
            && self.may_clean_up(level)
        {
            self.asked.remove_reclaims();
            self.reclaim(level);
        }
        if self.asked.contains(Asked::COLLECT) && self.may_clean_up(PressureLevel::Normal) {
            self.asked.remove_collect();
            self.give_pages_back();
        }
        self.put_off.end();
    }

    fn give_pages_back(&mut self) {
        self.carry_out_and_publish(&Plan::of_pages(), &[]);
    }

    /// Whether what was asked for at `level` may be done now. Even an emergency waits for its
    /// share of a core: usage that is one is answered without being asked for.
    fn may_clean_up(&mut self, level: PressureLevel) -> bool {
        !self.is_put_off(level) && self.has_its_share()
    }

    /// Whether cleanups have some of their share of a core left.
    pub(super) fn has_its_share(&mut self) -> bool {
        let has_share = self.cpu.allows(self.clock.now());
        if !has_share {
            self.shared.lock().deferred_cleanups_total += 1;
        }
        has_share
    }

    /// Whether a cleanup at `level` is to wait for requests that run.
    pub(super) fn is_put_off(&mut self, level: PressureLevel) -> bool {
        let can_wait =
            level <= PressureLevel::Warning && !self.settings.config.max_purge_deferral.is_zero();
        if !can_wait || !self.shared.asks().put_off() {
            return false;
        }
        self.put_off.is_wanted = true;
        if self.put_off.is_over {
            return false;
        }
        if self.put_off.since.is_none() {
            self.put_off.since = Some(self.clock.now());
            self.shared.lock().purge_deferrals_total += 1;
        }
        true
    }

    /// A cleanup has been made, of all and not of one tag only: what is put off from here on waits
    /// anew.
    pub(super) fn end_put_off(&mut self) {
        self.put_off.since = None;
    }

    /// How soon what waits is to be looked at again, if something does.
    pub(super) fn wait_for_asked(&self, now: Duration) -> Option<Duration> {
        let put_off = self.put_off.wait(now, self.settings.config.max_purge_deferral);
        let for_its_share = || self.asked.is_something().then_some(INTERVAL_UNDER_PRESSURE);
        put_off.or_else(for_its_share)
    }
}
