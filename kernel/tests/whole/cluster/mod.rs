//! A whole cluster in one thread: real kernels, virtual time, a network that
//! loses, repeats and reorders, disks that keep what was persisted.
//!
//! Every message goes over the wire and back. Every signed statement is held
//! against its author's disk at that moment and against all that it ever
//! signed; every eighth step is checked to leave the state alone when it is
//! rejected.

#![allow(unreachable_pub, reason = "public is what the tests beside it use")]

pub mod byzantine;
pub mod executor;
pub mod generations;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use butterfly_kernel::assignment::Profile;
use butterfly_kernel::chain::Decided;
use butterfly_kernel::cluster::{Assignment, Cluster, Model, Roster, Timing};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::Verified;
use butterfly_kernel::crypto::ideal::Ideal;
use butterfly_kernel::machine::{Input, Output, Place, Rejection, Timer, Transmission};
use butterfly_kernel::message::agreement::{AgreementMessage, Ballot, Path, Proposal};
use butterfly_kernel::message::inference::{Request, Sampling, SignedRequest};
use butterfly_kernel::message::{Envelope, Kind, Message, Notice};
use butterfly_kernel::node::{Blockade, Node, Record, Role};
use butterfly_kernel::proof::Evidence;
use butterfly_kernel::types::{ClientId, Epoch, Millis, NodeId, Nonce, Position, Resilience, Stage, View};
use butterfly_kernel::wire;

use byzantine::Behaviour;
use executor::Executor;

pub const CAPACITY: usize = 16;
pub type Crypto = Ideal<CAPACITY>;
pub type TestNode = Node<Crypto, CAPACITY>;
pub type TestCluster = Cluster<Crypto, CAPACITY>;
pub type TestEnvelope = Envelope<Crypto, CAPACITY>;

/// The first client's key, the others following; members have theirs by number.
const CLIENT: u8 = 200;
/// Whose word changes the roster.
pub const OPERATOR: NodeId = NodeId(190);
/// More than any run needs; a run that gets there is stuck.
const MOST_EVENTS: usize = 3_000_000;
/// Messages kept of each kind.
const SAMPLES: usize = 24;
/// A node is large: to compare it before and after each step takes most of the
/// time. One step in so many is compared.
const COMPARED: u64 = 8;
/// Messages that a replayer remembers.
const MEMORY: usize = 128;
/// How late the outputs of a slow member's stages are, in microseconds.
const SLOWNESS: u64 = 500_000;

/// What becomes of a message on its way, besides what the network does to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Pass,
    Lost,
    /// Delivered so many microseconds later.
    Late(u64),
}

/// The fate of a message from one member to another.
pub type Weather = Box<dyn Fn(usize, usize, &TestEnvelope) -> Fate>;

/// How the network treats messages.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    pub loss: f64,
    pub duplication: f64,
    /// Microseconds at least and at most.
    pub delay: (u64, u64),
}

impl Network {
    pub const CALM: Network = Network { loss: 0.0, duplication: 0.0, delay: (80, 120) };
    /// Every message takes as long as every other.
    pub const EVEN: Network = Network { loss: 0.0, duplication: 0.0, delay: (100, 100) };
    pub const WILD: Network = Network { loss: 0.15, duplication: 0.15, delay: (50, 40_000) };
}

/// What a commit looked like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub epoch: Epoch,
    pub path: Path,
    pub view: View,
    pub value: u64,
    pub tokens: Vec<u8>,
    /// Whose request the tokens are for, and which; none when that was not seen.
    pub served: Option<(ClientId, u64)>,
    pub notice: Option<(NodeId, Notice)>,
}

