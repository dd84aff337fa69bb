//! The protocol kernel of Butterfly: pure, bounded state machines.
//!
//! A [`Node`](node::Node) is driven by a host: every [`Input`](machine::Input)
//! goes through [`Node::step`](node::Node::step), which changes the state and
//! pushes [`Output`](machine::Output)s. There is no clock, no randomness, no
//! I/O and no heap in here; the same code runs in a model checker, a server
//! and a microcontroller.
//!
//! | module | subject |
//! | --- | --- |
//! | [`types`] | names of things: nodes, epochs, views; [`types::Resilience`] |
//! | [`bounded`] | canonical bounded maps |
//! | [`crypto`] | signing, verifying, digests; Ed25519 and ideal |
//! | [`cluster`] | what every member knows before the first message |
//! | [`wire`] | canonical encoding |
//! | [`message`] | one file per message family |
//! | [`assignment`] | which members run which layers |
//! | [`machine`] | inputs, outputs, timers, rejections |
//! | [`agreement`] | fast Byzantine agreement on one value |
//! | [`inference`] | assignment, computation, attestation, certificates |
//! | [`chain`] | the state that decided epochs build |
//! | [`proof`] | commit proofs and evidence, verified offline |
//! | [`node`] | the composition: one step for the whole node |
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic,
        clippy::as_conversions,
        clippy::string_slice
    )
)]

#[cfg(test)]
extern crate std;

pub mod agreement;
pub mod assignment;
pub mod bounded;
pub mod chain;
pub mod cluster;
pub mod crypto;
pub mod inference;
pub mod machine;
pub mod message;
pub mod node;
pub mod proof;
pub mod types;
pub mod wire;
