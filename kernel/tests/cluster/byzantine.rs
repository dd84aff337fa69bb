//! Faulty members: their kernel is honest, their outgoing messages are not.

use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::message::agreement::AgreementMessage;
use butterfly_kernel::message::{Envelope, Message};
use butterfly_kernel::types::{NodeId, Stage};

use super::{Crypto, TestEnvelope, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Honest,
    /// Its kernel and its messages are honest, but its processor is not.
    Miscompute,
    /// Sends nothing.
    Silent,
    /// Computes and passes on, but signs for nothing that it computed.
    WithholdAttestations,
    /// Wrong stage outputs, and attestations that stand by them.
    Lie,
    /// Different proposals and votes to different peers.
    Equivocate,
    /// Repeats the wrong outputs and attestations of this fellow as its own.
    CopyCat(usize),
}

/// What `from` sends to `to` in place of `envelope`, if anything.
pub fn rewrite(
    world: &World,
    behaviour: Behaviour,
    from: usize,
    to: usize,
    envelope: TestEnvelope,
) -> Option<TestEnvelope> {
    let message = match behaviour {
        Behaviour::Honest | Behaviour::Miscompute => return Some(envelope),
        Behaviour::Silent => return None,
        Behaviour::WithholdAttestations if matches!(envelope.message, Message::Attest(_)) => return None,
        Behaviour::WithholdAttestations => return Some(envelope),
        Behaviour::Lie => lie(world, from, from, envelope.message),
        Behaviour::CopyCat(fellow) => lie(world, from, fellow, envelope.message),
        Behaviour::Equivocate => equivocate(world, to, envelope.message),
    };
    let me = NodeId(from as u8);
    if envelope.from != me {
        return Some(Envelope { message, ..envelope });
    }
    let signature = Crypto::sign(&me, &message.statement(&world.cluster));
    Some(Envelope { from: me, message, signature })
}

/// The wrong signal that `author` makes up.
fn wrong(author: usize, signal: &[u8], last: bool) -> Vec<u8> {
    let shift = author as u8 + 1;
    if last { vec![(signal[0] + shift) % 96] } else { signal.iter().map(|byte| byte.wrapping_add(shift)).collect() }
}

fn lie(
    world: &World,
    from: usize,
    author: usize,
    message: Message<Crypto, { super::CAPACITY }>,
) -> Message<Crypto, { super::CAPACITY }> {
    let stages = world.cluster.model().stages;
    match message {
        Message::StageOutput(mut output) => {
            let last = output.stage == Stage(stages - 1);
            output.signal = wrong(author, &output.signal, last).into_iter().collect();
            Message::StageOutput(output)
        }
        Message::Attest(mut attest) => {
            let last = attest.claim.stage == Stage(stages - 1);
            if last {
                let job = world.members[from].node.as_ref().and_then(|node| node.job());
                for token in &mut attest.tokens {
                    *token = wrong(author, &[*token], true)[0];
                }
                if let Some(output) = job.and_then(|job| job.output_link(&world.cluster, &attest.tokens)) {
                    attest.claim.output = output;
                }
            } else {
                attest.claim.output ^= author as u64 + 1;
            }
            Message::Attest(attest)
        }
        other => other,
    }
}

fn equivocate(
    world: &World,
    to: usize,
    message: Message<Crypto, { super::CAPACITY }>,
) -> Message<Crypto, { super::CAPACITY }> {
    // The first honest peer hears another story than the rest.
    let odd_one_out = world.honest().next() == Some(to);
    match message {
        Message::Agreement { epoch, message } if odd_one_out => {
            let message = match message {
                AgreementMessage::Propose { mut ballot, progress } => {
                    ballot.value ^= 1;
                    AgreementMessage::Propose { ballot, progress }
                }
                AgreementMessage::Vote(mut ballot) => {
                    ballot.value ^= 1;
                    AgreementMessage::Vote(ballot)
                }
                other => other,
            };
            Message::Agreement { epoch, message }
        }
        other => other,
    }
}