pub struct Member {
    pub node: Option<Box<TestNode>>,
    pub behaviour: Behaviour,
    pub record: Option<Vec<u8>>,
    pub commits: Vec<Committed>,
    pub evidence: Vec<Evidence<Crypto>>,
    /// What this member ever signed in agreement, over all its lives.
    pub signed: BTreeMap<(Kind, Epoch, View), u64>,
    /// The epochs in which it signed since it began.
    pub signed_in: BTreeSet<Epoch>,
    pub checkpoints: Vec<Position>,
    /// The last position of each stage of which it sent an output of its own
    /// since it began.
    pub outputs: BTreeMap<Stage, Position>,
    /// For each stage, the last part that it attested since it began.
    pub attested: BTreeMap<Stage, u16>,
    /// What its host finds when it begins again; nothing else is kept.
    pub kept: Option<Executor>,
    /// What the last [`Output::Blocked`] said, until it was said to be over.
    pub blocked: Option<Blockade>,
    /// How often it was said to be over.
    pub resumed: usize,
    pub paused_until: u64,
    /// It went on from an older record, and may contradict itself.
    pub rolled_back: bool,
    /// The cluster that it is in: the first one, or one of the later ones.
    pub generation: usize,
    /// The one that its record is of.
    recorded_in: usize,
    /// The record to roll back to.
    snapshot: Option<Vec<u8>>,
    /// Messages that a replayer sent or received.
    memory: Vec<TestEnvelope>,
    /// Dies after performing this many outputs more of its next step that has any.
    fuse: Option<usize>,
    pub executor: Executor,
    parked: Vec<(Place, Verified<TestEnvelope>)>,
    timers: BTreeMap<Timer, u64>,
    boots: u64,
}

impl Member {
    /// Nobody knows it, and it has nothing.
    fn absent() -> Member {
        Member {
            node: None,
            behaviour: Behaviour::Honest,
            record: None,
            commits: Vec::new(),
            evidence: Vec::new(),
            signed: BTreeMap::new(),
            signed_in: BTreeSet::new(),
            checkpoints: Vec::new(),
            outputs: BTreeMap::new(),
            attested: BTreeMap::new(),
            kept: None,
            blocked: None,
            resumed: 0,
            paused_until: 0,
            rolled_back: false,
            generation: 0,
            recorded_in: 0,
            snapshot: None,
            memory: Vec::new(),
            fuse: None,
            executor: Executor::default(),
            parked: Vec::new(),
            timers: BTreeMap::new(),
            boots: 0,
        }
    }
}

enum Event {
    /// To whom, and said in which cluster.
    Deliver(usize, usize, Box<TestEnvelope>),
    Fire(usize, Timer, u64),
    Act(usize, Action),
    Told(usize, u64, Box<Input<Crypto, CAPACITY>>),
}

#[derive(Clone, Copy, Debug)]
pub enum Action {
    Crash,
    /// In the middle of a step, after this many of its outputs.
    CrashInStep(usize),
    Restart,
    /// The disk is gone as well.
    Wipe,
    /// Its disk is copied.
    Snapshot,
    /// It goes on from the copy, with no word of what came after.
    RollBack,
    Pause(u64),
}

pub struct World {
    /// The first one.
    pub cluster: TestCluster,
    /// What it became when its roster changed.
    pub later: Vec<TestCluster>,
    /// How each of them ended, as whoever was there keeps it.
    endings: BTreeMap<usize, Decided<Crypto>>,
    pub members: Vec<Member>,
    pub network: Network,
    pub weather: Option<Weather>,
    pub now: u64,
    pub sent: BTreeMap<(Kind, Transmission), u64>,
    /// Messages that arrived and that the receiver's horizon wanted: a host
    /// checks their signatures.
    pub wanted: BTreeMap<Kind, u64>,
    /// Messages that arrived and that a host drops unread.
    pub unwanted: BTreeMap<Kind, u64>,
    /// The first few messages of each kind that were sent.
    pub samples: BTreeMap<Kind, Vec<TestEnvelope>>,
    /// Outputs of the last step.
    said: usize,
    rng: fastrand::Rng,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    next_event: u64,
    steps: u64,
}

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    pub resilience: Resilience,
    pub workers: usize,
    pub clients: u8,
    pub stages: u8,
    pub tokens_per_epoch: u8,
    pub context: u16,
    pub checkpoint_interval: u16,
}

