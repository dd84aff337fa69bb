//! What a proof or evidence says, once it was checked.

use crate::protocol::{KernelEvidence, KernelProof, numbers};
use crate::surface::{Fault, Path};
use butterfly_kernel::crypto::Signatures;

/// That a cluster committed these tokens for this request: checked, and true
/// unless more than f members are faulty.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct CommitProof {
    /// Whose request it was.
    pub client: u8,
    /// Which of the client's requests.
    pub sequence: u64,
    /// What was to be continued.
    pub prompt: Vec<u8>,
    /// Tokens of the answer that were committed before those proven here.
    pub committed: u16,
    /// The tokens proven.
    pub tokens: Vec<u8>,
    /// The epoch of the first of them.
    pub first_epoch: u64,
    /// The epoch of the last of them.
    pub last_epoch: u64,
    /// The quorum that decided it.
    pub path: Path,
    /// The voters in that quorum.
    pub signers: Vec<u8>,
}

/// That a member is faulty: checked, and true whoever says so.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Evidence {
    /// The member.
    pub accused: u8,
    /// What it did.
    pub fault: Fault,
}

impl CommitProof {
    pub(crate) fn of(proof: &KernelProof) -> CommitProof {
        let request = &proof.request.request;
        CommitProof {
            client: request.client.0,
            sequence: request.sequence,
            prompt: request.prompt.to_vec(),
            committed: proof.committed,
            tokens: proof.tokens().collect(),
            first_epoch: proof.first.0,
            last_epoch: proof.last().0,
            path: proof.certificate.path.into(),
            signers: numbers(proof.certificate.signatures.signers()),
        }
    }
}

impl Evidence {
    pub(crate) fn of(evidence: &KernelEvidence) -> Evidence {
        Evidence { accused: evidence.accused.0, fault: (&evidence.fault).into() }
    }
}
