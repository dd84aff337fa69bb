//! The roster: who takes part, what model runs, and what becomes of both when
//! a member comes or goes.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::assignment::{Facts, Layers, LayersError, Links, PlacementError, Profile, Strategy, can_place};
use crate::crypto::Scheme;
use crate::message::change::Change;
use crate::types::{
    HAS_SLOW_PATH, MAX_CLIENTS, MAX_CONTEXT, MAX_MEMBERS, MAX_OPERATORS, MAX_SIGNAL, MAX_STAGES, MAX_TOKENS_PER_EPOCH,
    NodeId, Resilience,
};

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
    /// Whose word changes the roster: one is enough. Without any it stays as it is.
    pub operators: Vec<C::PublicKey, MAX_OPERATORS>,
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

/// Why a roster cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClusterError {
    /// There are fewer members than voters, or more than this build holds.
    Members,
    /// Its fast path bears fewer silent members than may be faulty, and this build
    /// has no room for the slow one.
    SlowPath,
    /// Two members or clients have the same key.
    RepeatedKey,
    /// A change removes somebody who is no member.
    Stranger,
    /// A change names other numbers of voters than the next roster has.
    Resilience,
    /// There is no change.
    Unchanged,
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
            ClusterError::Members => "the roster has fewer than n members, or more than this build holds",
            ClusterError::SlowPath => "the roster has p < f, and this build has no room for a slow path",
            ClusterError::RepeatedKey => "two members or clients have the same key",
            ClusterError::Stranger => "the change removes somebody who is no member",
            ClusterError::Resilience => {
                "the change names another n than the next roster has, or other bounds for workers"
            }
            ClusterError::Unchanged => "the decision changes no roster",
            ClusterError::Clients => "the roster admits no client",
            ClusterError::Model => "a number of the model is outside its bounds",
            ClusterError::Profiles => "the roster does not have one profile for each member",
            ClusterError::Placement(reason) => return reason.fmt(out),
        })
    }
}

impl core::error::Error for ClusterError {}

impl Model {
    fn is_within_bounds(&self) -> bool {
        (1..=MAX_STAGES).contains(&usize::from(self.stages))
            && (2..=MAX_CONTEXT).contains(&usize::from(self.context))
            && (1..=MAX_SIGNAL).contains(&usize::from(self.signal))
            && (1..=MAX_TOKENS_PER_EPOCH).contains(&usize::from(self.tokens_per_epoch))
            && self.vocabulary > 0
            && self.checkpoint_interval > 0
    }
}

impl<C: Scheme> Roster<C> {
    /// Whether a build for at most `most` voters can run it.
    ///
    /// # Errors
    /// The first bound that does not hold.
    pub(super) fn check(&self, most: usize) -> Result<(), ClusterError> {
        if !self.model.is_within_bounds() {
            return Err(ClusterError::Model);
        }
        let voters = self.resilience.n();
        if self.members.len() < voters || voters > most {
            return Err(ClusterError::Members);
        }
        if self.resilience.slow_path() && !HAS_SLOW_PATH {
            return Err(ClusterError::SlowPath);
        }
        if self.clients.is_empty() {
            return Err(ClusterError::Clients);
        }
        let keys = || self.members.iter().chain(self.clients.iter()).chain(self.operators.iter());
        if keys().enumerate().any(|(at, key)| keys().take(at).any(|other| other == key)) {
            return Err(ClusterError::RepeatedKey);
        }
        if self.assignment.profiles.len() != self.members.len() {
            return Err(ClusterError::Profiles);
        }
        can_place(&self.facts(&self.assignment.profiles)).map_err(ClusterError::Placement)
    }

    /// What a placement starts from, when members can do what `profiles` say.
    pub(super) fn facts<'a>(&'a self, profiles: &'a [Profile]) -> Facts<'a> {
        let Assignment { strategy, layers, links, .. } = &self.assignment;
        Facts {
            owners: self.resilience.attestation_quorum(),
            assigned: self.resilience.stage_set(),
            stages: self.model.stages,
            layers,
            members: profiles,
            links: *links,
            strategy: *strategy,
        }
    }

    /// What `change` makes of it, when members can do what `profiles` say. The
    /// numbers of voters before and after tell who votes: nobody else begins
    /// or ceases to.
    ///
    /// # Errors
    /// When the change does not fit this roster. Whether what comes of it can
    /// be used is not looked at.
    pub(super) fn after(
        &self,
        change: &Change<C>,
        profiles: Vec<Profile, MAX_MEMBERS>,
    ) -> Result<Roster<C>, ClusterError> {
        let mut next = self.clone();
        next.assignment.profiles = profiles;
        next.resilience = change.resilience();
        let voters = self.resilience.n();
        match change {
            Change::Admit { newcomer, votes: true, resilience } if resilience.n() == voters.saturating_add(1) => {
                next.admit(voters, newcomer.key.clone(), newcomer.profile)
            }
            Change::Admit { newcomer, votes: false, resilience } if *resilience == self.resilience => {
                next.admit(self.members.len(), newcomer.key.clone(), newcomer.profile)
            }
            Change::Remove { member, .. } if member.index() >= self.members.len() => Err(ClusterError::Stranger),
            Change::Remove { member, resilience }
                if resilience.n().saturating_add(1) == voters && member.index() < voters =>
            {
                next.remove(*member)
            }
            Change::Remove { member, resilience } if *resilience == self.resilience && member.index() >= voters => {
                next.remove(*member)
            }
            _ => Err(ClusterError::Resilience),
        }?;
        Ok(next)
    }

    fn admit(&mut self, place: usize, key: C::PublicKey, profile: Profile) -> Result<(), ClusterError> {
        self.members.insert(place, key).map_err(|_| ClusterError::Members)?;
        self.assignment.profiles.insert(place, profile).map_err(|_| ClusterError::Profiles)
    }

    /// `member` is one.
    fn remove(&mut self, member: NodeId) -> Result<(), ClusterError> {
        if self.assignment.profiles.len() != self.members.len() {
            return Err(ClusterError::Profiles);
        }
        self.members.remove(member.index());
        self.assignment.profiles.remove(member.index());
        Ok(())
    }
}
