//! One honest node at work, woken with its record: the kernel's own entry
//! points, each outcome remembered by what went in.

use std::collections::{BTreeSet, HashMap};

use butterfly_kernel::agreement::Durable;
use butterfly_kernel::types::{NodeId, NodeSet, View};

use super::evidence::{Help, Shown};
use super::local::{Id, Local, MOST_VIEWS, Public, Values, place};
use super::{Act, Action, Options, State};
use crate::symbolic::{Symbolic, Value};
use crate::world::faulty::request;
use crate::world::network::{Breach, Count, Fact};
use crate::world::replica::{Run, Step, Witness};
use crate::world::setting::{Ballot, EPOCH, MOST_HONEST, Machine, Message, NOTHING, Report, Setting, ViewChange};
use crate::world::tables::Numbers;

/// View changes by their numbers, with their authors.
type Changes = Vec<(NodeId, u8)>;

/// A question that was put to the kernel.
pub struct Answer {
    /// What is to be justified.
    pub ballot: Ballot,
    /// By which reports.
    pub reports: Vec<(NodeId, Report)>,
    /// Whether the kernel finds that it is.
    pub acknowledged: bool,
}

/// What a leader asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Question {
    /// What these members reported.
    About(NodeSet),
    /// Reports of nothing from everybody, whatever they reported.
    Invented,
}

/// Everything that decides which values can be justified in a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Ground {
    view: View,
    /// The view change of each honest node, one more than its number.
    changes: [u8; MOST_HONEST],
    /// The same for the view before, where those pass for current ones.
    stale: [u8; MOST_HONEST],
    /// Who can still acknowledge.
    able: NodeSet,
    /// What faulty nodes can claim.
    shown: Shown,
    help: Help,
}

/// What was found out about the kernel.
#[derive(Default)]
pub struct Memo {
    /// Honest nodes.
    pub locals: Numbers<Local>,
    publics: Vec<Public>,
    changes: Numbers<ViewChange>,
    /// Branches that were taken.
    pub seen: BTreeSet<Witness>,
    moves: HashMap<(NodeId, Id, Stimulus), Option<Id>>,
    justified: HashMap<Ground, Values>,
    proposals: HashMap<(NodeId, Id, Ground), Vec<Id>>,
    acknowledged: HashMap<(NodeId, Changes, Question, Value), bool>,
    convinced: HashMap<(Count, Ballot, NodeSet), bool>,
    /// Contracts that were broken while the kernel was asked a question.
    breaches: BTreeSet<Breach>,
}

impl Setting {
    /// What matters of view changes where nodes that lead no view are
    /// interchangeable: what each leader reports, and how many of the others,
    /// honest or faulty, report what.
    fn without_names(&self, changes: &Changes) -> Vec<(Option<NodeId>, bool, u8)> {
        let mut reports: Vec<_> = changes
            .iter()
            .map(|(node, change)| (Some(*node).filter(|node| self.leads(*node)), self.is_faulty(*node), *change))
            .collect();
        reports.sort_unstable();
        reports
    }
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

    fn ground(&self, setting: &Setting, publics: &[Public], shown: &Shown, view: View, help: Help) -> Ground {
        let none = [0; MOST_HONEST];
        let mut ground =
            Ground { view, changes: none, stale: none, able: NodeSet::EMPTY, shown: Shown::default(), help };
        for node in setting.honest().iter() {
            let public = &publics[node.index()];
            ground.changes[node.index()] = public.changes[place(view)];
            let here = place(view);
            if setting.forgeries.stale_report {
                ground.stale[node.index()] = public.changes[here.saturating_sub(1)];
            }
            let still = usize::from(public.view) == here
                && !public.decided
                && public.votes[here].is_empty()
                && public.commits[here].is_empty();
            if public.changes[here] != 0 && (help == Help::Any || still) {
                ground.able = ground.able.with(node);
            }
        }
        if help == Help::Any {
            for earlier in 0..place(view).min(MOST_VIEWS) {
                ground.shown.proposals[earlier] = shown.proposals[earlier];
                ground.shown.locks[earlier] = shown.locks[earlier];
            }
        }
        ground
    }

    /// Every set of view changes that can be put together on this ground.
    fn selections(&mut self, setting: &Setting, ground: &Ground) -> Vec<Changes> {
        let mut choices: Vec<Changes> = vec![Vec::new()];
        for node in setting.honest().iter() {
            let numbers = [ground.changes[node.index()], ground.stale[node.index()]];
            let without = choices.clone();
            for number in numbers.into_iter().filter(|number| *number != 0) {
                let mut with = without.clone();
                with.iter_mut().for_each(|choice| choice.push((node, number)));
                choices.extend(with);
            }
        }
        if ground.help == Help::Any {
            let claims = setting.claims(&ground.shown, ground.view);
            let claims: Vec<u8> = claims.into_iter().map(|claim| number_of(&mut self.changes, claim)).collect();
            for node in setting.faulty().iter() {
                let mut with = Vec::new();
                for choice in &choices {
                    for claim in &claims {
                        let mut choice = choice.clone();
                        choice.push((node, *claim));
                        with.push(choice);
                    }
                }
                choices.extend(with);
            }
        }
        let enough = setting.reports_asked_about();
        choices.retain(|choice| choice.len() >= enough);
        if setting.parameters.symmetry {
            let mut known = BTreeSet::new();
            choices.retain(|choice| known.insert(setting.without_names(choice)));
        }
        choices
    }

