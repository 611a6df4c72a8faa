//! Finds the memory cgroup of this process, and the cgroups above it.
//!
//! Two files of `/proc/self` say it: `cgroup` gives the path within the
//! hierarchy, `mountinfo` where the hierarchy is mounted and which of its
//! directories is the mount's root. A container often sees only a part: then
//! the part's root is as high, or as deep, as can be read.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::error::SourceError;
use super::reader::under;

/// Larger than any mount table in use; a guard against an endless file.
const LONGEST_TABLE_BYTES: u64 = 16 << 20;

const PROC_CGROUP: &str = "/proc/self/cgroup";
const PROC_MOUNTINFO: &str = "/proc/self/mountinfo";

/// Which kernel interface the memory controller is under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// A process's place in the memory hierarchy.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) version: Version,
    /// Directories as seen from the root: the cgroup that is charged for this
    /// process first, each one's parent after it, the mount's root last.
    /// Never empty.
    pub(super) levels: Vec<PathBuf>,
    /// Whether the last level is the root of the whole v2 hierarchy, which has
    /// no limit and no usage files.
    pub(super) top_is_bare: bool,
}

/// Finds this process's memory cgroup below `root`.
pub(super) fn locate(root: &Path) -> Result<Place, SourceError> {
    if !present(root, Path::new(PROC_CGROUP)) {
        return Err(SourceError::NoMemoryController { found: "there is no /proc/self/cgroup" });
    }
    let memberships = read_table(root, PROC_CGROUP)?;
    let mounts = read_table(root, PROC_MOUNTINFO)?;
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();

    // Where a v1 hierarchy has the memory controller, v2 cannot have it too.
    let v1 =
        membership(&memberships, |controllers| controllers.split(',').any(|name| name == "memory"));
    if let Some(path) = v1 {
        let levels =
            levels(root, &mounts, Version::V1, path).ok_or(SourceError::NoMemoryController {
                found: "the cgroup v1 memory controller is in use, but not mounted",
            })?;
        return Ok(Place { version: Version::V1, levels, top_is_bare: false });
    }

    let path = membership(&memberships, str::is_empty)
        .ok_or(SourceError::NoMemoryController { found: "the process is in no memory cgroup" })?;
    let levels = levels(root, &mounts, Version::V2, path)
        .ok_or(SourceError::NoMemoryController { found: "no cgroup2 file system is mounted" })?;
    charged_v2(root, levels)
}

/// Drops the v2 levels below the one that is charged.
///
/// A cgroup whose parent does not enable the memory controller has no memory
/// files: its processes are charged to the nearest ancestor that has them.
fn charged_v2(root: &Path, mut levels: Vec<PathBuf>) -> Result<Place, SourceError> {
    let has_memory = |level: &Path| {
        ["memory.max", "memory.current", "memory.high"]
            .iter()
            .any(|file| present(root, &level.join(file)))
    };
    let top = levels.len() - 1;
    let own = levels.iter().position(|level| has_memory(level));
    if own.is_none() && !lists_memory(root, &levels[top]) {
        return Err(SourceError::NoMemoryController {
            found: "the cgroup2 file system has no memory controller",
        });
    }
    let top_is_bare = !has_memory(&levels[top]);
    levels.drain(..own.unwrap_or(top));
    Ok(Place { version: Version::V2, levels, top_is_bare })
}

/// Whether something is at `path`, readable or not.
pub(super) fn present(root: &Path, path: &Path) -> bool {
    match fs::metadata(under(root, path)) {
        Ok(_) => true,
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

fn lists_memory(root: &Path, top: &Path) -> bool {
    fs::read_to_string(under(root, &top.join("cgroup.controllers")))
        .is_ok_and(|names| names.split_ascii_whitespace().any(|name| name == "memory"))
}

/// The path of the first line `id:controllers:path` whose controllers fit.
fn membership(table: &str, fits: impl Fn(&str) -> bool) -> Option<&Path> {
    table.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        let path = fields.next()?;
        (fits(controllers) && path.starts_with('/')).then(|| Path::new(path))
    })
}

/// The cgroup's directory and those above it, up to the root of the mount that
/// shows the most of them.
fn levels(root: &Path, mounts: &[Mount], version: Version, path: &Path) -> Option<Vec<PathBuf>> {
    let candidates = || mounts.iter().filter(|mount| mount.version == version);
    let shown = candidates().filter_map(|mount| mount.levels_to(root, path)).max_by_key(Vec::len);
    // Not shown at all: a namespace of its own is mounted at its own root.
    shown.or_else(|| candidates().next().map(|mount| vec![mount.point.clone()]))
}

