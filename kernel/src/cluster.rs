//! What every member knows before the first message: who takes part, what
//! model runs, and how patient everybody is.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::assignment::{Facts, Layers, LayersError, Links, Placement, PlacementError, Profile, Strategy, place};
use crate::crypto::{Scheme, Tag};
use crate::message::{Envelope, Message};
use crate::types::{
    ClientId, Epoch, MAX_CLIENTS, MAX_CONTEXT, MAX_MEMBERS, MAX_OPEN, MAX_SIGNAL, MAX_STAGES, MAX_TOKENS_PER_EPOCH,
    Millis, NodeId, NodeSet, Resilience, Stage, View,
};
use crate::wire::digest_of;

/// Most open requests of one client.
const MAX_OPEN_OF_A_CLIENT: usize = 4;

/// The model that the cluster runs, as far as the protocol must know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Model {
    /// Digest over weights, stage partition, arithmetic, tokenizer and decoder rule.
    pub manifest: [u8; 32],
    /// Number of stages, 1 to [`MAX_STAGES`].
    pub stages: u8,
    /// Positions that a request may use, 2 to [`MAX_CONTEXT`].
    pub context: u16,
    /// Tokens are below this number.
    pub vocabulary: u8,
    /// Bytes of one signal at most, 1 to [`MAX_SIGNAL`].
    pub signal: u16,
    /// Tokens that one epoch commits, 1 to [`MAX_TOKENS_PER_EPOCH`].
    pub tokens_per_epoch: u8,
    /// A checkpoint is taken at the first epoch boundary after this many
    /// tokens, at least 1.
    pub checkpoint_interval: u16,
}

/// The committed set of members and clients, and what they agreed to run.
/// Its digest is the cluster's id, and every signature covers that id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Roster<C: Scheme> {
    /// n, f and p. At most f members, workers included, may be faulty.
    pub resilience: Resilience,
    /// The key of each member, by [`NodeId`]. The first n vote; those behind
    /// them are workers, which run stages and attest, and follow the chain.
    pub members: Vec<C::PublicKey, MAX_MEMBERS>,
    /// The key of each admitted client, by [`ClientId`].
    pub clients: Vec<C::PublicKey, MAX_CLIENTS>,
    /// The model.
    pub model: Model,
    /// What decides who runs which layers.
    pub assignment: Assignment,
}

/// The facts from which every member derives who runs which layers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Assignment {
    /// What a placement is to be good at.
    pub strategy: Strategy,
    /// The model's layers and what they cost.
    pub layers: Layers,
    /// What each member can do, by [`NodeId`]; one for each member.
    pub profiles: Vec<Profile, MAX_MEMBERS>,
    /// What moving bytes costs.
    pub links: Links,
}

impl Assignment {
    /// For `members` alike that take turns, and as many layers alike.
    ///
    /// # Errors
    /// When there are no layers, or more than a model may have.
    pub fn in_turn(members: usize, layers: u8) -> Result<Assignment, LayersError> {
        Ok(Assignment {
            strategy: Strategy::RoundRobin,
            layers: Layers::even(layers, 1)?,
            profiles: (0..members.min(MAX_MEMBERS)).map(|_| Profile::default()).collect(),
            links: Links::FREE,
        })
    }
}

/// How long a node waits, in milliseconds. Local: not part of the cluster's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// View 0 may take this long once a proposal could be made. Doubles with each view.
    pub view: Millis,
    /// No view waits longer than this.
    pub view_cap: Millis,
    /// What is unanswered is sent again after this long. Longer than a token
    /// takes through all stages, or members ask for what is under way.
    pub retransmit: Millis,
    /// A reserve computes when a stage's owners have been silent for this long.
    /// Longer than a stage computes for one position.
    pub escalate: Millis,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing { view: Millis(2_000), view_cap: Millis(16_000), retransmit: Millis(250), escalate: Millis(100) }
    }
}

