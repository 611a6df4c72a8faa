//! Usage sources: where figures about memory come from when they are not the
//! allocator's own.
//!
//! | source | answers | unit |
//! |---|---|---|
//! | [`Process`] | what the kernel holds resident for this process | bytes |
//! | [`Cgroup`] | the container's limit, usage, working set and OOM kills | bytes, kills |
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
mod process;
mod reader;
mod sampler;

#[cfg(test)]
mod fixture;

pub use cgroup::{Cgroup, CgroupUsage, ContainerLimit};
pub use error::SourceError;
pub use process::Process;
pub(crate) use sampler::{Sampler, Sources, footprint_bytes};