/// A line of `mountinfo` that mounts a hierarchy which may control memory.
#[derive(Debug)]
struct Mount {
    version: Version,
    /// The directory of the hierarchy that the mount shows.
    hierarchy_root: PathBuf,
    /// Where it is mounted.
    point: PathBuf,
}

impl Mount {
    /// `id parent major:minor ROOT POINT options... - TYPE device SUPER_OPTIONS`
    fn parse(line: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let hierarchy_root = unescape(mount.next()?);
        let point = unescape(mount.next()?);
        let mut file_system = file_system.split(' ');
        let kind = file_system.next()?;
        let options = file_system.nth(1).unwrap_or_default();
        let version = match kind {
            "cgroup2" => Version::V2,
            "cgroup" if options.split(',').any(|name| name == "memory") => Version::V1,
            _ => return None,
        };
        Some(Self { version, hierarchy_root: hierarchy_root.into(), point: point.into() })
    }

    /// The levels from `path` of the hierarchy up to this mount's point, when
    /// the mount shows that path.
    fn levels_to(&self, root: &Path, path: &Path) -> Option<Vec<PathBuf>> {
        let inner = path.strip_prefix(&self.hierarchy_root).ok()?;
        let plain = |part| matches!(part, Component::Normal(_));
        // `..` names a cgroup outside of the namespace.
        if !inner.components().all(plain) {
            return None;
        }
        let own = self.point.join(inner);
        if !under(root, &own).is_dir() {
            return None;
        }
        let depth = inner.components().count();
        Some(own.ancestors().take(depth + 1).map(Path::to_path_buf).collect())
    }
}

/// Undoes `mountinfo`'s octal escapes of blanks and backslashes.
fn unescape(field: &str) -> String {
    let mut plain = String::with_capacity(field.len());
    let mut rest = field;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4);
        let byte = code.and_then(|code| u8::from_str_radix(code, 8).ok());
        match byte.filter(u8::is_ascii) {
            Some(byte) => {
                plain.push(char::from(byte));
                rest = &rest[at + 4..];
            }
            None => {
                plain.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// A whole table of `/proc`, as text.
fn read_table(root: &Path, name: &'static str) -> Result<String, SourceError> {
    let mut bytes = Vec::new();
    File::open(under(root, Path::new(name)))
        .and_then(|file| file.take(LONGEST_TABLE_BYTES).read_to_end(&mut bytes))
        .map_err(|error| SourceError::unreadable(name, &error))?;
    String::from_utf8(bytes)
        .map_err(|error| SourceError::garbled(name, "text in UTF-8", error.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_line_gives_root_point_and_version() {
        let line = r"36 31 0:33 /docker/1 /my\040mounts/\134x rw,relatime shared:9 - cgroup cgroup rw,memory";
        let mount = Mount::parse(line).expect("a cgroup mount");
        assert_eq!(mount.version, Version::V1);
        assert_eq!(mount.hierarchy_root, Path::new("/docker/1"));
        assert_eq!(mount.point, Path::new(r"/my mounts/\x"));
    }

    #[test]
    fn other_mounts_and_torn_lines_are_passed_over() {
        for line in [
            "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
            "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu",
            "36 31 0:33 / - cgroup2",
            "- cgroup2 cgroup2 rw",
            "",
        ] {
            assert!(Mount::parse(line).is_none(), "{line:?}");
        }
    }

    #[test]
    fn escapes_that_are_none_stay() {
        assert_eq!(unescape(r"a\040b"), "a b");
        for same in [r"\", r"\04", r"\999", r"a\é", r"\377"] {
            assert_eq!(unescape(same), same);
        }
    }

    #[test]
    fn the_controller_is_a_whole_word() {
        let table = "7:cpu,memory2:/wrong\n4:cpu,memory:/right:with:colons\n0::/unified\n";
        let memory = |names: &str| names.split(',').any(|name| name == "memory");
        assert_eq!(membership(table, memory), Some(Path::new("/right:with:colons")));
        assert_eq!(membership(table, str::is_empty), Some(Path::new("/unified")));
        assert_eq!(membership("garbage", str::is_empty), None);
    }
}
