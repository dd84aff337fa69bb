//! Fast Byzantine agreement on one value per epoch.
//!
//! Upon … (the numbers are those of the handlers and of `spec/Agreement.tla`)
//!
//! 1. *Propose*: the leader of view 0 proposes its own valid value; the leader
//!    of a later view proposes what a progress certificate justifies.
//! 2. *Vote*: a replica votes for the first justified and valid proposal of
//!    its view, once per view. A fast quorum of votes in one view decides.
//! 3. *Commit* (only where p < f): a slow quorum of votes in the replica's
//!    view is a commit certificate; it is kept and announced. A slow quorum of
//!    commits in one view decides.
//! 4. *EnterView*: when the time of a view is over, or f + 1 replicas are in
//!    later views, or a justified proposal of a later view arrives, a replica
//!    goes there, votes in no smaller view any more, and reports its last vote
//!    and its highest commit certificate.
//! 5. *CertRequest*: the leader of a view selects, from n - f reports, what may
//!    be proposed, and asks whether that is justified.
//! 6. *CertAck*: a replica that finds it justified by the same reports says
//!    so; f + 1 such statements are a progress certificate.
//!
//! Properties, with at most f faulty replicas. *Agreement*: no two values are
//! decided in an epoch. *Validity*: a decided value is known to be valid by an
//! honest replica. *Accountability*: evidence never names an honest replica.
//! The argument stands in `spec/README.md`; the rule that carries it is
//! [`select::select`]. Source of the bounds and of the idea of leaving out an
//! equivocating leader: Kuznetsov, Tonkikh, Zhang, PODC 2021.
//!
//! A value takes part only once it is *known*: the node holds its payload and
//! found it valid. A message about an unknown value is kept in its slot and
//! takes effect when the value becomes known.

pub mod horizon;
mod receive;
pub mod rules;
pub mod select;
mod settle;

use serde::{Deserialize, Serialize};

use self::rules::Mutant;
use crate::bounded::Map;
use crate::cluster::Seat;
use crate::crypto::{Scheme, Tag};
use crate::machine::{Outbox, Output, Rejection, Timer, Transmission, send};
use crate::message::agreement::{
    AgreementMessage, Ballot, CertRequest, CommitCertificate, DecisionCertificate, Proposal, ViewChange,
};
use crate::message::{Envelope, Message};
use crate::proof::SignedBallot;
use crate::types::{Epoch, HAS_SLOW_PATH, Millis, NodeId, NodeSet, View, bound};

/// Valid values that one epoch can hold. Honest work gives one for each
/// pending request that was computed, in practice one.
pub const MAX_VALUES: usize = 4;
/// Views ahead of the current one of which votes are kept. Those of others are
/// rejected as early, and a host may keep them.
const VIEWS_AHEAD: usize = bound(2, 0, 0);
/// Views of which votes are kept: the one before the current one as well, since
/// it may yet decide.
const VIEWS_KEPT: usize = VIEWS_AHEAD + 2;
/// Views of which commits are kept: the same, where there are any.
const COMMIT_VIEWS: usize = if HAS_SLOW_PATH { VIEWS_KEPT } else { 0 };
/// The time-out doubles at most this often.
const MAX_DOUBLINGS: u32 = 6;

/// What must survive a crash: see the table of durable facts in `kernel/README.md`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Durable<C: Scheme> {
    /// No vote and no commit is signed in a smaller view.
    pub view: View,
    /// The proposal voted for in the highest view in which a vote was signed.
    pub voted: Option<Proposal<C>>,
    /// The commit certificate of the highest view.
    pub locked: Option<CommitCertificate<C>>,
    /// What was proposed last, as a leader.
    pub proposed: Option<Proposal<C>>,
}

/// Votes or commits of one view: the first of each sender.
pub(crate) type Ballots<C, const N: usize> = Map<NodeId, SignedValue<C>, N>;

