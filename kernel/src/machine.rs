//! What every machine obeys: inputs in, outputs out, nothing else.
//!
//! A host performs outputs in the order in which they are pushed. In
//! particular it performs nothing that stands behind an [`Output::Persist`]
//! before the node's record is durable.

use crate::crypto::{Scheme, Verified};
use crate::message::Envelope;
use crate::message::agreement::Path;
use crate::message::inference::{Sampling, Signal, SignedRequest, Tokens};
use crate::proof::Evidence;
use crate::types::{Epoch, Millis, NodeSet, Position, Stage, View};

/// What a host tells a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::large_enum_variant, reason = "no heap to box into; inputs are moved, not stored")]
pub enum Input<C: Scheme, const N: usize> {
    /// The node begins, or begins again after a restart. The first input, once.
    Start,
    /// A message arrived and its signatures were checked.
    Receive(Verified<Envelope<C, N>>),
    /// A client handed its request to this node.
    Submit(Verified<SignedRequest<C>>),
    /// The host computed what [`Output::Compute`] asked for.
    Computed {
        /// The job of the request; results of another job are inert.
        job: C::Digest,
        /// The stage that was run.
        stage: Stage,
        /// The position of the input.
        position: Position,
        /// What came out.
        signal: Signal,
    },
    /// A timer that was set has run out. Late ones are inert.
    Timer(Timer),
}

/// A timer is a value that names what it is for, so a late one is inert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The leader of this view has had its time.
    View {
        /// The epoch.
        epoch: Epoch,
        /// The view.
        view: View,
    },
    /// What is unanswered is sent again. Always running while there is work.
    Retransmit,
    /// The owners of a stage have had their time; a reserve steps in.
    Escalate {
        /// The epoch.
        epoch: Epoch,
        /// The stage.
        stage: Stage,
    },
}

/// Whether a message goes out for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transmission {
    /// For the first time.
    First,
    /// Again, since nothing tells whether it arrived.
    Again,
}

/// What a node asks of its host, or tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::large_enum_variant, reason = "no heap to box into; outputs are moved, not stored")]
pub enum Output<C: Scheme, const N: usize> {
    /// Make [`crate::node::Node::record`], as it is after this step, durable
    /// before performing anything that follows. One write serves every
    /// `Persist` of a step.
    Persist,
    /// Send `envelope` to each of `to`. Loss, duplication and reordering are survived.
    Send {
        /// Never the node itself.
        to: NodeSet,
        /// What to send.
        envelope: Envelope<C, N>,
        /// For counting.
        transmission: Transmission,
    },
    /// Hand [`Input::Timer`] back after this time. Setting a timer that is
    /// already set replaces it.
    SetTimer {
        /// The timer.
        timer: Timer,
        /// From now.
        after: Millis,
    },
    /// This epoch's job is (now) the one that [`crate::node::Node::job`]
    /// describes: bring the caches of the stages assigned to this node to its
    /// first position.
    Assign {
        /// The job.
        job: C::Digest,
    },
    /// The input of `stage` at `position` is certain; keep it.
    Provide {
        /// The job.
        job: C::Digest,
        /// The stage that consumes it.
        stage: Stage,
        /// Where.
        position: Position,
        /// The input.
        signal: Signal,
    },
    /// Run `stage` up to `position` and hand back what comes out there. The
    /// inputs up to it were provided, or are the job's own tokens.
    Compute {
        /// The job.
        job: C::Digest,
        /// The stage.
        stage: Stage,
        /// Where.
        position: Position,
        /// How the last stage chooses a token.
        sampling: Sampling,
    },
    /// An epoch is decided, its state durable. [`crate::node::Node::head`]
    /// has the certificate.
    Commit {
        /// The epoch.
        epoch: Epoch,
        /// Which quorum decided.
        path: Path,
        /// The view that decided.
        view: View,
        /// What was added to the request; none when the epoch was caught up with.
        tokens: Tokens,
    },
    /// Signed statements that only a faulty member can have made. May be
    /// repeated; hosts keep the first of each kind.
    Evidence(Evidence<C>),
    /// The node left for a later view.
    EnterView {
        /// The epoch.
        epoch: Epoch,
        /// The view that it is in now.
        view: View,
    },
}

/// Where outputs go. Any `FnMut(Output)` will do.
pub trait Outbox<C: Scheme, const N: usize> {
    /// Takes one output, behind those taken before.
    fn push(&mut self, output: Output<C, N>);
}

impl<C: Scheme, const N: usize, F: FnMut(Output<C, N>)> Outbox<C, N> for F {
    fn push(&mut self, output: Output<C, N>) {
        self(output);
    }
}

/// Sends `envelope`, if there is anybody to send it to.
pub(crate) fn send<C: Scheme, const N: usize>(
    to: NodeSet,
    envelope: Envelope<C, N>,
    transmission: Transmission,
    out: &mut impl Outbox<C, N>,
) {
    if !to.is_empty() {
        out.push(Output::Send { to, envelope, transmission });
    }
}

/// Why an input changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    /// Its time has not come: offer it again when the node is at this place.
    /// A host may keep it or rely on retransmission.
    Early(Place),
    /// Its time is over.
    Stale,
    /// It is known already.
    Duplicate,
    /// Its author is not the one to say this: not the leader, not assigned.
    Unauthorised,
    /// It contradicts the decided prefix or itself.
    Invalid,
    /// It is about another job than the one at hand.
    OtherJob,
    /// There is no room for it.
    Full,
}

/// A place on a node's way: epochs, and inside an epoch positions of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The open epoch.
    pub epoch: Epoch,
    /// What inside the epoch.
    pub progress: Progress,
}

/// What must have been reached inside an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Progress {
    /// The epoch is open.
    Open,
    /// The node knows what is computed in the epoch.
    Job,
    /// The node is in this view or a later one.
    View(View),
    /// The stage is at this position or a later one.
    Position(Stage, Position),
}

impl core::fmt::Display for Rejection {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            Rejection::Early(_) => "its time has not come",
            Rejection::Stale => "its time is over",
            Rejection::Duplicate => "it is known already",
            Rejection::Unauthorised => "its author is not the one to say this",
            Rejection::Invalid => "it contradicts what was decided, or itself",
            Rejection::OtherJob => "it is about another job",
            Rejection::Full => "there is no room for it",
        })
    }
}

impl core::error::Error for Rejection {}
