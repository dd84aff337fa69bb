//! One honest node: the real machine, driven through its own entry points.

use std::collections::BTreeSet;

use butterfly_kernel::agreement::Durable;
use butterfly_kernel::agreement::select::{Selection, select};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::machine::{Outbox, Output, Rejection};
use butterfly_kernel::message::Message as AnyMessage;
use butterfly_kernel::message::agreement::{self, AgreementMessage, Path};
use butterfly_kernel::types::{NodeId, View};

use super::faulty::{Goal, Offer, bare_change};
use super::network::{Breach, Count, Fact};
use super::setting::{Ballot, CertRequest, EPOCH, MEMBERS, Machine, Message, Setting};
use crate::symbolic::{Signature, Symbolic, Value};

/// A branch of the protocol that a run has been through. A run that misses
/// one it should go through proves little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Witness {
    /// A fast quorum decided in this view.
    FastDecision(View),
    /// A slow quorum decided in this view.
    SlowDecision(View),
    /// A commit certificate was formed.
    Locked,
    /// A node left because f + 1 others had.
    Joined,
    /// A node left because a later view had a justified proposal.
    EnteredByProposal,
    /// Without the leader that equivocated, f + p votes bound the next one.
    ExclusionBinds,
    /// Without the leader that equivocated, no value had f + p votes.
    ExclusionFrees,
    /// Evidence was found against a faulty node.
    Blamed,
}

impl std::fmt::Display for Witness {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Witness::FastDecision(view) => write!(out, "fast decision in view {}", view.0),
            Witness::SlowDecision(view) => write!(out, "slow decision in view {}", view.0),
            Witness::Locked => out.write_str("commit certificate"),
            Witness::Joined => out.write_str("join by f + 1 reports"),
            Witness::EnteredByProposal => out.write_str("entry by a justified proposal"),
            Witness::ExclusionBinds => out.write_str("equivocator excluded, a value binds"),
            Witness::ExclusionFrees => out.write_str("equivocator excluded, nothing binds"),
            Witness::Blamed => out.write_str("evidence against a faulty node"),
        }
    }
}

/// What one offer did.
pub struct Step {
    /// The node afterwards.
    pub machine: Machine,
    /// What became true.
    pub news: BTreeSet<Fact>,
    /// Where it went through.
    pub seen: BTreeSet<Witness>,
    /// What was made durable, if anything was.
    pub recorded: Option<Durable<Symbolic>>,
}

impl Setting {
    /// The node `me` at the beginning, knowing every valid value.
    pub fn start(&self, me: NodeId) -> Step {
        let seat = self.seat(me);
        let machine = Machine::new(&seat, EPOCH, Durable::fresh(), 0);
        let mut run = Run::new(self, me, machine);
        run.learn(&self.inputs(me));
        run.step
    }

    /// What `offer` does to the node `me` in the state `before`.
    pub fn step(&self, me: NodeId, before: &Machine, offer: &Offer) -> Step {
        let mut run = Run::new(self, me, before.clone());
        match offer {
            Offer::TimeOut(view) => {
                run.time_out(*view);
            }
            Offer::Deliver { from, message } => run.deliver(*from, message),
            Offer::Tally { count, ballot, from, goal } => {
                let message = match count {
                    Count::Votes => Message::Vote(*ballot),
                    Count::Commits => Message::Commit(*ballot),
                };
                let senders: Vec<NodeId> = from.iter().filter(|node| *node != me).collect();
                if !run.tally(&senders, &message, *ballot, *goal) {
                    run.step.machine = before.clone();
                    run.step.news.retain(|fact| matches!(fact, Fact::Breach(_)));
                    return run.step;
                }
            }
            Offer::Question { from, request, changes } => {
                if run.receive(*from, Message::CertRequest(request.clone())).is_err() {
                    return run.step;
                }
                for (author, change) in changes {
                    let _ = run.receive(*author, Message::ViewChange(change.clone()));
                }
                run.look_at(request);
            }
        }
        run.settle_down();
        run.step
    }
}

impl Step {
    /// Whether anything is different from `before`. What the kernel rejects is not.
    pub fn changes(&self, before: &Machine) -> bool {
        self.machine != *before || !self.news.is_empty()
    }
}

