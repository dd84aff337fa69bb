//! What members say to each other, as operators are told: who has come how far
//! in which epoch, as far as this node hears of it.

use std::cmp::Ordering;

use butterfly_kernel::machine::Transmission;
use butterfly_kernel::message::AgreementMessage;
use butterfly_kernel::types::NodeId;

use super::Host;
use crate::protocol::{Envelope, Input, Message, Node};
use crate::stream::Happening;

impl Host {
    /// What it means for operators if the node accepts `input`.
    pub(super) fn heard(&self, input: &Input) -> Option<Happening> {
        match input {
            Input::Receive(envelope) if self.stream.is_wanted() => said(&self.node, envelope.get()),
            _ => None,
        }
    }

    /// This node is about to send `envelope`.
    pub(super) fn tell_sent(&self, me: NodeId, envelope: &Envelope, transmission: Transmission) {
        if self.stream.is_wanted()
            && (envelope.from, transmission) == (me, Transmission::First)
            && let Some(said) = said(&self.node, envelope)
        {
            self.stream.tell(&said);
        }
    }

    /// The stages of the run at hand are placed.
    pub(super) fn tell_assigned(&self) {
        if !self.stream.is_wanted() {
            return;
        }
        let Some(run) = self.node.run() else { return };
        self.stream.tell(&Happening::Assigned {
            epoch: self.node.epoch(),
            client: run.id.client,
            sequence: run.id.sequence,
            stages: run.stages().map(|stage| run.active.placement.owners(stage)).collect(),
        });
    }
}

fn said(node: &Node, envelope: &Envelope) -> Option<Happening> {
    let member = envelope.from;
    match &envelope.message {
        Message::Attest(attest) => {
            let claim = &attest.claim;
            let run = node.run().filter(|run| run.id == claim.run)?;
            // The part to be committed next, or the one that is ahead of it; one
            // that is committed can only be compared.
            let epoch = match claim.committed.cmp(&run.committed()) {
                Ordering::Less => return None,
                Ordering::Equal => node.epoch(),
                Ordering::Greater => node.epoch().next(),
            };
            Some(Happening::Attested { epoch, member, stage: claim.stage })
        }
        Message::Agreement { epoch, message: AgreementMessage::Vote(ballot) } => {
            Some(Happening::Voted { epoch: *epoch, view: ballot.view, member })
        }
        _ => None,
    }
}
