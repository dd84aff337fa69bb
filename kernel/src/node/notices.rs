//! What members say about themselves: heard by all voters, committed in an
//! epoch of its own, and in force from the next one on.
//!
//! *A voter that lost its vote record* draws a number that did not exist
//! before the loss, and signs nothing in agreement until an epoch is decided
//! that contains the number. Had it signed in a later epoch before the loss,
//! it would have held the decision of that one, and the number with it. So it
//! votes in later epochs only, and cannot contradict itself. Several members
//! may have lost theirs at a time; nothing is asked of the memory of the others.
//!
//! The member's key stays the same. A clone that still runs with the lost
//! record could contradict it, and would be blamed; fencing clones by a new
//! key is left to reconfiguration, so that verifying stays a function of the
//! message and the roster.
//!
//! *A member that can do more or less than it could* says so, and requests
//! that begin later are placed accordingly. What it says may be false: that
//! makes the cluster slower, never wrong.

use super::{Node, Role};
use crate::agreement::rules::Mutant;
use crate::assignment::Profile;
use crate::chain::State;
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::machine::{Outbox, Rejection, Transmission, send};
use crate::message::Message;
use crate::message::inference::Payload;
use crate::message::notice::{Notice, Readmit, Revision, SignedNotice};
use crate::types::NodeSet;

impl<C: Scheme, const N: usize> Node<C, N> {
    /// The host says what this node can do.
    ///
    /// # Errors
    /// [`Rejection::Duplicate`] when that is committed already.
    pub(super) fn revise(
        &mut self,
        seat: &Seat<'_, C, N>,
        profile: Profile,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        if self.profile == Some(profile) || self.committed_profile(seat) == Some(profile) {
            return Err(Rejection::Duplicate);
        }
        self.profile = Some(profile);
        self.give_notice(seat, out);
        Ok(())
    }

    /// What this node has to say about itself.
    pub(super) fn own_notice(&self, seat: &Seat<'_, C, N>) -> Option<Notice> {
        if self.is_over() {
            return None;
        }
        let state = self.head.state();
        if self.role == Role::Learner {
            let first = seat.cluster.mutated(Mutant::FirstIncarnation);
            let incarnation = if first { 1 } else { state.next_incarnation(seat.me) };
            let nonce = self.nonce.filter(|_| !seat.cluster.mutated(Mutant::NeverApply))?;
            return Some(Notice::Readmit(Readmit { incarnation, nonce }));
        }
        let profile = self.profile?;
        Some(Notice::Revise(Revision { number: state.next_revision(seat.me), profile }))
    }

    /// Says it to everybody, and to itself: workers must know who is missing.
    pub(super) fn give_notice(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        let Some(notice) = self.own_notice(seat) else { return };
        let envelope = seat.envelope(Message::Notice(notice));
        if self.role == Role::Replica {
            let signed = SignedNotice { member: seat.me, notice, signature: envelope.signature.clone() };
            // Known already, when it is said again.
            let _ = self.on_notice(seat, signed);
        }
        send(seat.everyone(), envelope, Transmission::First, out);
    }

    /// A member says something about itself.
    ///
    /// # Errors
    /// [`Rejection::Stale`], [`Rejection::Duplicate`], [`Rejection::Full`];
    /// [`Rejection::Invalid`] when the members could not run the model any more.
    pub(super) fn on_notice(&mut self, seat: &Seat<'_, C, N>, signed: SignedNotice<C>) -> Result<(), Rejection> {
        if !is_open(&self.head.state(), &signed) {
            return Err(Rejection::Stale);
        }
        if self.notices.get(&signed.member) == Some(&signed) {
            return Err(Rejection::Duplicate);
        }
        match signed.notice {
            Notice::Readmit(_) if !seat.cluster.votes(signed.member) => return Err(Rejection::Unauthorised),
            Notice::Revise(revision) if !self.head.state().can_revise(seat.cluster, signed.member, revision) => {
                return Err(Rejection::Invalid);
            }
            _ => {}
        }
        if self.notices.is_full() && !self.notices.contains(&signed.member) {
            // A voter that is missing goes before a profile.
            let profile = self.notices.iter().find(|(_, held)| matches!(held.notice, Notice::Revise(_)));
            let dropped = profile.map(|(member, _)| *member).filter(|_| matches!(signed.notice, Notice::Readmit(_)));
            self.notices.remove(&dropped.ok_or(Rejection::Full)?);
        }
        // The last one counts: each start of a learner draws another number.
        self.notices.insert(signed.member, signed).map_err(|_| Rejection::Full)
    }

