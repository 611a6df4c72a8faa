//! What holds over every backend. Each test counts under tags of its own, so that they can run
//! side by side in one process.

mod accounts;
mod blocks;
mod charges;
mod futures;
mod tags;
mod threads;
mod watching;
