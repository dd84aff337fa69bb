//! What decided epochs build: the chain of values and the state after each.
//!
//! `Value_e = H(Value, cluster, e, Value_{e-1}, output digest, state root)`, so
//! one certificate proves an epoch and, through `previous`, every epoch before
//! it. The state root covers everything that validity in the next epoch reads,
//! so a state from one peer can be checked against the certificate.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::bounded::Map;
use crate::cluster::Cluster;
use crate::crypto::{Scheme, Tag};
use crate::message::agreement::DecisionCertificate;
use crate::message::inference::{Links, Request, SignedRequest, Tokens};
use crate::types::{ClientId, Epoch, MAX_CLIENTS, MAX_CONTEXT};

/// What an epoch's value commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Header<C: Scheme> {
    /// The epoch.
    pub epoch: Epoch,
    /// The value of the epoch before.
    pub previous: C::Digest,
    /// Digest of [`Increment`]: what the epoch adds.
    pub increment: C::Digest,
    /// Digest of the [`State`] after the epoch. It covers what was computed,
    /// not who attested it.
    pub state: C::Digest,
}

impl<C: Scheme> Header<C> {
    /// The value on which replicas agree.
    pub fn value<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        cluster.statement(Tag::Value, self)
    }
}

/// What one epoch adds to one request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Increment<C: Scheme> {
    /// Digest of the client's request.
    pub request: C::Digest,
    /// Tokens of it that were committed before.
    pub committed: u16,
    /// The tokens added.
    pub tokens: Tokens,
}

impl<C: Scheme> Increment<C> {
    /// What the header names.
    pub fn digest<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        cluster.statement(Tag::Output, self)
    }
}

/// A request under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Active<C: Scheme> {
    /// What the client asked for.
    pub request: SignedRequest<C>,
    /// Drawn when the request began, from the chain and the request: it
    /// decides which members run which stage.
    pub seed: C::Digest,
    /// The tokens committed so far.
    pub output: Vec<u8, MAX_CONTEXT>,
    /// The links so far.
    pub links: Links<C>,
}

/// Everything that validity in the next epoch reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct State<C: Scheme> {
    /// The last decided epoch.
    pub epoch: Epoch,
    /// For each client, the sequence number of its last finished request.
    pub finished: Map<ClientId, u64, MAX_CLIENTS>,
    /// The client that was served last; the next one goes first.
    pub served: Option<ClientId>,
    /// Digest of the links after the last epoch: all that was computed for its
    /// request, also when that is finished.
    pub computed: Option<C::Digest>,
    /// The request under way, if any.
    pub active: Option<Active<C>>,
}

/// A decided epoch with everything needed to go on from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Decided<C: Scheme> {
    /// What was decided.
    pub header: Header<C>,
    /// That it was.
    pub certificate: DecisionCertificate<C>,
    /// The state after it.
    pub state: State<C>,
}

/// The end of the chain, as a node holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
#[allow(clippy::large_enum_variant, reason = "no heap to box into, and one value for each node")]
pub enum Head<C: Scheme> {
    /// Nothing was decided yet.
    Genesis,
    /// The last decided epoch.
    Decided(Decided<C>),
}

/// Why a request cannot be run next. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// Empty, too long for the model's context, or with tokens outside the vocabulary.
    Shape,
    /// Its sequence number is not one more than the client's last.
    Sequence,
    /// Another request is under way.
    Busy,
}

impl<C: Scheme> State<C> {
    /// Before the first epoch.
    pub fn genesis() -> State<C> {
        State { epoch: Epoch::GENESIS, finished: Map::new(), served: None, computed: None, active: None }
    }

    /// What the header names.
    pub fn root<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        // Not the client's signature: a client can sign one request in many
        // ways, and they must not make many states.
        let active =
            self.active.as_ref().map(|active| (&active.request.request, active.seed, &active.output, &active.links));
        cluster.statement(Tag::State, &(self.epoch, &self.finished, self.served, self.computed, active))
    }

    /// Whether `request` may be worked on in the next epoch.
    ///
    /// # Errors
    /// Why not.
    pub fn admits<const N: usize>(&self, cluster: &Cluster<C, N>, request: &SignedRequest<C>) -> Result<(), Refused> {
        if let Some(active) = &self.active {
            return if active.request.request == request.request { Ok(()) } else { Err(Refused::Busy) };
        }
        self.expects(cluster, &request.request)
    }

    /// Whether `request` is the next one of its client and fits the model.
    ///
    /// # Errors
    /// Why not.
    pub fn expects<const N: usize>(&self, cluster: &Cluster<C, N>, request: &Request) -> Result<(), Refused> {
        let model = cluster.model();
        let length = request.prompt.len().saturating_add(usize::from(request.tokens));
        let fits = !request.prompt.is_empty()
            && request.tokens > 0
            && length <= usize::from(model.context)
            && request.prompt.iter().all(|token| *token < model.vocabulary)
            && cluster.client_key(request.client).is_some();
        if !fits {
            return Err(Refused::Shape);
        }
        let last = self.finished.get(&request.client).copied().unwrap_or(0);
        if request.sequence != last.saturating_add(1) {
            return Err(Refused::Sequence);
        }
        Ok(())
    }

    /// The state after `epoch` added `tokens` to the request of `active`.
    pub fn advance<const N: usize>(
        &self,
        cluster: &Cluster<C, N>,
        epoch: Epoch,
        active: &Active<C>,
        tokens: &Tokens,
        links: &Links<C>,
    ) -> State<C> {
        let mut next = self.clone();
        let mut active = active.clone();
        next.epoch = epoch;
        next.served = Some(active.request.request.client);
        next.computed = Some(cluster.statement(Tag::Links, links));
        // Room for all: the request was admitted with prompt and output within the context.
        let _ = active.output.extend_from_slice(tokens);
        active.links = links.clone();
        let request = &active.request.request;
        if active.output.len() < usize::from(request.tokens) {
            next.active = Some(active);
        } else {
            // One slot for each admitted client.
            let _ = next.finished.insert(request.client, request.sequence);
            next.active = None;
        }
        next
    }
}

impl<C: Scheme> Head<C> {
    /// The last decided epoch, 0 before the first.
    pub fn epoch(&self) -> Epoch {
        match self {
            Head::Genesis => Epoch::GENESIS,
            Head::Decided(decided) => decided.header.epoch,
        }
    }

    /// The value of the last decided epoch; before the first, the cluster's id.
    pub fn value<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        match self {
            Head::Genesis => cluster.id(),
            Head::Decided(decided) => decided.certificate.ballot.value,
        }
    }

    /// The state after the last decided epoch.
    pub fn state(&self) -> State<C> {
        match self {
            Head::Genesis => State::genesis(),
            Head::Decided(decided) => decided.state.clone(),
        }
    }

    /// The last decided epoch with its certificate.
    pub fn decided(&self) -> Option<&Decided<C>> {
        match self {
            Head::Genesis => None,
            Head::Decided(decided) => Some(decided),
        }
    }
}
