//! One honest node at work, woken with its record: the kernel's own entry
//! points, each outcome remembered by what went in.

use std::collections::{BTreeSet, HashMap};

use butterfly_kernel::agreement::Durable;
use butterfly_kernel::types::{NodeId, NodeSet, View};

use super::evidence::{Help, Shown};
use super::local::{Id, Local, Public, Values, place};
use super::questions::{Ground, Question};
use super::{Act, Action, Options, State};
use crate::symbolic::{Symbolic, Value};
use crate::world::network::{Breach, Count, Fact};
use crate::world::replica::{Run, Step, Witness};
use crate::world::setting::{Ballot, EPOCH, Machine, Message, Setting, ViewChange};
use crate::world::tables::Numbers;

/// View changes by their numbers, with their authors.
pub(super) type Changes = Vec<(NodeId, u8)>;

/// What was found out about the kernel.
#[derive(Default)]
pub struct Memo {
    /// Honest nodes.
    pub locals: Numbers<Local>,
    publics: Vec<Public>,
    pub(super) changes: Numbers<ViewChange>,
    /// Branches that were taken.
    pub seen: BTreeSet<Witness>,
    moves: HashMap<(NodeId, Id, Stimulus), Option<Id>>,
    pub(super) justified: HashMap<Ground, Values>,
    pub(super) proposals: HashMap<(NodeId, Id, Ground), Vec<Id>>,
    pub(super) acknowledged: HashMap<(NodeId, Changes, Question, Value), bool>,
    convinced: HashMap<(Count, Ballot, NodeSet), bool>,
    /// Contracts that were broken while the kernel was asked a question.
    breaches: BTreeSet<Breach>,
}

/// What a node wakes up to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stimulus {
    TimeOut,
    LateTimer(View),
    Input(Value),
    Proposal(Ballot),
    Tally(Count, Ballot, usize),
    Decision(Count, Ballot, NodeSet),
    Decided(Ballot),
}

impl Memo {
    /// The number of a node before its first step.
    pub fn fresh(&mut self) -> Id {
        self.number(Local::fresh())
    }

    /// What everybody can see of the node in state `local`.
    pub fn public(&self, local: Id) -> &Public {
        &self.publics[usize::from(local)]
    }

    /// What everybody can see of each honest node.
    pub fn publics(&self, setting: &Setting, state: &State) -> Vec<Public> {
        setting.honest().iter().map(|node| *self.public(state.0[node.index()])).collect()
    }

    /// The node in state `local`.
    pub fn local(&self, local: Id) -> &Local {
        self.locals.get(u32::from(local))
    }

    /// The view change with this number.
    pub fn change(&self, number: u8) -> &ViewChange {
        self.changes.get(u32::from(number) - 1)
    }

    fn number(&mut self, local: Local) -> Id {
        let changes = &mut self.changes;
        let public = local.public(|change| number_of(changes, change.clone()));
        let id = Id::try_from(self.locals.number(local)).expect("few local states");
        if self.publics.len() <= usize::from(id) {
            self.publics.push(public);
        }
        id
    }

    /// Everything that the honest nodes can do next, node by node.
    pub fn moves(&mut self, setting: &Setting, options: Options, state: &State) -> Vec<(Action, Id)> {
        let publics = self.publics(setting, state);
        let shown = self.shown(setting, &publics, Help::Any);
        let mut moves = Vec::new();
        for node in setting.honest().iter() {
            if !publics[node.index()].decided {
                self.moves_of(setting, options, state, (node, &publics, &shown), &mut moves);
            }
        }
        if options.decide {
            let unaided = self.shown(setting, &publics, Help::None);
            for (action, local) in &mut moves {
                action.unaided = self.is_unaided(setting, options, state, (&publics, &unaided), action, *local);
            }
        }
        moves
    }

