//! What a cluster did, one line of JSON for each step of a kernel.
//!
//! The first line says which cluster it was; each other line is a [`Step`].
//! Values are digests, in hexadecimal. Only members that do as the protocol
//! says have lines.

pub mod check;

use serde::{Deserialize, Serialize};

/// Of the format of these lines.
pub const VERSION: u32 = 1;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heading {
    /// [`VERSION`].
    pub butterfly_trace: u32,
    /// Voters.
    pub n: usize,
    /// How many of them may be faulty.
    pub f: usize,
    /// How many may be silent on the fast path.
    pub p: usize,
    /// Those that are faulty at any time of the run.
    pub faulty: Vec<u8>,
    /// How to have the run again, if it was simulated.
    pub replay: Option<String>,
}

/// One step of one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Microseconds since the run began.
    pub time: u64,
    /// Whose.
    pub node: u8,
    /// What it was given: `start`, `receive`, `submit`, `computed`, `holding`,
    /// `revise`, `supplied` or `timer`, and the kind of a message.
    pub input: String,
    /// Why it changed nothing, if it did not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rejected: Option<String>,
    /// What it holds durably from now on, if that is new.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub record: Option<Record>,
    /// What it signed in agreement and sent.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub says: Vec<Statement>,
    /// What it holds decided from now on.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub commits: Vec<Commit>,
}

/// A durable record, as far as the specification speaks of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The epoch after the last decided one.
    pub epoch: u64,
    /// No smaller one is signed in.
    pub view: u32,
    /// The vote of the highest view.
    pub voted: Option<Ballot>,
    /// The commit of the highest view.
    pub locked: Option<Ballot>,
    /// The last proposal.
    pub proposed: Option<Ballot>,
}

/// A value in a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ballot {
    /// The view.
    pub view: u32,
    /// The value.
    pub value: String,
}

/// Something signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// `propose`, `vote`, `commit` or `view_change`.
    pub kind: String,
    /// The epoch.
    pub epoch: u64,
    /// The view; of a view change, the one that is entered.
    pub view: u32,
    /// The value; none in a view change.
    pub value: Option<String>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// The epoch.
    pub epoch: u64,
    /// The view that decided.
    pub view: u32,
    /// `fast` or `slow`.
    pub path: String,
    /// The value.
    pub value: String,
    /// Whose signatures the certificate holds.
    pub signers: Vec<u8>,
}

/// A value as it stands in a line.
pub fn value(digest: u64) -> String {
    format!("{digest:016x}")
}
