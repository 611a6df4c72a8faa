//! What a global allocator costs: workloads, and the two commands that compare configurations.
//! And how soon a monitor over it acts, what its cache costs, and what a service pays to be seen.
//!
//! A program has one global allocator, so each configuration is a program of its own, a few lines
//! in `programs/` that name an allocator and call [`run`]. The workloads are compiled once, here:
//! what differs between two programs is the allocator alone.
//!
//! - `cargo run --release -p bursar-benches --features peers --bin report` does all that follows,
//!   and prints and draws what the README shows.
//! - `cargo run --release -p bursar-benches --bin compare` runs all programs in turns and prints
//!   the table of ratios to the same backend bare. `--features peers` adds the public peers.
//! - `cargo run --release -p bursar-benches --bin memory` prints peak resident bytes over
//!   requested bytes.
//! - `cargo run --release -p bursar-benches --bin reaction` prints how soon the first callback of
//!   a cleanup runs, how long a trim of 100 MB takes, and what the monitor costs while idle.
//! - `cargo run --release -p bursar-benches --bin caches` prints what a look-up, an insertion and a
//!   trim of the cache cost, and its hit rates. `--features peers` adds those of other caches.
//! - `cargo run --release -p bursar-benches --bin service` prints what the layer adds to a request,
//!   and how soon metrics and statistics are answered.
//! - `cargo bench -p bursar-benches` times the same workloads with criterion, one program after
//!   the other: for the history of one program. On a shared machine two programs are to be
//!   compared by `compare`, or the neighbours are what is measured.
//!
//! The modules, lowest first: `random`, `accounts` (what a program with accounts hands in),
//! `workload`, `footprint` (the loads of `memory`), `measure` (running programs and showing
//! figures), `chart`, `findings` (tables and charts), `compare`, `memory`, `isolation`, `scaling`,
//! `snapshots`, `purgeables`, `reaction`, `caches`, `service`, `program` (what a configuration
//! does when it is run), `report`.

mod accounts;
pub mod caches;
mod chart;
pub mod compare;
mod findings;
mod footprint;
mod isolation;
mod measure;
pub mod memory;
mod program;
mod purgeables;
mod random;
pub mod reaction;
pub mod report;
mod scaling;
pub mod service;
mod snapshots;
mod workload;

pub use accounts::{Accounts, Snapshot, TagOf};
pub use program::run;