    fn moves_of(
        &mut self,
        setting: &Setting,
        options: Options,
        state: &State,
        (node, publics, shown): (NodeId, &[Public], &Shown),
        moves: &mut Vec<(Action, Id)>,
    ) {
        let local = state.0[node.index()];
        let view = View(u32::from(publics[node.index()].view));
        let mut push = |act, next: Option<Id>| {
            moves.extend(next.map(|next| (Action { node, act, unaided: false }, next)));
        };
        if place(view.next()) < setting.parameters.schedule.len() {
            push(Act::EnterView(view.next()), self.wake(setting, options, node, local, Stimulus::TimeOut));
        }
        for earlier in setting.views().take_while(|earlier| *earlier < view) {
            let late = self.wake(setting, options, node, local, Stimulus::LateTimer(earlier));
            push(Act::EnterView(earlier.next()), late);
        }
        // A node that lost its memory of a view that it entered may be led there again.
        let entered = |earlier: View| publics[node.index()].changes[place(earlier)] != 0;
        for earlier in setting.views().filter(|earlier| *earlier <= view || entered(*earlier)) {
            let ballots = |values: Values| values.iter().map(move |value| Ballot { view: earlier, value });
            if setting.leader(earlier) != node {
                for ballot in ballots(shown.proposals[place(earlier)]) {
                    push(Act::Vote(ballot), self.wake(setting, options, node, local, Stimulus::Proposal(ballot)));
                }
            }
            if setting.cluster.resilience().slow_path() {
                for ballot in Value::VALID.map(|value| Ballot { view: earlier, value }) {
                    let others = setting.supporters(publics, |public| &public.votes, ballot);
                    let others = others.into_iter().filter(|other| *other != node).count();
                    let stimulus = Stimulus::Tally(Count::Votes, ballot, others);
                    push(Act::Commit(ballot), self.wake(setting, options, node, local, stimulus));
                }
            }
        }
        if setting.leader(view) == node {
            if view == View::ZERO {
                for value in Value::VALID {
                    let next = self.wake(setting, options, node, local, Stimulus::Input(value));
                    push(Act::Propose(Ballot { view, value }), next);
                }
            } else {
                let ground = self.ground(setting, publics, shown, view, Help::Any);
                for next in self.proposals(setting, options, node, local, ground) {
                    let new = self.public(next).proposals[place(view)];
                    let old = self.public(local).proposals[place(view)];
                    let value = new.iter().find(|value| !old.contains(*value));
                    push(Act::Propose(Ballot { view, value: value.unwrap_or(Value::UNSAID) }), Some(next));
                }
            }
        }
        if options.decide {
            for (count, ballot, from) in self.quorums(setting, publics, Help::Any) {
                let stimulus = Stimulus::Decision(count, ballot, from.without(node));
                push(Act::Decide(ballot), self.wake(setting, options, node, local, stimulus));
            }
            let decided = setting.honest().iter().filter_map(|other| self.local(state.0[other.index()]).decided);
            let decided: BTreeSet<Ballot> = decided.collect();
            for ballot in decided {
                push(Act::CatchUp(ballot), self.wake(setting, options, node, local, Stimulus::Decided(ballot)));
            }
        }
    }

    /// Whether `action` could have come about without the faulty nodes.
    fn is_unaided(
        &mut self,
        setting: &Setting,
        options: Options,
        state: &State,
        (publics, shown): (&[Public], &Shown),
        action: &Action,
        next: Id,
    ) -> bool {
        let node = action.node;
        match action.act {
            Act::EnterView(_) | Act::CatchUp(_) => true,
            Act::Vote(ballot) => shown.proposals[place(ballot.view)].contains(ballot.value),
            Act::Commit(ballot) => {
                let votes = setting.supporters(publics, |public| &public.votes, ballot);
                votes.len() >= setting.cluster.slow_quorum()
            }
            Act::Propose(ballot) if ballot.view == View::ZERO => true,
            Act::Propose(ballot) => {
                let ground = self.ground(setting, publics, shown, ballot.view, Help::None);
                self.proposals(setting, options, node, state.0[node.index()], ground).contains(&next)
            }
            Act::Decide(ballot) => {
                let local = state.0[node.index()];
                let quorums = self.quorums(setting, publics, Help::None);
                quorums.into_iter().filter(|(_, decided, _)| *decided == ballot).any(|(count, ballot, from)| {
                    let stimulus = Stimulus::Decision(count, ballot, from.without(node));
                    self.wake(setting, options, node, local, stimulus) == Some(next)
                })
            }
        }
    }

