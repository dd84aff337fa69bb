//! One honest node at work. It holds again what it had acted on, and nothing
//! else of what it may have heard.

use std::collections::{BTreeMap, BTreeSet};

use butterfly_kernel::inference::run::first_link;
use butterfly_kernel::machine::{Input, Output, Timer};
use butterfly_kernel::message::inference::{Pull, StageOutput};
use butterfly_kernel::message::{AgreementMessage, Message};
use butterfly_kernel::types::{NodeId, NodeSet, Nonce, Position, Stage};

use super::local::Local;
use super::setting::{POSITION, Setting, Signal};
use super::values::{Computation, Values, attestation};
use crate::host::Host;
use crate::symbolic::exact::Exact;
use crate::world::network::Breach;
use crate::world::setting::MEMBERS;

/// A node that runs.
pub(super) struct Awake<'a> {
    setting: &'a Setting,
    values: &'a Values,
    me: NodeId,
    host: Host<'a>,
    local: Local,
    /// Stages that the host was asked to compute, and did not yet.
    asked: BTreeSet<Stage>,
    /// The input of each stage, once it is certain.
    inputs: BTreeMap<Stage, Signal>,
    /// Timers that run.
    timers: BTreeSet<Timer>,
    /// All that it sent in this life.
    sent: Vec<Message<Exact, MEMBERS>>,
    /// Whom it asked last for earlier inputs.
    recalled: Option<NodeId>,
    /// What it was told of the earlier input of each stage, and the host keeps.
    restored: BTreeMap<Stage, Signal>,
}