/// A value that somebody signed for, in a view known from the context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SignedValue<C: Scheme> {
    pub(crate) value: C::Digest,
    pub(crate) signature: C::Signature,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct SignedChange<C: Scheme> {
    change: ViewChange<C>,
    signature: C::Signature,
}

/// The leader's question for the current view.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Question<C: Scheme, const N: usize> {
    request: CertRequest<C, N>,
    acknowledged: bool,
}

/// One replica's part in the agreement of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Agreement<C: Scheme, const N: usize> {
    epoch: Epoch,
    durable: Durable<C>,
    /// Time-outs are doubled this often before the view is counted in.
    patience: u8,
    /// The timer of the current view is running.
    timed: bool,
    /// The first value that became known: what this replica proposes if free to.
    own: Option<C::Digest>,
    known: Map<C::Digest, (), MAX_VALUES>,
    /// The first justified proposal of the current view.
    proposal: Option<Proposal<C>>,
    votes: Map<View, Ballots<C, N>, VIEWS_KEPT>,
    commits: Map<View, Ballots<C, N>, COMMIT_VIEWS>,
    /// The latest view change of each replica, of any view.
    changes: Map<NodeId, SignedChange<C>, N>,
    question: Option<Question<C, N>>,
    /// Answers to this leader's own question.
    acks: Map<NodeId, C::Signature, N>,
    /// The leader's other proposal was shown to everybody.
    denounced: bool,
    decision: Option<DecisionCertificate<C>>,
}

impl<C: Scheme> Durable<C> {
    /// Before anything was signed.
    pub fn fresh() -> Durable<C> {
        Durable { view: View::ZERO, voted: None, locked: None, proposed: None }
    }

    /// The view of the last vote, if any.
    fn voted_in(&self, view: View) -> bool {
        self.voted.as_ref().is_some_and(|proposal| proposal.ballot.view == view)
    }

    fn locked_in(&self, view: View) -> bool {
        self.locked.as_ref().is_some_and(|certificate| certificate.ballot.view == view)
    }

    fn proposed_in(&self, view: View) -> bool {
        self.proposed.as_ref().is_some_and(|proposal| proposal.ballot.view == view)
    }
}

impl<C: Scheme, const N: usize> Agreement<C, N> {
    /// Begins `epoch`, or goes on in it from what was durable.
    pub fn new(seat: &Seat<'_, C, N>, epoch: Epoch, durable: Durable<C>, patience: u8) -> Self {
        let mut agreement = Agreement {
            epoch,
            durable,
            patience,
            timed: false,
            own: None,
            known: Map::new(),
            proposal: None,
            votes: Map::new(),
            commits: Map::new(),
            changes: Map::new(),
            question: None,
            acks: Map::new(),
            denounced: false,
            decision: None,
        };
        agreement.recall(seat);
        agreement
    }

    /// Begins `epoch` in place of the one before: nothing is signed in it yet.
    /// A new one would be built elsewhere, and moved here with all its room.
    pub fn begin(&mut self, epoch: Epoch, patience: u8) {
        self.epoch = epoch;
        self.durable = Durable::fresh();
        self.patience = patience;
        self.timed = false;
        self.own = None;
        self.known.clear();
        self.proposal = None;
        self.votes.clear();
        self.commits.clear();
        self.changes.clear();
        self.question = None;
        self.acks.clear();
        self.denounced = false;
        self.decision = None;
    }

    /// Puts back into the tables what this replica itself had signed.
    fn recall(&mut self, seat: &Seat<'_, C, N>) {
        let view = self.durable.view;
        if let Some(proposal) = self.durable.voted.clone().filter(|proposal| proposal.ballot.view.next() >= view) {
            if !seat.cluster.mutated(Mutant::VoteNotRecalled) {
                self.record_vote(seat, proposal.ballot);
            }
            if proposal.ballot.view == view {
                self.proposal = Some(proposal);
            }
        }
        let locked = self.durable.locked.as_ref().map(|certificate| certificate.ballot);
        let locked = locked.filter(|_| !seat.cluster.mutated(Mutant::CommitNotRecalled));
        if let Some(ballot) = locked.filter(|ballot| ballot.view.next() >= view) {
            self.record_commit(seat, ballot);
        }
        self.record_change(seat);
    }

