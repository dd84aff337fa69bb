//! What a host tells a node and what a node asks of it. The same types are the
//! typed surface, field by field, and the packed one, in the kernel's encoding:
//! the order of variants and fields is part of the wire.

mod convert;

use serde::{Deserialize, Serialize};

use crate::Error;

/// A SHA-256 digest, or a key: 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

/// A number drawn at random for one life of a node: 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nonce(pub [u8; 16]);

uniffi::custom_type!(Digest, Vec<u8>, {
    try_lift: |bytes| Ok(Digest(exactly(&bytes)?)),
    lower: |digest| digest.0.to_vec(),
});

uniffi::custom_type!(Nonce, Vec<u8>, {
    try_lift: |bytes| Ok(Nonce(exactly(&bytes)?)),
    lower: |nonce| nonce.0.to_vec(),
});

fn exactly<const LENGTH: usize>(bytes: &[u8]) -> Result<[u8; LENGTH], Error> {
    let reason = || format!("{} bytes where there must be {LENGTH}", bytes.len());
    bytes.try_into().map_err(|_| Error::Malformed { reason: reason() })
}

/// What a host tells a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, uniffi::Enum)]
pub enum Input {
    /// The node begins, or begins again after a restart. The first input, once.
    Start {
        /// Drawn from the system's random source at this start, kept nowhere.
        nonce: Nonce,
    },
    /// A message arrived from whomever. Its encoding and every signature in it
    /// are checked here.
    Receive {
        /// As a member's `Send` gave it.
        #[serde(with = "serde_bytes")]
        message: Vec<u8>,
    },
    /// A client handed its signed request to this node.
    Submit {
        /// As `Roster.sign_request` gave it.
        #[serde(with = "serde_bytes")]
        request: Vec<u8>,
    },
    /// The host ran the stage that `Compute` asked for.
    Computed {
        /// Of the work that was done.
        ticket: u64,
        /// What came out: of the last stage one token, of any other 1 byte to
        /// as many as the model's signal has.
        #[serde(with = "serde_bytes")]
        output: Vec<u8>,
    },
    /// A timer that was set has run out. Late ones are inert.
    Timer {
        /// Which.
        timer: Timer,
    },
    /// What this node can do has changed: requests that begin later are placed
    /// accordingly. A speed of 0 hands its stages over.
    Revise {
        /// Units of work in one millisecond.
        speed: u32,
        /// Members of one zone are close to each other.
        zone: u8,
    },
}

/// A timer names what it is for, so that a late one is inert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, uniffi::Enum)]
pub enum Timer {
    /// The leader of this view has had its time.
    View {
        /// The epoch.
        epoch: u64,
        /// The view.
        view: u32,
    },
    /// What is unanswered is sent again.
    Retransmit,
    /// The owners of a stage have had their time; a reserve steps in.
    Escalate {
        /// The epoch.
        epoch: u64,
        /// The stage.
        stage: u8,
    },
}

/// What a node asks of its host, in the order in which it is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, uniffi::Enum)]
pub enum Output {
    /// Make this record durable before doing anything that follows.
    Persist {
        /// What the node must not forget: give it to `Node` after a restart.
        #[serde(with = "serde_bytes")]
        record: Vec<u8>,
    },
    /// Send the message to each of these members. Loss, repetition and
    /// reordering are survived.
    Send {
        /// Members by number, never the node itself.
        #[serde(with = "serde_bytes")]
        to: Vec<u8>,
        /// Signed, in the kernel's encoding.
        #[serde(with = "serde_bytes")]
        message: Vec<u8>,
        /// Whether it was sent before.
        transmission: Transmission,
    },
    /// Hand the timer back after this time. Setting one that is set replaces it.
    SetTimer {
        /// The timer.
        timer: Timer,
        /// Milliseconds from now.
        after: u32,
    },
    /// Run a stage, and hand back what comes out at the work's position. A host
    /// that cannot says nothing: the stage's other members make up for it.
    Compute {
        /// What is to be run.
        work: Work,
    },
    /// An epoch is decided.
    Commit {
        /// What was decided.
        commit: Commit,
    },
    /// Only a faulty member can have signed this. May be repeated.
    Evidence {
        /// Whom it blames.
        accused: u8,
        /// For what.
        fault: Fault,
        /// Anybody can check it: `Roster.verify_evidence`.
        #[serde(with = "serde_bytes")]
        evidence: Vec<u8>,
    },
    /// The epoch cannot be decided: fewer members than a quorum are heard of.
    Blocked {
        /// Voters of whom nothing was heard.
        #[serde(with = "serde_bytes")]
        silent: Vec<u8>,
        /// Voters that lost their vote record and were not admitted again.
        #[serde(with = "serde_bytes")]
        learners: Vec<u8>,
    },
    /// What the last `Blocked` said is over.
    Resumed,
    /// The node left for a later view.
    EnterView {
        /// The epoch.
        epoch: u64,
        /// The view that it is in now.
        view: u32,
    },
}

