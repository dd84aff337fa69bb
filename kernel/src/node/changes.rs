//! Changes of the roster: told to everybody, committed in an epoch of their
//! own between two requests, and the end of the cluster.
//!
//! Whoever holds the decision signs nothing more here, since nothing is valid
//! behind it. It goes on in the next cluster, in which nobody can have signed
//! anything without holding the same decision.

use super::{Behind, Node, Record, RecordError};
use crate::agreement::Agreement;
use crate::chain::Decided;
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::inference::Inference;
use crate::machine::{Outbox, Output, Rejection, Transmission, send};
use crate::message::Message;
use crate::message::change::SignedChange;
use crate::message::inference::Payload;

impl<C: Scheme, const N: usize> Node<C, N> {
    /// Whether the cluster is over: the last decided epoch changed its roster.
    pub fn is_over(&self) -> bool {
        self.head.change().is_some()
    }

    /// Goes on in the cluster of `seat`, behind the last decision of the one
    /// that it was in. From now on `seat` is its place. Requests that wait,
    /// wait there.
    ///
    /// # Errors
    /// [`RecordError::Head`] when this node does not hold the decision that
    /// leads there. Nothing was changed.
    pub fn enter(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) -> Result<(), RecordError> {
        let last = self.head.decided().ok_or(RecordError::Head)?;
        let Record { role, head, agreement, .. } = Record::entering(seat, self.role, last)?;
        let epoch = head.epoch().next();
        (self.role, self.head) = (role, head);
        self.agreement = Agreement::new(seat, epoch, agreement, self.patience);
        self.inference = Inference::new(epoch);
        self.candidates.clear();
        self.notices.clear();
        self.change = None;
        self.behind = Behind::Nothing;
        self.watch = super::Watch::default();
        out.push(Output::Persist);
        self.choose_run(seat, out);
        self.ask(seat, None, out);
        self.repeat(seat, out);
        Ok(())
    }

    /// An operator handed a change to this node.
    ///
    /// # Errors
    /// As [`Node::on_change`].
    pub(super) fn order(
        &mut self,
        seat: &Seat<'_, C, N>,
        signed: SignedChange<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        self.on_change(seat, signed)?;
        self.tell_change(seat, Transmission::First, out);
        Ok(())
    }

    /// A member passes a change on. One is kept: another one has its turn, if
    /// its operator still wants it, under the next roster.
    ///
    /// # Errors
    /// [`Rejection::Stale`], [`Rejection::Duplicate`], [`Rejection::Full`];
    /// [`Rejection::Invalid`] when this roster cannot be changed so.
    pub(super) fn on_change(&mut self, seat: &Seat<'_, C, N>, signed: SignedChange<C>) -> Result<(), Rejection> {
        if self.is_over() {
            return Err(Rejection::Stale);
        }
        if let Some(held) = &self.change {
            return Err(if held.change == signed.change { Rejection::Duplicate } else { Rejection::Full });
        }
        let profiles = self.head.state().profiles(seat.cluster);
        seat.cluster.can_change(&signed.change, profiles).map_err(|_| Rejection::Invalid)?;
        self.change = Some(signed);
        Ok(())
    }

    pub(super) fn tell_change(&self, seat: &Seat<'_, C, N>, transmission: Transmission, out: &mut impl Outbox<C, N>) {
        if let Some(signed) = &self.change {
            send(seat.everyone(), seat.envelope(Message::Change(signed.clone())), transmission, out);
        }
    }

    /// Makes the change a value of the open epoch, as soon as no request is
    /// under way. One that does not fit any more, since a member revised its
    /// profile, is given up.
    pub(super) fn admit_change(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        if self.change.is_none()
            || self.head.is_working()
            || self.holds(|payload| matches!(payload, Payload::Change(_)))
        {
            return;
        }
        let Some(signed) = self.change.clone() else { return };
        // Refused also when the epoch holds as many wanted values as it can.
        if self.admit(seat, Payload::Change(signed), out) == Err(Rejection::Invalid) {
            self.change = None;
        }
    }

    /// Whether the open epoch may commit the change.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] when the state does not admit it.
    pub(super) fn validate_change(&self, seat: &Seat<'_, C, N>, signed: &SignedChange<C>) -> Result<(), Rejection> {
        let admitted = self.head.state().admits_change(seat.cluster, &signed.change);
        if admitted { Ok(()) } else { Err(Rejection::Invalid) }
    }

    /// The decision that ended this cluster.
    pub fn last(&self) -> Option<&Decided<C>> {
        self.head.decided().filter(|decided| decided.state.change.is_some())
    }
}
