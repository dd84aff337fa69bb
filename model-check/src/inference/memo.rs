//! What the kernel makes of each thing that can happen to a node, each found
//! out once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use butterfly_kernel::machine::Timer;
use butterfly_kernel::message::agreement::{Ballot, CertRequest, Report, ViewChange};
use butterfly_kernel::message::inference::{History, Signals};
use butterfly_kernel::message::{AgreementMessage, Message};
use butterfly_kernel::types::{NodeId, NodeSet, Position, Stage, View};

use super::awake::Awake;
use super::evidence::{all_reported, attesters, holders, progress, reported, reporters};
use super::local::Local;
use super::setting::{EPOCH, Setting, Signal};
use super::values::{Id as ValueId, Values, attestation};
use super::{Act, Action, State, Witness};
use crate::world::network::Breach;
use crate::world::tables::{Id, Numbers};

/// What a member reported when it left for a view: the value it had voted for.
pub(super) type Reports = Vec<(NodeId, Option<(View, ValueId)>)>;

/// What happens to a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stimulus {
    /// Somebody lacks what a stage gives, and asks for it.
    Pull(NodeId, Stage),
    /// The owners of a stage have had their time.
    TimeUp(Stage),
    /// Two members of a stage tell different things.
    Dispute(Stage, (NodeId, Signal), (NodeId, Signal)),
    /// These members agree on the input of a stage, which the host computes.
    Input(Stage, Signal, NodeSet),
    /// These members agree on what a stage gives.
    Output(Stage, Signal, NodeSet),
    /// For each stage these members attest what a value says about it.
    Attestations(ValueId, Vec<NodeSet>),
    /// The payload of a value comes, with so many attestations for each stage.
    Payload(ValueId, usize),
    /// The leader of a view proposes, with what justifies it.
    Proposal(View, ValueId),
    /// The time of a view is over.
    TimeOut(View),
    /// These members are in the view, or beyond, and reported this.
    Changes(View, Reports),
    /// The same to the leader of the view; and these acknowledge what it asks.
    Lead(View, Reports, NodeSet),
    /// It loses what is not on its disk.
    Crash,
    /// It asks for earlier inputs of a stage. These members have them.
    Recover(Stage, NodeSet),
}

/// What was found out so far.
pub struct Memo {
    /// Every value.
    pub values: Values,
    locals: Numbers<Local>,
    /// Branches that were taken.
    pub seen: BTreeSet<Witness>,
    moves: HashMap<(NodeId, Id, Stimulus), Option<Id>>,
    questions: HashMap<(NodeId, Id, View, Reports), Option<ValueId>>,
    acknowledged: HashMap<(NodeId, Id, View, Reports, ValueId), bool>,
    /// A stage certificate of f attestations passes; it must not.
    short_certificates: bool,
}

impl Memo {
    /// Nothing yet.
    pub fn new(setting: &Setting) -> Memo {
        let values = Values::new(setting);
        let few = setting.cluster.resilience().f();
        let short_certificates = setting.cluster.payload_is_genuine(&values.get(0).payload(setting, few));
        Memo {
            values,
            locals: Numbers::default(),
            seen: BTreeSet::new(),
            moves: HashMap::new(),
            questions: HashMap::new(),
            acknowledged: HashMap::new(),
            short_certificates,
        }
    }

    /// The number of the node `me` before its first step.
    pub fn first(&mut self, setting: &Setting, me: NodeId) -> Id {
        self.locals.number(Local::first(setting, me))
    }

    /// The node in state `local`.
    pub fn local(&self, local: Id) -> Arc<Local> {
        self.locals.share(local)
    }

    /// Each honest node.
    pub fn locals(&self, setting: &Setting, state: &State) -> Vec<Arc<Local>> {
        setting.honest().iter().map(|node| self.local(state.0[node.index()])).collect()
    }