    /// The epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The view.
    pub fn view(&self) -> View {
        self.durable.view
    }

    /// What must survive a crash.
    pub fn durable(&self) -> &Durable<C> {
        &self.durable
    }

    /// The certificate of the decided value, once there is one.
    pub fn decision(&self) -> Option<&DecisionCertificate<C>> {
        self.decision.as_ref()
    }

    /// Whether `value` is known to be valid here.
    pub fn knows(&self, value: &C::Digest) -> bool {
        self.known.contains(value)
    }

    /// Values that others speak of and whose payload this node lacks.
    pub fn missing(&self) -> impl Iterator<Item = C::Digest> {
        let proposed = self.proposal.iter().map(|proposal| proposal.ballot.value);
        let changed = self.changes.iter().flat_map(|(_, signed)| {
            let report = signed.change.report();
            report.voted.into_iter().chain(report.locked).map(|ballot| ballot.value)
        });
        let asked = self.question.iter().map(|question| question.request.ballot.value);
        let voted = self.votes.iter().flat_map(|(_, ballots)| ballots.iter().map(|(_, vote)| vote.value));
        let all = proposed.chain(changed).chain(asked).chain(voted);
        all.filter(|value| !self.knows(value))
    }

    /// `value` is valid and its payload is held: it may be voted for.
    ///
    /// # Errors
    /// [`Rejection::Duplicate`] or [`Rejection::Full`]; nothing changes then.
    pub fn learn(
        &mut self,
        seat: &Seat<'_, C, N>,
        value: C::Digest,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        if self.knows(&value) {
            return Err(Rejection::Duplicate);
        }
        self.known.insert(value, ()).map_err(|_| Rejection::Full)?;
        self.own.get_or_insert(value);
        if seat.cluster.mutated(Mutant::ProposeTwice) && self.durable.proposed_in(self.durable.view) {
            (self.own, self.durable.proposed, self.durable.voted) = (Some(value), None, None);
        }
        self.settle(seat, out);
        Ok(())
    }

    /// Makes room for `value`, of which others speak: forgets the known value
    /// that fewer members stand by, and returns it. A client and a member that
    /// are faulty together can make many valid values, but members that vote
    /// for them they cannot make.
    pub fn forget_for(&mut self, seat: &Seat<'_, C, N>, value: &C::Digest) -> Option<C::Digest> {
        let known = self.known.iter().map(|(known, ())| *known);
        let least = known.min_by_key(|known| self.support(seat, known))?;
        if self.support(seat, &least) >= self.support(seat, value) {
            return None;
        }
        self.known.remove(&least);
        if self.own == Some(least) {
            self.own = self.known.iter().map(|(known, ())| *known).next();
        }
        Some(least)
    }

    /// How many members stand by `value`, as far as this replica heard; all of
    /// them if it does so itself.
    fn support(&self, seat: &Seat<'_, C, N>, value: &C::Digest) -> usize {
        let signed = [&self.durable.voted, &self.durable.proposed, &self.proposal];
        let locked = self.durable.locked.as_ref().map(|certificate| certificate.ballot.value);
        if signed.into_iter().flatten().any(|proposal| proposal.ballot.value == *value) || locked == Some(*value) {
            return usize::MAX;
        }
        let reporters = self.changes.iter().filter(|(_, signed)| {
            let report = signed.change.report();
            report.voted.iter().chain(report.locked.iter()).any(|ballot| ballot.value == *value)
        });
        let voters = self.votes.iter().flat_map(|(_, ballots)| ballots.iter()).filter(|(_, vote)| vote.value == *value);
        // A leader that asks for its own value, when nobody voted for any.
        let question = self.question.as_ref().filter(|question| question.request.ballot.value == *value);
        let leader = question.map(|question| seat.cluster.leader(self.epoch, question.request.ballot.view));
        let named = reporters.map(|(from, _)| *from).chain(voters.map(|(from, _)| *from));
        let members: NodeSet = named.chain(leader).collect();
        members.len()
    }

