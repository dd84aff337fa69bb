//! Commit proofs and evidence: what a third party can check offline.

mod commit;
mod evidence;

pub use commit::{Added, CommitProof, ProofError, Step};
pub use evidence::{Evidence, EvidenceError, Fault, SignedBallot};
