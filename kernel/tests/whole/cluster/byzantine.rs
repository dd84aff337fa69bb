//! Faulty members: their kernel is honest, their outgoing messages are not.

use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::message::agreement::{AgreementMessage, ViewChange};
use butterfly_kernel::message::{Envelope, Message};
use butterfly_kernel::types::{Epoch, NodeId, Stage};

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
    /// Gives outputs of the first stage to its members only, and says nothing else.
    WithholdFromConsumers,
    /// Attests to the last reserve of each stage only, and takes no part in agreement.
    AttestToReserveOnly,
    /// Tells every peer ahead of time that it has left for the view which that
    /// peer leads next, and nothing else about agreement.
    SplitViews,
    /// Repeats the wrong outputs and attestations of this fellow as its own.
    CopyCat(usize),
    /// Honest, and says old things again: its own and others'.
    Replay,
    /// As a leader it hides what it proposes and asks from some or all, and it
    /// answers nobody who lacks a payload or a decision.
    Withhold,
    /// Honest; its stages' outputs are late.
    Slow,
    /// Gives wrong inputs to those who lost theirs.
    Misremember,
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
        Behaviour::Honest | Behaviour::Miscompute | Behaviour::Replay | Behaviour::Slow => return Some(envelope),
        Behaviour::Silent => return None,
        Behaviour::WithholdFromConsumers => {
            let Message::StageOutput(output) = &envelope.message else { return None };
            let run = world.members[from].node.as_ref().and_then(|node| node.run())?;
            let member = run.active.placement.set(output.stage).contains(NodeId(to as u8));
            return (output.stage == Stage(0) && member).then_some(envelope);
        }
        Behaviour::AttestToReserveOnly => {
            let heard = match &envelope.message {
                Message::Attest(attest) => {
                    let run = world.members[from].node.as_ref().and_then(|node| node.run())?;
                    run.active.placement.assigned(attest.claim.stage).last() == Some(NodeId(to as u8))
                }
                Message::StageOutput(_) => true,
                _ => false,
            };
            return heard.then_some(envelope);
        }
        Behaviour::SplitViews => match envelope.message {
            Message::Agreement { epoch, message } => split_views(world, to, epoch, &message)?,
            _ => return Some(envelope),
        },
        Behaviour::Misremember => match envelope.message {
            Message::History(mut history) => {
                history.signals.iter_mut().for_each(|signal| signal[0] ^= 1);
                Message::History(history)
            }
            _ => return Some(envelope),
        },
        Behaviour::Withhold => return (!withheld(world, to, &envelope)).then_some(envelope),
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

/// What a withholding member does not tell `to`: whom it deceives follows from
/// the epoch, everybody, all but one or one.
fn withheld(world: &World, to: usize, envelope: &TestEnvelope) -> bool {
    let Message::Agreement { epoch, message } = &envelope.message else {
        return matches!(envelope.message, Message::Payload(_) | Message::Decided(_));
    };
    let first = world.honest().next() == Some(to);
    let leading = matches!(message, AgreementMessage::Propose { .. } | AgreementMessage::CertRequest(_));
    leading
        && match epoch.0 % 3 {
            0 => true,
            1 => !first,
            _ => first,
        }
}

/// A view change for the next view after `message` that `to` leads.
fn split_views(
    world: &World,
    to: usize,
    epoch: Epoch,
    message: &AgreementMessage<Crypto, { super::CAPACITY }>,
) -> Option<Message<Crypto, { super::CAPACITY }>> {
    let mut view = match message {
        AgreementMessage::Propose { ballot, .. } | AgreementMessage::Vote(ballot) => ballot.view.next(),
        AgreementMessage::ViewChange(change) => change.view,
        _ => return None,
    };
    while world.cluster.leader(epoch, view) != NodeId(to as u8) {
        view = view.next();
    }
    let change = ViewChange { view, voted: None, locked: None };
    Some(Message::Agreement { epoch, message: AgreementMessage::ViewChange(change) })
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
                let run = world.members[from].node.as_ref().and_then(|node| node.run());
                for token in &mut attest.tokens {
                    *token = wrong(author, &[*token], true)[0];
                }
                if let Some(output) = run.and_then(|run| run.output_link(&world.cluster, &attest.tokens)) {
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
