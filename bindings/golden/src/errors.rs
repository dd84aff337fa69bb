//! What is said of refused bytes: the same words in every language.

use butterfly_kernel::cluster::ClusterError;
use butterfly_kernel::message::Forged;
use butterfly_kernel::node::RecordError;
use butterfly_kernel::proof::{EvidenceError, ProofError};
use butterfly_kernel::wire::WireError;
use serde::{Deserialize, Serialize};

use crate::vector::{Shape, Verdict};

/// The words for a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorVector {
    /// Of which bytes it is said.
    pub types: Vec<Shape>,
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
    let decoding = [WireError::Malformed, WireError::TrailingBytes, WireError::NotCanonical];
    let all =
        [Shape::Envelope, Shape::SignedRequest, Shape::Roster, Shape::Record, Shape::CommitProof, Shape::Evidence];
    let signed = [Shape::Envelope, Shape::SignedRequest];
    let forged = [Forged::Stranger, Forged::Signature, Forged::Certificate];
    let roster = [
        ClusterError::Members,
        ClusterError::RepeatedKey,
        ClusterError::Clients,
        ClusterError::Model,
        ClusterError::Profiles,
    ];
    let proof = [ProofError::Shape, ProofError::Request, ProofError::Value, ProofError::Certificate];
    let mut vectors = Vec::new();
    add(&mut vectors, &all, "Malformed", decoding);
    add(&mut vectors, &signed, "Unproven", forged);
    add(&mut vectors, &[Shape::Roster], "Roster", roster);
    add(&mut vectors, &[Shape::Record], "Record", [RecordError::Head, RecordError::Payload]);
    add(&mut vectors, &[Shape::CommitProof], "Unproven", proof);
    add(&mut vectors, &[Shape::Evidence], "Unproven", [EvidenceError::NoContradiction, EvidenceError::Signature]);
    vectors
}

fn add<E: std::error::Error>(
    vectors: &mut Vec<ErrorVector>,
    types: &[Shape],
    error: &str,
    kinds: impl IntoIterator<Item = E>,
) where
    Verdict: From<E>,
{
    vectors.extend(kinds.into_iter().map(|kind| {
        let reason = kind.to_string();
        ErrorVector { types: types.to_vec(), verdict: Verdict::from(kind), error: error.to_owned(), reason }
    }));
}
