//! The real binary, as separate processes on this machine.

mod admin;
mod bench;
mod case;
mod damage;
mod demo;
mod disk;
mod documents;
mod durability;
mod enrolment;
mod events;
mod faults;
mod golden;
mod harness;
mod intruder;
mod net;
mod nodes;
mod operated;
mod operator;
mod page;
mod partitions;
mod processes;
#[path = "../../../kernel/session/tests/replay/mod.rs"]
mod replay;
mod roster;
mod sessions;
mod snapshots;
mod top;
mod traces;
mod usage;
