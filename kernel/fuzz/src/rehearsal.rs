//! A small cluster that runs through what can happen to one, so that there are
//! nodes in the midst of their work, and messages that they take.

use std::collections::{BTreeMap, VecDeque};

use butterfly_kernel::assignment::Profile;
use butterfly_kernel::cluster::{Assignment, Model, Roster, Seat, Timing};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::inference::run::first_link;
use butterfly_kernel::machine::{Input, Output, Place, Rejection, Timer};
use butterfly_kernel::message::inference::{MAX_HISTORY, Request, Sampling, Signal, SignedRequest};
use butterfly_kernel::message::{History, Kind, Message, RunId};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{ClientId, Epoch, NodeId, Nonce, Position, Resilience, Stage, View};
use butterfly_kernel::wire;

use crate::pocket::Pocket;
use crate::{Cluster, Envelope, MEMBERS, Node, Record, VOTERS};

const CLIENT: NodeId = NodeId(200);
/// More than any scene needs.
const MOST_STEPS: usize = 20_000;

/// A node at one moment of its work.
#[derive(Clone)]
pub struct Moment {
    /// What it has just done.
    pub name: &'static str,
    /// Which member it is.
    pub me: NodeId,
    /// Its state.
    pub node: Node,
}

/// What is seen in the scenes.
#[derive(Default)]
pub struct Notes {
    /// Nodes in the midst of their work.
    pub moments: Vec<Moment>,
    /// Messages of each kind that were sent.
    pub messages: BTreeMap<Kind, Vec<Vec<u8>>>,
    /// Records that were made durable.
    pub records: Vec<Vec<u8>>,
}

/// Four voters and a worker, one of which may be faulty; no silent voter on
/// the fast path, so that every kind of message has a use.
pub fn cluster() -> Cluster {
    let roster = Roster {
        resilience: Resilience::new(VOTERS, 1, 0).expect("four members tolerate one fault"),
        members: (0..).map(NodeId).take(MEMBERS).collect(),
        clients: [CLIENT].into_iter().collect(),
        operators: [].into_iter().collect(),
        model: Model {
            manifest: [0; 32],
            stages: 2,
            context: 32,
            vocabulary: 96,
            signal: 2,
            tokens_per_epoch: 2,
            checkpoint_interval: 2,
        },
        assignment: Assignment::in_turn(MEMBERS, 2).expect("a model may have two layers"),
    };
    Cluster::new(roster, Timing::default()).expect("the roster is within its bounds")
}

/// The client's request of this number, of eight tokens: four epochs.
pub fn request(cluster: &Cluster, sequence: u64) -> SignedRequest<Pocket> {
    let prompt = [1, 2].into_iter().collect();
    let request = Request { client: ClientId(0), sequence, prompt, tokens: 8, sampling: Sampling::Greedy };
    let signature = Pocket::sign(&CLIENT, &request.statement(cluster));
    SignedRequest { request, signature }
}

/// The encoding of something of the pocket world.
pub fn encode<T: serde::Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; wire::encoded_len(value)];
    wire::encode(value, &mut bytes).expect("there is room");
    bytes
}

/// Every scene.
pub fn play() -> Notes {
    let cluster = cluster();
    let mut notes = Notes::default();
    calm(&cluster, &mut notes);
    absent_leader(&cluster, &mut notes);
    losses(&cluster, &mut notes);
    notices(&cluster, &mut notes);
    notes
}

/// One request, nothing fails.
fn calm(cluster: &Cluster, notes: &mut Notes) {
    let mut scene = Scene::open(cluster, notes);
    scene.moment("has begun", 3, Watch::Now);
    scene.moment("has sent a stage's output", 0, Watch::Sends(Kind::StageOutput));
    scene.moment("leads and has proposed", 1, Watch::Sends(Kind::Propose));
    scene.moment("has voted", 0, Watch::Sends(Kind::Vote));
    scene.moment("holds a commit certificate", 3, Watch::Sends(Kind::Commit));
    scene.moment("has voted in the next epoch", 2, Watch::Votes(Epoch(2)));
    scene.submit(0, 1);
    scene.run(|_, _| true);
}

