//! Evidence: signed statements that no honest member makes together.

use serde::{Deserialize, Serialize};

use crate::cluster::Cluster;
use crate::crypto::{Scheme, Tag};
use crate::message::agreement::{Ballot, Report};
use crate::message::inference::Claim;
use crate::types::{Epoch, NodeId, View};

/// A member and what it did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Evidence<C: Scheme> {
    /// Who is to blame.
    pub accused: NodeId,
    /// What proves it.
    pub fault: Fault<C>,
}

/// A ballot and a signature on it; under which tag, the context tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SignedBallot<C: Scheme> {
    /// What was signed.
    pub ballot: Ballot<C>,
    /// By the accused.
    pub signature: C::Signature,
}

/// Statements of one member that contradict each other, or a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Fault<C: Scheme> {
    /// Two proposals in one view.
    Proposals {
        /// The epoch.
        epoch: Epoch,
        /// One.
        first: SignedBallot<C>,
        /// The other.
        second: SignedBallot<C>,
    },
    /// Two votes in one view.
    Votes {
        /// The epoch.
        epoch: Epoch,
        /// One.
        first: SignedBallot<C>,
        /// The other.
        second: SignedBallot<C>,
    },
    /// Two commits in one view.
    Commits {
        /// The epoch.
        epoch: Epoch,
        /// One.
        first: SignedBallot<C>,
        /// The other.
        second: SignedBallot<C>,
    },
    /// Two reports on entering one view.
    ViewChanges {
        /// The epoch.
        epoch: Epoch,
        /// The view entered.
        view: View,
        /// One.
        first: (Report<C>, C::Signature),
        /// The other.
        second: (Report<C>, C::Signature),
    },
    /// An attestation that contradicts a stage certificate: equal inputs,
    /// another output. f + 1 members cannot all be wrong.
    Attestation {
        /// What the accused attested.
        claim: Claim<C>,
        /// By the accused.
        signature: C::Signature,
        /// The output that was certified.
        certified: C::Digest,
        /// f + 1 attestations of it.
        certificate: C::WeakCertificate,
    },
}

/// Why evidence proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvidenceError {
    /// The statements do not contradict each other.
    NoContradiction,
    /// A signature is not the accused's, or a certificate is not genuine.
    Signature,
}

impl core::fmt::Display for EvidenceError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            EvidenceError::NoContradiction => "the statements do not contradict each other",
            EvidenceError::Signature => "a signature in the evidence does not verify for this cluster",
        })
    }
}

impl core::error::Error for EvidenceError {}

impl<C: Scheme> Fault<C> {
    /// A short name, the same in reports and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Proposals { .. } => "proposals",
            Fault::Votes { .. } => "votes",
            Fault::Commits { .. } => "commits",
            Fault::ViewChanges { .. } => "view_changes",
            Fault::Attestation { .. } => "attestation",
        }
    }
}

impl<C: Scheme> Evidence<C> {
    /// Whether the accused must be faulty.
    ///
    /// # Errors
    /// Why it need not be.
    pub fn verify<const N: usize>(&self, cluster: &Cluster<C, N>) -> Result<(), EvidenceError> {
        match &self.fault {
            Fault::Proposals { epoch, first, second } => {
                self.verify_ballots(cluster, Tag::Propose, *epoch, first, second)
            }
            Fault::Votes { epoch, first, second } => self.verify_ballots(cluster, Tag::Vote, *epoch, first, second),
            Fault::Commits { epoch, first, second } => self.verify_ballots(cluster, Tag::Commit, *epoch, first, second),
            Fault::ViewChanges { epoch, view, first, second } => {
                if first.0 == second.0 {
                    return Err(EvidenceError::NoContradiction);
                }
                let statement = |report: &Report<C>| cluster.statement(Tag::ViewChange, &(*epoch, *view, report));
                self.verify_signature(cluster, &statement(&first.0), &first.1)?;
                self.verify_signature(cluster, &statement(&second.0), &second.1)
            }
            Fault::Attestation { claim, signature, certified, certificate } => {
                if claim.output == *certified {
                    return Err(EvidenceError::NoContradiction);
                }
                let proven = Claim { output: *certified, ..*claim };
                let quorum = cluster.resilience().attestation_quorum();
                if !cluster.quorum(quorum, &proven.statement(cluster), certificate) {
                    return Err(EvidenceError::Signature);
                }
                self.verify_signature(cluster, &claim.statement(cluster), signature)
            }
        }
    }

    fn verify_ballots<const N: usize>(
        &self,
        cluster: &Cluster<C, N>,
        tag: Tag,
        epoch: Epoch,
        first: &SignedBallot<C>,
        second: &SignedBallot<C>,
    ) -> Result<(), EvidenceError> {
        if first.ballot.view != second.ballot.view || first.ballot.value == second.ballot.value {
            return Err(EvidenceError::NoContradiction);
        }
        self.verify_signature(cluster, &cluster.ballot(tag, epoch, &first.ballot), &first.signature)?;
        self.verify_signature(cluster, &cluster.ballot(tag, epoch, &second.ballot), &second.signature)
    }

    fn verify_signature<const N: usize>(
        &self,
        cluster: &Cluster<C, N>,
        statement: &C::Digest,
        signature: &C::Signature,
    ) -> Result<(), EvidenceError> {
        cluster.verify_member(self.accused, statement, signature).map_err(|_| EvidenceError::Signature)
    }
}
