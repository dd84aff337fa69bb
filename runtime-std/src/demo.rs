//! A cluster of processes on this machine, and a client that asks it.
//!
//! The client believes no node: it checks every certificate itself, compares
//! every epoch between nodes, and checks evidence before it repeats it.

mod cluster;
mod conductor;
mod nodes;
mod plan;
mod report;
mod screen;
mod trace;
mod trouble;

pub use conductor::run;
pub use plan::{Plan, PlanError, Wishes};
pub use report::{Blame, Ending, EpochReport, Latency, Report};
pub use trace::Traced;
