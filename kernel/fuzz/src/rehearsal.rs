//! A small cluster that runs through what can happen to one, so that there are
//! nodes in the midst of their work, and messages that they take.

use std::collections::BTreeMap;

use butterfly_kernel::assignment::Profile;
use butterfly_kernel::chain::Head;
use butterfly_kernel::cluster::{Assignment, Model, Roster, Timing};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::inference::run::Run;
use butterfly_kernel::message::change::{Change, Contact, Newcomer, Warrant, token_statement};
use butterfly_kernel::message::inference::{Request, Sampling, SignedRequest};
use butterfly_kernel::message::{Kind, Message};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{ClientId, Epoch, NodeId, Resilience, Stage};
use butterfly_kernel::wire;

use crate::pocket::Pocket;
use crate::scene::{Scene, Watch};
use crate::{Cluster, Envelope, MEMBERS, Node, SignedChange, VOTERS};

const CLIENT: NodeId = NodeId(200);
const OPERATOR: NodeId = NodeId(201);
const TOKEN: NodeId = NodeId(202);
/// The only member that does not vote.
const WORKER: u8 = 4;

/// A node at one moment of its work.
#[derive(Clone)]
pub struct Moment {
    /// What it has just done.
    pub name: &'static str,
    /// How often the roster had changed: the place of its cluster in [`Notes`].
    pub changes: usize,
    /// Which member it is.
    pub me: NodeId,
    /// Its state.
    pub node: Node,
}

/// What is seen in the scenes.
pub struct Notes {
    /// The cluster, and what it became when its roster changed.
    pub clusters: Vec<Cluster>,
    /// Nodes in the midst of their work.
    pub moments: Vec<Moment>,
    /// Messages of each kind that were sent.
    pub messages: BTreeMap<Kind, Vec<Vec<u8>>>,
    /// Records that were made durable.
    pub records: Vec<Vec<u8>>,
    /// Decisions that changed the roster.
    pub endings: Vec<Vec<u8>>,
}

