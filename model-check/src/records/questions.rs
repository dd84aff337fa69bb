//! What a leader may ask, who acknowledges it, and which values that justifies.

use std::collections::BTreeSet;

use butterfly_kernel::agreement::Durable;
use butterfly_kernel::types::{NodeId, NodeSet, View};

use super::Options;
use super::evidence::{Help, Shown};
use super::local::{Id, MOST_VIEWS, Public, Values, place};
use super::wake::{Changes, Memo, number_of};
use crate::symbolic::Value;
use crate::world::faulty::request;
use crate::world::replica::Run;
use crate::world::setting::{Ballot, EPOCH, MOST_HONEST, Machine, Message, NOTHING, Report, Setting};

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
pub(super) enum Question {
    /// What these members reported.
    About(NodeSet),
    /// Reports of nothing from everybody, whatever they reported.
    Invented,
}

/// Everything that decides which values can be justified in a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ground {
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

impl Memo {
    pub(super) fn ground(
        &self,
        setting: &Setting,
        publics: &[Public],
        shown: &Shown,
        view: View,
        help: Help,
    ) -> Ground {
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
    pub(super) fn justified(&mut self, setting: &Setting, ground: Ground) -> Values {
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
    pub(super) fn proposals(
        &mut self,
        setting: &Setting,
        options: Options,
        node: NodeId,
        local: Id,
        ground: Ground,
    ) -> Vec<Id> {
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
}
