//! A cluster whose members talk to each other, and what is noted of it.

use std::collections::VecDeque;

use butterfly_kernel::assignment::Profile;
use butterfly_kernel::cluster::Seat;
use butterfly_kernel::inference::run::first_link;
use butterfly_kernel::machine::{Input, Output, Place, Rejection, Timer};
use butterfly_kernel::message::inference::{MAX_HISTORY, Signal};
use butterfly_kernel::message::{History, Kind, RunId};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{Epoch, NodeId, Nonce, Position, Stage};

use crate::pocket::Pocket;
use crate::rehearsal::{Moment, Notes, encode, request};
use crate::{Cluster, Envelope, Node, Record, SignedChange, VOTERS};

/// More than any scene needs.
const MOST_STEPS: usize = 20_000;
/// More than anything takes that is insisted on.
const MOST_ROUNDS: usize = 10;

/// When a moment is noted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    Now,
    /// The first message of a kind is sent.
    Sends(Kind),
    /// The first vote in an epoch is sent.
    Votes(Epoch),
}

/// One life of the cluster, from its first roster on.
pub(crate) struct Scene<'n> {
    notes: &'n mut Notes,
    /// How often the roster changed.
    changes: usize,
    /// The members, by their places.
    pub(crate) nodes: Vec<Node>,
    queue: VecDeque<(usize, Envelope)>,
    /// What came before its time.
    early: Vec<(usize, Place, Envelope)>,
    /// Members whose hosts have no inputs of stages.
    forgetful: Vec<usize>,
    watches: Vec<(&'static str, usize, Watch)>,
}

impl<'n> Scene<'n> {
    pub(crate) fn open(notes: &'n mut Notes) -> Scene<'n> {
        let cluster = &notes.clusters[0];
        let boot = |me| {
            let role = if cluster.votes(me) { Role::Replica } else { Role::Worker };
            Node::new(&seat(cluster, me), Some(Record::first(role))).expect("a fresh record is genuine")
        };
        let nodes: Vec<Node> = cluster.members().iter().map(boot).collect();
        let (queue, early, forgetful, watches) = Default::default();
        let mut scene = Scene { notes, changes: 0, nodes, queue, early, forgetful, watches };
        for member in scene.members() {
            scene.start(member, 0);
        }
        scene
    }

    /// The cluster as it is now.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.notes.clusters[self.changes]
    }

    fn members(&self) -> std::ops::Range<usize> {
        0..self.nodes.len()
    }

    /// The `life`th start of `member`.
    fn start(&mut self, member: usize, life: u8) {
        let [number, ..] = member.to_le_bytes();
        let _ = self.input(member, Input::Start { nonce: Nonce([life.wrapping_mul(16) | number; 16]) });
    }

    /// Notes what `member` is like as soon as it does what `watch` says.
    pub(crate) fn moment(&mut self, name: &'static str, member: usize, watch: Watch) {
        match watch {
            Watch::Now => self.note(name, member),
            _ => self.watches.push((name, member, watch)),
        }
    }

    fn note(&mut self, name: &'static str, member: usize) {
        let node = self.nodes[member].clone();
        self.notes.moments.push(Moment { name, changes: self.changes, me: name_of(member), node });
    }

    pub(crate) fn submit(&mut self, member: usize, sequence: u64) {
        let request = request(self.cluster(), sequence);
        let request = self.cluster().verify_submission(request).expect("the client signed it");
        self.input(member, Input::Submit(request)).expect("it is the client's next");
    }

    /// `member` is handed a change of the roster.
    pub(crate) fn order(&mut self, member: usize, change: SignedChange) {
        let change = self.cluster().verify_change(change).expect("an operator signed it");
        self.input(member, Input::Change(change)).expect("it fits the roster");
    }

    /// `member` can do less than the roster says.
    pub(crate) fn revise(&mut self, member: usize) {
        let profile = Profile { zone: 1, ..Profile::default() };
        self.input(member, Input::Revise(profile)).expect("it is another profile");
    }

    /// `member` loses its record and its inputs, and begins again.
    pub(crate) fn forget(&mut self, member: usize) {
        let node = Node::new(&seat(self.cluster(), name_of(member)), None).expect("no record is nobody else's");
        assert_eq!(node.role(), Role::Learner);
        self.nodes[member] = node;
        self.early.retain(|(to, ..)| *to != member);
        self.forgetful.push(member);
        self.start(member, 1);
    }