/// Member 1 leads view 0 of epoch 1 and takes no part in agreement.
fn absent_leader(cluster: &Cluster, notes: &mut Notes) {
    let mut scene = Scene::open(cluster, notes);
    scene.moment("has left for view 1", 0, Watch::Sends(Kind::ViewChange));
    scene.moment("leads view 1 and asks", 2, Watch::Sends(Kind::CertRequest));
    scene.moment("has acknowledged", 3, Watch::Sends(Kind::CertAck));
    scene.moment("leads view 1 and has proposed", 2, Watch::Sends(Kind::Propose));
    let present =
        |envelope: &Envelope, _| envelope.from != NodeId(1) || !matches!(envelope.message, Message::Agreement { .. });
    scene.submit(0, 1);
    scene.run(present);
    for member in [0, 2, 3] {
        let _ = scene.input(member, Input::Timer(Timer::View { epoch: Epoch(1), view: View::ZERO }));
    }
    scene.run(present);
}

/// Member 3 misses attestations while votes are lost, then votes and a stage's
/// outputs while nobody can decide epoch 2.
fn losses(cluster: &Cluster, notes: &mut Notes) {
    let mut scene = Scene::open(cluster, notes);
    let unattested = |envelope: &Envelope, to| match envelope.message.kind() {
        Kind::Vote | Kind::Commit => false,
        Kind::Attest => to != 3,
        _ => true,
    };
    scene.submit(0, 1);
    scene.run(unattested);
    scene.moment("lacks a payload", 3, Watch::Now);
    scene.moment("works and does not vote", 4, Watch::Now);
    scene.retransmit(unattested);
    let undecided = |envelope: &Envelope, to| match (envelope.message.kind(), envelope.message.epoch()) {
        (Kind::Vote | Kind::Commit, Some(epoch)) => epoch == Epoch(1) && to != 3,
        (Kind::StageOutput, _) => to != 3,
        _ => true,
    };
    scene.retransmit(undecided);
    scene.moment("lacks a stage's outputs", 3, Watch::Now);
    scene.moment("waits for votes in the next epoch", 0, Watch::Now);
    scene.retransmit(|_, _| true);
}

/// Member 0 loses its record and all inputs in the midst of a request, and is
/// admitted again before its turn to lead; member 2 does not hear it ask. The
/// worker and a voter say that they can do less.
fn notices(cluster: &Cluster, notes: &mut Notes) {
    let mut scene = Scene::open(cluster, notes);
    let undecided = |envelope: &Envelope, to| match (envelope.message.kind(), envelope.message.epoch()) {
        (Kind::Vote | Kind::Commit, Some(epoch)) => epoch == Epoch(1),
        (Kind::Readmit, _) => to != 2,
        _ => true,
    };
    scene.submit(0, 1);
    scene.run(undecided);
    scene.forget(0);
    scene.moment("is a learner", 0, Watch::Now);
    scene.moment("lacks a stage's inputs", 0, Watch::Sends(Kind::Recall));
    scene.moment("has told what crossed a link", 3, Watch::Sends(Kind::History));
    scene.retransmit(undecided);
    scene.moment("heard of one that lost its record", 1, Watch::Now);
    scene.revise(4);
    let unheard = |envelope: &Envelope, to| envelope.message.kind() != Kind::Readmit || to != 2;
    scene.retransmit(unheard);
    scene.retransmit(unheard);
    assert_eq!(scene.nodes[0].role(), Role::Replica, "it is admitted again");
    scene.submit(3, 2);
    scene.revise(1);
    scene.run(|_, _| true);
}

/// When a moment is noted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    Now,
    /// The first message of a kind is sent.
    Sends(Kind),
    /// The first vote in an epoch is sent.
    Votes(Epoch),
}

struct Scene<'c> {
    cluster: &'c Cluster,
    notes: &'c mut Notes,
    nodes: Vec<Node>,
    queue: VecDeque<(usize, Envelope)>,
    /// What came before its time.
    early: Vec<(usize, Place, Envelope)>,
    /// Members whose hosts have no inputs of stages.
    forgetful: Vec<usize>,
    watches: Vec<(&'static str, usize, Watch)>,
}

