//! The real binary, as separate processes on this machine.

mod admin;
mod case;
mod demo;
mod documents;
mod durability;
mod faults;
mod harness;
mod intruder;
mod operated;
mod operator;
mod processes;
mod sessions;
mod snapshots;
mod usage;
