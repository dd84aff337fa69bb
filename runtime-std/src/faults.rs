//! Members that misbehave on purpose, for demonstrations and tests.
//!
//! The kernel of such a member is the honest one; what it sends is rewritten
//! on the way out and signed again with the member's own key. Nothing in here
//! runs unless a fault was asked for.

mod copycat;
mod equivocate;
mod kind;
mod lie;
mod plan;
mod replay;
mod withhold;

use std::time::Duration;

use butterfly_kernel::crypto::{Scheme, Tag};
use butterfly_kernel::types::{Epoch, NodeId, NodeSet, Stage};

use crate::protocol::{Crypto, Digest, Envelope, Message, Node, Seat};
use copycat::CopyCat;
pub use kind::{FaultKind, Misbehaviour, Mishap, Severity};
pub use plan::{Fault, FaultError};
use replay::Replay;

/// How late the stage outputs of a slow member leave: long enough for its
/// reserves to step in.
const LATE: Duration = Duration::from_millis(500);

/// A message on its way out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// To whom.
    pub to: NodeSet,
    /// What.
    pub envelope: Envelope,
    /// How long it waits before it leaves.
    pub delay: Duration,
}

/// How this member misbehaves, and from when on.
#[derive(Debug)]
pub struct Faults {
    behaviour: Behaviour,
    from: Epoch,
}

/// A misbehaviour with what it must remember.
#[derive(Debug)]
enum Behaviour {
    Silent,
    Lie,
    Equivocate,
    CopyCat(CopyCat),
    Replay(Replay),
    Withhold,
    Slow,
}

impl Faults {
    /// Misbehaves from epoch `from` on.
    pub fn new(misbehaviour: Misbehaviour, from: Epoch) -> Faults {
        let behaviour = match misbehaviour {
            Misbehaviour::Silent => Behaviour::Silent,
            Misbehaviour::Lie => Behaviour::Lie,
            Misbehaviour::Equivocate => Behaviour::Equivocate,
            Misbehaviour::CopyCat => Behaviour::CopyCat(CopyCat::default()),
            Misbehaviour::Replay => Behaviour::Replay(Replay::default()),
            Misbehaviour::Withhold => Behaviour::Withhold,
            Misbehaviour::Slow => Behaviour::Slow,
        };
        Faults { behaviour, from }
    }

    /// Whether this member still runs the stages that it is asked to run.
    pub fn computes(&self, node: &Node) -> bool {
        node.epoch() < self.from || !matches!(self.behaviour, Behaviour::CopyCat(_))
    }

    /// What goes out because `heard` arrived, besides what the kernel says.
    pub fn hear(&mut self, seat: &Seat<'_>, node: &Node, heard: &Envelope) -> Vec<Outgoing> {
        let begun = node.epoch() >= self.from;
        match &mut self.behaviour {
            Behaviour::CopyCat(copycat) if begun => copycat.copy(seat, node, heard).into_iter().collect(),
            Behaviour::Replay(replay) => {
                replay.remember(heard);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// What goes out in place of `sent`.
    pub fn rewrite(&mut self, seat: &Seat<'_>, node: &Node, sent: Outgoing) -> Vec<Outgoing> {
        if let Behaviour::Replay(replay) = &mut self.behaviour {
            replay.remember(&sent.envelope);
        }
        let epoch = sent.envelope.message.epoch().unwrap_or(node.epoch());
        if epoch < self.from && node.epoch() < self.from {
            return vec![sent];
        }
        match &mut self.behaviour {
            Behaviour::Silent => Vec::new(),
            Behaviour::Withhold => withhold::withhold(seat, epoch, sent).into_iter().collect(),
            Behaviour::Replay(replay) => std::iter::once(sent).chain(replay.again(seat)).collect(),
            // What others signed can only be passed on as it is.
            _ if sent.envelope.from != seat.me => vec![sent],
            Behaviour::Lie => {
                let message = lie::lie(seat, node, sent.envelope.message);
                vec![Outgoing { envelope: signed(seat, message), ..sent }]
            }
            Behaviour::Equivocate => equivocate::equivocate(seat, epoch, sent),
            Behaviour::CopyCat(_) => CopyCat::leave_out_own(sent).into_iter().collect(),
            Behaviour::Slow if matches!(sent.envelope.message, Message::StageOutput(_)) => {
                vec![Outgoing { delay: LATE, ..sent }]
            }
            Behaviour::Slow => vec![sent],
        }
    }
}

impl Outgoing {
    /// Leaves at once.
    pub fn now(to: NodeSet, envelope: Envelope) -> Outgoing {
        Outgoing { to, envelope, delay: Duration::ZERO }
    }
}

fn signed(seat: &Seat<'_>, message: Message) -> Envelope {
    let signature = Crypto::sign(seat.key, &message.statement(seat.cluster));
    Envelope { from: seat.me, message, signature }
}

/// `count` peers, beginning with another one in each epoch; never more than
/// there are.
fn some_peers(seat: &Seat<'_>, epoch: Epoch, count: usize) -> NodeSet {
    let peers: Vec<NodeId> = seat.others().iter().collect();
    let start = usize::try_from(epoch.0).unwrap_or(0);
    peers.iter().cycle().skip(start % peers.len().max(1)).take(count.min(peers.len())).copied().collect()
}

fn is_last(seat: &Seat<'_>, stage: Stage) -> bool {
    stage.next().0 == seat.cluster.model().stages
}

fn wrong_digest(seat: &Seat<'_>, digest: &Digest) -> Digest {
    seat.cluster.statement(Tag::Value, &(digest, seat.me))
}

#[cfg(test)]
mod tests;