/// Whether a node that wakes up with this record knows that it said `message`,
/// or at least that it can no longer say anything else in its place.
pub(crate) fn is_recorded<C: Scheme, const N: usize>(durable: &Durable<C>, message: &AgreementMessage<C, N>) -> bool {
    let voted = durable.voted.as_ref().map(|proposal| proposal.ballot);
    let locked = durable.locked.as_ref().map(|certificate| certificate.ballot);
    let proposed = durable.proposed.as_ref().map(|proposal| proposal.ballot);
    let covers = |held: Option<agreement::Ballot<C>>, said: &agreement::Ballot<C>| {
        held.is_some_and(|held| held == *said || held.view > said.view)
    };
    match message {
        AgreementMessage::Propose { ballot, .. } => covers(proposed, ballot),
        AgreementMessage::Vote(ballot) => covers(voted, ballot),
        AgreementMessage::Commit(ballot) => covers(locked, ballot),
        AgreementMessage::ViewChange(change) => durable.view >= change.view,
        // Facts about the reports of others, and questions: nothing to keep.
        AgreementMessage::CertRequest(_) | AgreementMessage::CertAck(_) => true,
    }
}

/// What the kernel wants done, in order.
#[derive(Default)]
struct Outputs(Vec<Output<Symbolic, MEMBERS>>);

impl Outbox<Symbolic, MEMBERS> for Outputs {
    fn push(&mut self, output: Output<Symbolic, MEMBERS>) {
        self.0.push(output);
    }
}

/// A node at work on one offer.
pub(crate) struct Run<'a> {
    setting: &'a Setting,
    me: NodeId,
    pub(crate) step: Step,
}

