//! The embassy host of Butterfly: a node on a microcontroller, without a heap.
//!
//! The kernel, its sessions and the vote record are those of a server, and so
//! are the bytes on the wire: a peer cannot tell one from the other. What is
//! different is that every bound is chosen when the firmware is compiled, and
//! that being full is answered by taking less, never by growing.
//!
//! | module | subject |
//! | --- | --- |
//! | [`board`] | what a board must provide |
//! | [`party`] | who the device is, from its provisioning block |
//! | [`host`] | one node: its steps, its record, its stages |
//! | [`network`] | sessions over TCP, on `embassy-net` |
//! | [`record`] | the vote record on NOR flash |
//! | [`queue`] | frames that wait for peers |
//! | [`access`] | what clients and nodes say to each other |
//! | [`protocol`] | the kernel's types, at most `N` members |
//!
//! A board's program, in order: read the block ([`butterfly_provisioning`]),
//! make the [`party::Party`], draw the number of this life ([`host::draw_nonce`]),
//! [`host::open_record`], [`host::read_record`] and [`host::open_node`], bring up
//! the network, and [`network::run`].
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
        clippy::string_slice
    )
)]

#[cfg(test)]
extern crate std;

pub mod access;
pub mod board;
mod chronicle;
mod connection;
pub mod host;
pub mod network;
mod parking;
pub mod party;
pub mod protocol;
pub mod queue;
pub mod record;
mod stages;
mod tasks;
mod timers;