    /// Everything that the honest nodes can do next, node by node.
    pub fn moves(&mut self, setting: &Setting, state: &State) -> Vec<(Action, Id)> {
        let locals = self.locals(setting, state);
        let proposed: Vec<(View, ValueId)> = setting
            .views()
            .flat_map(|view| self.proposed(setting, state, &locals, view).into_iter().map(move |value| (view, value)))
            .collect();
        let mut moves = Vec::new();
        for node in setting.honest().iter() {
            let mut happenings = Vec::new();
            for stage in setting.stages().filter(|stage| setting.assigned(*stage).contains(node)) {
                computing(setting, &locals, node, stage, &mut happenings);
            }
            self.payloads(setting, &locals, node, &mut happenings);
            for (view, value) in proposed.iter().copied() {
                if setting.leader(view) != node {
                    happenings.push((Act::Vote(value), Stimulus::Proposal(view, value)));
                }
            }
            self.changing(setting, state, &locals, node, &mut happenings);
            if setting.parameters.restarts {
                happenings.push((Act::Restart, Stimulus::Crash));
            }
            for (act, stimulus) in happenings {
                let next = self.wake(setting, node, state.0[node.index()], stimulus);
                moves.extend(next.map(|next| (Action { node, act }, next)));
            }
        }
        moves
    }

    /// Everything that can complete a payload.
    fn payloads(&self, setting: &Setting, locals: &[Arc<Local>], node: NodeId, happenings: &mut Vec<(Act, Stimulus)>) {
        let quorum = setting.cluster.resilience().attestation_quorum();
        for (value, says) in self.values.iter() {
            if locals[node.index()].candidates.contains(&value) {
                continue;
            }
            let signers: Vec<NodeSet> =
                setting.stages().map(|stage| attesters(setting, locals, stage, says.attested(stage))).collect();
            let told = signers.iter().map(|signers| signers.with(setting.liar())).collect();
            happenings.push((Act::Certify(value), Stimulus::Attestations(value, told)));
            if signers.iter().all(|signers| signers.len() >= quorum) {
                happenings.push((Act::Certify(value), Stimulus::Payload(value, quorum)));
            }
            if self.short_certificates {
                happenings.push((Act::Certify(value), Stimulus::Payload(value, quorum - 1)));
            }
            if locals.iter().any(|other| other.candidates.contains(&value)) {
                happenings.push((Act::Fetch(value), Stimulus::Payload(value, quorum)));
            }
        }
    }

    /// What a member can hear proposed in `view`.
    fn proposed(&mut self, setting: &Setting, state: &State, locals: &[Arc<Local>], view: View) -> BTreeSet<ValueId> {
        let leader = setting.leader(view);
        if let Some(leads) = locals.get(leader.index()) {
            let ballots = leads.said.iter().filter_map(|statement| match statement {
                AgreementMessage::Propose { ballot, .. } if ballot.view == view => Some(ballot.value),
                _ => None,
            });
            return ballots.filter_map(|digest| self.values.find(digest)).collect();
        }
        let held: BTreeSet<ValueId> = locals.iter().flat_map(|local| local.candidates.iter().copied()).collect();
        if view == View::ZERO {
            // One that is held nowhere stands for all of those.
            let unheld = self.values.iter().map(|(value, _)| value).find(|value| !held.contains(value));
            return held.into_iter().chain(unheld).collect();
        }
        held.into_iter().filter(|value| self.is_justified(setting, state, locals, view, *value)).collect()
    }

    /// Whether the liar, who leads `view`, can show that `value` is justified.
    fn is_justified(
        &mut self,
        setting: &Setting,
        state: &State,
        locals: &[Arc<Local>],
        view: View,
        value: ValueId,
    ) -> bool {
        let missing = setting.cluster.progress_quorum() - 1;
        reported(&self.values, setting, locals, view).into_iter().any(|reports| {
            let ackers = setting.honest().iter();
            let acks = ackers
                .filter(|acker| self.acknowledges(setting, *acker, state.0[acker.index()], view, &reports, value));
            acks.take(missing).count() == missing
        })
    }

