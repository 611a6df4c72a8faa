//! What holds over every backend. Each test counts under tags of its own, so that they can run
//! side by side in one process. The program has its allocator as `ALLOCATOR` at its root.

#[path = "../support/block.rs"]
pub(crate) mod block;
#[path = "../support/child.rs"]
pub(crate) mod child;

mod accounts;
mod blocks;
mod charges;
mod futures;
mod pages;
mod tags;
mod threads;
mod watching;