/// Why a roster cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClusterError {
    /// There are fewer members than voters, or more voters than this build holds.
    Members,
    /// Two members or clients have the same key.
    RepeatedKey,
    /// There is no client.
    Clients,
    /// A number of the model is outside its bounds.
    Model,
    /// There is not one profile for each member.
    Profiles,
    /// The members cannot run the model.
    Placement(PlacementError),
}

impl core::fmt::Display for ClusterError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            ClusterError::Members => "the roster has fewer than n members, or n is more than this build holds",
            ClusterError::RepeatedKey => "two members or clients have the same key",
            ClusterError::Clients => "the roster admits no client",
            ClusterError::Model => "a number of the model is outside its bounds",
            ClusterError::Profiles => "the roster does not have one profile for each member",
            ClusterError::Placement(reason) => return reason.fmt(out),
        })
    }
}

impl core::error::Error for ClusterError {}

/// A checked roster with its id.
#[derive(Clone, Debug)]
pub struct Cluster<C: Scheme, const N: usize> {
    roster: Roster<C>,
    id: C::Digest,
    /// The keys of the first N members, made ready: those who vote are among
    /// them. Others, and clients, sign seldom.
    verifiers: Vec<C::Verifier, N>,
    /// How long this node waits.
    pub timing: Timing,
    /// Seeded departures from the protocol; none in a shipped build.
    #[cfg(feature = "checker")]
    pub rules: crate::agreement::rules::Rules,
}

impl<C: Scheme, const N: usize> Cluster<C, N> {
    /// Checks `roster` and computes the id.
    ///
    /// # Errors
    /// When a count or a bound does not hold, or a key stands twice.
    pub fn new(roster: Roster<C>, timing: Timing) -> Result<Self, ClusterError> {
        let model = &roster.model;
        let within = (1..=MAX_STAGES).contains(&usize::from(model.stages))
            && (2..=MAX_CONTEXT).contains(&usize::from(model.context))
            && (1..=MAX_SIGNAL).contains(&usize::from(model.signal))
            && (1..=MAX_TOKENS_PER_EPOCH).contains(&usize::from(model.tokens_per_epoch))
            && model.vocabulary > 0
            && model.checkpoint_interval > 0;
        if !within {
            return Err(ClusterError::Model);
        }
        let voters = roster.resilience.n();
        if roster.members.len() < voters || voters > N {
            return Err(ClusterError::Members);
        }
        if roster.clients.is_empty() {
            return Err(ClusterError::Clients);
        }
        let keys = || roster.members.iter().chain(roster.clients.iter());
        if keys().enumerate().any(|(at, key)| keys().take(at).any(|other| other == key)) {
            return Err(ClusterError::RepeatedKey);
        }
        if roster.assignment.profiles.len() != roster.members.len() {
            return Err(ClusterError::Profiles);
        }
        let id = digest_of::<C::Hasher, _>(Tag::Cluster.byte(), &roster);
        let verifiers = roster.members.iter().take(N).map(C::prepare).collect();
        let cluster = Cluster {
            roster,
            id,
            verifiers,
            timing,
            #[cfg(feature = "checker")]
            rules: crate::agreement::rules::Rules::default(),
        };
        // Whether there is a placement does not depend on what is drawn.
        cluster.place(&cluster.roster.assignment.profiles, &cluster.id).map_err(ClusterError::Placement)?;
        Ok(cluster)
    }

    /// Who runs which layers, when members can do what `profiles` say. `seed`
    /// is drawn from the chain, so that nobody can choose among equals.
    ///
    /// # Errors
    /// When the members cannot run the model.
    pub fn place(&self, profiles: &[Profile], seed: &C::Digest) -> Result<Placement, PlacementError> {
        let Assignment { strategy, layers, links, .. } = &self.roster.assignment;
        let facts = Facts {
            owners: self.resilience().attestation_quorum(),
            assigned: self.resilience().stage_set(),
            stages: self.roster.model.stages,
            layers,
            members: profiles,
            links: *links,
            strategy: *strategy,
        };
        place(&facts, |round| C::number(&self.statement(Tag::Placement, &(seed, round))))
    }

