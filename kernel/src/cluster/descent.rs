//! What a cluster goes on from when the roster of another one changed.
//!
//! The two are instances of the same protocol: each has a roster, an id that
//! every signature covers, a first state, and epochs that its roster decides.
//! What the later one begins with follows from the last decision of the
//! earlier one, and its id covers that: so nobody can enter it without this
//! decision, and nothing that was signed in one counts in the other.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::{Cluster, ClusterError};
use crate::assignment::Profile;
use crate::chain::Decided;
use crate::crypto::Scheme;
use crate::message::change::Change;
use crate::types::{Epoch, MAX_MEMBERS};

/// Where a cluster comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Descent<C: Scheme> {
    /// The id of the first cluster of the chain.
    pub first: C::Digest,
    /// The id of the one before.
    pub previous: C::Digest,
    /// The last epoch of that one.
    pub epoch: Epoch,
    /// What was decided in it.
    pub value: C::Digest,
    /// Digest of the state that this one begins with, made as the one before
    /// makes digests of states.
    pub state: C::Digest,
}

impl<C: Scheme, const N: usize> Cluster<C, N> {
    /// What the cluster that goes on behind `last` comes from.
    fn descent_behind(&self, last: &Decided<C>) -> Descent<C> {
        Descent {
            first: self.first(),
            previous: self.id,
            epoch: last.header.epoch,
            value: last.certificate.ballot.value,
            state: last.state.entered().root(self),
        }
    }

    /// The cluster that goes on where `last`, a decision of this one that was
    /// [verified](Cluster::decided_is_genuine), changed the roster.
    ///
    /// # Errors
    /// [`ClusterError::Unchanged`] when it did not. No other: the members
    /// would not have decided it.
    pub fn next(&self, last: &Decided<C>) -> Result<Self, ClusterError> {
        let change = last.state.change.as_ref().ok_or(ClusterError::Unchanged)?;
        let roster = self.roster.after(change, last.state.profiles(self))?;
        let next = Cluster::descended(roster, self.descent_behind(last), self.timing)?;
        #[cfg(feature = "checker")]
        let next = Cluster { rules: self.rules.clone(), ..next };
        Ok(next)
    }

    /// Whether this roster could be changed so.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn can_change(
        &self,
        change: &Change<C>,
        profiles: Vec<Profile, MAX_MEMBERS>,
    ) -> Result<(), ClusterError> {
        self.roster.after(change, profiles)?.check(N)
    }
}
