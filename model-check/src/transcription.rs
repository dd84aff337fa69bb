//! The specification in Rust, action by action, so that the kernel's steps can
//! be held against it and its states against those of TLC.
//!
//! A transcription could be wrong in the same way as the kernel; what keeps it
//! honest is that its set of reachable states equals TLC's, state by state, and
//! that its counts equal those of both checkers (`butterfly-check spec`).

pub mod agreement;
pub mod configuration;
pub mod dump;
