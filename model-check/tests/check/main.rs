//! One binary for all tests: linking is what takes long.

mod command;
mod controls;
mod mutants;
mod reductions;
mod simulate;
mod trace;
