//! A tree of files with made-up content, in the place of `/`.

use std::fs;
use std::path::{Path, PathBuf};

use arbitrary::Arbitrary;

/// Longer than the buffer that lines are read through.
const FILLER_LINE: &str = "filler 12345\n";

#[derive(Arbitrary, Debug)]
pub struct Input {
    pub layout: Layout,
    /// In place of the well-formed `/proc/self/cgroup` and `/proc/self/mountinfo`.
    pub membership: Option<Content>,
    pub mounts: Option<Content>,
    /// The process's own cgroup, its parent, and the mount's root.
    pub levels: [Level; 3],
    pub meminfo: Content,
    pub system_stall: Content,
    pub given_bytes: Option<u64>,
    pub lambda: Option<String>,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub enum Layout {
    V1,
    V2,
    Hybrid,
}

/// The files of one cgroup.
#[derive(Arbitrary, Debug)]
pub struct Level {
    /// v2 `memory.max`, v1 `memory.limit_in_bytes`.
    pub limit: Content,
    pub high: Content,
    pub usage: Content,
    pub stat: Content,
    pub events: Content,
    pub failures: Content,
    pub swap: Content,
    pub stall: Content,
}

#[derive(Arbitrary, Debug)]
pub enum Content {
    Absent,
    Directory,
    Number(u64),
    Max,
    /// Anything at all.
    Bytes(Vec<u8>),
    /// Lines that begin as the kernel's do.
    Lines {
        filler: u16,
        lines: Vec<(Key, Value)>,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Key {
    HierarchicalLimit,
    InactiveFile,
    TotalInactiveFile,
    OomKill,
    UnderOom,
    High,
    MemTotal,
    MemAvailable,
    SwapFree,
    Some,
    Full,
}

#[derive(Arbitrary, Debug)]
pub enum Value {
    Number(u64),
    Kib(u32),
    Stall { hundredths: u16, total: u64 },
    Text(String),
}

impl Content {
    /// What the file holds; `None` where there is no such file.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Absent | Self::Directory => None,
            Self::Number(number) => Some(format!("{number}\n").into_bytes()),
            Self::Max => Some(b"max\n".to_vec()),
            Self::Bytes(bytes) => Some(bytes.clone()),
            Self::Lines { filler, lines } => {
                let mut text = FILLER_LINE.repeat(usize::from(filler % 1000));
                for (key, value) in lines {
                    text += &format!("{}{}\n", key.text(), value.text());
                }
                Some(text.into_bytes())
            }
        }
    }

    fn write(&self, path: &Path) {
        match (self, self.bytes()) {
            (Self::Directory, _) => fs::create_dir_all(path).expect("a directory"),
            (_, Some(bytes)) => fs::write(path, bytes).expect("a file"),
            (_, None) => {}
        }
    }
}

impl Key {
    fn text(self) -> &'static str {
        match self {
            Self::HierarchicalLimit => "hierarchical_memory_limit ",
            Self::InactiveFile => "inactive_file ",
            Self::TotalInactiveFile => "total_inactive_file ",
            Self::OomKill => "oom_kill ",
            Self::UnderOom => "under_oom ",
            Self::High => "high ",
            Self::MemTotal => "MemTotal:   ",
            Self::MemAvailable => "MemAvailable: ",
            Self::SwapFree => "SwapFree: ",
            Self::Some => "some ",
            Self::Full => "full ",
        }
    }
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Kib(kib) => format!("{kib} kB"),
            Self::Stall { hundredths, total } => {
                format!(
                    "avg10={}.{:02} avg60=0.00 total={total}",
                    hundredths / 100,
                    hundredths % 100
                )
            }
            Self::Text(text) => text.clone(),
        }
    }
}

/// The tree on disk, removed when dropped.
pub struct Tree(PathBuf);

impl Tree {
    pub fn write(input: &Input) -> Self {
        // Of memory, where there is one: there are thousands of files a second.
        let shared = Path::new("/dev/shm");
        let parent = if shared.is_dir() { shared.into() } else { std::env::temp_dir() };
        let root = parent.join(format!("bursar-cgroup-files-{}", std::process::id()));
        let tree = Self(root);
        let v2 = "sys/fs/cgroup";
        let (mount, membership, mounts) = match input.layout {
            Layout::V2 => (v2, "0::/pod/app\n", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 x rw\n"),
            Layout::V1 => (
                "sys/fs/cgroup/memory",
                "4:memory:/pod/app\n",
                "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup x rw,memory\n",
            ),
            Layout::Hybrid => (
                "sys/fs/cgroup/memory",
                "4:cpu,memory:/pod/app\n0::/pod/app\n",
                "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup x rw,memory\n\
                 41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 x rw\n",
            ),
        };
        for directory in ["proc/self", "proc/pressure", "sys/fs/cgroup/unified/pod/app"] {
            fs::create_dir_all(tree.0.join(directory)).expect("a directory");
        }
        tree.table("proc/self/cgroup", input.membership.as_ref(), membership);
        tree.table("proc/self/mountinfo", input.mounts.as_ref(), mounts);
        input.meminfo.write(&tree.0.join("proc/meminfo"));
        input.system_stall.write(&tree.0.join("proc/pressure/memory"));
        for (level, directory) in input.levels.iter().zip(["pod/app", "pod", ""]) {
            level.write(&tree.0.join(mount).join(directory), input.layout == Layout::V2);
        }
        tree
    }

    pub fn root(&self) -> &Path {
        &self.0
    }

    fn table(&self, name: &str, hostile: Option<&Content>, well_formed: &str) {
        match hostile {
            Some(content) => content.write(&self.0.join(name)),
            None => fs::write(self.0.join(name), well_formed).expect("a file"),
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("it was there");
    }
}

impl Level {
    fn write(&self, directory: &Path, is_v2: bool) {
        fs::create_dir_all(directory).expect("a directory");
        let [limit, high, usage, events, swap] = if is_v2 {
            ["memory.max", "memory.high", "memory.current", "memory.events", "memory.swap.current"]
        } else {
            [
                "memory.limit_in_bytes",
                "memory.soft_limit_in_bytes",
                "memory.usage_in_bytes",
                "memory.oom_control",
                "memory.memsw.usage_in_bytes",
            ]
        };
        for (name, content) in [
            (limit, &self.limit),
            (high, &self.high),
            (usage, &self.usage),
            (events, &self.events),
            (swap, &self.swap),
            ("memory.stat", &self.stat),
            ("memory.failcnt", &self.failures),
            ("memory.pressure", &self.stall),
        ] {
            content.write(&directory.join(name));
        }
    }
}
