//! What decided epochs build: the chain of values and the state after each.
//!
//! `Value_e = H(Value, cluster, e, Value_{e-1}, output digest, state root)`, so
//! one certificate proves an epoch and, through `previous`, every epoch before
//! it. The state root covers everything that validity in the next epoch reads,
//! so a state from one peer can be checked against the certificate.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::agreement::rules::Mutant;
use crate::assignment::{Placement, Profile};
use crate::bounded::Map;
use crate::cluster::Cluster;
use crate::crypto::{Scheme, Tag};
use crate::message::agreement::DecisionCertificate;
use crate::message::change::Change;
use crate::message::inference::{Links, Request, SignedRequest, Tokens};
use crate::message::notice::{Notice, Readmit, Revision};
use crate::types::{
    CHECKPOINTS_KEPT, ClientId, Epoch, MAX_CLIENTS, MAX_CONTEXT, MAX_MEMBERS, MAX_REVISED, MAX_VOTERS, NodeId, Position,
};
use crate::wire::digest_of;

/// What an epoch's value commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Header<C: Scheme> {
    /// The epoch.
    pub epoch: Epoch,
    /// The value of the epoch before.
    pub previous: C::Digest,
    /// Digest of what the epoch adds: an [`Increment`], a member's [`Notice`],
    /// or a [`Change`] of the roster.
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
    /// Who runs which layers, fixed when the request began.
    pub placement: Placement,
    /// The tokens committed so far.
    pub output: Vec<u8, MAX_CONTEXT>,
    /// The links so far.
    pub links: Links<C>,
    /// The newest checkpoints, in order.
    pub checkpoints: Vec<Checkpoint<C>, CHECKPOINTS_KEPT>,
}

/// A place in a request to which caches can be brought back: what a host kept
/// for it is checked against the links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Checkpoint<C: Scheme> {
    /// The first position whose input is not covered.
    pub position: Position,
    /// Digest of the links there.
    pub links: C::Digest,
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
    /// Digest of the links after the last epoch that computed something: all
    /// that was computed for its request, also when that is finished.
    pub computed: Option<C::Digest>,
    /// The request under way, if any.
    pub active: Option<Active<C>>,
    /// For each member that was admitted again, with what it was last.
    pub readmitted: Map<NodeId, Readmit, MAX_VOTERS>,
    /// For each member that revised its profile, the last revision.
    pub revised: Map<NodeId, Revision, MAX_REVISED>,
    /// The last epoch committed a notice or a change, and computed nothing.
    pub interrupted: bool,
    /// The roster changed in the last epoch: the cluster is over.
    pub change: Option<Change<C>>,
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
    /// Nothing was decided yet in this cluster, which goes on from this state.
    Entered(State<C>),
    /// The last decided epoch.
    Decided(Decided<C>),
}

/// Why a request cannot be run next. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// Empty, too long for the model's context, or with tokens outside the vocabulary.
    Shape,
    /// It is finished.
    Finished,
    /// Another request of its client comes first.
    Sequence,
    /// Another request is under way.
    Busy,
    /// The members cannot run the model: see the roster.
    Placement,
    /// The cluster is over: its roster changed.
    Over,
}

impl<C: Scheme> Active<C> {
    /// The newest checkpoint at or before `position`.
    pub fn checkpoint(&self, position: Position) -> Option<&Checkpoint<C>> {
        self.checkpoints.iter().rev().find(|checkpoint| checkpoint.position <= position)
    }

    /// The first position whose input is not covered by what was committed.
    pub fn position(&self) -> Position {
        let length = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        match self.output.len() {
            0 => Position(0),
            committed => {
                Position(length(self.request.request.prompt.len()).saturating_add(length(committed)).saturating_sub(1))
            }
        }
    }

    /// After `tokens` were added and the links are as given.
    fn advance<const N: usize>(
        &mut self,
        cluster: &Cluster<C, N>,
        tokens: &Tokens,
        (links, digest): (&Links<C>, C::Digest),
    ) {
        // Room for all: the request was admitted with prompt and output within the context.
        let _ = self.output.extend_from_slice(tokens);
        self.links = links.clone();
        let interval = cluster.model().checkpoint_interval;
        let since = self.checkpoints.last().map_or(Position(0), |checkpoint| checkpoint.position);
        let position = self.position();
        if position.0.saturating_sub(since.0) >= interval {
            if self.checkpoints.is_full() {
                self.checkpoints.remove(0);
            }
            // Room was made.
            let _ = self.checkpoints.push(Checkpoint { position, links: digest });
        }
    }
}

