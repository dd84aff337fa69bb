//! What clients and nodes say to each other, with the bounds of a device: the
//! same bytes as the server's.

use butterfly_kernel::crypto::ed25519::Ed25519;
use butterfly_kernel::message::SignedRequest;
use butterfly_kernel::message::inference::Tokens;
use butterfly_kernel::node::{Blockade, Role};
use butterfly_kernel::types::{Epoch, MAX_VOTERS, NodeSet, View};
use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::protocol::Decided;

/// What a client says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
#[allow(clippy::large_enum_variant, reason = "no heap to box into; it is used up at once")]
pub enum Ask<const N: usize> {
    /// How do you stand?
    Standing,
    /// Work on this.
    Submit(SignedRequest<Ed25519<N>>),
    /// Tell me of every epoch from this one on that you know, and of later ones.
    Follow(Epoch),
}

/// What a device says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
#[allow(clippy::large_enum_variant, reason = "no heap to box into; it is encoded at once")]
pub enum Answer<const N: usize> {
    /// Where it is, and the last decision that it holds.
    Standing(Standing, Option<Decided<N>>),
    /// It works on the request, or will.
    Taken,
    /// It will not.
    Refused(Refusal),
    /// An epoch was decided.
    Told(Told<N>),
}

/// Where a device is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its open epoch.
    pub epoch: Epoch,
    /// Its view in that epoch.
    pub view: View,
    /// What it may sign.
    pub role: Role,
    /// Whether a request is under way.
    pub working: bool,
    /// Who keeps its epoch from being decided, if it cannot be.
    pub blocked: Option<Blocked>,
}

/// Who keeps an epoch from being decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// Voters of whom nothing is heard.
    pub silent: Vec<u8, MAX_VOTERS>,
    /// Voters that lost their vote record and were not admitted again.
    pub learners: Vec<u8, MAX_VOTERS>,
}

impl From<Blockade> for Blocked {
    fn from(blockade: Blockade) -> Blocked {
        let numbers = |nodes: NodeSet| nodes.iter().take(MAX_VOTERS).map(|node| node.0).collect();
        Blocked { silent: numbers(blockade.silent), learners: numbers(blockade.learners) }
    }
}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// It is not signed by the client that brings it, or not one for the model.
    Invalid,
    /// It is finished.
    Finished,
    /// Too many requests of the client are open.
    Full,
}

/// A decided epoch, as a device tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Told<const N: usize> {
    /// What was decided, with its certificate and the state after it.
    pub decided: Decided<N>,
    /// What it added to the text; nothing when the device caught up with it.
    pub tokens: Tokens,
    /// Microseconds; a device tells none.
    pub latency_us: Option<u64>,
}
