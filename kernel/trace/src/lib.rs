//! What a cluster did, one line of JSON for each step of a kernel.
//!
//! The first line is a [`Heading`]; each other line is a [`Step`] of a voter
//! that does as the protocol says. The simulator and the daemon write the same
//! lines, and `butterfly-check trace` reads them.
//!
//! A host that may be killed puts a line down behind what it made durable for
//! that step, and before anybody hears of it: then no effect is without its
//! line, and what a lost line would have said shows in the record that the
//! member begins with again.
#![forbid(unsafe_code)]

mod observe;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use observe::{Hexadecimal, input};

/// Of the format of these lines.
pub const VERSION: u32 = 2;

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
    /// Those that may say anything at any time of the run. They have no lines.
    pub faulty: Vec<u8>,
    /// What the order of the lines tells.
    pub order: Order,
    /// How many lines follow.
    pub steps: u64,
    /// How to have the run again, if it was simulated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replay: Option<String>,
}

/// What the order of lines tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// That of everything that happened.
    Total,
    /// That of each member's own steps. Members have no clock in common: what
    /// one of them did before another is not known.
    PerMember,
}

/// One step of one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Microseconds since the run began, by the clock of whoever wrote the line.
    pub time: u64,
    /// Whose.
    pub node: u8,
    /// From 1 since the member began, or began again.
    pub step: u64,
    /// What it was given: `start`, `receive`, `submit`, `computed`, `holding`,
    /// `revise`, `supplied` or `timer`, and the kind of a message.
    pub input: String,
    /// Why it changed nothing, if it did not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rejected: Option<String>,
    /// What it holds durably from now on, if that is new; with `start`, what
    /// it found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub record: Option<Record>,
    /// What it signed in agreement and sent.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub says: Vec<Statement>,
    /// What it holds decided from now on.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub commits: Vec<Commit>,
}

/// The input of the first step of a member that begins, or begins again.
pub const START: &str = "start";

/// A durable record, as far as the specification speaks of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its member lost an earlier one, and signs nothing until it is admitted again.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub learner: bool,
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
    /// The value's digest, in hexadecimal.
    pub value: String,
}

/// Something signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// What kind of statement.
    pub kind: StatementKind,
    /// The epoch.
    pub epoch: u64,
    /// The view; of a view change, the one that is entered.
    pub view: u32,
    /// The value; none in a view change.
    pub value: Option<String>,
}

/// The statements that a member may make once only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementKind {
    /// A leader proposes a value.
    Propose,
    /// A replica votes for a value.
    Vote,
    /// A replica is locked on a value.
    Commit,
    /// A replica has left for a view.
    ViewChange,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// The epoch.
    pub epoch: u64,
    /// The view that decided.
    pub view: u32,
    /// The quorum that decided.
    pub path: Path,
    /// The value.
    pub value: String,
    /// Whose signatures the certificate holds.
    pub signers: Vec<u8>,
}

/// Which quorum decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// One of votes.
    Fast,
    /// One of commits.
    Slow,
}

/// Why a text does not begin with a [`Heading`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoHeading {
    /// The first line is something else.
    NotATrace(String),
    /// It is one of a version that is not known here.
    Version(u32),
    /// Something is wrong in it.
    Malformed(String),
}

impl Heading {
    /// Reads the first line of a trace.
    ///
    /// # Errors
    /// [`NoHeading`].
    pub fn read(line: &str) -> Result<Heading, NoHeading> {
        // Other versions may have other fields.
        #[derive(Deserialize)]
        struct Mark {
            butterfly_trace: u32,
        }
        let mark: Mark = serde_json::from_str(line).map_err(|error| NoHeading::NotATrace(error.to_string()))?;
        if mark.butterfly_trace != VERSION {
            return Err(NoHeading::Version(mark.butterfly_trace));
        }
        serde_json::from_str(line).map_err(|error| NoHeading::Malformed(error.to_string()))
    }
}

impl core::fmt::Display for NoHeading {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            NoHeading::NotATrace(reason) => write!(out, "this is not a trace: {reason}"),
            NoHeading::Version(version) => {
                write!(out, "this is a trace of version {version}; only version {VERSION} is known here")
            }
            NoHeading::Malformed(reason) => out.write_str(reason),
        }
    }
}

impl core::error::Error for NoHeading {}
