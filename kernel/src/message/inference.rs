//! The messages of inference: requests, signals between stages, attestations,
//! payloads.
//!
//! What is computed for a request does not depend on the epoch in which it
//! will be committed, nor on what is decided meanwhile. So these messages name
//! the **run** of the request and a place in it, and computing may be ahead of
//! agreement.
//!
//! A **link** is the boundary in front of a stage; link 0 carries tokens into
//! the first stage and the last link carries tokens out of the last one. The
//! digest of a link is the chain of everything that ever crossed it for this
//! request, so it names a stage's whole input history, and with it its cache.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::cluster::Cluster;
use crate::crypto::{Scheme, Tag};
use crate::message::change::SignedChange;
use crate::message::notice::SignedNotice;
use crate::types::{ClientId, MAX_CONTEXT, MAX_SIGNAL, MAX_STAGES, MAX_TOKENS_PER_EPOCH, Position, Stage};

/// What crosses a link at one position: opaque to the protocol.
pub type Signal = Vec<u8, MAX_SIGNAL>;
/// The tokens that an epoch commits.
pub type Tokens = Vec<u8, MAX_TOKENS_PER_EPOCH>;
/// One digest for each link: one more than there are stages.
pub type Links<C> = Vec<<C as Scheme>::Digest, { MAX_STAGES + 1 }>;

/// How the last stage turns its result into a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sampling {
    /// The most likely token; ties go to the lowest.
    Greedy,
    /// A draw that depends on the seed and the position only.
    Seeded {
        /// Chosen by the client and part of the request: a leader cannot grind it.
        seed: u64,
        /// In 1/256: 256 leaves the distribution as it is.
        temperature: u16,
    },
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Who asks.
    pub client: ClientId,
    /// Counts this client's requests from 1, without a gap: they are worked on
    /// in this order, and each number is used once.
    pub sequence: u64,
    /// The tokens to continue, at least one.
    pub prompt: Vec<u8, MAX_CONTEXT>,
    /// How many tokens to add, at least one.
    pub tokens: u16,
    /// How to choose them.
    pub sampling: Sampling,
}

impl Request {
    /// The digest that the client signs. It stays good when the roster changes.
    pub fn statement<C: Scheme, const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        cluster.lasting_statement(Tag::Request, self)
    }
}

/// A request with its client's signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SignedRequest<C: Scheme> {
    /// What is asked.
    pub request: Request,
    /// By the client.
    pub signature: C::Signature,
}

impl<C: Scheme> SignedRequest<C> {
    /// What the client signs, which also names the request.
    pub fn digest<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        self.request.statement(cluster)
    }
}

/// The work on one request, from its first position to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RunId<C: Scheme> {
    /// Whose request it is.
    pub client: ClientId,
    /// Which of the client's requests.
    pub sequence: u64,
    /// Digest of the request and of who runs which layers.
    pub plan: C::Digest,
}

/// One signal that a member of `stage` computed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct StageOutput<C: Scheme> {
    /// What is being computed.
    pub run: RunId<C>,
    /// The stage that computed it.
    pub stage: Stage,
    /// The position of the input that it came from.
    pub position: Position,
    /// What came out.
    pub signal: Signal,
}

/// "Stage s of this run, on these inputs, gives these outputs": a fact about a
/// pure function. It has no epoch and no view, and cannot become false because
/// another lied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Attest<C: Scheme> {
    /// What the statement is about.
    pub claim: Claim<C>,
    /// The tokens behind the last link; empty for every stage but the last.
    pub tokens: Tokens,
}

/// What is attested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Claim<C: Scheme> {
    /// The request, and who runs which layers.
    pub run: RunId<C>,
    /// Tokens of the request that were committed before the part of it that
    /// this is about.
    pub committed: u16,
    /// The stage.
    pub stage: Stage,
    /// The link in front of the stage, after this part.
    pub input: C::Digest,
    /// The link behind the stage, after this part.
    pub output: C::Digest,
}

impl<C: Scheme> Claim<C> {
    /// The digest that an attester signs.
    pub fn statement<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        cluster.statement(Tag::Attest, self)
    }

    /// What `links`, those after a part of `run` that found so many tokens
    /// committed, say about `stage`.
    pub(crate) fn along(links: &Links<C>, run: RunId<C>, committed: u16, stage: Stage) -> Option<Claim<C>> {
        let (input, output) = (*links.get(stage.index())?, *links.get(stage.next().index())?);
        Some(Claim { run, committed, stage, input, output })
    }
}

impl<C: Scheme> Attest<C> {
    /// The digest that the author signs. The tokens need no signature: the
    /// output digest fixes them.
    pub fn statement<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        self.claim.statement(cluster)
    }
}

/// "I lack the outputs of this stage from this position on."
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Pull<C: Scheme> {
    /// What is being computed.
    pub run: RunId<C>,
    /// The stage whose outputs are missing.
    pub stage: Stage,
    /// The first that is.
    pub position: Position,
}

/// Signals that crossed a link, one after the other; as many as one message may carry.
pub type Signals = Vec<Signal, MAX_HISTORY>;

/// Most signals in one [`History`].
pub const MAX_HISTORY: usize = 4;

/// "I lack what crossed the link in front of this stage, from this position on."
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Recall<C: Scheme> {
    /// What is being computed.
    pub run: RunId<C>,
    /// The stage whose inputs are missing.
    pub stage: Stage,
    /// The first that is.
    pub position: Position,
}

/// What crossed the link in front of a stage. Not believed: whoever asked
/// compares the whole with the digest of the link that was committed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct History<C: Scheme> {
    /// What is being computed.
    pub run: RunId<C>,
    /// The stage that consumes it.
    pub stage: Stage,
    /// Where the first of the signals belongs.
    pub position: Position,
    /// One for each position, at least one.
    pub signals: Signals,
}

/// What an epoch's value stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
#[allow(clippy::large_enum_variant, reason = "no heap to box into")]
pub enum Payload<C: Scheme> {
    /// The next tokens of a request.
    Work(Work<C>),
    /// What a member says about itself.
    Notice(SignedNotice<C>),
    /// A change of the roster.
    Change(SignedChange<C>),
}

/// The next tokens of a request: the request, the tokens, and for each stage
/// f + 1 equal attestations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Work<C: Scheme> {
    /// What was computed.
    pub run: RunId<C>,
    /// Tokens of the request that were committed before.
    pub committed: u16,
    /// The request that it continues.
    pub request: SignedRequest<C>,
    /// What it adds.
    pub tokens: Tokens,
    /// The links after this part.
    pub links: Links<C>,
    /// The certificate of each stage: exactly f + 1 attestations of the claim
    /// that the links describe.
    pub certificates: Vec<C::WeakCertificate, MAX_STAGES>,
}

impl<C: Scheme> Work<C> {
    /// The claim that the certificate of `stage` is about.
    pub fn claim(&self, stage: Stage) -> Option<Claim<C>> {
        Claim::along(&self.links, self.run, self.committed, stage)
    }
}