    /// The values that the faulty leader of a view can get acknowledged. The
    /// honest node that was last to enter the view can be asked about all the
    /// others, so whoever of them would acknowledge stands for it.
    fn justified(&mut self, setting: &Setting, ground: Ground) -> Values {
        if let Some(values) = self.justified.get(&ground) {
            return *values;
        }
        let mut values = Values::default();
        let missing = setting.cluster.progress_quorum().saturating_sub(setting.faulty().len());
        let selections = self.selections(setting, &ground);
        for value in Value::ALL {
            let acknowledged = missing == 0
                || selections.iter().any(|changes| {
                    let here = changes.iter().filter(|(_, change)| self.change(*change).view == ground.view);
                    let ackers: Vec<NodeId> =
                        here.map(|(node, _)| *node).filter(|node| !setting.is_faulty(*node)).collect();
                    let about = Question::About(changes.iter().map(|(node, _)| *node).collect());
                    let acks = ackers
                        .into_iter()
                        .filter(|acker| self.acknowledges(setting, *acker, ground.view, changes, about, value));
                    acks.take(missing).count() == missing
                })
                || self.is_deceived(setting, &ground, value, missing);
            if acknowledged {
                values = values.with(value);
            }
        }
        self.justified.insert(ground, values);
        values
    }

    /// Every question that a faulty leader could put in some state that was
    /// met, with the answer of an honest node that it is about.
    pub fn answers(&mut self, setting: &Setting) -> Vec<Answer> {
        let grounds: Vec<Ground> = self.justified.keys().copied().collect();
        let mut answers = Vec::new();
        for ground in grounds {
            for changes in self.selections(setting, &ground) {
                let about = Question::About(changes.iter().map(|(node, _)| *node).collect());
                let current = changes.iter().filter(|(_, change)| self.change(*change).view == ground.view);
                let Some(acker) = current.map(|(node, _)| *node).find(|node| !setting.is_faulty(*node)) else {
                    continue;
                };
                for value in Value::VALID {
                    let reports = changes.iter().map(|(node, change)| (*node, self.change(*change).report())).collect();
                    let acknowledged = self.acknowledges(setting, acker, ground.view, &changes, about, value);
                    answers.push(Answer { ballot: Ballot { view: ground.view, value }, reports, acknowledged });
                }
            }
        }
        answers
    }

    /// Whether honest nodes acknowledge a question that names reports which
    /// nobody made.
    fn is_deceived(&mut self, setting: &Setting, ground: &Ground, value: Value, missing: usize) -> bool {
        let entered: Changes = setting
            .honest()
            .iter()
            .filter(|node| ground.changes[node.index()] != 0)
            .map(|node| (node, ground.changes[node.index()]))
            .collect();
        let honest_said_so = entered.len() + setting.faulty().len() >= setting.cluster.members().len()
            && entered.iter().all(|(_, change)| self.change(*change).report() == NOTHING);
        if honest_said_so {
            return false;
        }
        let ackers: Vec<NodeId> = entered.iter().map(|(node, _)| *node).collect();
        let acks = ackers
            .into_iter()
            .filter(|acker| self.acknowledges(setting, *acker, ground.view, &entered, Question::Invented, value));
        acks.count() >= missing
    }

    /// Whether `acker`, just after it entered `view`, acknowledges `value` when
    /// it holds `changes` and its leader asks about them.
    fn acknowledges(
        &mut self,
        setting: &Setting,
        acker: NodeId,
        view: View,
        changes: &Changes,
        question: Question,
        value: Value,
    ) -> bool {
        let key = (acker, changes.clone(), question, value);
        if let Some(acknowledges) = self.acknowledged.get(&key) {
            return *acknowledges;
        }
        let own = changes.iter().find(|(node, _)| *node == acker).map(|(_, change)| self.change(*change));
        let durable = Durable {
            view,
            voted: own.and_then(|change| change.voted.clone()),
            locked: own.and_then(|change| change.locked.clone()),
            proposed: None,
        };
        let ballot = Ballot { view, value };
        let mut run = Run::new(setting, acker, Machine::new(&setting.seat(acker), EPOCH, durable, 0));
        run.learn(&setting.inputs(acker));
        for (from, change) in changes.iter().filter(|(from, _)| *from != acker) {
            let _ = run.receive(*from, Message::ViewChange(self.change(*change).clone()));
        }
        let question = match question {
            Question::About(members) => {
                let named = changes.iter().filter(|(node, _)| members.contains(*node));
                request(ballot, named.map(|(node, change)| (*node, self.change(*change).report())))
            }
            Question::Invented => request(ballot, setting.cluster.members().iter().map(|node| (node, NOTHING))),
        };
        let _ = run.receive(setting.leader(view), Message::CertRequest(question.clone()));
        let acknowledges = run.said().any(|message| *message == Message::CertAck(ballot));
        if acknowledges {
            run.note_exclusion(&question);
        }
        self.note(&run.step);
        self.acknowledged.insert(key, acknowledges);
        acknowledges
    }

