//! What members say to each other. Every message travels in an [`Envelope`]
//! signed by its author, so it can be relayed, and convinces third parties.

pub mod agreement;
pub mod change;
pub mod inference;
pub mod notice;
mod verify;

use serde::{Deserialize, Serialize};

use crate::chain::Decided;
use crate::crypto::{Scheme, Tag};
use crate::types::{Epoch, NodeId};
pub use agreement::AgreementMessage;
pub use change::{Change, SignedChange};
pub use inference::{Attest, History, Payload, Pull, Recall, RunId, SignedRequest, StageOutput};
pub use notice::Notice;
pub use verify::Forged;

/// A message with its author and the author's signature on what it states.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Envelope<C: Scheme, const N: usize> {
    /// Who says it; not necessarily who delivered it.
    pub from: NodeId,
    /// What is said.
    pub message: Message<C, N>,
    /// By `from`, on [`Message::statement`].
    pub signature: C::Signature,
}

/// What a member can say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
#[allow(clippy::large_enum_variant, reason = "no heap to box into; messages are moved, not stored")]
pub enum Message<C: Scheme, const N: usize> {
    /// A client's request, passed on to all members.
    Forward(SignedRequest<C>),
    /// One signal from a replica of a stage.
    StageOutput(StageOutput<C>),
    /// "Stage s on these inputs gives these outputs."
    Attest(Attest<C>),
    /// "I lack the outputs of this stage from this position on."
    Pull(Pull<C>),
    /// "I lack the inputs of this stage from this position on."
    Recall(Recall<C>),
    /// Inputs of a stage, for one that lacks them.
    History(History<C>),
    /// "I lack the payload of this value, or what was decided in this epoch."
    Fetch(Fetch<C>),
    /// What a value stands for, with its certificates.
    Payload(Payload<C>),
    /// A message of the agreement of one epoch.
    Agreement {
        /// The epoch that is being agreed on.
        epoch: Epoch,
        /// What is said about it.
        message: AgreementMessage<C, N>,
    },
    /// What was decided, with the certificate and the state after it.
    Decided(Decided<C>),
    /// What a member says about itself, to be committed.
    Notice(Notice),
    /// A change of the roster, passed on to all members, to be committed.
    Change(SignedChange<C>),
}

/// A request for what the sender lacks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Fetch<C: Scheme> {
    /// The sender's open epoch.
    pub epoch: Epoch,
    /// The value whose payload it lacks; none: it asks what was decided.
    pub value: Option<C::Digest>,
}

/// The kinds of message, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is named after the message")]
pub enum Kind {
    Forward,
    StageOutput,
    Attest,
    Pull,
    Recall,
    History,
    Fetch,
    Payload,
    Propose,
    Vote,
    Commit,
    ViewChange,
    CertRequest,
    CertAck,
    Decided,
    Readmit,
    Revise,
    Change,
}

impl Kind {
    /// Every kind, in the order in which an epoch uses them.
    pub const ALL: [Kind; 18] = [
        Kind::Forward,
        Kind::StageOutput,
        Kind::Attest,
        Kind::Pull,
        Kind::Recall,
        Kind::History,
        Kind::Fetch,
        Kind::Payload,
        Kind::Propose,
        Kind::Vote,
        Kind::Commit,
        Kind::ViewChange,
        Kind::CertRequest,
        Kind::CertAck,
        Kind::Decided,
        Kind::Readmit,
        Kind::Revise,
        Kind::Change,
    ];

    /// The name in metrics, traces and reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Forward => "forward",
            Kind::StageOutput => "stage_output",
            Kind::Attest => "attest",
            Kind::Pull => "pull",
            Kind::Recall => "recall",
            Kind::History => "history",
            Kind::Fetch => "fetch",
            Kind::Payload => "payload",
            Kind::Propose => "propose",
            Kind::Vote => "vote",
            Kind::Commit => "commit",
            Kind::ViewChange => "view_change",
            Kind::CertRequest => "cert_request",
            Kind::CertAck => "cert_ack",
            Kind::Decided => "decided",
            Kind::Readmit => "readmit",
            Kind::Revise => "revise",
            Kind::Change => "change",
        }
    }
}

impl<C: Scheme, const N: usize> Message<C, N> {
    /// Which kind this is.
    pub fn kind(&self) -> Kind {
        match self {
            Message::Forward(_) => Kind::Forward,
            Message::StageOutput(_) => Kind::StageOutput,
            Message::Attest(_) => Kind::Attest,
            Message::Pull(_) => Kind::Pull,
            Message::Recall(_) => Kind::Recall,
            Message::History(_) => Kind::History,
            Message::Fetch(_) => Kind::Fetch,
            Message::Payload(_) => Kind::Payload,
            Message::Agreement { message, .. } => message.kind(),
            Message::Decided(_) => Kind::Decided,
            Message::Notice(Notice::Readmit(_)) => Kind::Readmit,
            Message::Notice(Notice::Revise(_)) => Kind::Revise,
            Message::Change(_) => Kind::Change,
        }
    }

    /// The run that it belongs to, if it is about computing one.
    pub fn run(&self) -> Option<&RunId<C>> {
        match self {
            Message::StageOutput(output) => Some(&output.run),
            Message::Attest(attest) => Some(&attest.claim.run),
            Message::Pull(pull) => Some(&pull.run),
            Message::Recall(recall) => Some(&recall.run),
            Message::History(history) => Some(&history.run),
            Message::Payload(Payload::Work(work)) => Some(&work.run),
            _ => None,
        }
    }

    /// The epoch that it belongs to. What is computed belongs to none: it may
    /// be ahead of agreement.
    pub fn epoch(&self) -> Option<Epoch> {
        match self {
            Message::Fetch(fetch) => Some(fetch.epoch),
            Message::Agreement { epoch, .. } => Some(*epoch),
            Message::Decided(decided) => Some(decided.header.epoch),
            Message::Forward(_)
            | Message::StageOutput(_)
            | Message::Attest(_)
            | Message::Pull(_)
            | Message::Recall(_)
            | Message::History(_)
            | Message::Payload(_)
            | Message::Notice(_)
            | Message::Change(_) => None,
        }
    }

    /// The digest that the author signs.
    pub fn statement(&self, cluster: &crate::cluster::Cluster<C, N>) -> C::Digest {
        match self {
            Message::Forward(request) => cluster.statement(Tag::Forward, request),
            Message::StageOutput(output) => cluster.statement(Tag::StageOutput, output),
            Message::Attest(attest) => attest.statement(cluster),
            Message::Pull(pull) => cluster.statement(Tag::Pull, pull),
            Message::Recall(recall) => cluster.statement(Tag::Recall, recall),
            Message::History(history) => cluster.statement(Tag::History, history),
            Message::Fetch(fetch) => cluster.statement(Tag::Fetch, fetch),
            Message::Payload(payload) => cluster.statement(Tag::Payload, payload),
            Message::Agreement { epoch, message } => message.statement(cluster, *epoch),
            Message::Decided(decided) => cluster.statement(Tag::Decided, decided),
            Message::Notice(notice) => notice.statement(cluster),
            Message::Change(signed) => cluster.statement(Tag::Order, signed),
        }
    }
}
