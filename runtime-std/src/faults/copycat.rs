//! A member that takes the word of a fellow for its own.

use std::collections::BTreeSet;

use butterfly_kernel::types::{Position, Stage};

use super::{Outgoing, signed};
use crate::protocol::{Envelope, Message, Node, RunId, Seat};

/// What a copy-cat has said so far.
#[derive(Debug, Default)]
pub(super) struct CopyCat {
    /// Of which run.
    run: Option<RunId>,
    /// Outputs by their position, attestations by the tokens before them.
    said: BTreeSet<(Stage, What)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Output(Position),
    Attestation(u16),
}

impl CopyCat {
    /// What the first fellow says about a stage, right or wrong, signed as
    /// this member's own, to whom its own would have gone.
    pub(super) fn copy(&mut self, seat: &Seat<'_>, node: &Node, heard: &Envelope) -> Option<Outgoing> {
        let run = node.run()?;
        let (id, stage, what) = match &heard.message {
            Message::StageOutput(output) => (output.run, output.stage, What::Output(output.position)),
            Message::Attest(attest) => {
                (attest.claim.run, attest.claim.stage, What::Attestation(attest.claim.committed))
            }
            _ => return None,
        };
        let placement = &run.active.placement;
        let fellows = placement.set(stage);
        let from_a_fellow = fellows.contains(heard.from) && heard.from != seat.me;
        if id != run.id || !fellows.contains(seat.me) || !from_a_fellow {
            return None;
        }
        if self.run.replace(id) != Some(id) {
            self.said.clear();
        }
        if !self.said.insert((stage, what)) {
            return None;
        }
        let to = match what {
            What::Output(_) => fellows.union(placement.set(run.consumer(stage))).without(seat.me),
            What::Attestation(_) => seat.others(),
        };
        Some(Outgoing::now(to, signed(seat, heard.message.clone())))
    }

    /// Its own results are what it does not have.
    pub(super) fn leave_out_own(sent: Outgoing) -> Option<Outgoing> {
        let own = matches!(sent.envelope.message, Message::StageOutput(_) | Message::Attest(_));
        (!own).then_some(sent)
    }
}