    /// What the honest leader `node` of a later view can propose.
    fn proposals(&mut self, setting: &Setting, options: Options, node: NodeId, local: Id, ground: Ground) -> Vec<Id> {
        if let Some(proposals) = self.proposals.get(&(node, local, ground)) {
            return proposals.clone();
        }
        let mut proposals = Vec::new();
        let selections = self.selections(setting, &ground).into_iter().filter(|changes| {
            // Its own is in its table in any case.
            changes.iter().any(|(author, _)| *author == node)
        });
        // The leader asks as soon as it can, so it matters who is heard last.
        let selections = selections.flat_map(|changes| {
            let backwards = changes.iter().rev().copied().collect();
            [changes, backwards]
        });
        for changes in selections.collect::<Vec<Changes>>() {
            // It proposes one value, and everything else of its step is the same.
            if proposals.len() == Value::VALID.len() {
                break;
            }
            for order in setting.orders() {
                for learns_first in [true, false] {
                    let next = self.propose(setting, options, (node, local), &ground, &changes, &order, learns_first);
                    proposals.extend(next.filter(|next| !proposals.contains(next)));
                }
            }
        }
        self.proposals.insert((node, local, ground), proposals.clone());
        proposals
    }

    #[allow(clippy::too_many_arguments, reason = "one delivery, spelled out")]
    fn propose(
        &mut self,
        setting: &Setting,
        options: Options,
        (node, local): (NodeId, Id),
        ground: &Ground,
        changes: &Changes,
        order: &[Value],
        learns_first: bool,
    ) -> Option<Id> {
        let view = ground.view;
        let before = self.local(local).clone();
        let machine = Machine::new(&setting.seat(node), EPOCH, before.durable.clone(), 0);
        let mut run = Run::new(setting, node, machine);
        // Either it knows all values by now, whichever it knew first, or only
        // that of its vote, the payload of which is in its record.
        let voted = before.durable.voted.as_ref().map(|proposal| proposal.ballot.value);
        run.learn(if learns_first { order } else { voted.as_slice() });
        for (from, change) in changes.iter().filter(|(from, _)| *from != node) {
            let _ = run.receive(*from, Message::ViewChange(self.change(*change).clone()));
        }
        if !learns_first {
            run.learn(order);
        }
        let asked = run.said().find_map(|message| match message {
            Message::CertRequest(request) => Some(request.clone()),
            _ => None,
        })?;
        let value = asked.ballot.value;
        let named: Changes = changes.iter().filter(|(from, _)| asked.reports.contains(from)).copied().collect();
        let about = Question::About(named.iter().map(|(from, _)| *from).collect());
        let mut ackers = Vec::new();
        for acker in ground.able.iter().filter(|acker| *acker != node) {
            let mut held = named.clone();
            if !asked.reports.contains(&acker) {
                // Its own is in its table too, and not asked about.
                held.push((acker, ground.changes[acker.index()]));
            }
            if self.acknowledges(setting, acker, view, &held, about, value) {
                ackers.push(acker);
            }
        }
        if ground.help == Help::Any {
            ackers.extend(setting.faulty().iter());
        }
        for acker in ackers {
            let _ = run.receive(acker, Message::CertAck(Ballot { view, value }));
        }
        self.finish(options, &before, run.step)
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
    fn finish(&mut self, options: Options, before: &Local, step: Step) -> Option<Id> {
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

    fn note(&mut self, step: &Step) {
        self.seen.extend(step.seen.iter().copied());
        self.breaches.extend(step.news.iter().filter_map(|fact| match fact {
            Fact::Breach(breach) => Some(*breach),
            _ => None,
        }));
    }
}

/// The number of a view change, from 1: 0 stands for none.
fn number_of(changes: &mut Numbers<ViewChange>, change: ViewChange) -> u8 {
    u8::try_from(changes.number(change) + 1).expect("few view changes")
}

fn statement(count: Count, ballot: Ballot) -> Message {
    match count {
        Count::Votes => Message::Vote(ballot),
        Count::Commits => Message::Commit(ballot),
    }
}