/// A stage to be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, uniffi::Record)]
pub struct Work {
    /// Names this piece of work; to be handed back.
    pub ticket: u64,
    /// Names the request and who runs which layers. With another run every
    /// input of before is forgotten.
    pub run: Digest,
    /// Which stage.
    pub stage: u8,
    /// The layer behind each stage: stage s runs from `cut[s - 1]`, or from 0.
    #[serde(with = "serde_bytes")]
    pub cut: Vec<u8>,
    /// The position of the last input.
    pub position: u16,
    /// Where the first of `inputs` belongs. What the stage took from there on
    /// before is to be forgotten.
    pub first: u16,
    /// Inputs from `first` to `position`, one for each position. The first
    /// stage takes tokens, one byte each.
    pub inputs: Vec<Signal>,
    /// How the last stage chooses a token.
    pub sampling: Sampling,
}

/// What passes from stage to stage at one position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signal(#[serde(with = "serde_bytes")] pub Vec<u8>);

uniffi::custom_type!(Signal, Vec<u8>, {
    try_lift: |bytes| Ok(Signal(bytes)),
    lower: |signal| signal.0,
});

/// How the last stage turns its result into a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, uniffi::Enum)]
pub enum Sampling {
    /// The most likely token; ties go to the lowest.
    Greedy,
    /// A draw that depends on the seed and the position only.
    Seeded {
        /// Chosen by the client.
        seed: u64,
        /// In 1/256: 256 leaves the distribution as it is.
        temperature: u16,
    },
}

/// A decided epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, uniffi::Record)]
pub struct Commit {
    /// The epoch.
    pub epoch: u64,
    /// The view that decided.
    pub view: u32,
    /// Which quorum decided.
    pub path: Path,
    /// What was added to a request; nothing when the epoch was caught up with,
    /// or committed a notice.
    #[serde(with = "serde_bytes")]
    pub tokens: Vec<u8>,
    /// The member whose notice it committed.
    pub notice: Option<u8>,
    /// The decision with its certificate and the state after it: for `Ledger`.
    #[serde(with = "serde_bytes")]
    pub decided: Vec<u8>,
}

/// Which quorum decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, uniffi::Enum)]
pub enum Path {
    /// A fast quorum of votes: two message delays.
    Fast,
    /// A slow quorum of commits: three message delays.
    Slow,
}

/// Whether a message goes out for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, uniffi::Enum)]
pub enum Transmission {
    /// For the first time.
    First,
    /// Again, since nothing tells whether it arrived.
    Again,
}

/// What a member did that no honest one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, uniffi::Enum)]
pub enum Fault {
    /// Two proposals in one view.
    Proposals,
    /// Two votes in one view.
    Votes,
    /// Two commits in one view.
    Commits,
    /// Two reports on entering one view.
    ViewChanges,
    /// An attestation that contradicts a stage certificate.
    Attestation,
}

/// Why an input changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, uniffi::Enum)]
pub enum Refusal {
    /// Its time has not come. If it is near, the node keeps it until then.
    Early,
    /// Its time is over.
    Stale,
    /// It is known already.
    Duplicate,
    /// Its author is not the one to say this.
    Unauthorised,
    /// It contradicts what was decided, or itself.
    Invalid,
    /// It is about another run or part, or answers no work.
    OtherRun,
    /// There is no room for it.
    Full,
    /// The bytes are no message.
    Malformed,
    /// Bytes are left over behind the message.
    TrailingBytes,
    /// The bytes are not the one encoding of their message.
    NotCanonical,
    /// The author is unknown to the cluster.
    Stranger,
    /// The author's signature does not verify.
    Signature,
    /// A certificate inside the message does not verify.
    Certificate,
}

/// What came of one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, uniffi::Record)]
pub struct Step {
    /// Why it changed nothing, if it did not. Evidence may stand beside it.
    pub refusal: Option<Refusal>,
    /// To be done, in this order.
    pub outputs: Vec<Output>,
}

/// What a node may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Role {
    /// A voter that has its vote record.
    Replica,
    /// A voter that lost it: it signs nothing in agreement until it is admitted again.
    Learner,
    /// A member that never votes.
    Worker,
}

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Doing {
    /// Before its first input.
    Initializing,
    /// There is nothing to do.
    Ready,
    /// A request is being worked on.
    Computing,
    /// Everything assigned here is computed, certificates are missing.
    Aggregating,
    /// A valid result is known, and not decided.
    Committing,
    /// The epoch is in a later view, or members of stages are suspected.
    Degraded,
    /// A learner, or a stage's inputs are being recovered.
    Recovering,
    /// Blocked: too few voters are heard of.
    Failed,
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Status {
    /// Which member it is.
    pub me: u8,
    /// Its open epoch: the one after the last that it holds decided.
    pub epoch: u64,
    /// Its view there.
    pub view: u32,
    /// Whose turn the view is.
    pub leader: u8,
    /// What it may sign.
    pub role: Role,
    /// What it is doing.
    pub doing: Doing,
}
