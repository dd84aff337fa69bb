//! What is said of refused bytes: the same words in every language.

use butterfly_kernel::cluster::ClusterError;
use butterfly_kernel::message::Forged;
use butterfly_kernel::node::RecordError;
use butterfly_kernel::proof::{EvidenceError, ProofError};
use butterfly_kernel::wire::WireError;
use serde::{Deserialize, Serialize};

use crate::vector::Verdict;

/// The words for a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorVector {
    /// The verdict of a vector.
    pub verdict: Verdict,
    /// The error that other languages raise.
    pub error: String,
    /// What it says.
    pub reason: String,
}

/// One for each error that has words of its own; `placement` has as many as
/// there are reasons, and is not here.
pub fn vectors() -> Vec<ErrorVector> {
    let mut vectors = Vec::new();
    add(&mut vectors, "Malformed", [WireError::Malformed, WireError::TrailingBytes, WireError::NotCanonical]);
    add(&mut vectors, "Unproven", [Forged::Stranger, Forged::Signature, Forged::Certificate]);
    let roster =
        [ClusterError::Members, ClusterError::RepeatedKey, ClusterError::Clients, ClusterError::Model, ClusterError::Profiles];
    add(&mut vectors, "Roster", roster);
    add(&mut vectors, "Record", [RecordError::Head, RecordError::Payload]);
    add(&mut vectors, "Unproven", [ProofError::Shape, ProofError::Request, ProofError::Value, ProofError::Certificate]);
    add(&mut vectors, "Unproven", [EvidenceError::NoContradiction, EvidenceError::Signature]);
    vectors
}

fn add<E: std::error::Error>(vectors: &mut Vec<ErrorVector>, error: &str, kinds: impl IntoIterator<Item = E>)
where
    Verdict: From<E>,
{
    vectors.extend(kinds.into_iter().map(|kind| {
        let reason = kind.to_string();
        ErrorVector { verdict: Verdict::from(kind), error: error.to_owned(), reason }
    }));
}