    /// Leaving a view, and leading the next.
    fn changing(
        &mut self,
        setting: &Setting,
        state: &State,
        locals: &[Arc<Local>],
        node: NodeId,
        happenings: &mut Vec<(Act, Stimulus)>,
    ) {
        let here = locals[node.index()].memory.agreement.view;
        for view in setting.views().skip(1) {
            if here.next() == view {
                happenings.push((Act::EnterView(view), Stimulus::TimeOut(here)));
            }
            for reports in reported(&self.values, setting, locals, view) {
                let act = if setting.leader(view) == node && here >= view {
                    Act::Propose(view)
                } else {
                    Act::EnterView(view)
                };
                if setting.leader(view) == node {
                    let Some(asked) = self.question(setting, node, state.0[node.index()], view, &reports) else {
                        continue;
                    };
                    let others = setting.honest().without(node).iter();
                    let ackers: NodeSet = others
                        .filter(|acker| {
                            self.acknowledges(setting, *acker, state.0[acker.index()], view, &reports, asked)
                        })
                        .collect();
                    let ackers = ackers.with(setting.liar());
                    happenings.push((act, Stimulus::Lead(view, reports, ackers)));
                } else if here < view {
                    happenings.push((act, Stimulus::Changes(view, reports)));
                }
            }
            // Fewer than lead to a proposal may be enough to follow.
            if here < view {
                for reports in all_reported(&self.values, setting, locals, view) {
                    happenings.push((Act::EnterView(view), Stimulus::Changes(view, reports)));
                }
            }
        }
    }

    /// What the leader of `view` asks about when it hears `reports`.
    fn question(&mut self, setting: &Setting, me: NodeId, local: Id, view: View, reports: &Reports) -> Option<ValueId> {
        let key = (me, local, view, reports.clone());
        if let Some(asked) = self.questions.get(&key) {
            return *asked;
        }
        let before = self.local(local);
        let mut awake = Awake::new(setting, &self.values, me, &before);
        self.tell_reports(setting, &mut awake, view, reports);
        let asked = awake.sent().find_map(|message| match message {
            AgreementMessage::CertRequest(request) => self.values.find(request.ballot.value),
            _ => None,
        });
        self.questions.insert(key, asked);
        asked
    }

    /// Whether `acker` acknowledges `value` when it holds `reports` and the
    /// leader of `view` asks about them.
    fn acknowledges(
        &mut self,
        setting: &Setting,
        acker: NodeId,
        local: Id,
        view: View,
        reports: &Reports,
        value: ValueId,
    ) -> bool {
        let key = (acker, local, view, reports.clone(), value);
        if let Some(acknowledged) = self.acknowledged.get(&key) {
            return *acknowledged;
        }
        let before = self.local(local);
        let ballot = Ballot { view, value: self.values.get(value).digest };
        // It is in the view already: what it does to get there is a step of its own.
        let acknowledged = before.memory.agreement.view == view && {
            let mut awake = Awake::new(setting, &self.values, acker, &before);
            self.tell_reports(setting, &mut awake, view, reports);
            let report = |voted: &Option<(View, ValueId)>| Report {
                voted: voted.map(|(view, value)| Ballot { view, value: self.values.get(value).digest }),
                locked: None,
            };
            let mut named = CertRequest { ballot, reports: butterfly_kernel::bounded::Map::new() };
            for (node, voted) in reports {
                named.reports.insert(*node, report(voted)).expect("a place for each member");
            }
            awake.hear(setting.leader(view), AgreementMessage::CertRequest(named));
            awake.sent().any(|message| *message == AgreementMessage::CertAck(ballot))
        };
        self.acknowledged.insert(key, acknowledged);
        acknowledged
    }