impl<'c> Scene<'c> {
    fn open(cluster: &'c Cluster, notes: &'c mut Notes) -> Scene<'c> {
        let (nodes, queue, early) = (Vec::new(), VecDeque::new(), Vec::new());
        let mut scene = Scene { cluster, notes, nodes, queue, early, forgetful: Vec::new(), watches: Vec::new() };
        let boot = |me| {
            let role = if cluster.votes(NodeId(me)) { Role::Replica } else { Role::Worker };
            Node::new(&seat(cluster, &NodeId(me)), Some(Record::first(role))).expect("a fresh record is genuine")
        };
        scene.nodes = (0..).take(MEMBERS).map(boot).collect();
        for member in 0..MEMBERS {
            scene.start(member, 0);
        }
        scene
    }

    /// The `life`th start of `member`.
    fn start(&mut self, member: usize, life: u8) {
        let [number, ..] = member.to_le_bytes();
        let _ = self.input(member, Input::Start { nonce: Nonce([life.wrapping_mul(16) | number; 16]) });
    }

    /// Notes what `member` is like as soon as it does what `watch` says.
    fn moment(&mut self, name: &'static str, member: usize, watch: Watch) {
        match watch {
            Watch::Now => self.note(name, member),
            _ => self.watches.push((name, member, watch)),
        }
    }

    fn note(&mut self, name: &'static str, member: usize) {
        let node = self.nodes[member].clone();
        self.notes.moments.push(Moment { name, me: name_of(member), node });
    }

    fn submit(&mut self, member: usize, sequence: u64) {
        let request = request(self.cluster, sequence);
        let request = self.cluster.verify_submission(request).expect("the client signed it");
        self.input(member, Input::Submit(request)).expect("it is the client's next");
    }

    /// `member` can do less than the roster says.
    fn revise(&mut self, member: usize) {
        let profile = Profile { zone: 1, ..Profile::default() };
        self.input(member, Input::Revise(profile)).expect("it is another profile");
    }

    /// `member` loses its record and its inputs, and begins again.
    fn forget(&mut self, member: usize) {
        let node = Node::new(&seat(self.cluster, &name_of(member)), None).expect("no record is nobody else's");
        assert_eq!(node.role(), Role::Learner);
        self.nodes[member] = node;
        self.early.retain(|(to, ..)| *to != member);
        self.forgetful.push(member);
        self.start(member, 1);
    }

    /// Everybody says again what may have been lost, and what was meant for
    /// somebody is delivered if `arrives` says so.
    fn retransmit(&mut self, arrives: impl Fn(&Envelope, usize) -> bool) {
        for _ in 0..2 {
            for member in 0..MEMBERS {
                let _ = self.input(member, Input::Timer(Timer::Retransmit));
            }
            self.run(&arrives);
        }
    }

    /// Delivers until there is nothing left.
    fn run(&mut self, arrives: impl Fn(&Envelope, usize) -> bool) {
        for _ in 0..MOST_STEPS {
            let Some((to, envelope)) = self.queue.pop_front() else { return };
            if arrives(&envelope, to) {
                let verified = self.cluster.verify(envelope.clone()).expect("members send what is genuine");
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
        let me = name_of(member);
        let mut outputs = Vec::new();
        self.nodes[member].step(&seat(self.cluster, &me), input, &mut |output| outputs.push(output))?;
        let record = encode(&self.nodes[member].record());
        let mut answers = Vec::new();
        for output in &outputs {
            match output {
                Output::Persist if self.notes.records.last() != Some(&record) => {
                    self.notes.records.push(record.clone())
                }
                Output::Send { to, envelope, .. } => {
                    self.queue.extend(to.iter().map(|to| (to.index(), envelope.clone())));
                    self.notes.messages.entry(envelope.message.kind()).or_default().push(encode(envelope));
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
        self.note_moments(member, &outputs);
        for answer in answers {
            // The step may have gone on to what makes it useless.
            let _ = self.input(member, answer);
        }
        Ok(())
    }

    /// What the host of `member` has of the inputs of its stages: all, or nothing.
    fn holdings(&self, member: usize) -> Vec<Input<Pocket, VOTERS>> {
        let me = name_of(member);
        let run = self.nodes[member].run().expect("a node is assigned the run that it is at");
        let name = run.active.request.digest(self.cluster);
        let stages = run.stages().skip(1).filter(|stage| run.active.placement.set(*stage).contains(me));
        let holding = |stage: Stage| {
            let nothing = (Position(0), first_link(self.cluster, &name, stage));
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

/// The place of `me`, whose number is its key.
pub fn seat<'c>(cluster: &'c Cluster, me: &'c NodeId) -> Seat<'c, Pocket, VOTERS> {
    Seat { cluster, me: *me, key: me }
}

/// What a stage gives: two bytes, from the last stage a token.
fn compute(stage: Stage, position: Position) -> Signal {
    let low = position.0.to_le_bytes()[0];
    let signal: &[u8] = if stage == Stage(1) { &[low] } else { &[low, 7] };
    signal.iter().copied().collect()
}
