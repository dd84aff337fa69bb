//! A member that takes the word of a fellow for its own.

use std::collections::BTreeSet;

use butterfly_kernel::types::{Epoch, Position, Stage};

use super::{Outgoing, is_last, signed};
use crate::protocol::{Envelope, Message, Node, Seat};

/// What a copy-cat has said so far.
#[derive(Debug, Default)]
pub(super) struct CopyCat {
    /// Outputs by their position, attestations without one.
    said: BTreeSet<(Epoch, Stage, Option<Position>)>,
}

impl CopyCat {
    /// What the first fellow says about a stage, right or wrong, signed as
    /// this member's own, to whom its own would have gone.
    pub(super) fn copy(&mut self, seat: &Seat<'_>, node: &Node, heard: &Envelope) -> Option<Outgoing> {
        let job = node.job()?;
        let (id, stage, position) = match &heard.message {
            Message::StageOutput(output) => (output.job, output.stage, Some(output.position)),
            Message::Attest(attest) => (attest.claim.job, attest.claim.stage, None),
            _ => return None,
        };
        let fellows = job.placement.set(stage);
        let from_a_fellow = fellows.contains(heard.from) && heard.from != seat.me;
        if id != job.id || !fellows.contains(seat.me) || !from_a_fellow {
            return None;
        }
        self.said.retain(|(epoch, ..)| *epoch >= job.epoch);
        if !self.said.insert((job.epoch, stage, position)) {
            return None;
        }
        let to = match position {
            Some(_) => {
                let consumer = if is_last(seat, stage) { Stage(0) } else { stage.next() };
                fellows.union(job.placement.set(consumer)).without(seat.me)
            }
            None => seat.others(),
        };
        Some(Outgoing::now(to, signed(seat, heard.message.clone())))
    }

    /// Its own results are what it does not have.
    pub(super) fn leave_out_own(sent: Outgoing) -> Option<Outgoing> {
        let own = matches!(sent.envelope.message, Message::StageOutput(_) | Message::Attest(_));
        (!own).then_some(sent)
    }
}