/// What a checkpoint and a state say about the links.
pub fn links_digest<C: Scheme, const N: usize>(cluster: &Cluster<C, N>, links: &Links<C>) -> C::Digest {
    cluster.statement(Tag::Links, links)
}

impl<C: Scheme> State<C> {
    /// Before the first epoch.
    pub fn genesis() -> State<C> {
        State {
            epoch: Epoch::GENESIS,
            finished: Map::new(),
            served: None,
            computed: None,
            active: None,
            readmitted: Map::new(),
            revised: Map::new(),
            interrupted: false,
            change: None,
        }
    }

    /// What the next cluster begins with, when this is the last state of one.
    /// No request is under way, and what members revised stands in the next
    /// roster. Nobody was admitted again there.
    #[must_use]
    pub fn entered(&self) -> State<C> {
        State {
            epoch: self.epoch,
            finished: self.finished.clone(),
            served: self.served,
            computed: self.computed,
            interrupted: self.interrupted,
            ..State::genesis()
        }
    }

    /// What the header names.
    pub fn root<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        self.root_in(cluster.id())
    }

    /// The same for the cluster with this id.
    pub(crate) fn root_in(&self, cluster: C::Digest) -> C::Digest {
        // Not the client's signature: a client can sign one request in many
        // ways, and they must not make many states.
        let active = self.active.as_ref().map(|active| {
            (&active.request.request, &active.placement, &active.output, &active.links, &active.checkpoints)
        });
        let served = (&self.finished, self.served, self.computed);
        let members = (&self.readmitted, &self.revised, self.interrupted, &self.change);
        digest_of::<C::Hasher, _>(Tag::State.byte(), &(cluster, (self.epoch, served, active, members)))
    }

    /// Whether `request` may be worked on in the next epoch.
    ///
    /// # Errors
    /// Why not.
    pub fn admits<const N: usize>(&self, cluster: &Cluster<C, N>, request: &SignedRequest<C>) -> Result<(), Refused> {
        if self.change.is_some() {
            return Err(Refused::Over);
        }
        if let Some(active) = &self.active {
            return if active.request.request == request.request { Ok(()) } else { Err(Refused::Busy) };
        }
        self.expects(cluster, &request.request)?;
        if self.next_sequence(request.request.client) == request.request.sequence {
            Ok(())
        } else {
            Err(Refused::Sequence)
        }
    }

    /// Whether `request` fits the model and is not finished.
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
        if request.sequence < self.next_sequence(request.client) {
            return Err(Refused::Finished);
        }
        Ok(())
    }

    /// The sequence number of the first request of `client` that is not finished.
    pub fn next_sequence(&self, client: ClientId) -> u64 {
        self.finished.get(&client).copied().unwrap_or(0).saturating_add(1)
    }

    /// Whether the next epoch may commit `notice` of `member`. While a request
    /// is under way no two epochs in a row may commit notices: a member that
    /// gives one after the other costs every other epoch at most.
    pub fn admits_notice<const N: usize>(&self, cluster: &Cluster<C, N>, member: NodeId, notice: &Notice) -> bool {
        if self.change.is_some() && !cluster.mutated(Mutant::GoOnWhenOver) || self.interrupted && self.active.is_some()
        {
            return false;
        }
        match notice {
            Notice::Readmit(readmit) => {
                let before = self.readmitted.get(&member);
                cluster.votes(member)
                    && (readmit.incarnation == self.next_incarnation(member) || cluster.mutated(Mutant::AnyIncarnation))
                    && before.is_none_or(|before| before.nonce != readmit.nonce)
            }
            Notice::Revise(revision) => {
                revision.number == self.next_revision(member) && self.can_revise(cluster, member, *revision)
            }
        }
    }

    /// Whether the next epoch may commit `change`: between two requests only,
    /// so that one cluster works on each from its beginning to its end.
    pub fn admits_change<const N: usize>(&self, cluster: &Cluster<C, N>, change: &Change<C>) -> bool {
        self.change.is_none() && self.active.is_none() && cluster.can_change(change, self.profiles(cluster)).is_ok()
    }

    /// Whether the members could still run the model if `member` could do what
    /// `revision` says.
    pub fn can_revise<const N: usize>(&self, cluster: &Cluster<C, N>, member: NodeId, revision: Revision) -> bool {
        let revised = self.revise(member, revision).filter(|_| cluster.members().contains(member));
        revised.is_some_and(|revised| cluster.can_place(&revised.profiles(cluster)))
    }

    /// With which incarnation `member` may be admitted again.
    pub fn next_incarnation(&self, member: NodeId) -> u32 {
        self.readmitted.get(&member).map_or(0, |before| before.incarnation).saturating_add(1)
    }

    /// The number of the next revision of `member`.
    pub fn next_revision(&self, member: NodeId) -> u32 {
        self.revised.get(&member).map_or(0, |before| before.number).saturating_add(1)
    }

    /// What each member can do, as far as it is committed.
    pub fn profiles<const N: usize>(&self, cluster: &Cluster<C, N>) -> Vec<Profile, MAX_MEMBERS> {
        let mut profiles = cluster.roster().assignment.profiles.clone();
        for (member, revision) in self.revised.iter() {
            if let Some(profile) = profiles.get_mut(member.index()) {
                *profile = revision.profile;
            }
        }
        profiles
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
        self.advance_to(cluster, epoch, active, tokens, (links, links_digest(cluster, links)))
    }

    /// The same when the digest of the links is known, which is most of the work.
    pub fn advance_to<const N: usize>(
        &self,
        cluster: &Cluster<C, N>,
        epoch: Epoch,
        active: &Active<C>,
        tokens: &Tokens,
        (links, digest): (&Links<C>, C::Digest),
    ) -> State<C> {
        let mut next = self.clone();
        let mut active = active.clone();
        next.epoch = epoch;
        next.interrupted = false;
        next.served = Some(active.request.request.client);
        next.computed = Some(digest);
        active.advance(cluster, tokens, (links, digest));
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

    /// The state after `epoch` committed `notice` of `member`, which was admitted.
    pub fn note(&self, epoch: Epoch, member: NodeId, notice: Notice) -> State<C> {
        let mut next = match notice {
            Notice::Revise(revision) => self.revise(member, revision).unwrap_or_else(|| self.clone()),
            Notice::Readmit(readmit) => {
                let mut next = self.clone();
                // One slot for each voter.
                let _ = next.readmitted.insert(member, readmit);
                next
            }
        };
        next.epoch = epoch;
        next.interrupted = true;
        next
    }

    /// The state after `epoch` changed the roster, as was admitted.
    pub fn end(&self, epoch: Epoch, change: &Change<C>) -> State<C> {
        State { epoch, interrupted: true, change: Some(change.clone()), ..self.clone() }
    }

    /// This state with another profile; none when too many differ from the roster.
    fn revise(&self, member: NodeId, revision: Revision) -> Option<State<C>> {
        let mut next = self.clone();
        next.revised.insert(member, revision).ok()?;
        Some(next)
    }
}

