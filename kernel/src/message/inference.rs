//! The messages of one inference epoch: requests, signals between stages,
//! attestations, payloads.
//!
//! A **link** is the boundary in front of a stage; link 0 carries tokens into
//! the first stage and the last link carries tokens out of the last one. The
//! digest of a link is the chain of everything that ever crossed it for this
//! request, so it names a stage's whole input history, and with it its cache.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::cluster::Cluster;
use crate::crypto::{Scheme, Tag};
use crate::types::{ClientId, Epoch, MAX_CONTEXT, MAX_SIGNAL, MAX_STAGES, MAX_TOKENS_PER_EPOCH, Position, Stage};

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
    /// One more than the client's last finished request, from 1.
    pub sequence: u64,
    /// The tokens to continue, at least one.
    pub prompt: Vec<u8, MAX_CONTEXT>,
    /// How many tokens to add, at least one.
    pub tokens: u16,
    /// How to choose them.
    pub sampling: Sampling,
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
    /// The digest that the client signs, and that names the request.
    pub fn digest<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        cluster.statement(Tag::Request, &self.request)
    }
}

/// One signal that a replica of `stage` computed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct StageOutput<C: Scheme> {
    /// The epoch.
    pub epoch: Epoch,
    /// What is being computed in it.
    pub job: C::Digest,
    /// The stage that computed it.
    pub stage: Stage,
    /// The position of the input that it came from.
    pub position: Position,
    /// What came out.
    pub signal: Signal,
}

/// "Stage s of this job, on these inputs, gives these outputs": a fact about a
/// pure function. It has no view and cannot become false because another lied.
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
    /// The epoch.
    pub epoch: Epoch,
    /// Request, position, the links before it and the assignment, in one digest.
    pub job: C::Digest,
    /// The stage.
    pub stage: Stage,
    /// The link in front of the stage, after this epoch.
    pub input: C::Digest,
    /// The link behind the stage, after this epoch.
    pub output: C::Digest,
}

impl<C: Scheme> Claim<C> {
    /// The digest that an attester signs.
    pub fn statement<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        cluster.statement(Tag::Attest, self)
    }
}

impl<C: Scheme> Attest<C> {
    /// The digest that the author signs. The tokens need no signature: the
    /// output digest fixes them.
    pub fn statement<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        self.claim.statement(cluster)
    }
}

/// "I lack the output of this stage at this position."
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Pull<C: Scheme> {
    /// The epoch.
    pub epoch: Epoch,
    /// What is being computed in it.
    pub job: C::Digest,
    /// The stage whose output is missing.
    pub stage: Stage,
    /// Where.
    pub position: Position,
}

/// What an epoch's value stands for: the request, the tokens, and for each
/// stage f + 1 equal attestations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Payload<C: Scheme> {
    /// The epoch.
    pub epoch: Epoch,
    /// What was computed in it.
    pub job: C::Digest,
    /// The request that it continues.
    pub request: SignedRequest<C>,
    /// What it adds.
    pub tokens: Tokens,
    /// The links after this epoch.
    pub links: Links<C>,
    /// The certificate of each stage: exactly f + 1 attestations of the claim
    /// that the links describe.
    pub certificates: Vec<C::Signatures, MAX_STAGES>,
}

impl<C: Scheme> Payload<C> {
    /// The claim that the certificate of `stage` is about.
    pub fn claim(&self, stage: Stage) -> Option<Claim<C>> {
        let input = *self.links.get(stage.index())?;
        let output = *self.links.get(stage.next().index())?;
        Some(Claim { epoch: self.epoch, job: self.job, stage, input, output })
    }
}
