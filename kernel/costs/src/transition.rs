//! The transitions to measure: one of each kind, picked from a rehearsal.

use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::PublicKey;
use butterfly_kernel::machine::{Input, Output, Timer};
use butterfly_kernel::message::{AgreementMessage, Envelope, Message};
use butterfly_kernel::node::{Horizon, Node};
use butterfly_kernel::types::Epoch;
use butterfly_kernel::wire;
use ed25519_dalek::SigningKey;

use crate::committee::Committee;
use crate::rehearsal::{Taken, rehearse};

/// The second epoch: the first one has a prompt to consume and nothing before it.
const EPOCH: Epoch = Epoch(2);

/// The kinds, in the order in which an epoch meets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Computed,
    StageOutput,
    Attestation,
    LastAttestation,
    Proposal,
    Vote,
    Decision,
    LateVote,
    Timer,
    TimerRepeat,
}

impl Kind {
    pub(crate) const ALL: [Kind; 10] = [
        Kind::Computed,
        Kind::StageOutput,
        Kind::Attestation,
        Kind::LastAttestation,
        Kind::Proposal,
        Kind::Vote,
        Kind::Decision,
        Kind::LateVote,
        Kind::Timer,
        Kind::TimerRepeat,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Computed => "computed",
            Kind::StageOutput => "stage_output",
            Kind::Attestation => "attestation",
            Kind::LastAttestation => "last_attestation",
            Kind::Proposal => "proposal",
            Kind::Vote => "vote",
            Kind::Decision => "decision",
            Kind::LateVote => "late_vote",
            Kind::Timer => "timer",
            Kind::TimerRepeat => "timer_repeat",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Kind::Computed => "the host ran a stage: signs and sends its output",
            Kind::StageOutput => "the report that makes a position certain",
            Kind::Attestation => "an attestation, not the last",
            Kind::LastAttestation => "the one that completes the payload, at a follower",
            Kind::Proposal => "the leader's proposal: signs and sends a vote",
            Kind::Vote => "a vote short of a quorum",
            Kind::Decision => "the vote that decides: closes the epoch, opens the next",
            Kind::LateVote => "a vote beyond the quorum: dropped before its signature is checked",
            Kind::Timer => "retransmission, with progress since the last time",
            Kind::TimerRepeat => "retransmission, without: asks, and says everything again",
        }
    }

    fn is<C: Scheme, const N: usize>(self, taken: &Taken<'_, C, N>, wanted: bool) -> bool {
        let outputs = taken.outputs;
        let sends = || outputs.iter().any(|output| matches!(output, Output::Send { .. }));
        let commits = || outputs.iter().any(|output| matches!(output, Output::Commit { .. }));
        let proceeds = || outputs.iter().any(|output| matches!(output, Output::Provide { .. }));
        match (self, taken.input) {
            (Kind::Computed, Input::Computed { .. }) => taken.accepted && sends(),
            (_, Input::Receive(message)) => match (self, &message.get().message) {
                (Kind::StageOutput, Message::StageOutput(_)) => proceeds(),
                (Kind::Attestation, Message::Attest(_)) => taken.accepted && outputs.is_empty(),
                (Kind::LastAttestation, Message::Attest(_)) => !outputs.is_empty() && !sends(),
                (kind, Message::Agreement { message, .. }) => match (kind, message) {
                    (Kind::Proposal, AgreementMessage::Propose { .. }) => sends(),
                    (Kind::Vote, AgreementMessage::Vote(_)) => taken.accepted && outputs.is_empty(),
                    (Kind::Decision, AgreementMessage::Vote(_)) => commits(),
                    (Kind::LateVote, AgreementMessage::Vote(_)) => !wanted,
                    _ => false,
                },
                _ => false,
            },
            _ => false,
        }
    }
}

/// A transition, ready to be made as often as one likes.
pub(crate) struct Sample<C: Scheme, const N: usize> {
    pub(crate) kind: Kind,
    pub(crate) member: usize,
    pub(crate) node: Box<Node<C, N>>,
    pub(crate) input: Input<C, N>,
    /// The message on the wire, and what the node still listened to; none if it is no message.
    pub(crate) arrival: Option<(Vec<u8>, Horizon<C, N>)>,
}

/// One of each kind, the same in every run.
pub(crate) fn samples<C, const N: usize>(committee: &Committee<C, N>) -> Vec<Sample<C, N>>
where
    C: Scheme<PublicKey = PublicKey, SecretKey = SigningKey>,
{
    let mut found: Vec<Sample<C, N>> = Vec::new();
    rehearse(committee, |taken| {
        let horizon = taken.node.horizon();
        let envelope = match taken.input {
            Input::Receive(message) => Some(message.get()),
            _ => None,
        };
        let wanted = envelope.is_none_or(|envelope| horizon.wants(&committee.cluster, envelope).is_ok());
        let epoch = envelope.and_then(|envelope| envelope.message.epoch()).unwrap_or(taken.node.epoch());
        let new = |kind: &Kind| found.iter().all(|sample| sample.kind != *kind) && kind.is(&taken, wanted);
        let Some(kind) = Kind::ALL.into_iter().find(|kind| epoch == EPOCH && new(kind)) else { return };
        let arrival = envelope.map(|envelope| (encode(envelope), horizon));
        let node = Box::new(taken.node.clone());
        found.push(Sample { kind, member: taken.member, node, input: taken.input.clone(), arrival });
    });
    let waiting =
        found.iter().find(|sample| sample.kind == Kind::Vote).map(|sample| (sample.member, sample.node.clone()));
    if let Some((member, mut node)) = waiting {
        let input = || Input::Timer(Timer::Retransmit);
        found.push(Sample { kind: Kind::Timer, member, node: node.clone(), input: input(), arrival: None });
        let _ = node.step(&committee.seat(member), input(), &mut |_| {});
        found.push(Sample { kind: Kind::TimerRepeat, member, node, input: input(), arrival: None });
    }
    found.sort_by_key(|sample| Kind::ALL.iter().position(|kind| *kind == sample.kind));
    found
}

fn encode<C: Scheme, const N: usize>(envelope: &Envelope<C, N>) -> Vec<u8> {
    let mut bytes = vec![0; wire::encoded_len(envelope)];
    wire::encode(envelope, &mut bytes).expect("as long as it must be");
    bytes
}
