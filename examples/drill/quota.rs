//! A container's quota of processor time, where this machine lets one be set.

use crate::groups::{Group, Hierarchies, Version, count};
use std::fs;
use std::path::{Path, PathBuf};

/// The time over which the kernel counts what was used, in microseconds.
const PERIOD_MICROS: u64 = 100_000;
/// The version 1 file of the quota.
const V1_QUOTA: &str = "cpu.cfs_quota_us";

/// A quota in force.
#[derive(Debug)]
pub(crate) struct Quota {
    directory: PathBuf,
    /// A group of its own in version 1; in version 2 the memory limit's has it.
    own: Option<Group>,
}

impl Quota {
    /// Holds the container to `cores`, a share of one or several processors:
    /// in the group of its memory limit, or else in one called `name`.
    pub(crate) fn set(
        hierarchies: Hierarchies<'_>,
        name: &str,
        memory: (&Group, Version),
        cores: f64,
    ) -> Result<Self, String> {
        let micros = (cores * PERIOD_MICROS as f64) as u64;
        let refused = |error| format!("no processor quota could be set ({error})");
        if let (group, Version::V2) = memory {
            group.set("cpu.max", &format!("{micros} {PERIOD_MICROS}")).map_err(refused)?;
            return Ok(Self { directory: group.directory().to_owned(), own: None });
        }
        let mut reason = "no control group here has a processor quota".to_owned();
        for (parent, version) in hierarchies.places("cpu", V1_QUOTA) {
            if version == Version::V2 {
                continue;
            }
            let made = Group::create(&parent, name).and_then(|group| {
                group.set("cpu.cfs_period_us", &PERIOD_MICROS.to_string())?;
                group.set(V1_QUOTA, &micros.to_string())?;
                Ok(group)
            });
            match made {
                Ok(group) => {
                    return Ok(Self { directory: group.directory().to_owned(), own: Some(group) });
                }
                Err(error) => reason = refused(error),
            }
        }
        Err(reason)
    }

    /// What else than the memory limit's group a process has to join.
    pub(crate) fn directory_to_join(&self) -> Option<&Path> {
        self.own.as_ref().map(Group::directory)
    }

    /// The share of the periods in which the container wanted more than it got.
    pub(crate) fn throttled_share(&self) -> Option<f64> {
        let stat = fs::read_to_string(self.directory.join("cpu.stat")).ok()?;
        let (periods, throttled) = (count(&stat, "nr_periods")?, count(&stat, "nr_throttled")?);
        Some(throttled as f64 / periods.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::write;

    #[test]
    fn version_2_has_the_quota_in_the_group_of_the_memory_limit() {
        let root = tempfile::tempdir().expect("a directory");
        let hierarchies = Hierarchies { root: root.path(), own: "0::/\n" };
        let memory = Group::create(root.path(), "drill").expect("a group");
        let set = || Quota::set(hierarchies, "drill", (&memory, Version::V2), 0.5);
        let reason = set().expect_err("there is no such file");
        assert!(reason.starts_with("no processor quota could be set"), "{reason}");

        let file = |name| memory.directory().join(name);
        write(&file("cpu.max"), "");
        write(&file("cpu.stat"), "usage_usec 7\nnr_periods 40\nnr_throttled 10\n");
        let quota = set().expect("a quota");
        assert_eq!(fs::read_to_string(file("cpu.max")).expect("a file"), "50000 100000");
        assert_eq!(quota.directory_to_join(), None);
        assert_eq!(quota.throttled_share(), Some(0.25));
        // Files in a control group do not keep it from being removed; here they do.
        fs::remove_file(file("cpu.max")).expect("a file");
        fs::remove_file(file("cpu.stat")).expect("a file");
    }

    #[test]
    fn a_machine_without_quotas_says_so() {
        let root = tempfile::tempdir().expect("a directory");
        let hierarchies = Hierarchies { root: root.path(), own: "4:memory:/\n" };
        let memory = Group::create(root.path(), "drill").expect("a group");
        let refused = Quota::set(hierarchies, "drill", (&memory, Version::V1), 0.5);
        let reason = refused.expect_err("there is no such hierarchy");
        assert_eq!(reason, "no control group here has a processor quota");
    }
}