impl Plan {
    pub fn of(n: usize) -> Plan {
        Plan {
            resilience: Resilience::largest(n).unwrap(),
            workers: 0,
            clients: 1,
            stages: 4.min(n) as u8,
            tokens_per_epoch: 4,
            context: 64,
            checkpoint_interval: 10,
        }
    }

    pub fn cluster(&self) -> TestCluster {
        let members = self.resilience.n() + self.workers;
        let roster = Roster {
            resilience: self.resilience,
            members: (0..members).map(|node| NodeId(node as u8)).collect(),
            clients: (0..self.clients).map(|client| NodeId(CLIENT + client)).collect(),
            operators: [OPERATOR].into_iter().collect(),
            model: Model {
                manifest: [7; 32],
                stages: self.stages,
                context: self.context,
                vocabulary: 96,
                signal: 8,
                tokens_per_epoch: self.tokens_per_epoch,
                checkpoint_interval: self.checkpoint_interval,
            },
            assignment: Assignment::in_turn(members, self.stages).unwrap(),
        };
        Cluster::new(roster, Timing::default()).unwrap()
    }
}

pub fn request(cluster: &TestCluster, sequence: u64, prompt: &[u8], tokens: u16) -> SignedRequest<Crypto> {
    request_of(cluster, 0, sequence, prompt, tokens)
}

pub fn request_of(
    cluster: &TestCluster,
    client: u8,
    sequence: u64,
    prompt: &[u8],
    tokens: u16,
) -> SignedRequest<Crypto> {
    let request = Request {
        client: ClientId(client),
        sequence,
        prompt: prompt.iter().copied().collect(),
        tokens,
        sampling: Sampling::Greedy,
    };
    let statement = request.statement(cluster);
    SignedRequest { request, signature: Crypto::sign(&NodeId(CLIENT + client), &statement) }
}

/// What a member is known by in every roster that it stands in.
fn key_of(member: usize) -> NodeId {
    NodeId(member as u8)
}

impl World {
    pub fn new(n: usize, seed: u64, network: Network) -> World {
        World::with(Plan::of(n).cluster(), seed, network)
    }

    pub fn with(cluster: TestCluster, seed: u64, network: Network) -> World {
        let n = cluster.members().len();
        let first = |member: usize| {
            let role = if cluster.votes(NodeId(member as u8)) { Role::Replica } else { Role::Worker };
            postcard::to_stdvec(&Record::<Crypto>::first(role)).unwrap()
        };
        let members = (0..n).map(|member| Member { record: Some(first(member)), ..Member::absent() }).collect();
        let mut world = World {
            cluster,
            later: Vec::new(),
            endings: BTreeMap::new(),
            members,
            network,
            weather: None,
            now: 0,
            sent: BTreeMap::new(),
            wanted: BTreeMap::new(),
            unwanted: BTreeMap::new(),
            samples: BTreeMap::new(),
            said: 0,
            rng: fastrand::Rng::with_seed(seed),
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            next_event: 0,
            steps: 0,
        };
        for member in 0..n {
            world.boot(member);
        }
        world
    }

    pub fn behave(&mut self, member: usize, behaviour: Behaviour) {
        self.members[member].behaviour = behaviour;
    }

    pub fn at(&mut self, time: u64, member: usize, action: Action) {
        self.schedule(time, Event::Act(member, action));
    }

    /// A client hands its request to `member`, which may have it already.
    pub fn submit(&mut self, member: usize, request: SignedRequest<Crypto>) {
        let _ = self.try_submit(member, request);
    }

    pub fn try_submit(&mut self, member: usize, request: SignedRequest<Crypto>) -> Result<(), Rejection> {
        let verified = self.cluster_of(member).verify_submission(request).unwrap();
        self.input(member, Input::Submit(verified))
    }

    /// The host of `member` says what it can do.
    pub fn revise(&mut self, member: usize, profile: Profile) -> Result<(), Rejection> {
        self.input(member, Input::Revise(profile))
    }