    /// Quorums that would convince somebody.
    fn quorums(&mut self, setting: &Setting, publics: &[Public], help: Help) -> Vec<(Count, Ballot, NodeSet)> {
        let mut quorums = Vec::new();
        for view in setting.views() {
            for ballot in Value::ALL.map(|value| Ballot { view, value }) {
                for count in [Count::Votes, Count::Commits] {
                    if count == Count::Commits && !setting.cluster.resilience().slow_path() {
                        continue;
                    }
                    let honest: NodeSet = match count {
                        Count::Votes => setting.supporters(publics, |public| &public.votes, ballot),
                        Count::Commits => setting.supporters(publics, |public| &public.commits, ballot),
                    }
                    .into_iter()
                    .collect();
                    let all = if help == Help::Any { honest.union(setting.helpers(count)) } else { honest };
                    if !honest.is_empty() && self.convinces(setting, count, ballot, all) {
                        quorums.push((count, ballot, all));
                    }
                }
            }
        }
        quorums
    }

    /// Values for which a quorum exists that would convince somebody.
    pub fn decided(&mut self, setting: &Setting, state: &State) -> BTreeSet<Value> {
        let publics = self.publics(setting, state);
        self.quorums(setting, &publics, Help::Any).into_iter().map(|(_, ballot, _)| ballot.value).collect()
    }

    /// Whether the kernel broke its contract on the way to `state`.
    pub fn is_breached(&self, setting: &Setting, state: &State) -> bool {
        !self.breaches.is_empty()
            || setting.honest().iter().any(|node| !self.local(state.0[node.index()]).breaches.is_empty())
    }

    /// Contracts that were broken on the way to `state`.
    pub fn breaches(&self, setting: &Setting, state: &State) -> BTreeSet<Breach> {
        let locals = setting.honest().iter().map(|node| self.local(state.0[node.index()]));
        locals.flat_map(|local| local.breaches.iter()).chain(&self.breaches).copied().collect()
    }

    /// What can be shown to anybody.
    fn shown(&mut self, setting: &Setting, publics: &[Public], help: Help) -> Shown {
        let mut shown = Shown::default();
        for view in setting.views() {
            let here = place(view);
            shown.proposals[here] = match (setting.is_led_by_faulty(view), help) {
                (false, _) => setting.honest_proposals(publics, view),
                (true, Help::None) => Values::default(),
                (true, Help::Any) if view == View::ZERO || setting.forgeries.uncertified_proposal => {
                    Value::ALL.into_iter().fold(Values::default(), Values::with)
                }
                (true, Help::Any) => {
                    let ground = self.ground(setting, publics, &shown, view, help);
                    self.justified(setting, ground)
                }
            };
            shown.locks[here] = match help {
                Help::Any => setting.locks(publics, view),
                Help::None => Values::default(),
            };
        }
        shown
    }

    /// What becomes of the node `me` in state `local`; none if nothing.
    fn wake(&mut self, setting: &Setting, options: Options, me: NodeId, local: Id, stimulus: Stimulus) -> Option<Id> {
        let key = (me, local, stimulus);
        if let Some(next) = self.moves.get(&key) {
            return *next;
        }
        let stimulus = &key.2;
        let before = self.local(local).clone();
        if let Stimulus::Decided(ballot) = stimulus {
            let next = Some(self.number(Local { decided: Some(*ballot), ..before }));
            self.moves.insert(key, next);
            return next;
        }
        let machine = Machine::new(&setting.seat(me), EPOCH, before.durable.clone(), 0);
        let mut run = Run::new(setting, me, machine);
        match stimulus {
            Stimulus::Decided(_) => {}
            Stimulus::TimeOut => run.time_out(before.durable.view),
            Stimulus::LateTimer(view) => run.time_out(*view),
            Stimulus::Input(value) => run.learn(&[*value]),
            Stimulus::Proposal(ballot) => {
                run.learn(&setting.inputs(me));
                let _ = run.receive(
                    setting.leader(ballot.view),
                    Message::Propose { ballot: *ballot, progress: setting.progress(ballot.view) },
                );
            }
            Stimulus::Tally(_, ballot, others) => {
                let honest = setting.honest().iter().filter(|node| *node != me).take(*others);
                for from in honest.chain(setting.faulty().iter()) {
                    let _ = run.receive(from, Message::Vote(*ballot));
                    if run.step.machine.durable().locked != before.durable.locked {
                        break;
                    }
                }
            }
            Stimulus::Decision(count, ballot, from) => {
                // The value comes last, and with it at once the decision.
                for from in from.iter() {
                    let _ = run.receive(from, statement(*count, *ballot));
                }
                run.learn(&[ballot.value]);
                run.step.news.retain(|fact| matches!(fact, Fact::Breach(_)));
                if run.step.machine.decision().is_none() {
                    run.step.machine = Machine::new(&setting.seat(me), EPOCH, before.durable.clone(), 0);
                }
            }
        }
        let next = self.finish(options, &before, run.step);
        self.moves.insert(key, next);
        next
    }

