//! The real binary, as separate processes on this machine.

mod admin;
mod case;
mod damage;
mod demo;
mod disk;
mod documents;
mod durability;
mod faults;
mod harness;
mod intruder;
mod nodes;
mod operated;
mod operator;
mod processes;
mod sessions;
mod snapshots;
mod usage;