impl<'a> Run<'a> {
    pub(crate) fn new(setting: &'a Setting, me: NodeId, machine: Machine) -> Run<'a> {
        let step = Step { machine, news: BTreeSet::new(), seen: BTreeSet::new(), recorded: None };
        Run { setting, me, step }
    }

    /// Comes to know `values`, in this order.
    pub(crate) fn learn(&mut self, values: &[Value]) {
        let seat = self.setting.seat(self.me);
        for value in values {
            let _ = self.input(|machine, out| machine.learn(&seat, *value, out));
        }
    }

    /// The time of `view` is over.
    pub(crate) fn time_out(&mut self, view: View) {
        let seat = self.setting.seat(self.me);
        let _ = self.input(|machine, out| machine.time_out(&seat, view, out));
    }

    /// What it said so far.
    pub(crate) fn said(&self) -> impl Iterator<Item = &Message> {
        self.step.news.iter().filter_map(|fact| match fact {
            Fact::Said { message, .. } => Some(message),
            _ => None,
        })
    }

    fn deliver(&mut self, from: NodeId, message: &Message) {
        let view = self.step.machine.view();
        let _ = self.receive(from, message.clone());
        if self.step.machine.view() > view {
            self.step.seen.insert(match message {
                Message::Propose { .. } => Witness::EnteredByProposal,
                _ => Witness::Joined,
            });
        }
    }

    /// Delivers `message` from one sender after the other until the goal is
    /// reached; says whether it was. Short of it, votes that were counted
    /// would not matter, so that is no step of its own.
    fn tally(&mut self, senders: &[NodeId], message: &Message, ballot: Ballot, goal: Goal) -> bool {
        let reached = |machine: &Machine| match goal {
            Goal::Decide => machine.decision().is_some(),
            Goal::Lock => machine.durable().locked.as_ref().is_some_and(|locked| locked.ballot == ballot),
        };
        for from in senders {
            if reached(&self.step.machine) {
                return true;
            }
            let _ = self.receive(*from, message.clone());
        }
        let reached = reached(&self.step.machine);
        if !reached && goal == Goal::Decide && self.step.machine.knows(&ballot.value) {
            self.step.news.insert(Fact::Breach(Breach::QuorumIgnored));
            return true;
        }
        reached
    }

    /// In a view that a faulty node leads, which question is in the slot does
    /// not matter: the leader can ask any of them again. So the slot always
    /// holds a question about nothing. Nor does it matter which view change a
    /// faulty node showed first, since a question replaces it. The leader can
    /// really do all that: every state that is explored is one of the kernel.
    fn settle_down(&mut self) {
        let view = self.step.machine.view();
        let settled = self.step.machine.decision().is_some() || view == View::ZERO;
        if settled || !self.setting.is_led_by_faulty(view) {
            return;
        }
        let blank = Message::CertRequest(self.setting.blank_question(view));
        let _ = self.receive(self.setting.leader(view), blank);
        if self.setting.is_kept_bare(view) {
            for author in self.setting.faulty().iter() {
                let _ = self.receive(author, Message::ViewChange(bare_change(view)));
            }
        }
    }

    pub(crate) fn receive(&mut self, from: NodeId, message: Message) -> Result<(), Rejection> {
        let verified = self.setting.verify(from, message).ok_or(Rejection::Invalid)?;
        let AnyMessage::Agreement { message, .. } = verified.message else {
            return Err(Rejection::Invalid);
        };
        let seat = self.setting.seat(self.me);
        self.input(|machine, out| machine.receive(&seat, from, message, Signature::Genuine, out))
    }

    /// One input to the machine, and what comes out. A rejection must leave no trace.
    fn input(
        &mut self,
        act: impl FnOnce(&mut Machine, &mut Outputs) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let before = self.step.machine.clone();
        let mut outputs = Outputs::default();
        let result = act(&mut self.step.machine, &mut outputs);
        if result.is_err() && (self.step.machine != before || !outputs.0.is_empty()) {
            self.step.news.insert(Fact::Breach(Breach::RejectionChangedState));
        }
        if before.decision().is_some() && result.is_ok() {
            self.step.news.insert(Fact::Breach(Breach::DecidedNodeActed));
        }
        if let (None, Some(decision)) = (before.decision(), self.step.machine.decision()) {
            let view = decision.ballot.view;
            self.step.seen.insert(match decision.path {
                Path::Fast => Witness::FastDecision(view),
                Path::Slow => Witness::SlowDecision(view),
            });
        }
        self.absorb(&before, outputs);
        result
    }

    fn absorb(&mut self, before: &Machine, outputs: Outputs) {
        if outputs.0.iter().any(|output| matches!(output, Output::Persist)) {
            self.step.recorded = Some(self.step.machine.durable().clone());
        }
        let mut persisted = false;
        for output in outputs.0 {
            match output {
                Output::Persist => persisted = true,
                Output::Send { envelope, .. } if envelope.from == self.me => {
                    if let AnyMessage::Agreement { message, .. } = envelope.message {
                        let recorded = is_recorded(self.step.machine.durable(), &message);
                        if !(recorded && (persisted || is_recorded(before.durable(), &message))) {
                            self.step.news.insert(Fact::Breach(Breach::SentBeforePersist));
                        }
                        self.say(message);
                    }
                }
                // Relayed: its author said it before, or is faulty and can say it anyway.
                Output::Send { .. } => {}
                Output::Evidence(evidence) if self.setting.is_faulty(evidence.accused) => {
                    self.step.seen.insert(Witness::Blamed);
                }
                Output::Evidence(_) => {
                    self.step.news.insert(Fact::Breach(Breach::HonestBlamed));
                }
                // Time is not modelled: a view may end whenever it likes.
                _ => {}
            }
        }
    }

    fn say(&mut self, message: Message) {
        match &message {
            Message::Commit(_) => {
                self.step.seen.insert(Witness::Locked);
            }
            Message::CertRequest(request) => self.note_exclusion(request),
            _ => {}
        }
        self.step.news.insert(Fact::Said { from: self.me, message });
    }

    /// Notes what an acknowledged question of a faulty leader went through.
    fn look_at(&mut self, request: &CertRequest) {
        let acknowledged = Fact::Said { from: self.me, message: Message::CertAck(request.ballot) };
        if self.step.news.contains(&acknowledged) {
            self.note_exclusion(request);
        }
    }

    pub(crate) fn note_exclusion(&mut self, request: &CertRequest) {
        let voted = || request.reports.iter().filter_map(|(_, report)| report.voted);
        let locked = || request.reports.iter().filter_map(|(_, report)| report.locked);
        let highest = voted().chain(locked()).map(|ballot| ballot.view).max();
        let mut values: Vec<_> =
            voted().filter(|ballot| Some(ballot.view) == highest).map(|ballot| ballot.value).collect();
        values.sort_unstable();
        values.dedup();
        if values.len() > 1 && locked().all(|ballot| Some(ballot.view) != highest) {
            self.step.seen.insert(match select(&self.setting.cluster, EPOCH, &request.reports) {
                Selection::Any => Witness::ExclusionFrees,
                _ => Witness::ExclusionBinds,
            });
        }
    }
}
