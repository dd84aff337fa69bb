//! The real binary, as separate processes on this machine.

mod admin;
mod case;
mod damage;
mod demo;
mod disk;
mod documents;
mod durability;
mod events;
mod faults;
mod harness;
mod intruder;
mod net;
mod nodes;
mod operated;
mod operator;
mod page;
mod partitions;
mod processes;
mod sessions;
mod snapshots;
mod top;
mod usage;
