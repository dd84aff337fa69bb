//! A member that says wrong things about what it computed.

use butterfly_kernel::message::inference::{Attest, StageOutput};

use super::{is_last, wrong_digest};
use crate::protocol::{Crypto, Digest, Message, Node, Seat};

/// A wrong signal or a wrong attestation, well-formed, and another one than
/// any other liar's.
pub(super) fn lie(seat: &Seat<'_>, node: &Node, message: Message) -> Message {
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

fn wrong_token(seat: &Seat<'_>, token: u8) -> u8 {
    (token + 1 + seat.me.0) % seat.cluster.model().vocabulary
}