    fn tell_reports(&self, setting: &Setting, awake: &mut Awake<'_>, view: View, reports: &Reports) {
        for (from, voted) in reports {
            let voted = voted.map(|(earlier, value)| {
                let ballot = Ballot { view: earlier, value: self.values.get(value).digest };
                butterfly_kernel::message::agreement::Proposal {
                    ballot,
                    signature: crate::symbolic::Signature::Genuine,
                    progress: progress(setting, earlier),
                }
            });
            awake.hear(*from, AgreementMessage::ViewChange(ViewChange { view, voted, locked: None }));
        }
    }

    /// What becomes of the node `me` in state `local`; none if nothing.
    fn wake(&mut self, setting: &Setting, me: NodeId, local: Id, stimulus: Stimulus) -> Option<Id> {
        let key = (me, local, stimulus);
        if let Some(next) = self.moves.get(&key) {
            return *next;
        }
        let before = self.local(local);
        let after = self.meet(setting, me, &before, &key.2);
        self.look_at(setting, me, &key.2, &before, &after);
        let next = (after != *before).then(|| self.locals.number(after));
        self.moves.insert(key, next);
        next
    }

    fn meet(&self, setting: &Setting, me: NodeId, before: &Local, stimulus: &Stimulus) -> Local {
        if *stimulus == Stimulus::Crash {
            return Awake::new(setting, &self.values, me, &before.crashed(setting, me)).rest();
        }
        let mut awake = Awake::new(setting, &self.values, me, before);
        match stimulus {
            Stimulus::Crash => {}
            Stimulus::Pull(from, stage) => awake.pull(*from, *stage),
            Stimulus::TimeUp(stage) => awake.run_out(Timer::Escalate { epoch: EPOCH, stage: *stage }),
            Stimulus::Dispute(stage, (one, signal), (other, dissents)) => {
                awake.report(*one, *stage, *signal);
                awake.report(*other, *stage, *dissents);
            }
            Stimulus::Input(stage, signal, from) => {
                if let Some(stage) = stage.0.checked_sub(1).map(Stage) {
                    from.iter().for_each(|from| awake.report(from, stage, *signal));
                }
                awake.answer(*stage);
            }
            Stimulus::Output(stage, signal, from) => from.iter().for_each(|from| awake.report(from, *stage, *signal)),
            Stimulus::Attestations(value, signers) => {
                for (stage, signers) in setting.stages().zip(signers) {
                    let attest = attestation(setting, stage, self.values.get(*value).attested(stage));
                    signers.iter().for_each(|from| awake.receive(from, Message::Attest(attest.clone())));
                }
            }
            Stimulus::Payload(value, attestations) => awake.supply(*value, *attestations),
            Stimulus::Proposal(view, value) => {
                let ballot = Ballot { view: *view, value: self.values.get(*value).digest };
                let propose = AgreementMessage::Propose { ballot, progress: progress(setting, *view) };
                awake.hear(setting.leader(*view), propose);
            }
            Stimulus::TimeOut(view) => awake.run_out(Timer::View { epoch: EPOCH, view: *view }),
            Stimulus::Changes(view, reports) => self.tell_reports(setting, &mut awake, *view, reports),
            Stimulus::Lead(view, reports, ackers) => {
                self.tell_reports(setting, &mut awake, *view, reports);
                let asked = awake.sent().find_map(|message| match message {
                    AgreementMessage::CertRequest(request) => Some(request.ballot),
                    _ => None,
                });
                if let Some(ballot) = asked {
                    ackers.iter().for_each(|acker| awake.hear(acker, AgreementMessage::CertAck(ballot)));
                }
            }
            Stimulus::Recover(stage, able) => {
                let [mut silent, lied_to] = [false, true].map(|lies| {
                    let mut awake = Awake::new(setting, &self.values, me, before);
                    recover(setting, &mut awake, *stage, *able, lies);
                    awake.rest()
                });
                if silent != lied_to {
                    silent.breaches.extend(lied_to.breaches);
                    silent.breaches.insert(Breach::LieMatters);
                }
                return silent;
            }
        }
        awake.rest()
    }