    /// The digest of the roster.
    pub fn id(&self) -> C::Digest {
        self.id
    }

    /// The members, clients and model.
    pub fn roster(&self) -> &Roster<C> {
        &self.roster
    }

    /// n, f and p.
    pub fn resilience(&self) -> Resilience {
        self.roster.resilience
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.roster.model
    }

    /// Every stage, in order.
    pub fn stages(&self) -> impl DoubleEndedIterator<Item = Stage> + use<C, N> {
        (0..self.roster.model.stages).map(Stage)
    }

    /// Those who vote.
    pub fn voters(&self) -> NodeSet {
        NodeSet::first(self.resilience().n())
    }

    /// Every member, voters and workers.
    pub fn members(&self) -> NodeSet {
        NodeSet::first(self.roster.members.len())
    }

    /// Whether `node` votes.
    pub fn votes(&self, node: NodeId) -> bool {
        node.index() < self.resilience().n()
    }

    /// Open requests that a node keeps for each client.
    pub fn open_requests(&self) -> usize {
        // At least two, so that a client which signs two requests for one turn can be told.
        MAX_OPEN.checked_div(self.roster.clients.len()).unwrap_or(0).clamp(2, MAX_OPEN_OF_A_CLIENT)
    }

    /// Whether `member` is one and made `signature` on `statement`.
    pub(crate) fn signed_by(&self, member: NodeId, statement: &C::Digest, signature: &C::Signature) -> bool {
        match self.verifiers.get(member.index()) {
            Some(ready) => C::verify(ready, statement, signature),
            None => self
                .roster
                .members
                .get(member.index())
                .is_some_and(|key| C::verify(&C::prepare(key), statement, signature)),
        }
    }

    /// The key of `client`.
    pub fn client_key(&self, client: ClientId) -> Option<&C::PublicKey> {
        self.roster.clients.get(usize::from(client.0))
    }

    /// The member whose turn view `view` of `epoch` is: (epoch + view) mod n.
    /// Static on purpose: honest replicas may hold certificates of one value
    /// from different views, so nothing may be derived from "who decided".
    pub fn leader(&self, epoch: Epoch, view: View) -> NodeId {
        #[cfg(feature = "checker")]
        if let Some(leader) = self.rules.leader(view) {
            return leader;
        }
        let n = u64::try_from(self.resilience().n()).unwrap_or(1);
        let turn = epoch.0.wrapping_add(u64::from(view.0)).checked_rem(n).unwrap_or(0);
        NodeId(u8::try_from(turn).unwrap_or(0))
    }

    /// The digest that is signed for `statement`: no other tag and no other
    /// cluster gives the same.
    pub fn statement<T: Serialize + ?Sized>(&self, tag: Tag, statement: &T) -> C::Digest {
        digest_of::<C::Hasher, _>(tag.byte(), &(self.id, statement))
    }
}

/// One member's place in its cluster: what a step needs besides the state.
#[derive(Clone, Copy)]
pub struct Seat<'a, C: Scheme, const N: usize> {
    /// The cluster.
    pub cluster: &'a Cluster<C, N>,
    /// Who this member is.
    pub me: NodeId,
    /// What it signs with.
    pub key: &'a C::SecretKey,
}

impl<C: Scheme, const N: usize> Seat<'_, C, N> {
    /// Every voter but this member.
    pub fn others(&self) -> NodeSet {
        self.cluster.voters().without(self.me)
    }

    /// Every member but this one.
    pub fn everyone(&self) -> NodeSet {
        self.cluster.members().without(self.me)
    }

    /// `message` with this member's signature.
    pub fn envelope(&self, message: Message<C, N>) -> Envelope<C, N> {
        let signature = C::sign(self.key, &message.statement(self.cluster));
        Envelope { from: self.me, message, signature }
    }
}
