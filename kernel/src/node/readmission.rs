//! How a voter that lost its vote record comes back.
//!
//! It draws a number that did not exist before the loss, and signs nothing in
//! agreement until an epoch is decided that contains the number. Had it signed
//! in a later epoch before the loss, it would have held the decision of that
//! one, and the number with it. So it votes in later epochs only, and cannot
//! contradict itself. Several members may have lost theirs at a time; nothing
//! is asked of the memory of the others.
//!
//! The member's key stays the same. A clone that still runs with the lost
//! record could contradict it, and would be blamed; fencing clones by a new
//! key is left to reconfiguration, so that verifying stays a function of the
//! message and the roster.

use super::{Node, Role};
use crate::chain::{Candidate, Header, State};
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::machine::{Outbox, Rejection, Transmission, send};
use crate::message::Message;
use crate::message::inference::{Payload, Readmit, SignedReadmit};
use crate::types::NodeId;

impl<C: Scheme, const N: usize> Node<C, N> {
    /// A learner asks to be admitted again.
    pub(super) fn apply(&self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        if self.role != Role::Learner {
            return;
        }
        let Some(nonce) = self.nonce else { return };
        let incarnation = self.head.state().next_incarnation(seat.me);
        let message = Message::Readmit(Readmit { incarnation, nonce });
        send(seat.others(), seat.envelope(message), Transmission::First, out);
    }

    /// A member asks to be admitted again.
    ///
    /// # Errors
    /// [`Rejection::Stale`] when it was, with this incarnation; [`Rejection::Duplicate`].
    pub(super) fn on_readmit(
        &mut self,
        from: NodeId,
        readmit: Readmit,
        signature: C::Signature,
    ) -> Result<(), Rejection> {
        if readmit.incarnation < self.head.state().next_incarnation(from) {
            return Err(Rejection::Stale);
        }
        let applied = SignedReadmit { member: from, readmit, signature };
        if self.applicants.get(&from) == Some(&applied) {
            return Err(Rejection::Duplicate);
        }
        // One slot for each voter. The last one counts: each start draws another number.
        self.applicants.insert(from, applied).map_err(|_| Rejection::Full)
    }

    /// Makes the first application that is valid a value of the open epoch.
    pub(super) fn admit_applicant(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        let state = self.head.state();
        let known = |candidate: &Candidate<C>| matches!(candidate.payload, Payload::Readmit(_));
        let any = self.candidates.iter().any(|(_, candidate)| known(candidate));
        // Work goes first when the last epoch was an admission too.
        if any || state.interrupted && !self.requests.is_empty() {
            return;
        }
        let valid = |applied: &SignedReadmit<C>| state.admits_member(seat.cluster, applied.member, &applied.readmit);
        let applied = self.applicants.iter().map(|(_, applied)| applied).find(|applied| valid(applied)).cloned();
        if let Some(applied) = applied {
            // Refused only when the epoch holds as many wanted values as it can.
            let _ = self.admit(seat, Payload::Readmit(applied), out);
        }
    }

    /// What the chain would be after the admission.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] when the state does not allow it.
    pub(super) fn validate_readmit(
        &self,
        seat: &Seat<'_, C, N>,
        applied: SignedReadmit<C>,
    ) -> Result<Candidate<C>, Rejection> {
        let before = self.head.state();
        if !before.admits_member(seat.cluster, applied.member, &applied.readmit) {
            return Err(Rejection::Invalid);
        }
        let epoch = self.epoch();
        let state = before.readmit(epoch, applied.member, applied.readmit);
        let increment = applied.increment(seat.cluster);
        let previous = self.head.value(seat.cluster);
        let header = Header { epoch, previous, increment, state: state.root(seat.cluster) };
        Ok(Candidate { payload: Payload::Readmit(applied), header, state })
    }

    /// A learner votes again from the epoch after the one that contains its number.
    pub(super) fn return_to_voting(&mut self, seat: &Seat<'_, C, N>, state: &State<C>) {
        let admitted = state.readmitted.get(&seat.me).map(|readmit| readmit.nonce);
        if self.role == Role::Learner && admitted.is_some() && admitted == self.nonce {
            self.role = Role::Replica;
        }
    }
}
