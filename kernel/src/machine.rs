//! What every machine obeys: inputs in, outputs out, nothing else.
//!
//! A host performs outputs in the order in which they are pushed. In
//! particular it performs nothing that stands behind an [`Output::Persist`]
//! before the node's record is durable.

use crate::assignment::Profile;
use crate::crypto::{Scheme, Verified};
use crate::message::agreement::Path;
use crate::message::inference::{History, RunId, Sampling, Signal, Signals, SignedRequest, Tokens};
use crate::message::{Envelope, Notice, SignedChange};
use crate::node::Blockade;
use crate::proof::Evidence;
use crate::types::{ClientId, Epoch, Millis, NodeId, NodeSet, Nonce, Position, Stage, View};

/// What a host tells a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::large_enum_variant, reason = "no heap to box into; inputs are moved, not stored")]
pub enum Input<C: Scheme, const N: usize> {
    /// The node begins, or begins again after a restart. The first input, once.
    Start {
        /// Drawn by the host at this start, from the system's random source,
        /// and kept nowhere: a node that lost its record is admitted again
        /// when the cluster has decided on a value that contains it.
        nonce: Nonce,
    },
    /// A message arrived and its signatures were checked.
    Receive(Verified<Envelope<C, N>>),
    /// A client handed its request to this node.
    Submit(Verified<SignedRequest<C>>),
    /// The host computed what [`Output::Compute`] asked for.
    Computed {
        /// The run; results of another one are inert.
        run: RunId<C>,
        /// The stage that was run.
        stage: Stage,
        /// The position of the input.
        position: Position,
        /// What came out.
        signal: Signal,
        /// As in [`Output::Compute`].
        asker: Option<NodeId>,
    },
    /// After [`Output::Assign`] of a run that does not begin at position 0,
    /// once for each stage that is assigned to this node but the first: up to
    /// where the host has its inputs. The stage is run when all of them up to
    /// the run's first position are there; what is lacking is recovered.
    Holding {
        /// The run.
        run: RunId<C>,
        /// The stage.
        stage: Stage,
        /// The first position whose input it does not have: 0, or as much as it
        /// kept, or where it was interrupted. It has all that are before it, and
        /// not just what the stage remembers of them: others may have nobody else
        /// to ask for them ([`Output::Supply`]).
        upto: Position,
        /// The link in front of the stage there; at 0 it is [`crate::inference::run::first_link`].
        link: C::Digest,
    },
    /// What this node can do has changed, or is about to: placements of
    /// requests that begin later are to reckon with this. A speed of 0 hands
    /// its stages over. The node says so until it is committed.
    Revise(Profile),
    /// An operator, or whoever holds its token, handed a change of the roster
    /// to this node.
    Change(Verified<SignedChange<C>>),
    /// The host found what [`Output::Supply`] asked for.
    Supplied {
        /// Who asked.
        to: NodeId,
        /// As much as it has and one message carries.
        history: History<C>,
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

/// Which of its signals a host may pass on: others may be what a faulty member
/// told it, and nobody confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Inputs of the stage.
    Inputs,
    /// Outputs of the stage before it.
    Outputs,
    /// Either.
    Both,
}

impl Source {
    /// Whether inputs of the stage itself may be taken.
    pub const fn has_inputs(self) -> bool {
        matches!(self, Source::Inputs | Source::Both)
    }