    /// Goes on after a restart. A replica that had signed in a later view can
    /// no longer prove what it reported on entering it, and others start their
    /// timers on such reports: it leaves for the next view, as at a time-out.
    /// Otherwise a cluster that restarts as a whole may wait for ever, in
    /// views that nobody can leave.
    pub fn resume(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        if self.durable.view > View::ZERO && !self.changes.contains(&seat.me) {
            self.enter(seat, self.durable.view.next(), out);
        }
        self.settle(seat, out);
    }

    /// The time of `view` is over.
    ///
    /// # Errors
    /// [`Rejection::Stale`] when the replica is not in that view, or has decided.
    pub fn time_out(
        &mut self,
        seat: &Seat<'_, C, N>,
        view: View,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let mutated = |mutant| seat.cluster.mutated(mutant);
        let decided = self.decision.is_some() && !mutated(Mutant::LeaveAfterDecision);
        let late = view < self.durable.view && mutated(Mutant::LateTimer);
        if decided || !(view == self.durable.view || late) || mutated(Mutant::StayOnTimeOut) {
            return Err(Rejection::Stale);
        }
        self.enter(seat, view.next(), out);
        self.settle(seat, out);
        Ok(())
    }

    /// Sends again what this replica last said in this epoch.
    pub fn retransmit(&self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        let view = self.durable.view;
        let again = |envelope, out: &mut _| send(seat.others(), envelope, Transmission::Again, out);
        if self.decision.is_some() {
            return;
        }
        if let Some(own) = self.changes.get(&seat.me) {
            again(self.envelope(seat.me, AgreementMessage::ViewChange(own.change.clone()), own.signature.clone()), out);
        }
        if let Some(proposal) = self.durable.proposed.as_ref().filter(|proposal| proposal.ballot.view == view) {
            again(self.proposal_envelope(seat.me, proposal), out);
        } else if let Some(question) = &self.question
            && seat.cluster.leader(self.epoch, view) == seat.me
        {
            self.repeat_question(seat, question, out);
        }
        let own = |ballots: Option<&Ballots<C, N>>| ballots.and_then(|ballots| ballots.get(&seat.me)).cloned();
        if let Some(vote) = own(self.votes.get(&view)) {
            let ballot = Ballot { view, value: vote.value };
            again(self.envelope(seat.me, AgreementMessage::Vote(ballot), vote.signature), out);
        }
        if let Some(commit) = own(self.commits.get(&view)) {
            let ballot = Ballot { view, value: commit.value };
            again(self.envelope(seat.me, AgreementMessage::Commit(ballot), commit.signature), out);
        }
    }

    /// To those who have not answered: the question again, and before it the
    /// view changes that it names, which a faulty sender may have withheld.
    fn repeat_question(&self, seat: &Seat<'_, C, N>, question: &Question<C, N>, out: &mut impl Outbox<C, N>) {
        let silent: NodeSet = seat.others().iter().filter(|node| !self.acks.contains(node)).collect();
        for (from, _) in question.request.reports.iter() {
            if let Some(signed) = self.changes.get(from) {
                let message = AgreementMessage::ViewChange(signed.change.clone());
                let envelope = self.envelope(*from, message, signed.signature.clone());
                send(silent.without(*from), envelope, Transmission::Again, out);
            }
        }
        let message = AgreementMessage::CertRequest(question.request.clone());
        send(silent, self.signed(seat, message), Transmission::Again, out);
    }

