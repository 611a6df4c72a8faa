//! Usage sources: where figures about memory come from when they are not the
//! allocator's own.
//!
//! | source | answers | unit |
//! |---|---|---|
//! | [`Process`] | what the kernel holds resident for this process | bytes |
//! | [`Cgroup`] | the container's limit, usage, working set, swap, stall and events | bytes, percent, counts |
//! | [`SystemMemory`] | the machine's memory, swap and stall | bytes, percent |
//! | [`Limits`] | the limit in force, by whom, and what the others said | bytes |
//!
//! A source reads; it never decides. What it cannot know is a [`SourceError`]
//! that names the file and what was found there, never a guess and never a
//! panic: a budget built on an invented limit is worse than none.
//!
//! Sources are meant for a monitoring thread: they are `Send + Sync`, hold no
//! lock, compute every path beforehand and allocate nothing for a successful
//! read of a number.

mod cgroup;
mod cgroup_paths;
mod error;
mod limit;
mod limits;
mod process;
mod psi;
mod reader;
mod sampler;
mod surroundings;
mod system;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod fixture_trees;

pub use cgroup::{Cgroup, CgroupUsage, ContainerLimit};
pub use error::SourceError;
pub use limit::{LimitAnswer, LimitCandidate, LimitReport, LimitSource};
pub use limits::Limits;
pub use process::Process;
pub(crate) use sampler::{Sampler, Sources, footprint_bytes};
pub(crate) use surroundings::Unavailable;
pub use system::SystemMemory;