    /// All go on in the next cluster: those who stay, and a newcomer. Only the
    /// last member comes and goes.
    pub(crate) fn enter(&mut self) {
        let last = self.nodes[0].last().expect("the cluster is over").clone();
        let next = self.cluster().next(&last).expect("the decision changed the roster");
        self.changes += 1;
        self.notes.clusters.push(next);
        self.queue.clear();
        self.early.clear();
        self.forgetful.clear();
        self.nodes.truncate(self.cluster().members().len());
        for member in self.members() {
            let mut outputs = Vec::new();
            let seat = seat(&self.notes.clusters[self.changes], name_of(member));
            self.nodes[member].enter(&seat, &mut |output| outputs.push(output)).expect("it holds the decision");
            self.perform(member, &outputs);
        }
        for member in self.nodes.len()..self.cluster().members().len() {
            let seat = seat(self.cluster(), name_of(member));
            let record = Record::entering(&seat, Role::Worker, &last).expect("it was told the decision");
            let newcomer = Node::new(&seat, Some(record)).expect("what it begins from is genuine");
            self.nodes.push(newcomer);
            self.start(member, 0);
        }
    }

    /// Everybody says again what may have been lost, and what was meant for
    /// somebody is delivered if `arrives` says so.
    pub(crate) fn retransmit(&mut self, arrives: impl Fn(&Envelope, usize) -> bool) {
        for _ in 0..2 {
            for member in self.members() {
                let _ = self.input(member, Input::Timer(Timer::Retransmit));
            }
            self.run(&arrives);
        }
    }

    /// Everybody's view takes too long.
    pub(crate) fn lose_patience(&mut self) {
        for member in self.members() {
            let node = &self.nodes[member];
            let view = Timer::View { epoch: node.epoch(), view: node.agreement().view() };
            let _ = self.input(member, Input::Timer(view));
        }
    }

    /// Goes on until `done`, whoever leads.
    pub(crate) fn insist(&mut self, arrives: impl Fn(&Envelope, usize) -> bool, done: impl Fn(&Self) -> bool) {
        self.run(&arrives);
        for _ in 0..MOST_ROUNDS {
            if done(self) {
                return;
            }
            self.retransmit(&arrives);
            if !done(self) {
                self.lose_patience();
                self.run(&arrives);
            }
        }
        panic!("{MOST_ROUNDS} rounds, and it is not done");
    }

    /// Delivers until there is nothing left.
    pub(crate) fn run(&mut self, arrives: impl Fn(&Envelope, usize) -> bool) {
        for _ in 0..MOST_STEPS {
            let Some((to, envelope)) = self.queue.pop_front() else { return };
            if arrives(&envelope, to) {
                let verified = self.cluster().verify(envelope.clone()).expect("members send what is genuine");
                match self.input(to, Input::Receive(verified)) {
                    Ok(()) => self.offer_again(to),
                    Err(Rejection::Early(place)) => self.early.push((to, place, envelope)),
                    // What comes twice or too late is no part of the scene.
                    Err(_) => {}
                }
            }
        }
        panic!("{MOST_STEPS} steps and no end: the scene is stuck");
    }

    /// What came too early for `member` and is due now.
    fn offer_again(&mut self, member: usize) {
        let node = &self.nodes[member];
        let due = |(to, place, _): &mut (usize, Place, Envelope)| *to == member && node.reached(place);
        let due: Vec<_> = self.early.extract_if(.., due).collect();
        self.queue.extend(due.into_iter().map(|(to, _, envelope)| (to, envelope)));
    }

    fn input(&mut self, member: usize, input: Input<Pocket, VOTERS>) -> Result<(), Rejection> {
        let mut outputs = Vec::new();
        let seat = seat(&self.notes.clusters[self.changes], name_of(member));
        self.nodes[member].step(&seat, input, &mut |output| outputs.push(output))?;
        self.perform(member, &outputs);
        Ok(())
    }

