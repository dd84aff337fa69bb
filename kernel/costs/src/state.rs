//! Bytes of state: what a node holds, and what is handed around in a step.

use std::mem::size_of;

use butterfly_kernel::agreement::{Agreement, horizon};
use butterfly_kernel::chain::{Decided, State};
use butterfly_kernel::cluster::Cluster;
use butterfly_kernel::crypto::ed25519::Ed25519;
use butterfly_kernel::inference::Inference;
use butterfly_kernel::inference::run::Run;
use butterfly_kernel::machine::{Input, Output};
use butterfly_kernel::message::agreement::{AgreementMessage, CertRequest, ViewChange};
use butterfly_kernel::message::{Envelope, Payload, StageOutput};
use butterfly_kernel::node::{Horizon, Node, Record};
use serde::Serialize;

/// One type, at each capacity.
#[derive(Debug, Serialize)]
pub(crate) struct Size {
    name: &'static str,
    about: &'static str,
    /// For at most 4, 7 and 16 voters.
    bytes: [usize; 3],
}

macro_rules! sizes {
    ($($name:literal, $about:literal, |$n:ident| $type:ty;)*) => {
        vec![$(Size {
            name: $name,
            about: $about,
            bytes: [
                { const $n: usize = 4; size_of::<$type>() },
                { const $n: usize = 7; size_of::<$type>() },
                { const $n: usize = 16; size_of::<$type>() },
            ],
        }),*]
    };
}

/// With Ed25519, on the machine that this was built for.
pub(crate) fn sizes() -> Vec<Size> {
    sizes! {
        "Node", "everything that a member holds", |N| Node<Ed25519<N>, N>;
        "Agreement", "the agreement of the open epoch", |N| Agreement<Ed25519<N>, N>;
        "Inference", "the computation of two parts of a request", |N| Inference<Ed25519<N>, N>;
        "Decided", "the last decided epoch, with certificate and state", |N| Decided<Ed25519<N>>;
        "State", "what validity in the next epoch reads", |N| State<Ed25519<N>>;
        "Run", "what is computed, and for whom", |N| Run<Ed25519<N>>;
        "Record", "what must be durable, read back", |N| Record<Ed25519<N>>;
        "Cluster", "roster, keys made ready, timing", |N| Cluster<Ed25519<N>, N>;
        "Horizon", "what a node still listens to", |N| Horizon<Ed25519<N>, N>;
        "agreement::Horizon", "the same, of agreement alone", |N| horizon::Horizon<Ed25519<N>, N>;
        "Envelope", "any message", |N| Envelope<Ed25519<N>, N>;
        "Payload", "the largest message", |N| Payload<Ed25519<N>>;
        "StageOutput", "the message that is sent most", |N| StageOutput<Ed25519<N>>;
        "AgreementMessage", "any message of agreement", |N| AgreementMessage<Ed25519<N>, N>;
        "CertRequest", "its leader's question", |N| CertRequest<Ed25519<N>, N>;
        "ViewChange", "its largest message of a follower", |N| ViewChange<Ed25519<N>>;
        "Input", "what a step takes", |N| Input<Ed25519<N>, N>;
        "Output", "what a step gives, each", |N| Output<Ed25519<N>, N>;
    }
}