    /// Makes a notice that is admitted a value of the open epoch: a voter that
    /// is missing goes before a profile, and of several the member that had its
    /// way less often before. Otherwise a member that applies again and again
    /// could keep all those behind it waiting.
    pub(super) fn admit_notice(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        if self.notices.is_empty() {
            return;
        }
        let state = self.head.state();
        // Work goes first when the last epoch was a notice too.
        if self.holds(|payload| matches!(payload, Payload::Notice(_))) || state.interrupted && !self.requests.is_empty()
        {
            return;
        }
        let admitted = |signed: &&SignedNotice<C>| state.admits_notice(seat.cluster, signed.member, &signed.notice);
        let notices = self.notices.iter().map(|(_, signed)| signed).filter(admitted);
        let turn = |signed: &&SignedNotice<C>| match signed.notice {
            Notice::Readmit(readmit) => (false, readmit.incarnation),
            Notice::Revise(revision) => (true, revision.number),
        };
        if let Some(signed) = notices.min_by_key(turn).cloned() {
            // Refused only when the epoch holds as many wanted values as it can.
            let _ = self.admit(seat, Payload::Notice(signed), out);
        }
    }

    /// Whether the open epoch may commit the notice.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] when the state does not admit it.
    pub(super) fn validate_notice(&self, seat: &Seat<'_, C, N>, signed: &SignedNotice<C>) -> Result<(), Rejection> {
        let admitted = self.head.state().admits_notice(seat.cluster, signed.member, &signed.notice);
        if admitted { Ok(()) } else { Err(Rejection::Invalid) }
    }

    /// `state` is decided: a learner whose number it contains votes again, and
    /// what was waiting for it waits no more.
    pub(super) fn drop_notices(&mut self, seat: &Seat<'_, C, N>, state: &State<C>) {
        self.notices.retain(|_, signed| is_open(state, signed));
        if state.interrupted {
            self.notices.retain(|member, signed| match signed.notice {
                Notice::Revise(revision) => state.can_revise(seat.cluster, *member, revision),
                Notice::Readmit(_) => true,
            });
        }
        if self.profile.is_some() && self.profile == self.committed_profile(seat) {
            self.profile = None;
        }
        let admitted = state.readmitted.get(&seat.me).map(|readmit| readmit.nonce);
        let mutated = |mutant| seat.cluster.mutated(mutant);
        let is_admitted = admitted.is_some() && (admitted == self.nonce || mutated(Mutant::AnyNonce))
            || mutated(Mutant::AnyMember) && state.readmitted.iter().any(|(member, _)| *member != seat.me)
            || mutated(Mutant::CatchUpReadmits);
        if self.role == Role::Learner && is_admitted {
            self.role = Role::Replica;
        }
    }

    /// Voters that lost their vote record and wait to be admitted again.
    pub(super) fn learners(&self) -> NodeSet {
        let waiting = self.notices.iter().filter(|(_, signed)| matches!(signed.notice, Notice::Readmit(_)));
        waiting.map(|(member, _)| *member).collect()
    }

    fn committed_profile(&self, seat: &Seat<'_, C, N>) -> Option<Profile> {
        self.head.state().profiles(seat.cluster).get(seat.me.index()).copied()
    }
}

/// Whether `signed` is not committed, and may still be.
fn is_open<C: Scheme>(state: &State<C>, signed: &SignedNotice<C>) -> bool {
    let SignedNotice { member, notice, .. } = signed;
    match notice {
        Notice::Readmit(readmit) => readmit.incarnation >= state.next_incarnation(*member),
        Notice::Revise(revision) => revision.number >= state.next_revision(*member),
    }
}
