//! The messages of agreement on one epoch's value.
//!
//! | message | signed | attached | from, to |
//! | --- | --- | --- | --- |
//! | Propose | ballot | progress certificate, none in view 0 | leader, all |
//! | Vote | ballot | - | all, all |
//! | Commit | ballot | - | all, all (slow path only) |
//! | ViewChange | view, report | what proves the report | all, all |
//! | CertRequest | ballot, reports | - | leader, all |
//! | CertAck | ballot | - | all, leader |

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::bounded::Map;
use crate::cluster::Cluster;
use crate::crypto::{Scheme, Tag};
use crate::proof::SignedBallot;
use crate::types::{Epoch, NodeId, View};

/// A value in a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Ballot<C: Scheme> {
    /// The view.
    pub view: View,
    /// The digest that stands for the epoch's value.
    pub value: C::Digest,
}

/// A leader's signed proposal, with the certificate that justifies it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Proposal<C: Scheme> {
    /// What is proposed, and in which view.
    pub ballot: Ballot<C>,
    /// By the leader of that view, on the ballot.
    pub signature: C::Signature,
    /// f + 1 acknowledgements that the ballot is justified; none in view 0.
    pub progress: Option<C::WeakCertificate>,
}

impl<C: Scheme> Proposal<C> {
    /// What the leader signed, without what justifies it.
    pub fn signed_ballot(&self) -> SignedBallot<C> {
        SignedBallot { ballot: self.ballot, signature: self.signature.clone() }
    }
}

/// Votes of a slow quorum for one ballot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct CommitCertificate<C: Scheme> {
    /// What was voted for.
    pub ballot: Ballot<C>,
    /// The votes.
    pub votes: C::CommitVotes,
}

/// Which quorum decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Path {
    /// A fast quorum of votes: two message delays.
    Fast,
    /// A slow quorum of commits: three message delays.
    Slow,
}

/// Proof that a value was decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct DecisionCertificate<C: Scheme> {
    /// Whether the signatures are votes or commits.
    pub path: Path,
    /// What was decided, and in which view.
    pub ballot: Ballot<C>,
    /// Exactly one quorum of signatures.
    pub signatures: C::Signatures,
}

/// What a replica states about itself when it leaves for a later view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Report<C: Scheme> {
    /// Its vote in the highest view in which it voted.
    pub voted: Option<Ballot<C>>,
    /// The highest ballot of which it holds a commit certificate.
    pub locked: Option<Ballot<C>>,
}

/// A replica leaves for `view` and shows what it did before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ViewChange<C: Scheme> {
    /// The view that it enters. It votes in no smaller one, ever.
    pub view: View,
    /// The proposal that it voted for, in the highest view in which it voted.
    pub voted: Option<Proposal<C>>,
    /// The commit certificate of the highest view that it holds.
    pub locked: Option<CommitCertificate<C>>,
}

impl<C: Scheme> ViewChange<C> {
    /// The part that is signed; the rest proves it.
    pub fn report(&self) -> Report<C> {
        Report {
            voted: self.voted.as_ref().map(|proposal| proposal.ballot),
            locked: self.locked.as_ref().map(|certificate| certificate.ballot),
        }
    }
}

/// A leader asks for acknowledgements that `ballot` is justified by the
/// reports named. Members hold the view changes themselves, so the reports
/// are enough to say which.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct CertRequest<C: Scheme, const N: usize> {
    /// What the leader wants to propose.
    pub ballot: Ballot<C>,
    /// Who reported what, for this view.
    pub reports: Map<NodeId, Report<C>, N>,
}

/// What replicas say about one epoch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum AgreementMessage<C: Scheme, const N: usize> {
    /// The leader proposes. The leader's signature is the envelope's.
    Propose {
        /// What, and in which view.
        ballot: Ballot<C>,
        /// f + 1 acknowledgements; none in view 0.
        progress: Option<C::WeakCertificate>,
    },
    /// The sender accepts the leader's proposal.
    Vote(Ballot<C>),
    /// The sender saw a slow quorum of votes.
    Commit(Ballot<C>),
    /// The sender leaves for a later view.
    ViewChange(ViewChange<C>),
    /// The leader asks whether a ballot is justified.
    CertRequest(CertRequest<C, N>),
    /// The sender found it justified. A pure fact: it may be said of several values.
    CertAck(Ballot<C>),
}

impl<C: Scheme, const N: usize> AgreementMessage<C, N> {
    /// Which kind this is.
    pub fn kind(&self) -> Kind {
        match self {
            AgreementMessage::Propose { .. } => Kind::Propose,
            AgreementMessage::Vote(_) => Kind::Vote,
            AgreementMessage::Commit(_) => Kind::Commit,
            AgreementMessage::ViewChange(_) => Kind::ViewChange,
            AgreementMessage::CertRequest(_) => Kind::CertRequest,
            AgreementMessage::CertAck(_) => Kind::CertAck,
        }
    }

    /// The digest that the author signs.
    pub fn statement(&self, cluster: &Cluster<C, N>, epoch: Epoch) -> C::Digest {
        match self {
            AgreementMessage::Propose { ballot, .. } => cluster.ballot(Tag::Propose, epoch, ballot),
            AgreementMessage::Vote(ballot) => cluster.ballot(Tag::Vote, epoch, ballot),
            AgreementMessage::Commit(ballot) => cluster.ballot(Tag::Commit, epoch, ballot),
            AgreementMessage::ViewChange(change) => {
                cluster.statement(Tag::ViewChange, &(epoch, change.view, change.report()))
            }
            AgreementMessage::CertRequest(request) => cluster.statement(Tag::CertRequest, &(epoch, request)),
            AgreementMessage::CertAck(ballot) => cluster.ballot(Tag::CertAck, epoch, ballot),
        }
    }
}

impl<C: Scheme, const N: usize> Cluster<C, N> {
    /// The digest that is signed for a ballot of `epoch` under `tag`.
    pub fn ballot(&self, tag: Tag, epoch: Epoch, ballot: &Ballot<C>) -> C::Digest {
        self.statement(tag, &(epoch, ballot))
    }
}