    /// Whether all of `from` together convince a node that stands aside.
    fn convinces(&mut self, setting: &Setting, count: Count, ballot: Ballot, from: NodeSet) -> bool {
        let key = (count, ballot, from);
        if let Some(convinced) = self.convinced.get(&key) {
            return *convinced;
        }
        // Not the leader, who would propose; and one whose own statement is not needed, if there is any.
        let leader = setting.leader(ballot.view);
        let able = || setting.honest().iter().filter(|node| *node != leader);
        let aside = able().find(|node| !from.contains(*node)).or_else(|| able().next());
        let me = aside.expect("an honest node that does not lead");
        let mut durable = Durable::<Symbolic> { view: ballot.view, ..Durable::fresh() };
        if from.contains(me) {
            match count {
                Count::Votes => durable.voted = Some(setting.proposal(ballot)),
                Count::Commits => durable.locked = Some(setting.lock(ballot)),
            }
        }
        let mut run = Run::new(setting, me, Machine::new(&setting.seat(me), EPOCH, durable, 0));
        for from in from.without(me).iter() {
            let _ = run.receive(from, statement(count, ballot));
        }
        run.learn(&[ballot.value]);
        let convinced = run.step.machine.decision().is_some_and(|decision| decision.ballot == ballot);
        // What must convince, whether or not a quorum is bent.
        let quorum = match count {
            Count::Votes => setting.cluster.resilience().fast_quorum(),
            Count::Commits => setting.cluster.resilience().slow_quorum(),
        };
        if !convinced && from.len() >= quorum && Value::VALID.contains(&ballot.value) {
            run.step.news.insert(Fact::Breach(Breach::QuorumIgnored));
        }
        self.note(&run.step);
        self.convinced.insert(key, convinced);
        convinced
    }

    /// The node after a step, or none if it is what it was.
    pub(super) fn finish(&mut self, options: Options, before: &Local, step: Step) -> Option<Id> {
        self.seen.extend(step.seen.iter().copied());
        let mut after = before.clone();
        after.durable = match options.crashes {
            true => step.recorded.unwrap_or_else(|| before.durable.clone()),
            false => step.machine.durable().clone(),
        };
        after.decided = step.machine.decision().map(|decision| decision.ballot).filter(|_| options.decide);
        for fact in step.news {
            match fact {
                Fact::Said { message: Message::CertRequest(_) | Message::CertAck(_), .. } | Fact::Certified(_) => {}
                Fact::Said { message, .. } => {
                    after.said.insert(message);
                }
                Fact::Breach(breach) => {
                    after.breaches.insert(breach);
                }
            }
        }
        (after != *before).then(|| self.number(after))
    }

    pub(super) fn note(&mut self, step: &Step) {
        self.seen.extend(step.seen.iter().copied());
        self.breaches.extend(step.news.iter().filter_map(|fact| match fact {
            Fact::Breach(breach) => Some(*breach),
            _ => None,
        }));
    }
}

/// The number of a view change, from 1: 0 stands for none.
pub(super) fn number_of(changes: &mut Numbers<ViewChange>, change: ViewChange) -> u8 {
    u8::try_from(changes.number(change) + 1).expect("few view changes")
}

fn statement(count: Count, ballot: Ballot) -> Message {
    match count {
        Count::Votes => Message::Vote(ballot),
        Count::Commits => Message::Commit(ballot),
    }
}