    /// Notes the branch that a step went through.
    fn look_at(&mut self, setting: &Setting, me: NodeId, stimulus: &Stimulus, before: &Local, after: &Local) {
        let view = |local: &Local| local.memory.agreement.view;
        let voted_again =
            before.memory.agreement.voted.is_some() && after.memory.agreement.voted != before.memory.agreement.voted;
        let branches = [
            (
                Witness::StepsIn,
                setting.stages().any(|stage| after.working[stage.index()] && !before.working[stage.index()]),
            ),
            (
                Witness::PutsTogether,
                matches!(stimulus, Stimulus::Attestations(..)) && after.candidates != before.candidates,
            ),
            (Witness::Joins, matches!(stimulus, Stimulus::Changes(..)) && view(after) > view(before)),
            (Witness::Leads, matches!(stimulus, Stimulus::Lead(..)) && after.said != before.said),
            (Witness::Carries, voted_again && setting.leader(view(after)) != me),
            (Witness::Recovers, after.past != before.past && *stimulus != Stimulus::Crash),
        ];
        self.seen.extend(branches.into_iter().filter(|(_, taken)| *taken).map(|(witness, _)| witness));
    }
}

/// What can happen to `node` about `stage`.
fn computing(
    setting: &Setting,
    locals: &[Arc<Local>],
    node: NodeId,
    stage: Stage,
    happenings: &mut Vec<(Act, Stimulus)>,
) {
    let local = &locals[node.index()];
    let liar = setting.liar();
    if !local.working[stage.index()] {
        happenings.push((Act::Escalate(stage), Stimulus::Pull(liar, stage)));
        happenings.push((Act::Escalate(stage), Stimulus::TimeUp(stage)));
        let lied = setting.liars(stage).iter().next();
        let told = setting.honest().iter().filter(|other| *other != node);
        let told = told.filter_map(|other| Some((other, locals[other.index()].computed[stage.index()]?.output)));
        for (other, signal) in told {
            let dissents = if signal == Signal::WRONG { Signal::RIGHT } else { Signal::WRONG };
            happenings.extend(
                lied.map(|liar| (Act::Escalate(stage), Stimulus::Dispute(stage, (other, signal), (liar, dissents)))),
            );
        }
    }
    match stage.0.checked_sub(1).map(Stage) {
        None => happenings.push((Act::Compute(stage), Stimulus::Input(stage, Signal::RIGHT, NodeSet::EMPTY))),
        Some(before) => {
            for signal in Signal::ALL {
                let reporters = reporters(setting, locals, before, signal);
                if !reporters.is_empty() {
                    happenings.push((Act::Compute(stage), Stimulus::Input(stage, signal, reporters)));
                }
            }
        }
    }
    if let Some(own) = local.computed[stage.index()].filter(|_| !local.attested[stage.index()]) {
        let reporters = reporters(setting, locals, stage, own.output);
        happenings.push((Act::Attest(stage), Stimulus::Output(stage, own.output, reporters)));
    }
    if !local.past[stage.index()] {
        let able = holders(setting, locals, node, stage);
        happenings.push((Act::Recover(stage), Stimulus::Recover(stage, able)));
    }
}

/// Asks one after the other until somebody has what is lacking. The liar says
/// nothing, or lies.
fn recover(setting: &Setting, awake: &mut Awake<'_>, stage: Stage, able: NodeSet, lies: bool) {
    let history = |signal: Signal| {
        let signals: Signals = [signal.bytes()].into_iter().collect();
        Message::History(History { run: setting.run.id, stage, position: Position(0), signals })
    };
    for _ in 0..=2 * setting.cluster.members().len() {
        match awake.recalled() {
            Some(from) if able.contains(from) => awake.receive(from, history(Signal::OLD)),
            Some(from) if from == setting.liar() && lies => awake.receive(from, history(Signal::WRONG)),
            _ => {}
        }
        if awake.has_past(stage) {
            return;
        }
        awake.ask_again();
    }
}
