//! What a lying member says: its kernel is the honest one, its words are not.

use butterfly_kernel::message::inference::{Attest, Signal, StageOutput};
use butterfly_kernel::types::Stage;

use crate::protocol::{Crypto, Envelope, KernelDigest, KernelNode, Message, Seat};

/// A wrong signal or a wrong attestation in place of `envelope`, well-formed,
/// and another one than any other liar's. What is neither, or another member's,
/// stays as it is.
pub(crate) fn falsify(seat: &Seat<'_>, node: &KernelNode, envelope: Envelope) -> Envelope {
    if envelope.from != seat.me {
        return envelope;
    }
    match envelope.message {
        Message::StageOutput(output) => {
            let signal = wrong_signal(seat, output.stage, &output.signal);
            seat.envelope(Message::StageOutput(StageOutput { signal, ..output }))
        }
        Message::Attest(attest) => seat.envelope(Message::Attest(wrong_attestation(seat, node, attest))),
        message => Envelope { message, ..envelope },
    }
}

fn wrong_signal(seat: &Seat<'_>, stage: Stage, signal: &Signal) -> Signal {
    let mut signal = signal.clone();
    if let Some(byte) = signal.last_mut() {
        *byte = if is_last(seat, stage) { wrong_token(seat, *byte) } else { byte.wrapping_add(shift(seat)) };
    }
    signal
}

fn wrong_attestation(seat: &Seat<'_>, node: &KernelNode, mut attest: Attest<Crypto>) -> Attest<Crypto> {
    let wrong_digest = |mut digest: KernelDigest| {
        if let Some(byte) = digest.0.first_mut() {
            *byte = byte.wrapping_add(shift(seat));
        }
        digest
    };
    if !is_last(seat, attest.claim.stage) {
        attest.claim.output = wrong_digest(attest.claim.output);
        return attest;
    }
    if let Some(token) = attest.tokens.first_mut() {
        *token = wrong_token(seat, *token);
    }
    let run = node.run().filter(|run| run.id == attest.claim.run && run.committed() == attest.claim.committed);
    let link = run.and_then(|run| run.output_link(seat.cluster, &attest.tokens));
    attest.claim.output = link.unwrap_or_else(|| wrong_digest(attest.claim.output));
    attest
}

fn is_last(seat: &Seat<'_>, stage: Stage) -> bool {
    stage.0.saturating_add(1) == seat.cluster.model().stages
}

/// Differs from liar to liar.
fn shift(seat: &Seat<'_>) -> u8 {
    seat.me.0.saturating_add(1)
}

fn wrong_token(seat: &Seat<'_>, token: u8) -> u8 {
    let vocabulary = u16::from(seat.cluster.model().vocabulary).max(1);
    let wrong = u16::from(token).saturating_add(u16::from(shift(seat))) % vocabulary;
    u8::try_from(wrong).unwrap_or(0)
}
