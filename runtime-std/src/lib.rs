//! The tokio host of Butterfly: the protocol kernel over TCP between separate
//! processes, and the command line around it.
//!
//! | module | subject |
//! | --- | --- |
//! | [`protocol`] | the kernel's types as this host runs them |
//! | [`host`] | one node: the event loop around the kernel |
//! | [`transport`] | frames, sessions, connections |
//! | [`storage`] | the vote record on disk |
//! | [`checkpoints`] | caches that are kept |
//! | [`executor`] | running the stages assigned to a node |
//! | [`model`] | the integer transformer, in the kernel's terms |
//! | [`faults`] | members that misbehave on purpose |
//! | `admin` | what an operator sees of a node: health, metrics, a read-only API |
//! | `stream` | what happens at a node, for those who look on |
//! | [`access`] | what clients and nodes say to each other |
//! | [`client`] | who asks, and believes no node |
//! | [`config`] | TOML files, and what overrides them |
//! | [`folder`] | a node's files |
//! | [`lineage`] | the clusters that one cluster became |
//! | [`contact`] | how a newcomer is reached |
//! | [`invitation`] | a token for a newcomer, as a file |
//! | [`keys`] | identities and exchange keys, and their files |
//! | [`control`] | commands to a node and events from it |
//! | [`log`] | what a node writes about itself |
//! | `spans` | what a collector of traces is told |
//! | [`trace`] | what was done, step by step |
//! | [`metrics`] | what the host sees, as numbers |
//! | [`used_tokens`] | which tokens newcomers came with |
//! | [`traffic`] | what was sent, by kind |
//! | [`document`] | proofs and evidence as files |
//! | [`provision`] | keys and roster of a new cluster |
//! | [`operate`] | a cluster's folder, and its processes |
//! | [`device`] | a member that is firmware, in an emulator |
//! | [`top`] | what the nodes say of themselves, on a terminal |
//! | [`bench`] | what agreement costs, beside what it costs at least |
//! | [`demo`] | a cluster of processes, driven by a client |
//! | [`cli`] | the commands of the binary |
#![forbid(unsafe_code)]

pub mod access;
mod admin;
pub mod bench;
pub mod checkpoints;
pub mod cli;
pub mod client;
pub mod config;
pub mod contact;
pub mod control;
pub mod demo;
pub mod device;
pub mod document;
pub mod executor;
pub mod faults;
pub mod folder;
mod history;
pub mod host;
pub mod invitation;
pub mod keys;
mod ledger;
pub mod lineage;
pub mod log;
pub mod metrics;
pub mod model;
pub mod operate;
mod process;
pub mod protocol;
pub mod provision;
mod spans;
pub mod storage;
mod stream;
pub mod top;
pub mod trace;
pub mod traffic;
pub mod transport;
pub mod used_tokens;
