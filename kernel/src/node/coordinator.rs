//! What a node is doing, in one word: a function of its state, for people and
//! for metrics. No rule of the protocol reads it.
//!
//! The first row that applies:
//!
//! | state | when |
//! | --- | --- |
//! | Initializing | before its first input |
//! | Failed | blocked: fewer than n - f voters that may sign were heard of |
//! | Recovering | a learner, or a stage's inputs are being recovered |
//! | Degraded | the epoch is in a later view, or members of stages are suspected |
//! | Committing | a valid result is known, and not decided |
//! | Aggregating | everything assigned here is computed, certificates are missing |
//! | Computing | a request is being worked on |
//! | Ready | there is nothing to do |

use super::{Node, Role};
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::types::View;

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the table of the module says when")]
pub enum Coordinator {
    Initializing,
    Ready,
    Computing,
    Aggregating,
    Committing,
    Degraded,
    Recovering,
    Failed,
}

impl Coordinator {
    /// Every state, in the order of a node's life.
    pub const ALL: [Coordinator; 8] = [
        Coordinator::Initializing,
        Coordinator::Ready,
        Coordinator::Computing,
        Coordinator::Aggregating,
        Coordinator::Committing,
        Coordinator::Degraded,
        Coordinator::Recovering,
        Coordinator::Failed,
    ];

    /// The name in metrics, traces and reports.
    pub fn name(self) -> &'static str {
        match self {
            Coordinator::Initializing => "initializing",
            Coordinator::Ready => "ready",
            Coordinator::Computing => "computing",
            Coordinator::Aggregating => "aggregating",
            Coordinator::Committing => "committing",
            Coordinator::Degraded => "degraded",
            Coordinator::Recovering => "recovering",
            Coordinator::Failed => "failed",
        }
    }
}

impl<C: Scheme, const N: usize> Node<C, N> {
    /// What this node is doing.
    pub fn coordinator(&self, seat: &Seat<'_, C, N>) -> Coordinator {
        let working = self.run().is_some() || !self.candidates.is_empty();
        if self.nonce.is_none() {
            Coordinator::Initializing
        } else if self.blockade().is_some() {
            Coordinator::Failed
        } else if self.role == Role::Learner || self.inference.recovers() {
            Coordinator::Recovering
        } else if self.agreement.view() > View::ZERO || working && !self.inference.suspects().is_empty() {
            Coordinator::Degraded
        } else if !self.candidates.is_empty() {
            Coordinator::Committing
        } else if self.inference.has_computed(seat.me) {
            Coordinator::Aggregating
        } else if self.run().is_some() {
            Coordinator::Computing
        } else {
            Coordinator::Ready
        }
    }
}
