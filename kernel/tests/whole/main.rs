//! Whole clusters in one thread, and what they have in common with the rest:
//! one program, since most of the time goes into compiling the kernel for it.

mod cluster;

mod coordinator;
#[cfg(feature = "checker")]
mod durable;
mod faults;
mod horizon;
mod open_requests;
mod pipelining;
mod proofs;
mod random_runs;
mod readmission;
mod rebalancing;
mod recovery;
mod roster;
mod sizes;
mod stubborn;
mod undisturbed;
mod values;
mod wire;