    /// `ballot` is decided: shows everybody the signed proposal and votes of
    /// its view that are for other values. Whoever also holds the same signer's
    /// statement for the decided one can prove a fault.
    pub(crate) fn denounce(&self, seat: &Seat<'_, C, N>, ballot: Ballot<C>, out: &mut impl Outbox<C, N>) {
        if !self.denounced {
            self.denounce_leader(seat, ballot, out);
        }
        for (from, vote) in self.votes.get(&ballot.view).into_iter().flat_map(Map::iter) {
            let held = Ballot { view: ballot.view, value: vote.value };
            if held != ballot && *from != seat.me {
                let envelope = self.envelope(*from, AgreementMessage::Vote(held), vote.signature.clone());
                send(seat.others().without(*from), envelope, Transmission::First, out);
            }
        }
    }

    /// Shows everybody the proposal that is held, if it is for another value
    /// than `ballot` in the same view.
    fn denounce_leader(&self, seat: &Seat<'_, C, N>, ballot: Ballot<C>, out: &mut impl Outbox<C, N>) {
        let other = |held: &Ballot<C>| held.view == ballot.view && held.value != ballot.value;
        if let Some(proposal) = self.proposal.as_ref().filter(|proposal| other(&proposal.ballot)) {
            self.show_proposal(seat, proposal, out);
        }
    }

    /// Passes a leader's proposal on to everybody else.
    fn show_proposal(&self, seat: &Seat<'_, C, N>, proposal: &Proposal<C>, out: &mut impl Outbox<C, N>) {
        let leader = seat.cluster.leader(self.epoch, proposal.ballot.view);
        let envelope = self.proposal_envelope(leader, proposal);
        send(seat.others().without(leader), envelope, Transmission::First, out);
    }

    /// The leader's proposal and the votes of the view that decided.
    pub(crate) fn testimony(&self, view: View) -> (Option<SignedBallot<C>>, Ballots<C, N>) {
        let proposal = self.proposal.as_ref().filter(|proposal| proposal.ballot.view == view);
        (proposal.map(Proposal::signed_ballot), self.votes.get(&view).cloned().unwrap_or_default())
    }

    fn timer(&self, seat: &Seat<'_, C, N>) -> Output<C, N> {
        let timing = seat.cluster.timing;
        let view = self.durable.view;
        let doublings = view.0.saturating_add(u32::from(self.patience)).min(MAX_DOUBLINGS);
        let after = timing.view.0.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(1));
        let after = Millis(after.min(timing.view_cap.0));
        Output::SetTimer { timer: Timer::View { epoch: self.epoch, view }, after }
    }

    fn broadcast(&self, seat: &Seat<'_, C, N>, envelope: Envelope<C, N>, out: &mut impl Outbox<C, N>) {
        send(seat.others(), envelope, Transmission::First, out);
    }

    fn envelope(&self, from: NodeId, message: AgreementMessage<C, N>, signature: C::Signature) -> Envelope<C, N> {
        Envelope { from, message: Message::Agreement { epoch: self.epoch, message }, signature }
    }

    fn proposal_envelope(&self, leader: NodeId, proposal: &Proposal<C>) -> Envelope<C, N> {
        let message = AgreementMessage::Propose { ballot: proposal.ballot, progress: proposal.progress.clone() };
        self.envelope(leader, message, proposal.signature.clone())
    }

    fn signed(&self, seat: &Seat<'_, C, N>, message: AgreementMessage<C, N>) -> Envelope<C, N> {
        seat.envelope(Message::Agreement { epoch: self.epoch, message })
    }

    fn sign_ballot(&self, seat: &Seat<'_, C, N>, tag: Tag, ballot: &Ballot<C>) -> C::Signature {
        C::sign(seat.key, &seat.cluster.ballot(tag, self.epoch, ballot))
    }
}

#[cfg(test)]
mod tests;
