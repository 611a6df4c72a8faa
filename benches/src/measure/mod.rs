//! Running the programs, and showing what they say.

mod configuration;
mod figures;
mod instructions;
mod options;
mod processor;
mod programs;
mod spread;
mod table;
mod turns;

pub(crate) use configuration::{Backend, Configuration, Kind};
pub(crate) use figures::Figures;
pub(crate) use instructions::{has_valgrind, instructions_of, instructions_of_a_pair};
pub(crate) use options::Options;
pub(crate) use processor::{Ran, of_this_thread, on_processor};
pub(crate) use programs::Programs;
pub(crate) use spread::Spread;
pub(crate) use table::Table;
pub(crate) use turns::{cell, compared, dash, in_turns};