    /// Does what `member` asks of its host.
    fn perform(&mut self, member: usize, outputs: &[Output<Pocket, VOTERS>]) {
        let record = encode(&self.nodes[member].record());
        let mut answers = Vec::new();
        for output in outputs {
            match output {
                Output::Persist if self.notes.records.last() != Some(&record) => {
                    self.notes.records.push(record.clone())
                }
                Output::Send { to, envelope, .. } => {
                    self.queue.extend(to.iter().map(|to| (to.index(), envelope.clone())));
                    self.notes.messages.entry(envelope.message.kind()).or_default().push(encode(envelope));
                }
                Output::Changed => {
                    let last = self.nodes[member].last().expect("a decision changed the roster");
                    let ending = encode(last);
                    if !self.notes.endings.contains(&ending) {
                        self.notes.endings.push(ending);
                    }
                }
                Output::Assign { .. } => answers.extend(self.holdings(member)),
                Output::Supply { to, run, stage, position, .. } => {
                    let history = self.supply(member, *run, *stage, *position);
                    answers.extend(history.map(|history| Input::Supplied { to: *to, history }));
                }
                Output::Compute { run, stage, position, asker, .. } => answers.push(Input::Computed {
                    run: *run,
                    stage: *stage,
                    position: *position,
                    signal: compute(*stage, *position),
                    asker: *asker,
                }),
                _ => {}
            }
        }
        self.note_moments(member, outputs);
        for answer in answers {
            // The step may have gone on to what makes it useless.
            let _ = self.input(member, answer);
        }
    }

    /// What the host of `member` has of the inputs of its stages: all, or nothing.
    fn holdings(&self, member: usize) -> Vec<Input<Pocket, VOTERS>> {
        let me = name_of(member);
        let run = self.nodes[member].run().expect("a node is assigned the run that it is at");
        let name = run.active.request.digest(self.cluster());
        let stages = run.stages().skip(1).filter(|stage| run.active.placement.set(*stage).contains(me));
        let holding = |stage: Stage| {
            let nothing = (Position(0), first_link(self.cluster(), &name, stage));
            let all = (run.first(), run.active.links[stage.index()]);
            let (upto, link) = if self.forgetful.contains(&member) { nothing } else { all };
            Input::Holding { run: run.id, stage, upto, link }
        };
        stages.map(holding).collect()
    }

    /// Inputs of `stage`, if the host of `member` has them.
    fn supply(&self, member: usize, id: RunId<Pocket>, stage: Stage, position: Position) -> Option<History<Pocket>> {
        let run = self.nodes[member].run().filter(|_| !self.forgetful.contains(&member))?;
        let before = Stage(stage.0.checked_sub(1)?);
        let signals = (position.0..run.first().0).take(MAX_HISTORY).map(|at| compute(before, Position(at)));
        Some(History { run: id, stage, position, signals: signals.collect() })
    }

    fn note_moments(&mut self, member: usize, outputs: &[Output<Pocket, VOTERS>]) {
        let sent = |watch: Watch| {
            outputs.iter().any(|output| match (output, watch) {
                (Output::Send { envelope, .. }, Watch::Sends(kind)) => envelope.message.kind() == kind,
                (Output::Send { envelope, .. }, Watch::Votes(epoch)) => {
                    envelope.message.kind() == Kind::Vote && envelope.message.epoch() == Some(epoch)
                }
                _ => false,
            })
        };
        let watched = |(_, who, watch): &mut (&str, usize, Watch)| *who == member && sent(*watch);
        let due: Vec<_> = self.watches.extract_if(.., watched).collect();
        for (name, member, _) in due {
            self.note(name, member);
        }
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let missed: Vec<&str> = self.watches.iter().map(|(name, ..)| *name).collect();
            assert!(missed.is_empty(), "in a scene nobody {missed:?}");
        }
    }
}

fn name_of(member: usize) -> NodeId {
    NodeId(u8::try_from(member).expect("there are five"))
}

/// The place of the member `me`.
pub(crate) fn seat(cluster: &Cluster, me: NodeId) -> Seat<'_, Pocket, VOTERS> {
    Seat { cluster, me, key: &cluster.roster().members[me.index()] }
}

/// What a stage gives: two bytes, from the last stage a token.
fn compute(stage: Stage, position: Position) -> Signal {
    let low = position.0.to_le_bytes()[0];
    let signal: &[u8] = if stage == Stage(1) { &[low] } else { &[low, 7] };
    signal.iter().copied().collect()
}