impl<C: Scheme> Head<C> {
    /// The last decided epoch, 0 before the first.
    pub fn epoch(&self) -> Epoch {
        match self {
            Head::Genesis => Epoch::GENESIS,
            Head::Entered(state) => state.epoch,
            Head::Decided(decided) => decided.header.epoch,
        }
    }

    /// The value of the last decided epoch; before the first, the cluster's id.
    pub fn value<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        match self {
            Head::Genesis | Head::Entered(_) => cluster.id(),
            Head::Decided(decided) => decided.certificate.ballot.value,
        }
    }

    /// The state after the last decided epoch.
    pub fn state(&self) -> State<C> {
        self.last_state().cloned().unwrap_or_else(State::genesis)
    }

    /// The same without a copy; none before the first epoch of all.
    fn last_state(&self) -> Option<&State<C>> {
        match self {
            Head::Genesis => None,
            Head::Entered(state) => Some(state),
            Head::Decided(decided) => Some(&decided.state),
        }
    }

    /// Whether a request is under way.
    pub fn is_working(&self) -> bool {
        self.last_state().is_some_and(|state| state.active.is_some())
    }

    /// The change of the roster that ended the cluster, if one did.
    pub fn change(&self) -> Option<&Change<C>> {
        self.last_state().and_then(|state| state.change.as_ref())
    }

    /// For each client, the sequence number of its last finished request.
    pub fn finished(&self) -> Map<ClientId, u64, MAX_CLIENTS> {
        self.last_state().map(|state| state.finished.clone()).unwrap_or_default()
    }

    /// The sequence number of the first request of `client` that is not
    /// finished, without a copy of the state.
    pub fn next_sequence(&self, client: ClientId) -> u64 {
        self.last_state().map_or(1, |state| state.next_sequence(client))
    }

    /// The last decided epoch with its certificate.
    pub fn decided(&self) -> Option<&Decided<C>> {
        match self {
            Head::Genesis | Head::Entered(_) => None,
            Head::Decided(decided) => Some(decided),
        }
    }
}
