//! Exhaustive checking of Butterfly's kernel, as shipped. See the README of
//! this folder.
//!
//! | module | subject |
//! | --- | --- |
//! | [`chain`] | the kernel's node over several epochs, records lost and all |
//! | [`chart`] | a story, drawn |
//! | [`conform`] | the kernel against its specification, both ways |
//! | [`explore`] | what is explored, and the two programs that explore it |
//! | [`host`] | a host for one node of a world of whole nodes |
//! | [`inference`] | the kernel's node over one part of a run |
//! | [`world`] | the kernel's agreement, each message to each receiver |
//! | [`records`] | the same from record to record, whole quorums at once |
//! | [`symbolic`] | cryptography without bytes |
//! | [`transcription`] | the specification in Rust |
//! | [`story`] | a run that a person can follow |
//! | [`liveness`] | what must happen in the end |
//! | [`models`] | every model by name, with what must come out |
//! | [`mutants`] | seeded bugs, and what notices each |
//! | [`simulate`] | whole clusters in virtual time, with every fault |
//! | [`trace`] | what a cluster did, step by step, against the specification |
//! | [`run`] | one model to its end, against what must come out |

pub mod chain;
pub mod chart;
pub mod conform;
pub mod explore;
pub mod host;
pub mod inference;
pub mod liveness;
pub mod models;
pub mod mutants;
pub mod records;
pub mod run;
pub mod simulate;
pub mod story;
pub mod symbolic;
pub mod trace;
pub mod transcription;
pub mod world;
