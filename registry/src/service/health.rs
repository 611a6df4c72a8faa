//! [`Health`]: whether the process is fit to be sent work, in one word and with the reason.

use crate::bursar::{Bursar, Handle};
use crate::pressure::{Diagnosis, PressureLevel};
use crate::status::Stall;

/// How the process stands, for a probe or a load balancer.
///
/// # Examples
///
/// ```
/// use bursar::{AccountingAllocator, Bursar, HealthStatus, PressureLevel, System};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// fn main() -> Result<(), bursar::Error> {
///     let bursar = Bursar::builder().budget("64MiB").start()?;
///     let health = bursar.health(PressureLevel::Emergency);
///     let answer = if health.is_healthy { 200 } else { 503 };
///     assert_eq!((health.status, answer), (HealthStatus::Ok, 200));
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Health {
    /// Whether work may be sent: all but [`HealthStatus::Unhealthy`].
    pub is_healthy: bool,
    /// How it stands.
    pub status: HealthStatus,
    /// The level in force.
    pub level: PressureLevel,
    /// Usage as a share of what it may be.
    pub usage_ratio: f64,
    /// What is wrong, unless nothing is.
    pub reason: Option<String>,
}

/// How a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HealthStatus {
    /// Nothing is wrong.
    Ok,
    /// It works, under pressure or with a callback that does not return.
    Degraded,
    /// It should be sent no work.
    Unhealthy,
}

impl HealthStatus {
    /// Its name in lower case, as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl Health {
    fn of(
        level: PressureLevel,
        usage_ratio: f64,
        diagnosis: Option<Diagnosis>,
        stall: Option<Stall>,
        unhealthy_from: PressureLevel,
    ) -> Self {
        let is_pressed = level > PressureLevel::Normal;
        let status = match level {
            _ if is_pressed && level >= unhealthy_from => HealthStatus::Unhealthy,
            _ if is_pressed || stall.is_some() => HealthStatus::Degraded,
            _ => HealthStatus::Ok,
        };
        let pressure = is_pressed.then(|| {
            let kind = diagnosis.map(|diagnosis| format!(" ({diagnosis} pressure)"));
            let percent = 100.0 * usage_ratio;
            format!("memory is at {level}: {percent:.1} %{}", kind.unwrap_or_default())
        });
        let stalled = stall.map(|Stall { name, running_for }| {
            format!(
                "the callback of {name} has not returned for {:.1} s",
                running_for.as_secs_f64()
            )
        });
        let reasons: Vec<_> = pressure.into_iter().chain(stalled).collect();
        Self {
            is_healthy: status != HealthStatus::Unhealthy,
            status,
            level,
            usage_ratio,
            reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
        }
    }
}

impl Handle {
    pub(crate) fn health(&self, unhealthy_from: PressureLevel) -> Health {
        let now = self.clock.now();
        let status = self.shared.lock();
        let level = status.pressure.level;
        let usage_ratio = status.finding.map_or(0.0, |finding| finding.usage);
        let diagnosis = status.finding.map(|finding| finding.diagnosis);
        let budget = status.budget.as_ref().unwrap_or(&self.budget);
        let stall = status.stall(now, budget.profile().stall_after);
        drop(status);
        Health::of(level, usage_ratio, diagnosis, stall, unhealthy_from)
    }
}

impl Bursar {
    /// How the process stands by the monitor's last reading: unhealthy at `unhealthy_from` and
    /// above, degraded from [`PressureLevel::Warning`] on and while a callback does not return.
    /// The normal level is never unhealthy. Sums no counters: a short lock, and an allocation
    /// where there is a reason to tell.
    ///
    /// A probe that has the process *sent no work* (Kubernetes' readiness) takes
    /// [`PressureLevel::Critical`]. One that has it *restarted* (liveness) had better not look at
    /// memory: a restart throws away what a cleanup might have saved. If it does, it takes
    /// [`PressureLevel::Emergency`], and minutes of failures.
    #[must_use]
    pub fn health(&self, unhealthy_from: PressureLevel) -> Health {
        self.handle.health(unhealthy_from)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(level: PressureLevel, unhealthy_from: PressureLevel) -> Health {
        Health::of(level, 0.931, Some(Diagnosis::Live), None, unhealthy_from)
    }

    #[test]
    fn it_is_unhealthy_from_the_chosen_level_on_and_degraded_below_it() {
        let levels = [
            PressureLevel::Normal,
            PressureLevel::Warning,
            PressureLevel::Critical,
            PressureLevel::Emergency,
        ];
        let statuses = |from| levels.map(|level| at(level, from).status.as_str());
        let [ok, degraded, unhealthy] = ["ok", "degraded", "unhealthy"];
        assert_eq!(statuses(levels[3]), [ok, degraded, degraded, unhealthy]);
        assert_eq!(statuses(levels[2]), [ok, degraded, unhealthy, unhealthy]);
        assert_eq!(statuses(levels[1]), [ok, unhealthy, unhealthy, unhealthy]);
        assert_eq!(statuses(levels[0]), [ok, unhealthy, unhealthy, unhealthy]);
    }

    #[test]
    fn work_may_be_sent_unless_it_is_unhealthy() {
        let critical = PressureLevel::Critical;
        assert!(at(PressureLevel::Warning, critical).is_healthy);
        assert!(!at(PressureLevel::Critical, critical).is_healthy);
    }

    #[test]
    fn the_reason_says_how_full_it_is_and_of_what() {
        let health = at(PressureLevel::Critical, PressureLevel::Critical);
        assert_eq!(health.reason.unwrap(), "memory is at critical: 93.1 % (live pressure)");
        let health = at(PressureLevel::Normal, PressureLevel::Critical);
        assert_eq!(health.reason, None);
    }

    #[test]
    fn a_callback_that_hangs_degrades_it_and_is_named() {
        let stall = Stall { name: "pages".to_owned(), running_for: Duration::from_millis(12_340) };
        let from = PressureLevel::Emergency;
        let health = Health::of(PressureLevel::Normal, 0.2, None, Some(stall.clone()), from);
        assert_eq!((health.status, health.is_healthy), (HealthStatus::Degraded, true));
        let reason = "the callback of pages has not returned for 12.3 s";
        assert_eq!(health.reason.unwrap(), reason);

        let health = Health::of(PressureLevel::Emergency, 1.01, None, Some(stall), from);
        assert_eq!(health.status, HealthStatus::Unhealthy);
        assert_eq!(health.reason.unwrap(), format!("memory is at emergency: 101.0 %; {reason}"));
    }
}
