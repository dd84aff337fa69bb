//! Values of the open epoch: which payloads are valid, and what deciding one
//! of them makes of the chain.
//!
//! The state after a payload is not kept with it: it follows from the last one,
//! and all but one of the values never need it again.

use super::{MAX_PATIENCE, Node};
use crate::chain::{Decided, Header, State};
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::inference::run::Run;
use crate::machine::{Outbox, Rejection};
use crate::message::agreement::DecisionCertificate;
use crate::message::inference::{Payload, Work};
use crate::types::View;

/// A payload that was found valid, and what its value covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Candidate<C: Scheme> {
    pub(super) payload: Payload<C>,
    header: Header<C>,
    /// Digest of the links after it: what of the state takes time to find.
    links: Option<C::Digest>,
}

impl<C: Scheme, const N: usize> Node<C, N> {
    /// Takes a payload in, if it is a valid result of the open epoch.
    ///
    /// # Errors
    /// A [`Rejection`] when it changes nothing.
    pub(super) fn admit(
        &mut self,
        seat: &Seat<'_, C, N>,
        payload: Payload<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let (header, links) = self.validate(seat, &payload)?;
        let value = header.value(seat.cluster);
        if self.candidates.contains(&value) {
            return Err(Rejection::Duplicate);
        }
        if self.candidates.is_full() {
            let forgotten = self.agreement.forget_for(seat, &value).ok_or(Rejection::Full)?;
            self.candidates.remove(&forgotten);
        }
        self.candidates.insert(value, Candidate { payload, header, links }).map_err(|_| Rejection::Full)?;
        if self.signs(seat) {
            self.agreement.learn(seat, value, out)?;
        }
        Ok(())
    }

    /// Makes the next part of the run a value of the open epoch, once there are
    /// certificates for all of it.
    pub(super) fn admit_work(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        let Some(certified) = self.inference.certified() else { return };
        let known = |payload: &Payload<C>| match payload {
            Payload::Work(known) => (known.run, known.committed) == certified,
            Payload::Notice(_) | Payload::Change(_) => false,
        };
        if self.holds(known) {
            return;
        }
        if let Some(work) = self.inference.work(seat) {
            // Refused only when the epoch holds as many wanted values as it can.
            let _ = self.admit(seat, Payload::Work(work), out);
        }
    }

    /// Whether some value of the open epoch is what `wanted` says.
    pub(super) fn holds(&self, wanted: impl Fn(&Payload<C>) -> bool) -> bool {
        self.candidates.iter().any(|(_, candidate)| wanted(&candidate.payload))
    }

    /// The open epoch is decided: its decision becomes the head of the chain.
    /// False when the value is not known yet.
    pub(super) fn close(
        &mut self,
        seat: &Seat<'_, C, N>,
        certificate: DecisionCertificate<C>,
        out: &mut impl Outbox<C, N>,
    ) -> bool {
        let Some(candidate) = self.candidates.get(&certificate.ballot.value) else { return false };
        let Ok(state) = self.state_after(seat, &candidate.payload, candidate.links) else { return false };
        let Some(Candidate { payload, header, .. }) = self.candidates.remove(&certificate.ballot.value) else {
            return false;
        };
        self.patience = if certificate.ballot.view == View::ZERO {
            self.patience.saturating_sub(1)
        } else {
            self.patience.saturating_add(1).min(MAX_PATIENCE)
        };
        self.follow(seat, Decided { header, certificate, state }, Some(payload), out);
        true
    }

    /// External validity: what the value of `payload` covers, and the digest of
    /// the links after it.
    ///
    /// # Errors
    /// Why the open epoch cannot commit it.
    #[inline(never)]
    fn validate(
        &self,
        seat: &Seat<'_, C, N>,
        payload: &Payload<C>,
    ) -> Result<(Header<C>, Option<C::Digest>), Rejection> {
        let cluster = seat.cluster;
        let increment = match payload {
            Payload::Work(work) => {
                return self.with_run(seat, work, |run| {
                    run.validate(cluster, work)?;
                    let (header, state) = run.successor(cluster, &self.head, work);
                    Ok((header, state.computed))
                });
            }
            Payload::Notice(signed) => {
                self.validate_notice(seat, signed)?;
                signed.increment(cluster)
            }
            Payload::Change(signed) => {
                self.validate_change(seat, signed)?;
                signed.change.statement(cluster)
            }
        };
        let state = self.state_after(seat, payload, None)?.root(cluster);
        Ok((Header { epoch: self.epoch(), previous: self.head.value(cluster), increment, state }, None))
    }

    /// The state after the open epoch, if it commits `payload`, which is valid.
    /// `links` are those of [`Node::validate`].
    ///
    /// # Errors
    /// Only when it is not.
    #[inline(never)]
    fn state_after(
        &self,
        seat: &Seat<'_, C, N>,
        payload: &Payload<C>,
        links: Option<C::Digest>,
    ) -> Result<State<C>, Rejection> {
        let epoch = self.epoch();
        match payload {
            Payload::Work(work) => {
                let links = links.ok_or(Rejection::Invalid)?;
                self.with_run(seat, work, |run| Ok(run.state_after(seat.cluster, &self.head, work, links)))
            }
            Payload::Notice(signed) => Ok(self.head.state().note(epoch, signed.member, signed.notice)),
            Payload::Change(signed) => Ok(self.head.state().end(epoch, &signed.change)),
        }
    }

    /// What `act` says of the run that `work` is a part of: the one that is
    /// computed here, or another one that might have been.
    fn with_run<T>(
        &self,
        seat: &Seat<'_, C, N>,
        work: &Work<C>,
        act: impl FnOnce(&Run<C>) -> Result<T, Rejection>,
    ) -> Result<T, Rejection> {
        match self.run().filter(|run| run.id == work.run) {
            Some(run) => act(run),
            None => act(&Run::new(seat.cluster, &self.head, &work.request).map_err(|_| Rejection::Invalid)?),
        }
    }
}