    /// Whether outputs of the stage before it may be taken.
    pub const fn has_outputs(self) -> bool {
        matches!(self, Source::Outputs | Source::Both)
    }
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
    /// The work at hand is (now) the run that [`crate::node::Node::run`]
    /// describes: bring the caches of the stages assigned to this node to its
    /// first position, and say what you hold: [`Input::Holding`].
    Assign {
        /// The run.
        run: RunId<C>,
    },
    /// The input of `stage` at `position` is certain; keep it until the run is over.
    Provide {
        /// The run.
        run: RunId<C>,
        /// The stage that consumes it.
        stage: Stage,
        /// Where.
        position: Position,
        /// The input.
        signal: Signal,
    },
    /// Inputs of `stage` from `position` on, told by one member: keep them in
    /// place of what was told before for these positions and behind them, up
    /// to the run's first position.
    Restore {
        /// The run.
        run: RunId<C>,
        /// The stage that consumes them.
        stage: Stage,
        /// Where the first belongs.
        position: Position,
        /// One for each position.
        signals: Signals,
    },
    /// A fellow lacks inputs of `stage` from `position` on: hand those that
    /// you have back as [`Input::Supplied`], taken from `source` only. If there
    /// are none, say nothing.
    Supply {
        /// Who asks.
        to: NodeId,
        /// The run.
        run: RunId<C>,
        /// The stage that consumes them.
        stage: Stage,
        /// Where they begin.
        position: Position,
        /// Where they may be taken from.
        source: Source,
    },
    /// Run `stage` up to `position`, over all inputs that it was not run on
    /// yet, and hand back what comes out there. The inputs up to it were
    /// provided or restored, or are the run's own tokens.
    Compute {
        /// The run.
        run: RunId<C>,
        /// The stage.
        stage: Stage,
        /// Where.
        position: Position,
        /// How the last stage chooses a token.
        sampling: Sampling,
        /// A fellow that asked for it; to be handed back.
        asker: Option<NodeId>,
    },
    /// A checkpoint was committed: keep the caches of this node's stages as
    /// they are at `position`, with the links of [`crate::chain::Active`].
    Checkpoint {
        /// The run.
        run: RunId<C>,
        /// The first position that it does not cover.
        position: Position,
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
        /// What was added to a request; none when the epoch was caught up
        /// with, or committed a notice.
        tokens: Tokens,
        /// What a member said about itself.
        notice: Option<(NodeId, Notice)>,
    },
    /// The last decided epoch changed the roster, and nothing else will be
    /// decided under this one: make the [next](crate::cluster::Cluster::next)
    /// cluster, and let the node [enter](crate::node::Node::enter) it if it is
    /// a member there. Keep the decision, to show it to those who are behind.
    Changed,
    /// Signed statements that only a faulty member can have made. May be
    /// repeated; hosts keep the first of each kind.
    Evidence(Evidence<C>),
    /// The epoch is not decided, and fewer members than a quorum were heard of
    /// for a while: see [`crate::node::Blockade`]. Said again when it changes.
    Blocked(Blockade),
    /// What the last [`Output::Blocked`] said is over.
    Resumed,
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
    /// It is about another run or part than the one at hand.
    OtherRun,
    /// There is no room for it.
    Full,
}

/// A place on a node's way, for which a message came too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// This epoch is open.
    Epoch(Epoch),
    /// In this epoch, the node is in this view or a later one.
    View(Epoch, View),
    /// The request is being worked on.
    Run(Turn),
    /// Tokens of the request up to this many are certain, and the part that
    /// follows may be attested.
    Part(Turn, u16),
    /// The stage is at this position, and may go on with it.
    Position(Turn, Stage, Position),
}

/// One request among those of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn {
    /// Whose.
    pub client: ClientId,
    /// Which.
    pub sequence: u64,
}

impl Turn {
    /// The turn of a run's request.
    pub fn of<C: Scheme>(run: &RunId<C>) -> Turn {
        Turn { client: run.client, sequence: run.sequence }
    }
}

impl core::fmt::Display for Rejection {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            Rejection::Early(_) => "its time has not come",
            Rejection::Stale => "its time is over",
            Rejection::Duplicate => "it is known already",
            Rejection::Unauthorised => "its author is not the one to say this",
            Rejection::Invalid => "it contradicts what was decided, or itself",
            Rejection::OtherRun => "it is about another run or part",
            Rejection::Full => "there is no room for it",
        })
    }
}

impl core::error::Error for Rejection {}
