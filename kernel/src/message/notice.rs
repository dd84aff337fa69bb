//! What members say about themselves, to be committed: each takes an epoch of
//! its own, which computes nothing.

use serde::{Deserialize, Serialize};

use crate::assignment::Profile;
use crate::cluster::Cluster;
use crate::crypto::{Scheme, Tag};
use crate::types::{NodeId, Nonce};

/// What a member says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Notice {
    /// A voter lost its vote record, and asks to be admitted again.
    Readmit(Readmit),
    /// What the member can do has changed.
    Revise(Revision),
}

/// "I lost my vote record, and have signed nothing since I drew this number."
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Readmit {
    /// One more than the number of times that the member was admitted again, from 1.
    pub incarnation: u32,
    /// Drawn after the loss, held in memory only.
    pub nonce: Nonce,
}

/// "From now on I can do this much."
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision {
    /// Counts the member's revisions, from 1.
    pub number: u32,
    /// What placements reckon with, for requests that begin later.
    pub profile: Profile,
}

/// A notice with its member's signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SignedNotice<C: Scheme> {
    /// Whose.
    pub member: NodeId,
    /// What it says.
    pub notice: Notice,
    /// By the member.
    pub signature: C::Signature,
}

impl Notice {
    /// The digest that the member signs.
    pub fn statement<C: Scheme, const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        cluster.statement(Tag::Notice, self)
    }
}

impl<C: Scheme> SignedNotice<C> {
    /// What the header of the epoch names.
    pub fn increment<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        cluster.statement(Tag::Output, &(self.member, self.notice))
    }
}