    /// Members that do as the protocol says, whatever happened to them.
    pub fn honest(&self) -> impl Iterator<Item = usize> + '_ {
        let honest = |member: &usize| matches!(self.members[*member].behaviour, Behaviour::Honest | Behaviour::Slow);
        (0..self.members.len()).filter(honest)
    }

    /// The node of a member that is there.
    pub fn node(&self, member: usize) -> &TestNode {
        self.members[member].node.as_ref().expect("a member that is there")
    }

    /// The last epoch that `member` holds decided; 0 when it is not there.
    pub fn head(&self, member: usize) -> u64 {
        self.members[member].node.as_ref().map_or(0, |node| node.head().epoch().0)
    }

    /// Whether each of `members` is there and holds request `sequence` of `client` finished.
    pub fn finished(&self, members: &[usize], client: u8, sequence: u64) -> bool {
        members.iter().all(|member| {
            let node = self.members[*member].node.as_ref();
            node.is_some_and(|node| node.head().state().next_sequence(ClientId(client)) > sequence)
        })
    }

    /// Runs until `done`, or until the time is over. Says which.
    pub fn run(&mut self, until: u64, done: impl Fn(&World) -> bool) -> bool {
        for _ in 0..MOST_EVENTS {
            if done(self) {
                return true;
            }
            let Some(Reverse((time, id))) = self.queue.pop() else { return done(self) };
            if time > until {
                self.queue.push(Reverse((time, id)));
                return done(self);
            }
            self.now = self.now.max(time);
            match self.events.remove(&id).unwrap() {
                Event::Deliver(to, generation, envelope) => self.deliver(to, generation, *envelope),
                Event::Fire(member, timer, boot) => self.fire(member, timer, boot, time),
                Event::Act(member, action) => self.act(member, action),
                Event::Told(member, boot, input) => self.told(member, boot, input),
            }
        }
        panic!("{MOST_EVENTS} events and no end: the run is stuck at {} us", self.now);
    }

    /// The text that `member` holds committed, from whatever epochs it saw.
    pub fn all_committed(&self, epochs: u64) -> bool {
        self.honest().all(|member| {
            let node = self.members[member].node.as_ref();
            node.is_some_and(|node| node.head().epoch().0 >= epochs)
        })
    }

    /// One value for each epoch, whoever committed it.
    pub fn assert_agreement(&self) {
        let mut values = BTreeMap::new();
        for member in self.honest() {
            for commit in &self.members[member].commits {
                let value = *values.entry(commit.epoch).or_insert(commit.value);
                assert_eq!(value, commit.value, "two values in {:?}", commit.epoch);
            }
        }
    }

    /// The tokens of all epochs, as honest members saw them.
    pub fn text(&self) -> Vec<u8> {
        self.text_by_epoch().into_values().flatten().collect()
    }

    /// The tokens of each epoch that some honest member saw decided.
    pub fn text_by_epoch(&self) -> BTreeMap<u64, Vec<u8>> {
        let mut epochs = BTreeMap::new();
        for member in self.honest() {
            for commit in self.members[member].commits.iter().filter(|commit| !commit.tokens.is_empty()) {
                let tokens = epochs.entry(commit.epoch.0).or_insert_with(|| commit.tokens.clone());
                assert_eq!(*tokens, commit.tokens, "{:?}", commit.epoch);
            }
        }
        epochs
    }

    pub fn accused(&self) -> BTreeSet<(usize, &'static str)> {
        let honest = self.honest().flat_map(|member| &self.members[member].evidence);
        honest
            .map(|evidence| {
                evidence.verify(&self.cluster).expect("evidence verifies");
                (evidence.accused.index(), evidence.fault.name())
            })
            .collect()
    }

    pub fn first_transmissions(&self, kind: Kind) -> u64 {
        self.sent.get(&(kind, Transmission::First)).copied().unwrap_or(0)
    }

    fn boot(&mut self, member: usize) {
        let record = self.members[member].record.clone();
        let record = record.map(|bytes| wire::decode::<Record<Crypto>>(&bytes).expect("own record decodes"));
        self.members[member].generation = self.members[member].recorded_in;
        let node = Node::new(&self.seat(member, &key_of(member)), record).expect("own record is genuine");
        let slot = &mut self.members[member];
        slot.node = Some(Box::new(node));
        slot.executor = slot.kept.take().unwrap_or_default();
        slot.signed_in.clear();
        slot.outputs.clear();
        slot.attested.clear();
        slot.parked.clear();
        slot.fuse = None;
        slot.timers.clear();
        slot.boots += 1;
        let nonce = Nonce(self.rng.u128(..).to_le_bytes());
        self.input(member, Input::Start { nonce }).expect("a node can always begin");
    }

    fn act(&mut self, member: usize, action: Action) {
        match action {
            Action::Crash => self.members[member].node = None,
            Action::CrashInStep(outputs) => self.members[member].fuse = Some(outputs),
            Action::Restart => self.boot(member),
            Action::Wipe => {
                self.members[member].record = None;
                self.members[member].recorded_in = 0;
                self.members[member].node = None;
            }
            Action::Snapshot => {
                let slot = &mut self.members[member];
                slot.snapshot = slot.record.clone();
            }
            Action::RollBack => {
                let slot = &mut self.members[member];
                slot.record = slot.snapshot.clone();
                slot.rolled_back = true;
                self.boot(member);
            }
            Action::Pause(until) => self.members[member].paused_until = until,
        }
    }

    fn deliver(&mut self, to: usize, generation: usize, envelope: TestEnvelope) {
        let is_deferred = self.defer(to, |to| Event::Deliver(to, generation, Box::new(envelope.clone())));
        if is_deferred || self.members[to].node.is_none() {
            return;
        }
        if generation != self.members[to].generation {
            return self.show_last(to, generation, &envelope);
        }
        // Over the wire and back, as in a real host.
        let bytes = postcard::to_stdvec(&envelope).unwrap();
        let envelope = wire::decode::<TestEnvelope>(&bytes).expect("canonical");
        let wanted = self.consult_horizon(to, &envelope);
        self.remember(to, &envelope);
        let Ok(verified) = self.cluster_of(to).verify(envelope) else { return };
        let kind = verified.get().message.kind();
        let outcome = self.offer(to, verified);
        if let Err(reason) = wanted {
            assert_eq!(outcome, Err(reason), "{to} would have been spared a {kind:?} that matters");
            assert_eq!(self.said, 0, "{to} would have been spared a {kind:?} that proves something");
        }
        self.unpark(to);
    }

    /// What the horizon of `to` says to a message whose signatures are not checked yet.
    fn consult_horizon(&mut self, to: usize, envelope: &TestEnvelope) -> Result<(), Rejection> {
        let node = self.members[to].node.as_ref().expect("a running member");
        let wanted = node.horizon().wants(self.cluster_of(to), envelope);
        let counts = if wanted.is_ok() { &mut self.wanted } else { &mut self.unwanted };
        *counts.entry(envelope.message.kind()).or_default() += 1;
        wanted
    }

    fn told(&mut self, member: usize, boot: u64, input: Box<Input<Crypto, CAPACITY>>) {
        if self.defer(member, |member| Event::Told(member, boot, input.clone())) || self.members[member].boots != boot {
            return;
        }
        let _ = self.input(member, *input);
        self.unpark(member);
    }

    /// Gives `to` a message out of turn, and tells what it said to it.
    pub fn replay(&mut self, to: usize, envelope: TestEnvelope) -> Result<(), Rejection> {
        let verified = self.cluster.verify(envelope).expect("genuine");
        self.input(to, Input::Receive(verified))
    }

    fn offer(&mut self, to: usize, verified: Verified<TestEnvelope>) -> Result<(), Rejection> {
        let outcome = self.input(to, Input::Receive(verified.clone()));
        if let Err(Rejection::Early(place)) = outcome {
            self.members[to].parked.push((place, verified));
        }
        outcome
    }

    fn fire(&mut self, member: usize, timer: Timer, boot: u64, due: u64) {
        if self.defer(member, |member| Event::Fire(member, timer, boot)) {
            return;
        }
        let slot = &mut self.members[member];
        if slot.boots != boot || slot.timers.get(&timer).is_none_or(|set| *set != due && *set > self.now) {
            return;
        }
        slot.timers.remove(&timer);
        if slot.node.is_some() {
            let _ = self.input(member, Input::Timer(timer));
            self.unpark(member);
        }
    }

    /// A paused member meets the event when it goes on.
    fn defer(&mut self, member: usize, event: impl FnOnce(usize) -> Event) -> bool {
        let until = self.members[member].paused_until;
        let paused = until > self.now;
        if paused {
            self.schedule(until, event(member));
        }
        paused
    }

    fn input(&mut self, member: usize, input: Input<Crypto, CAPACITY>) -> Result<(), Rejection> {
        let Some(mut node) = self.members[member].node.take() else { return Err(Rejection::Stale) };
        let mut outputs = Vec::new();
        self.steps += 1;
        let before = self.steps.is_multiple_of(COMPARED).then(|| node.clone());
        let result = node.step(&self.seat(member, &key_of(member)), input, &mut |output| outputs.push(output));
        if result.is_err() {
            assert!(before.is_none_or(|before| node == before), "a rejection changed the state: {result:?}");
            assert!(outputs.iter().all(|output| matches!(output, Output::Evidence(_))), "a rejection had effects");
        }
        self.said = outputs.len();
        self.carry_out(member, node, outputs);
        result
    }

    /// Performs what a step of `node` asked for.
    fn carry_out(&mut self, member: usize, node: Box<TestNode>, outputs: Vec<Output<Crypto, CAPACITY>>) {
        let persists = outputs.iter().any(|output| matches!(output, Output::Persist));
        let record = persists.then(|| postcard::to_stdvec(&node.record()).unwrap());
        self.members[member].node = Some(node);
        let is_over = outputs.iter().any(|output| matches!(output, Output::Changed));
        let fuse = if outputs.is_empty() { None } else { self.members[member].fuse.take() };
        for (at, output) in outputs.into_iter().enumerate() {
            if fuse == Some(at) {
                self.members[member].node = None;
                return;
            }
            match output {
                Output::Persist => {
                    let slot = &mut self.members[member];
                    slot.record.clone_from(&record);
                    slot.recorded_in = slot.generation;
                }
                output => self.perform(member, output),
            }
        }
        if fuse.is_some() {
            self.members[member].node = None;
        } else if is_over {
            self.enter_next(member);
        }
    }

    /// Offers again what was early, as long as there is any whose time has come.
    fn unpark(&mut self, member: usize) {
        loop {
            let slot = &mut self.members[member];
            let Some(node) = &slot.node else { return };
            let Some(at) = slot.parked.iter().position(|(place, _)| node.reached(place)) else { return };
            let (_, verified) = slot.parked.remove(at);
            let _ = self.offer(member, verified);
        }
    }

    fn perform(&mut self, member: usize, output: Output<Crypto, CAPACITY>) {
        match output {
            Output::Persist | Output::EnterView { .. } => {}
            Output::Send { to, envelope, transmission } => {
                if envelope.from == self.place_of(member) {
                    self.hold_to_account(member, &envelope);
                }
                self.note(member, &envelope.message);
                for to in to.iter() {
                    let to = self.member_at(member, to);
                    assert_ne!(to, member, "nobody sends to itself");
                    let behaviour = self.members[member].behaviour;
                    let Some(envelope) = byzantine::rewrite(self, behaviour, member, to, envelope.clone()) else {
                        continue;
                    };
                    let samples = self.samples.entry(envelope.message.kind()).or_default();
                    if samples.len() < SAMPLES {
                        samples.push(envelope.clone());
                    }
                    *self.sent.entry((envelope.message.kind(), transmission)).or_default() += 1;
                    self.remember(member, &envelope);
                    self.transmit(member, to, envelope);
                    self.repeat_old(member);
                }
            }
            Output::SetTimer { timer, after: Millis(after) } => {
                let due = self.now + u64::from(after) * 1000;
                self.members[member].timers.insert(timer, due);
                let boot = self.members[member].boots;
                self.schedule(due, Event::Fire(member, timer, boot));
            }
            Output::Assign { .. } => {
                let (cluster, me) = (self.cluster_of(member).clone(), self.place_of(member));
                let slot = &mut self.members[member];
                let run = slot.node.as_ref().and_then(|node| node.run()).cloned().expect("an assigned run");
                for holding in slot.executor.assign(&cluster, me, &run) {
                    self.tell(member, holding);
                }
            }
            Output::Provide { stage, position, signal, .. } => {
                self.members[member].executor.provide(stage, position, signal);
            }
            Output::Restore { stage, position, signals, .. } => {
                for (at, signal) in (position.0..).zip(signals) {
                    self.members[member].executor.provide(stage, Position(at), signal);
                }
            }
            Output::Supply { to, run, stage, position, source } => {
                if let Some(history) = self.members[member].executor.supply(run, (stage, position), source) {
                    self.tell(member, Input::Supplied { to, history });
                }
            }
            Output::Compute { run, stage, position, asker, .. } => {
                let slot = &mut self.members[member];
                let current = slot.node.as_ref().and_then(|node| node.run()).map(|current| current.id);
                if current == Some(run) {
                    let mut signal = slot.executor.compute(stage, position);
                    if slot.behaviour == Behaviour::Miscompute {
                        signal[0] ^= 1;
                    }
                    self.tell(member, Input::Computed { run, stage, position, signal, asker });
                }
            }
            // Once everything else is done.
            Output::Changed => {}
            Output::Checkpoint { position, .. } => self.members[member].checkpoints.push(position),
            Output::Blocked(blockade) => self.members[member].blocked = Some(blockade),
            Output::Resumed => {
                assert!(self.members[member].blocked.take().is_some(), "{member} resumes what was not blocked");
                self.members[member].resumed += 1;
            }
            Output::Commit { epoch, path, view, tokens, notice } => {
                let slot = &mut self.members[member];
                // A later epoch may have been reached by the same step.
                let record = wire::decode::<Record<Crypto>>(slot.record.as_ref().unwrap()).unwrap();
                assert!(record.head.epoch() >= epoch, "{member} hands out {epoch:?} before it is durable");
                let head = slot.node.as_ref().and_then(|node| node.head().decided().cloned()).unwrap();
                let value =
                    if head.header.epoch == epoch { head.certificate.ballot.value } else { head.header.previous };
                let state = Some(head.state).filter(|state| state.epoch == epoch && !tokens.is_empty());
                let served = state.and_then(|state| {
                    let client = state.served?;
                    let active = state.active.as_ref().map(|active| active.request.request.sequence);
                    Some((client, active.unwrap_or(state.next_sequence(client) - 1)))
                });
                slot.commits.push(Committed { epoch, path, view, value, tokens: tokens.to_vec(), served, notice });
            }
            Output::Evidence(evidence) => {
                self.members[member].evidence.push(evidence);
            }
        }
    }

    /// How far `member` got with its stages.
    fn note(&mut self, member: usize, message: &Message<Crypto, CAPACITY>) {
        let slot = &mut self.members[member];
        match message {
            Message::StageOutput(output) => {
                let last = slot.outputs.entry(output.stage).or_insert(output.position);
                *last = output.position.max(*last);
            }
            Message::Attest(attest) => {
                slot.attested.insert(attest.claim.stage, attest.claim.committed);
            }
            _ => {}
        }
    }

    /// Whatever a member signs in agreement is covered by its disk at that
    /// moment, and contradicts nothing that it ever signed.
    fn hold_to_account(&mut self, member: usize, envelope: &TestEnvelope) {
        let Message::Agreement { epoch, message } = &envelope.message else { return };
        let slot = &mut self.members[member];
        let bytes = slot.record.as_ref().expect("a member without a record signs nothing");
        let record = wire::decode::<Record<Crypto>>(bytes).unwrap();
        assert_eq!(record.role, Role::Replica, "a learner signs nothing");
        // A proposal shown again to prove a fault is its author's, not this member's.
        assert!(record.head.epoch().next() >= *epoch, "{member} signs in {epoch:?} before the one before is durable");
        let covers = |held: Option<Ballot<Crypto>>, ballot: &Ballot<Crypto>| held == Some(*ballot);
        let same_epoch = record.head.epoch().next() == *epoch;
        let voted = record.agreement.voted.as_ref().map(|proposal| proposal.ballot);
        let locked = record.agreement.locked.as_ref().map(|certificate| certificate.ballot);
        let proposed = record.agreement.proposed.as_ref().map(|proposal| proposal.ballot);
        let payload = record.payload.is_some();
        let is_justified = |proposal: &Proposal<Crypto>| proposal.ballot.view.0 == 0 || proposal.progress.is_some();
        let (view, value, durable) = match message {
            AgreementMessage::Propose { ballot, .. } => {
                let justified = record.agreement.proposed.as_ref().is_some_and(is_justified);
                (ballot.view, ballot.value, covers(proposed, ballot) && payload && justified)
            }
            AgreementMessage::Vote(ballot) => {
                let justified = record.agreement.voted.as_ref().is_some_and(is_justified);
                (ballot.view, ballot.value, covers(voted, ballot) && payload && justified)
            }
            AgreementMessage::Commit(ballot) => (ballot.view, ballot.value, covers(locked, ballot)),
            AgreementMessage::ViewChange(change) => {
                let report = change.report();
                let digest =
                    report.voted.map_or(0, |ballot| ballot.value) ^ report.locked.map_or(0, |ballot| !ballot.value);
                (change.view, digest, record.agreement.view == change.view)
            }
            AgreementMessage::CertRequest(_) | AgreementMessage::CertAck(_) => return,
        };
        assert!(!same_epoch || durable, "{member} says what is not durable: {message:?}");
        slot.signed_in.insert(*epoch);
        let first = *slot.signed.entry((message.kind(), *epoch, view)).or_insert(value);
        assert!(first == value || slot.rolled_back, "{member} contradicts itself: {message:?}");
    }

    /// The host has something for its node, at once.
    fn tell(&mut self, member: usize, input: Input<Crypto, CAPACITY>) {
        let boot = self.members[member].boots;
        self.schedule(self.now, Event::Told(member, boot, Box::new(input)));
    }

    /// A replayer keeps what it says and hears.
    fn remember(&mut self, member: usize, envelope: &TestEnvelope) {
        let slot = &mut self.members[member];
        if slot.behaviour != Behaviour::Replay {
            return;
        }
        if slot.memory.len() == MEMORY {
            // Some stay for ever, others make room.
            slot.memory.swap_remove(self.rng.usize(..MEMORY));
        }
        slot.memory.push(envelope.clone());
    }

    /// A replayer says something old, its own or not, to anybody.
    fn repeat_old(&mut self, member: usize) {
        if self.members[member].memory.is_empty() {
            return;
        }
        let at = self.rng.usize(..self.members[member].memory.len());
        let envelope = self.members[member].memory[at].clone();
        let to = self.rng.usize(..self.members.len());
        if to != member && to != envelope.from.index() {
            self.transmit(member, to, envelope);
        }
    }

    fn transmit(&mut self, from: usize, to: usize, envelope: TestEnvelope) {
        let fate = self.weather.as_ref().map_or(Fate::Pass, |weather| weather(from, to, &envelope));
        let slow = self.members[from].behaviour == Behaviour::Slow && envelope.message.kind() == Kind::StageOutput;
        let late = match fate {
            Fate::Lost => return,
            Fate::Late(late) => late,
            Fate::Pass if slow => SLOWNESS,
            Fate::Pass => 0,
        };
        if self.rng.f64() < self.network.loss {
            return;
        }
        let generation = self.members[from].generation;
        let copies = if self.rng.f64() < self.network.duplication { 2 } else { 1 };
        for _ in 0..copies {
            let (least, most) = self.network.delay;
            let time = self.now + late + self.rng.u64(least..=most);
            self.schedule(time, Event::Deliver(to, generation, Box::new(envelope.clone())));
        }
    }

    fn schedule(&mut self, time: u64, event: Event) {
        let id = self.next_event;
        self.next_event += 1;
        self.events.insert(id, event);
        self.queue.push(Reverse((time, id)));
    }
}