/// Four voters and a worker, one of which may be faulty; no silent voter on
/// the fast path, so that every kind of message has a use. From the cluster's
/// id, and so from the manifest, it is drawn who is placed where.
pub(crate) fn found(manifest: u8) -> Cluster {
    let roster = Roster {
        resilience: resilience(),
        members: (0..).map(NodeId).take(MEMBERS).collect(),
        clients: [CLIENT].into_iter().collect(),
        operators: [OPERATOR].into_iter().collect(),
        model: Model {
            manifest: [manifest; 32],
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

fn resilience() -> Resilience {
    Resilience::new(VOTERS, 1, 0).expect("four members tolerate one fault")
}

/// The client's request of this number, of eight tokens: four epochs.
pub fn request(cluster: &Cluster, sequence: u64) -> SignedRequest<Pocket> {
    let prompt = [1, 2].into_iter().collect();
    let request = Request { client: ClientId(0), sequence, prompt, tokens: 8, sampling: Sampling::Greedy };
    let signature = Pocket::sign(&CLIENT, &request.statement(cluster));
    SignedRequest { request, signature }
}

/// The operator's order.
fn order(cluster: &Cluster, change: Change<Pocket>) -> SignedChange {
    let warrant = Warrant::Operator(Pocket::sign(&OPERATOR, &change.statement(cluster)));
    SignedChange { change, warrant }
}

/// By a token that the operator signed for one more worker.
fn by_token(cluster: &Cluster, change: Change<Pocket>) -> SignedChange {
    let promise = token_statement(cluster, &TOKEN, false, cluster.resilience());
    let warrant = Warrant::Token {
        token: TOKEN,
        operator: Pocket::sign(&OPERATOR, &promise),
        bearer: Pocket::sign(&TOKEN, &change.statement(cluster)),
    };
    SignedChange { change, warrant }
}

fn removal(member: u8, resilience: Resilience) -> Change<Pocket> {
    Change::Remove { member: NodeId(member), resilience }
}

/// One more worker, with this key.
fn admission(key: NodeId) -> Change<Pocket> {
    let contact: Contact = b"there".iter().copied().collect();
    let newcomer = Newcomer { key, profile: Profile::default(), contact };
    Change::Admit { newcomer, votes: false, resilience: resilience() }
}

/// The encoding of something of the pocket world.
pub fn encode<T: serde::Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; wire::encoded_len(value)];
    wire::encode(value, &mut bytes).expect("there is room");
    bytes
}

/// Every scene.
pub fn play() -> Notes {
    rehearse(found(0))
}

/// Every scene with this cluster.
pub(crate) fn rehearse(cluster: Cluster) -> Notes {
    let cast = Cast::of(&cluster);
    let (moments, messages, records, endings) = Default::default();
    let mut notes = Notes { clusters: vec![cluster], moments, messages, records, endings };
    calm(&cast, &mut notes);
    absent_leader(&mut notes);
    losses(&mut notes);
    notices(&cast, &mut notes);
    lone_notice(&mut notes);
    departure_and_return(&mut notes);
    others_come_and_go(&mut notes);
    notes
}

/// Who plays what depends on where the first request is placed, and that is
/// drawn from the cluster's id.
struct Cast {
    /// Computes the first stage without being asked.
    owner: usize,
    /// A voter whose host forgets inputs of the last stage. Not member 2, which
    /// leads the epoch in which it does.
    forgetful: usize,
    /// Whom that one asks for them first.
    teller: usize,
    /// Another voter.
    witness: usize,
}

impl Cast {
    fn of(cluster: &Cluster) -> Cast {
        let run = Run::new(cluster, &Head::Genesis, &request(cluster, 1)).expect("the request is the client's first");
        let placement = run.active.placement;
        let last = || placement.assigned(Stage(1)).map(NodeId::index);
        // Three are assigned: one at least of these.
        let forgetful = [0, 1, 3].into_iter().find(|voter| last().any(|member| member == *voter));
        let forgetful = forgetful.expect("all but two members may forget");
        let another = |member: &usize| *member != forgetful;
        Cast {
            owner: placement.owners(Stage(0)).iter().next().expect("a stage has owners").index(),
            forgetful,
            teller: last().find(another).expect("a stage has three members"),
            witness: [1, 0].into_iter().find(another).expect("there are two"),
        }
    }
}

/// One request, nothing fails.
fn calm(cast: &Cast, notes: &mut Notes) {
    let mut scene = Scene::open(notes);
    scene.moment("has begun", 3, Watch::Now);
    scene.moment("has sent a stage's output", cast.owner, Watch::Sends(Kind::StageOutput));
    scene.moment("leads and has proposed", 1, Watch::Sends(Kind::Propose));
    scene.moment("has voted", 0, Watch::Sends(Kind::Vote));
    scene.moment("holds a commit certificate", 3, Watch::Sends(Kind::Commit));
    scene.moment("has voted in the next epoch", 2, Watch::Votes(Epoch(2)));
    scene.submit(0, 1);
    scene.run(|_, _| true);
}

/// Member 1 leads view 0 of epoch 1 and takes no part in agreement.
fn absent_leader(notes: &mut Notes) {
    let mut scene = Scene::open(notes);
    scene.moment("has left for view 1", 0, Watch::Sends(Kind::ViewChange));
    scene.moment("leads view 1 and asks", 2, Watch::Sends(Kind::CertRequest));
    scene.moment("has acknowledged", 3, Watch::Sends(Kind::CertAck));
    scene.moment("leads view 1 and has proposed", 2, Watch::Sends(Kind::Propose));
    let present =
        |envelope: &Envelope, _| envelope.from != NodeId(1) || !matches!(envelope.message, Message::Agreement { .. });
    scene.submit(0, 1);
    scene.run(present);
    scene.lose_patience();
    scene.run(present);
}

/// Member 3 misses attestations while votes are lost, then votes and a stage's
/// outputs while nobody can decide epoch 2.
fn losses(notes: &mut Notes) {
    let mut scene = Scene::open(notes);
    let unattested = |envelope: &Envelope, to| match envelope.message.kind() {
        Kind::Vote | Kind::Commit => false,
        Kind::Attest => to != 3,
        _ => true,
    };
    scene.submit(0, 1);
    scene.run(unattested);
    scene.moment("lacks a payload", 3, Watch::Now);
    scene.moment("works and does not vote", WORKER.into(), Watch::Now);
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

/// A voter loses its record and all inputs in the midst of a request, and is
/// admitted again; member 2 does not hear it ask. The worker and a voter say
/// that they can do less.
fn notices(cast: &Cast, notes: &mut Notes) {
    let mut scene = Scene::open(notes);
    let undecided = |envelope: &Envelope, to| match envelope.message.kind() {
        Kind::Readmit => to != 2,
        _ => decides_only(Epoch(1), envelope),
    };
    scene.submit(0, 1);
    scene.run(undecided);
    scene.forget(cast.forgetful);
    scene.moment("is a learner", cast.forgetful, Watch::Now);
    scene.moment("lacks a stage's inputs", cast.forgetful, Watch::Sends(Kind::Recall));
    scene.moment("has told what crossed a link", cast.teller, Watch::Sends(Kind::History));
    scene.retransmit(undecided);
    scene.moment("heard of one that lost its record", cast.witness, Watch::Now);
    let unheard = |envelope: &Envelope, to| envelope.message.kind() != Kind::Readmit || to != 2;
    scene.insist(unheard, |scene| scene.nodes[cast.forgetful].role() == Role::Replica);
    scene.submit(3, 2);
    scene.revise(WORKER.into());
    scene.revise(1);
    scene.run(|_, _| true);
}

/// A voter says that it can do less while nothing else happens, and member 2
/// does not hear it.
fn lone_notice(notes: &mut Notes) {
    let mut scene = Scene::open(notes);
    let unheard =
        |envelope: &Envelope, to| all_must_vote(envelope) && (envelope.message.kind() != Kind::Revise || to != 2);
    scene.moment("has told what a value stands for", 0, Watch::Sends(Kind::Payload));
    scene.revise(3);
    scene.insist(unheard, |scene| scene.nodes.iter().all(|node| node.head().epoch() == Epoch(1)));
}

/// The worker is taken out while a request is under way, and member 2 does not
/// hear of it; later the worker comes back with a token.
fn departure_and_return(notes: &mut Notes) {
    let mut scene = Scene::open(notes);
    let unheard =
        |envelope: &Envelope, to| all_must_vote(envelope) && (envelope.message.kind() != Kind::Change || to != 2);
    scene.submit(0, 1);
    scene.run(|envelope, _| decides_only(Epoch(1), envelope));
    let removal = order(scene.cluster(), removal(WORKER, resilience()));
    scene.order(0, removal);
    scene.run(|envelope, to| decides_only(Epoch(1), envelope) && unheard(envelope, to));
    scene.moment("has a change waiting", 3, Watch::Now);
    scene.insist(unheard, |scene| scene.nodes.iter().all(Node::is_over));
    scene.moment("has decided the end of its cluster", 1, Watch::Now);
    scene.moment("is taken out", WORKER.into(), Watch::Now);
    scene.enter();
    scene.moment("has entered the next cluster", 0, Watch::Now);
    scene.submit(3, 2);
    scene.moment("leads in the next cluster", 2, Watch::Sends(Kind::Propose));
    scene.insist(|_, _| true, |scene| scene.nodes.iter().all(|node| node.head().next_sequence(ClientId(0)) == 3));
    let admission = by_token(scene.cluster(), admission(NodeId(WORKER)));
    scene.order(1, admission);
    scene.insist(|_, _| true, |scene| scene.nodes.iter().all(Node::is_over));
    scene.enter();
    scene.moment("is new in the cluster", WORKER.into(), Watch::Now);
    scene.submit(WORKER.into(), 3);
    scene.run(|_, _| true);
}

/// An operator lets one more worker in; in another life of the cluster, a voter goes.
fn others_come_and_go(notes: &mut Notes) {
    let without_faults = Resilience::new(VOTERS - 1, 0, 0).expect("three members agree if none is faulty");
    let newcomer = NodeId(u8::try_from(MEMBERS).expect("there are five"));
    for change in [admission(newcomer), removal(1, without_faults)] {
        let mut scene = Scene::open(notes);
        let change = order(scene.cluster(), change);
        scene.order(1, change);
        scene.insist(|_, _| true, |scene| scene.nodes.iter().all(Node::is_over));
    }
}

/// Whether `envelope` may arrive when no epoch ends unless all four vote, so
/// that whoever does not know a value must ask what it stands for.
fn all_must_vote(envelope: &Envelope) -> bool {
    envelope.message.kind() != Kind::Commit
}

/// Whether `envelope` may arrive when votes of later epochs than `last` do not.
fn decides_only(last: Epoch, envelope: &Envelope) -> bool {
    let votes = matches!(envelope.message.kind(), Kind::Vote | Kind::Commit);
    !votes || envelope.message.epoch().is_some_and(|epoch| epoch <= last)
}
