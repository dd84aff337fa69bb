//! The real binary, as separate processes on this machine.

mod case;
mod demo;
mod documents;
mod faults;
mod harness;
mod processes;
mod usage;