impl<'a> Awake<'a> {
    /// The node `me`, which had come as far as `local`.
    pub(super) fn new(setting: &'a Setting, values: &'a Values, me: NodeId, local: &Local) -> Awake<'a> {
        let record = local.memory.clone();
        let host = Host::new(&setting.cluster, setting.honest(), me, Some(record), local.disk.clone());
        let mut awake = Awake {
            setting,
            values,
            me,
            host,
            local: local.clone(),
            asked: BTreeSet::new(),
            inputs: [(Stage(0), Signal::RIGHT)].into(),
            timers: BTreeSet::new(),
            sent: Vec::new(),
            recalled: None,
            restored: BTreeMap::new(),
        };
        awake.input(Input::Start { nonce: Nonce([0; 16]) });
        awake.recollect(local);
        awake
    }

    /// Hears again what had made it do what it did.
    fn recollect(&mut self, local: &Local) {
        for stage in self.setting.stages() {
            if local.working[stage.index()] && !self.works(stage) {
                self.step_in(stage);
            }
            if let Some(computation) = local.computed[stage.index()] {
                if let Some(before) = stage.0.checked_sub(1).map(Stage) {
                    self.make_certain(before, computation.input);
                }
                self.answer(stage);
            }
            if let Some(computation) = local.computed[stage.index()].filter(|_| local.attested[stage.index()]) {
                self.make_certain(stage, computation.output);
            }
        }
        for value in &local.candidates {
            self.supply(*value, self.setting.cluster.resilience().attestation_quorum());
        }
    }

    fn works(&self, stage: Stage) -> bool {
        self.host.node.standing(stage).is_some_and(|standing| standing.works)
    }

    fn step_in(&mut self, stage: Stage) {
        for from in self.others() {
            self.pull(from, stage);
        }
        for (from, signal) in self.others().zip(Signal::ALL) {
            if !self.works(stage) {
                self.report(from, stage, signal);
            }
        }
    }

    /// As many members agree on what `stage` gives as are needed.
    fn make_certain(&mut self, stage: Stage, signal: Signal) {
        let quorum = self.setting.cluster.resilience().attestation_quorum();
        let own = self.local.computed[stage.index()].is_some_and(|own| own.output == signal);
        let others = self.setting.assigned(stage).without(self.me);
        for from in others.iter().take(quorum - usize::from(own)) {
            self.report(from, stage, signal);
        }
    }

    /// Everybody else, the liar first.
    fn others(&self) -> impl Iterator<Item = NodeId> + use<> {
        let others: Vec<NodeId> = self.setting.cluster.members().without(self.me).iter().collect();
        others.into_iter().rev()
    }

    /// `from` lacks what `stage` gives.
    pub(super) fn pull(&mut self, from: NodeId, stage: Stage) {
        self.receive(from, Message::Pull(Pull { run: self.setting.run.id, stage, position: POSITION }));
    }

    /// `from` tells what `stage` gives.
    pub(super) fn report(&mut self, from: NodeId, stage: Stage, signal: Signal) {
        let output = StageOutput { run: self.setting.run.id, stage, position: POSITION, signal: signal.bytes() };
        self.receive(from, Message::StageOutput(output));
    }

    /// The payload of `value` comes, with so many attestations for each stage.
    pub(super) fn supply(&mut self, value: super::values::Id, attestations: usize) {
        let payload = self.values.get(value).payload(self.setting, attestations);
        self.receive(self.setting.liar(), Message::Payload(payload));
    }

    /// `from` says `message`, which arrives if the kernel's verification lets it pass.
    pub(super) fn receive(&mut self, from: NodeId, message: Message<Exact, MEMBERS>) {
        if from != self.me {
            let outputs = self.host.receive(from, message);
            self.note(outputs);
        }
    }

    /// The same for a message of the agreement on the part.
    pub(super) fn hear(&mut self, from: NodeId, message: AgreementMessage<Exact, MEMBERS>) {
        self.receive(from, Message::Agreement { epoch: super::setting::EPOCH, message });
    }

    /// `timer` runs out, if it was set.
    pub(super) fn run_out(&mut self, timer: Timer) {
        if self.timers.contains(&timer) {
            self.input(Input::Timer(timer));
        }
    }

    /// A round of asking is over.
    pub(super) fn ask_again(&mut self) {
        self.input(Input::Timer(Timer::Retransmit));
    }

    /// The host computes `stage`, if it was asked to.
    pub(super) fn answer(&mut self, stage: Stage) {
        let Some(input) = self.inputs.get(&stage).copied().filter(|_| self.asked.remove(&stage)) else { return };
        let output = self.setting.gives(stage, input);
        self.local.computed[stage.index()] = Some(Computation { input, output });
        let run = self.setting.run.id;
        self.input(Input::Computed { run, stage, position: POSITION, signal: output.bytes(), asker: None });
    }

    /// Whom it asked last for earlier inputs.
    pub(super) fn recalled(&self) -> Option<NodeId> {
        self.recalled
    }

    /// Whether the host has the earlier inputs of `stage`.
    pub(super) fn has_past(&self, stage: Stage) -> bool {
        self.host.node.standing(stage).is_some_and(|standing| standing.has_past)
    }

    /// All that it sent in this life.
    pub(super) fn sent(&self) -> impl Iterator<Item = &AgreementMessage<Exact, MEMBERS>> {
        self.sent.iter().filter_map(|message| match message {
            Message::Agreement { message, .. } => Some(message),
            _ => None,
        })
    }

    /// What is left of it between two steps. It has said again all that it
    /// says when nothing moves.
    pub(super) fn rest(mut self) -> Local {
        for _ in 0..2 {
            self.ask_again();
        }
        for stage in self.setting.stages() {
            let is_assigned = self.setting.assigned(stage).contains(self.me);
            self.local.working[stage.index()] = self.works(stage);
            self.local.past[stage.index()] = !is_assigned || self.has_past(stage);
            let told = self.restored.get(&stage).filter(|_| self.has_past(stage));
            if told.is_some_and(|told| *told != Signal::OLD) {
                self.local.breaches.insert(Breach::FalseHistory);
            }
        }
        let knows = |digest: &u64| self.host.node.agreement().knows(digest);
        self.local.candidates =
            self.values.iter().filter(|(_, value)| knows(&value.digest)).map(|(value, _)| value).collect();
        self.local.memory = self.host.memory();
        self.local.disk = self.host.disk;
        self.local.breaches.extend(self.host.breaches);
        self.local
    }

    fn input(&mut self, input: Input<Exact, MEMBERS>) {
        let outputs = self.host.input(input);
        self.note(outputs);
    }

    /// Does what the host has to do, and keeps what was said.
    fn note(&mut self, outputs: Vec<Output<Exact, MEMBERS>>) {
        for output in outputs {
            match output {
                Output::Assign { .. } => self.tell_what_is_held(),
                Output::Provide { stage, signal, .. } => {
                    self.inputs.insert(stage, Signal::named(&signal));
                }
                Output::Restore { stage, signals, .. } => {
                    self.restored.extend(signals.last().map(|signal| (stage, Signal::named(signal))));
                }
                Output::Compute { stage, asker: None, .. } => {
                    self.asked.insert(stage);
                }
                Output::SetTimer { timer, .. } => {
                    self.timers.insert(timer);
                }
                Output::Send { to, envelope, .. } if envelope.from == self.me => self.keep(to, envelope.message),
                _ => {}
            }
        }
    }

    /// Of each stage but the first: all earlier inputs, or none.
    fn tell_what_is_held(&mut self) {
        let run = &self.setting.run;
        let request = run.active.request.digest(&self.setting.cluster);
        for stage in self.setting.stages().skip(1) {
            if !self.setting.assigned(stage).contains(self.me) {
                continue;
            }
            let (upto, link) = match self.local.past[stage.index()] {
                true => (run.first(), *run.active.links.get(stage.index()).expect("a link of the model")),
                false => (Position(0), first_link(&self.setting.cluster, &request, stage)),
            };
            self.input(Input::Holding { run: run.id, stage, upto, link });
        }
    }

    fn keep(&mut self, to: NodeSet, message: Message<Exact, MEMBERS>) {
        match &message {
            Message::Attest(attest) => {
                let stage = attest.claim.stage;
                let own = self.local.computed[stage.index()];
                if own.is_none_or(|own| attestation(self.setting, stage, own) != *attest) {
                    self.local.breaches.insert(Breach::AttestedUncomputed);
                }
                self.local.attested[stage.index()] = true;
            }
            Message::Agreement { message, .. } => {
                if let AgreementMessage::Propose { .. } | AgreementMessage::Vote(_) | AgreementMessage::ViewChange(_) =
                    message
                {
                    self.local.said.insert(message.clone());
                }
            }
            Message::Recall(_) => self.recalled = to.iter().next(),
            _ => {}
        }
        self.sent.push(message);
    }
}
