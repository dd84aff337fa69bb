//! A small cluster that runs through what can happen to one, so that there are
//! nodes in the midst of their work, and messages that they take.

use std::collections::{BTreeMap, VecDeque};

use butterfly_kernel::cluster::{Cluster as KernelCluster, Model, Roster, Seat, Timing};
use butterfly_kernel::crypto::{Scheme, Tag};
use butterfly_kernel::machine::{Input, Output, Timer};
use butterfly_kernel::message::inference::{Request, Sampling, SignedRequest};
use butterfly_kernel::message::{Kind, Message};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{ClientId, Epoch, NodeId, Position, Resilience, Stage, View};
use butterfly_kernel::wire;

use crate::pocket::Pocket;
use crate::{Cluster, Envelope, MEMBERS, Node, Record};

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

/// Four members, one of which may be faulty; no silent one on the fast path,
/// so that every kind of message has a use.
pub fn cluster() -> Cluster {
    let roster = Roster {
        resilience: Resilience::new(MEMBERS, 1, 0).expect("four members tolerate one fault"),
        members: (0..).map(NodeId).take(MEMBERS).collect(),
        clients: [CLIENT].into_iter().collect(),
        model: Model { manifest: [0; 32], stages: 2, context: 32, vocabulary: 96, signal: 2, tokens_per_epoch: 2 },
    };
    KernelCluster::new(roster, Timing::default()).expect("the roster is within its bounds")
}

/// A request of six tokens: three epochs.
pub fn request(cluster: &Cluster) -> SignedRequest<Pocket> {
    let prompt = [1, 2].into_iter().collect();
    let request = Request { client: ClientId(0), sequence: 1, prompt, tokens: 6, sampling: Sampling::Greedy };
    let signature = Pocket::sign(&CLIENT, &cluster.statement(Tag::Request, &request));
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
    notes
}

/// Two epochs, nothing fails.
fn calm(cluster: &Cluster, notes: &mut Notes) {
    let mut scene = Scene::open(cluster, notes);
    scene.moment("has begun", 3, Watch::Now);
    scene.moment("has sent a stage's output", 0, Watch::Sends(Kind::StageOutput));
    scene.moment("leads and has proposed", 1, Watch::Sends(Kind::Propose));
    scene.moment("has voted", 0, Watch::Sends(Kind::Vote));
    scene.moment("holds a commit certificate", 3, Watch::Sends(Kind::Commit));
    scene.moment("has voted in the next epoch", 2, Watch::Votes(Epoch(2)));
    scene.submit(0);
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
    scene.submit(0);
    scene.run(present);
    for member in [0, 2, 3] {
        scene.input(member, Input::Timer(Timer::View { epoch: Epoch(1), view: View::ZERO }));
    }
    scene.run(present);
}

/// Member 3 misses attestations while votes are lost, then votes and a stage's
/// outputs while nobody can decide epoch 2, and at last loses its record.
fn losses(cluster: &Cluster, notes: &mut Notes) {
    let mut scene = Scene::open(cluster, notes);
    let unattested = |envelope: &Envelope, to| match envelope.message.kind() {
        Kind::Vote | Kind::Commit => false,
        Kind::Attest => to != 3,
        _ => true,
    };
    scene.submit(0);
    scene.run(unattested);
    scene.moment("lacks a payload", 3, Watch::Now);
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
    scene.forget(3);
    scene.moment("is a learner", 3, Watch::Now);
    scene.retransmit(|_, _| true);
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
    watches: Vec<(&'static str, usize, Watch)>,
}

impl<'c> Scene<'c> {
    fn open(cluster: &'c Cluster, notes: &'c mut Notes) -> Scene<'c> {
        let mut scene = Scene { cluster, notes, nodes: Vec::new(), queue: VecDeque::new(), watches: Vec::new() };
        let first = Record::first();
        let boot = |me| Node::new(&seat(cluster, &NodeId(me)), Some(first.clone())).expect("a fresh record is genuine");
        scene.nodes = (0..).take(MEMBERS).map(boot).collect();
        for member in 0..MEMBERS {
            scene.input(member, Input::Start);
        }
        scene
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

    fn submit(&mut self, member: usize) {
        let request = self.cluster.verify_submission(request(self.cluster)).expect("the client signed it");
        self.input(member, Input::Submit(request));
    }

    /// `member` loses its record and begins again.
    fn forget(&mut self, member: usize) {
        let node = Node::new(&seat(self.cluster, &name_of(member)), None).expect("no record is nobody else's");
        assert_eq!(node.role(), Role::Learner);
        self.nodes[member] = node;
        self.input(member, Input::Start);
    }

    /// Everybody says again what may have been lost, and what was meant for
    /// somebody is delivered if `arrives` says so.
    fn retransmit(&mut self, arrives: impl Fn(&Envelope, usize) -> bool) {
        for _ in 0..2 {
            for member in 0..MEMBERS {
                self.input(member, Input::Timer(Timer::Retransmit));
            }
            self.run(&arrives);
        }
    }

    /// Delivers until there is nothing left.
    fn run(&mut self, arrives: impl Fn(&Envelope, usize) -> bool) {
        for _ in 0..MOST_STEPS {
            let Some((to, envelope)) = self.queue.pop_front() else { return };
            if arrives(&envelope, to) {
                let verified = self.cluster.verify(envelope).expect("members send what is genuine");
                self.input(to, Input::Receive(verified));
            }
        }
        panic!("{MOST_STEPS} steps and no end: the scene is stuck");
    }

    fn input(&mut self, member: usize, input: Input<Pocket, MEMBERS>) {
        let me = name_of(member);
        let mut outputs = Vec::new();
        // What comes twice or too late is refused; that is no part of the scene.
        let _ = self.nodes[member].step(&seat(self.cluster, &me), input, &mut |output| outputs.push(output));
        let record = encode(&self.nodes[member].record());
        let mut computed = Vec::new();
        for output in &outputs {
            match output {
                Output::Persist if self.notes.records.last() != Some(&record) => {
                    self.notes.records.push(record.clone())
                }
                Output::Send { to, envelope, .. } => {
                    self.queue.extend(to.iter().map(|to| (to.index(), envelope.clone())));
                    self.notes.messages.entry(envelope.message.kind()).or_default().push(encode(envelope));
                }
                Output::Compute { job, stage, position, .. } => computed.push((*job, *stage, *position)),
                _ => {}
            }
        }
        self.note_moments(member, &outputs);
        for (job, stage, position) in computed {
            let signal = compute(stage, position).into_iter().collect();
            self.input(member, Input::Computed { job, stage, position, signal });
        }
    }

    fn note_moments(&mut self, member: usize, outputs: &[Output<Pocket, MEMBERS>]) {
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
    NodeId(u8::try_from(member).expect("there are four"))
}

/// The place of `me`, whose number is its key.
pub fn seat<'c>(cluster: &'c Cluster, me: &'c NodeId) -> Seat<'c, Pocket, MEMBERS> {
    Seat { cluster, me: *me, key: me }
}

/// What a stage gives: two bytes, from the last stage a token.
fn compute(stage: Stage, position: Position) -> Vec<u8> {
    let low = position.0.to_le_bytes()[0];
    if stage == Stage(1) { vec![low] } else { vec![low, 7] }
}
