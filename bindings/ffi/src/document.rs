//! Proofs and evidence as files that anyone can check offline: a mark of eight
//! bytes, a version, and the canonical encoding of roster and statement. The
//! `butterfly` command writes and reads the same.

use std::sync::Arc;

use butterfly_kernel::wire;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::proof::{CommitProof, Evidence};
use crate::protocol::{KernelEvidence, KernelProof, KernelRoster, encode};
use crate::roster::Roster;

const MARK: [u8; 8] = *b"BFLYDOC\0";
const VERSION: u8 = 1;
/// For reading only, where nothing waits.
const VIEW_TIMEOUT: u32 = 2_000;

#[derive(Serialize, Deserialize)]
enum Kind {
    Commit(Box<KernelProof>),
    Evidence(Box<KernelEvidence>),
}

#[derive(Serialize, Deserialize)]
struct Content {
    roster: KernelRoster,
    statement: Kind,
}

/// What a file states, checked against the roster in it. Whether that roster is
/// the right one is for the reader to say: compare the cluster's id.
#[derive(uniffi::Record)]
pub struct Document {
    /// The cluster that the file names.
    pub roster: Arc<Roster>,
    /// What is true of it.
    pub statement: Statement,
}

/// What a file can state.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Statement {
    /// That the cluster committed tokens.
    Commit {
        /// What and when.
        proof: CommitProof,
    },
    /// That a member is faulty.
    Evidence {
        /// Which, and of what.
        evidence: Evidence,
    },
}

/// Reads a proof or evidence file and checks everything in it.
#[uniffi::export]
pub fn read_document(bytes: &[u8]) -> Result<Document, Error> {
    let Some(rest) = bytes.strip_prefix(&MARK) else {
        return Err(Error::Malformed { reason: "this is no proof or evidence of a Butterfly cluster".into() });
    };
    let Some((&VERSION, content)) = rest.split_first() else {
        return Err(Error::Malformed { reason: "this file has a version that this library does not know".into() });
    };
    let Content { roster, statement } = wire::decode(content)?;
    let roster = Roster::decode(&encode(&roster), VIEW_TIMEOUT)?;
    let statement = match statement {
        Kind::Commit(proof) => Statement::Commit { proof: roster.verify_proof(&encode(&proof))? },
        Kind::Evidence(evidence) => Statement::Evidence { evidence: roster.verify_evidence(&encode(&evidence))? },
    };
    Ok(Document { roster, statement })
}

/// The file that states a proof of `roster`'s cluster.
#[uniffi::export]
pub fn write_proof(roster: Arc<Roster>, proof: &[u8]) -> Result<Vec<u8>, Error> {
    roster.verify_proof(proof)?;
    write(&roster, Kind::Commit(wire::decode(proof)?))
}

/// The file that states evidence against a member of `roster`'s cluster.
#[uniffi::export]
pub fn write_evidence(roster: Arc<Roster>, evidence: &[u8]) -> Result<Vec<u8>, Error> {
    roster.verify_evidence(evidence)?;
    write(&roster, Kind::Evidence(wire::decode(evidence)?))
}

fn write(roster: &Roster, statement: Kind) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::from(MARK);
    bytes.push(VERSION);
    bytes.extend(encode(&Content { roster: roster.cluster().roster().clone(), statement }));
    Ok(bytes)
}
