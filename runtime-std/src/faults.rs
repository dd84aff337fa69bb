//! Members that misbehave on purpose, for demonstrations and tests.
//!
//! The kernel of such a member is the honest one; what it sends is rewritten
//! on the way out and signed again with the member's own key. Nothing in here
//! runs unless a fault was asked for.

mod plan;

use butterfly_kernel::crypto::{Scheme, Tag};
use butterfly_kernel::message::agreement::{AgreementMessage, Ballot};
use butterfly_kernel::message::inference::{Attest, StageOutput};
use butterfly_kernel::types::{Epoch, NodeId, NodeSet, Stage, View};

use crate::protocol::{Crypto, Digest, Envelope, Message, Node, Seat};
pub use plan::{Fault, FaultKind, Misbehaviour};

/// A message on its way out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// To whom.
    pub to: NodeSet,
    /// What.
    pub envelope: Envelope,
}

/// How this member misbehaves, and from when on.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    misbehaviour: Misbehaviour,
    from: Epoch,
}

impl Faults {
    /// Misbehaves from epoch `from` on.
    pub fn new(misbehaviour: Misbehaviour, from: Epoch) -> Faults {
        Faults { misbehaviour, from }
    }

    /// What goes out in place of `sent`.
    pub fn rewrite(&self, seat: &Seat<'_>, node: &Node, sent: Outgoing) -> Vec<Outgoing> {
        let epoch = sent.envelope.message.epoch().unwrap_or(node.epoch());
        if epoch < self.from && node.epoch() < self.from {
            return vec![sent];
        }
        match self.misbehaviour {
            Misbehaviour::Silent => Vec::new(),
            // What others signed can only be passed on as it is.
            _ if sent.envelope.from != seat.me => vec![sent],
            Misbehaviour::Lie => {
                let message = lie(seat, node, sent.envelope.message);
                vec![Outgoing { to: sent.to, envelope: signed(seat, message) }]
            }
            Misbehaviour::Equivocate => equivocate(seat, epoch, sent),
        }
    }
}

/// A wrong signal or a wrong attestation, well-formed, and another one than
/// any other liar's.
fn lie(seat: &Seat<'_>, node: &Node, message: Message) -> Message {
    match message {
        Message::StageOutput(output) => {
            let last = is_last(seat, output.stage);
            let signal = output.signal.iter().enumerate();
            let signal = signal.map(|(at, byte)| match at {
                0 if last => wrong_token(seat, *byte),
                // Low bits of the first element: still a signal to the model.
                1 => byte ^ (1 + seat.me.0),
                _ => *byte,
            });
            Message::StageOutput(StageOutput { signal: signal.collect(), ..output })
        }
        Message::Attest(mut attest) => {
            attest.claim.output = if is_last(seat, attest.claim.stage) {
                wrong_end(seat, node, &mut attest)
            } else {
                wrong_digest(seat, &attest.claim.output)
            };
            Message::Attest(attest)
        }
        other => other,
    }
}

/// Makes the tokens wrong and returns the link that they would make.
fn wrong_end(seat: &Seat<'_>, node: &Node, attest: &mut Attest<Crypto>) -> Digest {
    if let Some(token) = attest.tokens.first_mut() {
        *token = wrong_token(seat, *token);
    }
    let run = node.run().filter(|run| run.id == attest.claim.run && run.committed() == attest.claim.committed);
    let link = run.and_then(|run| run.output_link(seat.cluster, &attest.tokens));
    link.unwrap_or_else(|| wrong_digest(seat, &attest.claim.output))
}

/// To some the real proposal or vote, to others one for another value. At
/// least one peer gets the one and at least one the other.
fn equivocate(seat: &Seat<'_>, epoch: Epoch, sent: Outgoing) -> Vec<Outgoing> {
    let Message::Agreement { message, .. } = &sent.envelope.message else { return vec![sent] };
    let (altered, deceived) = match message {
        AgreementMessage::Propose { ballot, progress: None } => {
            let ballot = wrong_ballot(seat, ballot);
            (AgreementMessage::Propose { ballot, progress: None }, deceived_by_proposal(seat, epoch))
        }
        AgreementMessage::Vote(ballot) => {
            (AgreementMessage::Vote(wrong_ballot(seat, ballot)), deceived_by_vote(seat, epoch, ballot.view))
        }
        _ => return vec![sent],
    };
    let altered = signed(seat, Message::Agreement { epoch, message: altered });
    let honestly = sent.to.iter().filter(|peer| !deceived.contains(*peer)).collect();
    let falsely = sent.to.iter().filter(|peer| deceived.contains(*peer)).collect();
    let variants = [Outgoing { to: honestly, ..sent }, Outgoing { to: falsely, envelope: altered }];
    variants.into_iter().filter(|variant| !variant.to.is_empty()).collect()
}

/// On every other of its turns half of the peers, which costs the cluster a
/// view change; else one peer, which the cluster outvotes and which can then
/// show both proposals.
fn deceived_by_proposal(seat: &Seat<'_>, epoch: Epoch) -> NodeSet {
    let peers = seat.others().len();
    let turn = epoch.0 / (peers as u64 + 1);
    let count = if turn.is_multiple_of(2) { 1 } else { peers.div_ceil(2) };
    deceived(seat, epoch, count)
}

/// One peer, and another one than a proposal of the epoch deceives.
fn deceived_by_vote(seat: &Seat<'_>, epoch: Epoch, view: View) -> NodeSet {
    deceived(seat, Epoch(epoch.0 + 1 + u64::from(view.0)), 1)
}

/// `count` peers, beginning with another one in each epoch; never all of them
/// unless there is only one.
fn deceived(seat: &Seat<'_>, epoch: Epoch, count: usize) -> NodeSet {
    let peers: Vec<NodeId> = seat.others().iter().collect();
    let start = usize::try_from(epoch.0).unwrap_or(0);
    peers.iter().cycle().skip(start % peers.len().max(1)).take(count.min(peers.len())).copied().collect()
}

fn signed(seat: &Seat<'_>, message: Message) -> Envelope {
    let signature = Crypto::sign(seat.key, &message.statement(seat.cluster));
    Envelope { from: seat.me, message, signature }
}

fn is_last(seat: &Seat<'_>, stage: Stage) -> bool {
    stage.next().0 == seat.cluster.model().stages
}

fn wrong_token(seat: &Seat<'_>, token: u8) -> u8 {
    (token + 1 + seat.me.0) % seat.cluster.model().vocabulary
}

fn wrong_ballot(seat: &Seat<'_>, ballot: &Ballot<Crypto>) -> Ballot<Crypto> {
    Ballot { view: ballot.view, value: wrong_digest(seat, &ballot.value) }
}

fn wrong_digest(seat: &Seat<'_>, digest: &Digest) -> Digest {
    seat.cluster.statement(Tag::Value, &(digest, seat.me))
}
