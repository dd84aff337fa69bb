//! What every member knows before the first message: who takes part, what
//! model runs, and how patient everybody is.

mod descent;
mod roster;

use heapless::Vec;
use serde::Serialize;

use crate::assignment::{Placement, PlacementError, Profile, can_place, place};
use crate::crypto::{Scheme, Tag};
use crate::message::{Envelope, Message};
use crate::types::{ClientId, Epoch, MAX_OPEN, Millis, NodeId, NodeSet, Resilience, Stage, View};
use crate::wire::digest_of;
pub use descent::Descent;
pub use roster::{Assignment, ClusterError, Model, Roster};

/// Most open requests of one client.
const MAX_OPEN_OF_A_CLIENT: usize = 4;

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

/// A checked roster with its id.
#[derive(Clone, Debug)]
pub struct Cluster<C: Scheme, const N: usize> {
    roster: Roster<C>,
    id: C::Digest,
    descent: Option<Descent<C>>,
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
        roster.check(N)?;
        let id = digest_of::<C::Hasher, _>(Tag::Cluster.byte(), &roster);
        Ok(Self::of(roster, id, None, timing))
    }

    /// The cluster with `roster` that goes on where another one ended.
    ///
    /// # Errors
    /// As [`Cluster::new`].
    pub fn descended(roster: Roster<C>, descent: Descent<C>, timing: Timing) -> Result<Self, ClusterError> {
        roster.check(N)?;
        let id = digest_of::<C::Hasher, _>(Tag::Descent.byte(), &(&roster, &descent));
        Ok(Self::of(roster, id, Some(descent), timing))
    }

    fn of(roster: Roster<C>, id: C::Digest, descent: Option<Descent<C>>, timing: Timing) -> Self {
        let verifiers = roster.members.iter().take(N).map(C::prepare).collect();
        Cluster {
            roster,
            id,
            descent,
            verifiers,
            timing,
            #[cfg(feature = "checker")]
            rules: crate::agreement::rules::Rules::default(),
        }
    }

    /// Who runs which layers, when members can do what `profiles` say. `seed`
    /// is drawn from the chain, so that nobody can choose among equals.
    ///
    /// # Errors
    /// When the members cannot run the model.
    pub fn place(&self, profiles: &[Profile], seed: &C::Digest) -> Result<Placement, PlacementError> {
        let facts = self.roster.facts(profiles);
        place(&facts, |round| C::number(&self.statement(Tag::Placement, &(seed, round))))
    }

    /// Whether there is a placement, whatever is drawn, when members can do what
    /// `profiles` say. Far cheaper than to find one.
    pub fn can_place(&self, profiles: &[Profile]) -> bool {
        can_place(&self.roster.facts(profiles)).is_ok()
    }

    /// The digest of the roster, and of what the cluster goes on from.
    pub fn id(&self) -> C::Digest {
        self.id
    }

    /// The id of the first cluster, of which this one is a descendant, or itself.
    pub fn first(&self) -> C::Digest {
        self.descent.map_or(self.id, |descent| descent.first)
    }

    /// What it goes on from; none for the first one.
    pub fn descent(&self) -> Option<&Descent<C>> {
        self.descent.as_ref()
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

    /// The same for a statement that is good in every cluster of the chain.
    pub(crate) fn lasting_statement<T: Serialize + ?Sized>(&self, tag: Tag, statement: &T) -> C::Digest {
        digest_of::<C::Hasher, _>(tag.byte(), &(self.first(), statement))
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
