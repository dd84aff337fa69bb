//! A cluster in one thread that answers a request, always in the same order,
//! while somebody watches each step: where the measured transitions come from.

use std::collections::VecDeque;

use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::PublicKey;
use butterfly_kernel::machine::{Input, Output, Place, Rejection};
use butterfly_kernel::message::inference::{Request, Sampling, Signal, SignedRequest};
use butterfly_kernel::node::{Node, Record, Role};
use butterfly_kernel::types::{ClientId, Nonce, Position, Stage};
use ed25519_dalek::SigningKey;

use crate::committee::{Committee, client_key};

const PROMPT: [u8; 4] = [7; 4];
const NONCE: Nonce = Nonce([7; 16]);
/// Three epochs.
const TOKENS: u16 = 12;

/// One step of one member, as it was taken.
pub(crate) struct Taken<'t, C: Scheme, const N: usize> {
    pub(crate) member: usize,
    /// The member before the step.
    pub(crate) node: &'t Node<C, N>,
    pub(crate) input: &'t Input<C, N>,
    /// What it led to; nothing for a rejection.
    pub(crate) outputs: &'t [Output<C, N>],
    pub(crate) accepted: bool,
}

/// Plays until every member has done all it had to, and shows each step to `watch`.
pub(crate) fn rehearse<C, const N: usize>(committee: &Committee<C, N>, mut watch: impl FnMut(Taken<'_, C, N>))
where
    C: Scheme<PublicKey = PublicKey, SecretKey = SigningKey>,
{
    let new = |member| {
        Node::new(&committee.seat(member), Some(Record::first(Role::Replica))).expect("a first record is genuine")
    };
    let mut nodes: Vec<Box<Node<C, N>>> = (0..committee.size()).map(|member| Box::new(new(member))).collect();
    let mut inputs: VecDeque<(usize, Input<C, N>)> =
        (0..nodes.len()).map(|member| (member, Input::Start { nonce: NONCE })).collect();
    let submitted = committee.cluster.verify_submission(request(committee)).expect("signed by the client");
    inputs.push_back((0, Input::Submit(submitted)));
    let last = Stage(committee.cluster.model().stages - 1);
    let mut parked: Vec<(usize, Place, Input<C, N>)> = Vec::new();
    while let Some((member, input)) = inputs.pop_front() {
        let before = nodes[member].clone();
        let mut outputs = Vec::new();
        let seat = committee.seat(member);
        let outcome = nodes[member].step(&seat, input.clone(), &mut |output| outputs.push(output));
        watch(Taken { member, node: &before, input: &input, outputs: &outputs, accepted: outcome.is_ok() });
        if let Err(Rejection::Early(place)) = outcome {
            parked.push((member, place, input));
        }
        while let Some(at) = parked.iter().position(|(member, place, _)| nodes[*member].reached(place)) {
            let (member, _, input) = parked.remove(at);
            inputs.push_front((member, input));
        }
        for output in outputs {
            match output {
                Output::Send { to, envelope, .. } => {
                    let message = committee.cluster.verify(envelope).expect("genuine");
                    inputs.extend(to.iter().map(|to| (to.index(), Input::Receive(message.clone()))));
                }
                Output::Compute { run, stage, position, asker, .. } => {
                    let signal = signal(stage == last, position);
                    inputs.push_back((member, Input::Computed { run, stage, position, signal, asker }));
                }
                _ => {}
            }
        }
    }
}

/// What a stage gives: the same at every member, which is all that the protocol asks.
fn signal(token: bool, position: Position) -> Signal {
    let byte = position.0.to_le_bytes()[0] % 96;
    if token { [byte].into_iter().collect() } else { [byte; 320].into_iter().collect() }
}

fn request<C, const N: usize>(committee: &Committee<C, N>) -> SignedRequest<C>
where
    C: Scheme<PublicKey = PublicKey, SecretKey = SigningKey>,
{
    let prompt = PROMPT.into_iter().collect();
    let request = Request { client: ClientId(0), sequence: 1, prompt, tokens: TOKENS, sampling: Sampling::Greedy };
    // The digest does not cover the signature, so any will do to compute it.
    let unsigned = SignedRequest { signature: C::sign(&client_key(), &committee.cluster.id()), request };
    let signature = C::sign(&client_key(), &unsigned.digest(&committee.cluster));
    SignedRequest { signature, ..unsigned }
}
