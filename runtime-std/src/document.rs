//! Proofs and evidence as files that anyone can check offline.
//!
//! A file is a mark of eight bytes, a version, and the canonical encoding of
//! the roster and the statement. The roster makes the file checkable on its
//! own: its digest is the cluster's id, which every signature covers. That the
//! id is the right one is for the reader to say; without that, the file proves
//! what a cluster of that id did, whoever that is.

use anyhow::{Context, Result, bail};
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::wire;
use serde::{Deserialize, Serialize};

use crate::protocol::{Cluster, CommitProof, Evidence, Roster, encode};

const MARK: [u8; 8] = *b"BFLYDOC\0";
const VERSION: u8 = 1;
/// More bytes than any document has.
pub const MAX_DOCUMENT: u64 = 512 * 1024;

/// What a file can state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Statement {
    /// That the cluster committed a text.
    Commit(Box<CommitProof>),
    /// That a member is faulty.
    Evidence(Box<Evidence>),
}

#[derive(Serialize, Deserialize)]
struct Content {
    roster: Roster,
    statement: Statement,
}

/// A statement that was checked against its roster.
#[derive(Debug)]
pub struct Checked {
    /// The cluster that the file names.
    pub cluster: Cluster,
    /// What is true of it.
    pub statement: Statement,
}

/// The file that states `statement` about `cluster`.
///
/// # Errors
/// None in practice: the statement has bounds.
pub fn write(cluster: &Cluster, statement: Statement) -> Result<Vec<u8>> {
    let mut bytes = Vec::from(MARK);
    bytes.push(VERSION);
    bytes.extend(encode(&Content { roster: cluster.roster().clone(), statement })?);
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
    let Some((&VERSION, content)) = rest.split_first() else {
        bail!("this file has a version that this program does not know; use the program that wrote it");
    };
    let content: Content = wire::decode(content).context("the file is damaged or was altered")?;
    let cluster = Cluster::new(content.roster, Timing::default()).context("the roster in the file is not valid")?;
    match &content.statement {
        Statement::Commit(proof) => proof.verify(&cluster).context("the proof does not hold")?,
        Statement::Evidence(evidence) => evidence.verify(&cluster).context("the evidence does not hold")?,
    }
    Ok(Checked { cluster, statement: content.statement })
}
