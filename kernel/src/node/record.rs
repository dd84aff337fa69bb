//! What a node must not forget.

use serde::{Deserialize, Serialize};

use super::Role;
use crate::agreement::Durable;
use crate::agreement::rules::Mutant;
use crate::chain::{Decided, Head};
use crate::cluster::{Cluster, Descent, Seat};
use crate::crypto::Scheme;
use crate::message::inference::Payload;

/// The durable part of a node, as it is read back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Record<C: Scheme> {
    /// A record that a learner wrote says what it followed, not what it had
    /// signed before it lost its own: reading it back makes a learner again.
    pub role: Role,
    /// The last decided epoch with its certificate and state.
    pub head: Head<C>,
    /// What was signed in the epoch after it.
    pub agreement: Durable<C>,
    /// The payload of the value voted for.
    pub payload: Option<Payload<C>>,
}

/// The durable part of a node, to be written. Encoded, it is a [`Record`].
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(bound = "")]
pub struct RecordRef<'n, C: Scheme> {
    /// Whether it may sign in agreement.
    pub role: Role,
    /// The last decided epoch with its certificate and state.
    pub head: &'n Head<C>,
    /// What was signed in the epoch after it.
    pub agreement: &'n Durable<C>,
    /// The payload of the value voted for.
    pub payload: Option<&'n Payload<C>>,
}

/// A record that leaves out what it must hold, for the checking crates only.
#[cfg(feature = "checker")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Forgetful<C: Scheme> {
    mutant: Option<Mutant>,
    genesis: Head<C>,
}

#[cfg(feature = "checker")]
impl<C: Scheme> Forgetful<C> {
    pub(super) fn new(mutant: Option<Mutant>) -> Self {
        Forgetful { mutant, genesis: Head::Genesis }
    }

    /// What `mutant` leaves of `record`.
    pub(super) fn forget<'n>(&'n self, record: RecordRef<'n, C>) -> RecordRef<'n, C> {
        match self.mutant {
            // The epoch just decided is still written, when nothing is signed after it.
            Some(Mutant::HeadUnrecorded) if record.agreement.voted.is_some() => {
                RecordRef { head: &self.genesis, ..record }
            }
            Some(Mutant::RoleUnrecorded) => RecordRef { role: Role::Replica, ..record },
            Some(Mutant::PayloadUnrecorded) => RecordRef { payload: None, ..record },
            _ => record,
        }
    }
}

/// Why a record cannot be this node's. It must not go on from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordError {
    /// The certificate of the last decided epoch is not genuine for this cluster.
    Head,
    /// The payload is not genuine for this cluster.
    Payload,
}

impl core::fmt::Display for RecordError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            RecordError::Head => "the record's last decided epoch is not genuine for this cluster",
            RecordError::Payload => "the record's payload is not genuine for this cluster",
        })
    }
}

impl core::error::Error for RecordError {}

impl<C: Scheme> Record<C> {
    /// What a member goes on with in the cluster of `seat`, behind the last
    /// decision of the one before. Nobody signed anything there before holding
    /// this decision, so whoever knew what it had signed knows it still; who
    /// did not, is a learner there as well, and so is a worker that is to vote.
    ///
    /// # Errors
    /// [`RecordError::Head`] when `last` does not lead there.
    pub fn entering<const N: usize>(
        seat: &Seat<'_, C, N>,
        role: Role,
        last: &Decided<C>,
    ) -> Result<Record<C>, RecordError> {
        let state = last.state.entered();
        let leads = |descent: &Descent<C>| {
            last.state.change.is_some()
                && descent.value == last.certificate.ballot.value
                && descent.state == state.root_in(descent.previous)
        };
        if !seat.cluster.descent().is_some_and(leads) {
            return Err(RecordError::Head);
        }
        let role = match role {
            _ if !seat.cluster.votes(seat.me) => Role::Worker,
            Role::Replica => Role::Replica,
            Role::Learner | Role::Worker if seat.cluster.mutated(Mutant::EnterAsReplica) => Role::Replica,
            Role::Learner | Role::Worker => Role::Learner,
        };
        Ok(Record { role, head: Head::Entered(state), agreement: Durable::fresh(), payload: None })
    }

    /// What provisioning writes before a node's first boot. A voter must never
    /// be given it again: without a record it cannot know what it signed.
    pub fn first(role: Role) -> Record<C> {
        Record { role, head: Head::Genesis, agreement: Durable::fresh(), payload: None }
    }

    pub(super) fn check<const N: usize>(&self, cluster: &Cluster<C, N>) -> Result<(), RecordError> {
        let is_genuine = match (&self.head, cluster.descent()) {
            (Head::Genesis, descent) => descent.is_none(),
            (Head::Entered(state), descent) => {
                descent.is_some_and(|descent| descent.state == state.root_in(descent.previous))
            }
            (Head::Decided(decided), _) => cluster.decided_is_genuine(decided),
        };
        if !is_genuine {
            return Err(RecordError::Head);
        }
        if !self.payload.as_ref().is_none_or(|payload| cluster.payload_is_genuine(payload)) {
            return Err(RecordError::Payload);
        }
        Ok(())
    }
}
