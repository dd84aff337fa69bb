//! Proofs and evidence as files that anyone can check offline.
//!
//! A file is a mark of eight bytes, a version, and the canonical encoding of
//! the roster and the statement. The roster makes the file checkable on its
//! own: its digest is the cluster's id, which every signature covers. That the
//! id is the right one is for the reader to say; without that, the file proves
//! what a cluster of that id did, whoever that is.
//!
//! Where the roster had changed by then, the file is of another version: the
//! decision of each change stands between the first roster and the statement.
//! So the id of the first cluster is all that a reader ever needs to know.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::wire;
use serde::{Deserialize, Serialize};

use crate::lineage::Lineage;
use crate::protocol::{Cluster, CommitProof, Decided, Evidence, Roster, encode};

const MARK: [u8; 8] = *b"BFLYDOC\0";
/// The roster had not changed.
const OF_FOUNDERS: u8 = 1;
/// The roster had changed.
const OF_SUCCESSORS: u8 = 2;
/// More bytes than a document has, after hundreds of changes of the roster.
pub const MAX_DOCUMENT: u64 = 2 * 1024 * 1024;

/// What a file can state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Statement {
    /// That the cluster committed a text.
    Commit(Box<CommitProof>),
    /// That a member is faulty.
    Evidence(Box<Evidence>),
}

#[derive(Serialize, Deserialize)]
struct OfFounders {
    roster: Roster,
    statement: Statement,
}

#[derive(Serialize, Deserialize)]
struct OfSuccessors {
    roster: Roster,
    endings: Vec<Decided>,
    statement: Statement,
}

/// A statement that was checked against its roster.
#[derive(Debug)]
pub struct Checked {
    /// The clusters that the file names. The statement is about the last.
    pub lineage: Lineage,
    /// What is true of it.
    pub statement: Statement,
}

impl Checked {
    /// The cluster that the statement is about.
    pub fn cluster(&self) -> &Cluster {
        self.lineage.cluster()
    }
}

/// The file that states `statement` about the cluster of `lineage` that stands
/// behind as many changes of the roster.
///
/// # Errors
/// None in practice: the statement has bounds.
pub fn write(lineage: &Lineage, changes: usize, statement: Statement) -> Result<Vec<u8>> {
    let roster = lineage.first().roster().clone();
    let endings: Vec<Decided> = lineage.endings().iter().take(changes).cloned().collect();
    let mut bytes = Vec::from(MARK);
    if endings.is_empty() {
        bytes.push(OF_FOUNDERS);
        bytes.extend(encode(&OfFounders { roster, statement })?);
    } else {
        bytes.push(OF_SUCCESSORS);
        bytes.extend(encode(&OfSuccessors { roster, endings, statement })?);
    }
    Ok(bytes)
}

/// Reads a file and checks everything in it.
///
/// # Errors
/// Why it proves nothing.
pub fn check(bytes: &[u8]) -> Result<Checked> {
    let Some(rest) = bytes.strip_prefix(&MARK) else {
        bail!("this is not a proof or evidence of a Butterfly cluster; give a file that --proof or --evidence wrote");
    };
    const DAMAGED: &str = "the file is damaged or was altered";
    let OfSuccessors { roster, endings, statement } = match rest.split_first() {
        Some((&OF_FOUNDERS, content)) => {
            let OfFounders { roster, statement } = wire::decode(content).context(DAMAGED)?;
            OfSuccessors { roster, endings: Vec::new(), statement }
        }
        Some((&OF_SUCCESSORS, content)) => wire::decode(content).context(DAMAGED)?,
        _ => bail!("this file has a version that this program does not know; use the program that wrote it"),
    };
    let first = Cluster::new(roster, Timing::default()).context("the roster in the file is not valid")?;
    let lineage = Lineage::new(Arc::new(first), endings).context("a change of the roster in the file does not hold")?;
    let cluster = lineage.cluster();
    match &statement {
        Statement::Commit(proof) => proof.verify(cluster).context("the proof does not hold")?,
        Statement::Evidence(evidence) => evidence.verify(cluster).context("the evidence does not hold")?,
    }
    Ok(Checked { lineage, statement })
}
