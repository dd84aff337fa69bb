use std::collections::BTreeSet;

use butterfly_kernel::cluster::Timing;
use butterfly_kernel::crypto::ed25519::PublicKey;
use butterfly_kernel::message::Fetch;
use butterfly_kernel::message::agreement::{AgreementMessage, Ballot};
use butterfly_kernel::message::inference::{Attest, Claim, Request, StageOutput, Tokens};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{ClientId, Position, Resilience, View};
use ed25519_dalek::SigningKey;

use super::*;
use crate::model::{SAMPLING, Transformer};
use crate::protocol::{Cluster, Input, Record, Roster, SignedRequest};

const N: u8 = 4;
const ME: NodeId = NodeId(2);

/// A member that has a request to work on.
struct Scene {
    cluster: Cluster,
    keys: Vec<SigningKey>,
    node: Box<Node>,
}

impl Scene {
    fn new() -> Scene {
        let keys: Vec<SigningKey> = (0..=N).map(|at| SigningKey::from_bytes(&[at + 1; 32])).collect();
        let mut public = keys.iter().map(|key| PublicKey(key.verifying_key().to_bytes()));
        let model = Transformer::for_nodes(usize::from(N)).unwrap();
        let roster = Roster {
            resilience: Resilience::largest(usize::from(N)).unwrap(),
            members: public.by_ref().take(usize::from(N)).collect(),
            clients: public.collect(),
            operators: [].into_iter().collect(),
            model: model.terms(4).unwrap(),
            assignment: model.assignment(usize::from(N)).unwrap(),
        };
        let cluster = Cluster::new(roster, Timing::default()).unwrap();
        let seat = Seat { cluster: &cluster, me: ME, key: &keys[ME.index()] };
        let mut node = Box::new(Node::new(&seat, Some(Record::first(Role::Replica))).unwrap());
        let prompt = [1, 2, 3].into_iter().collect();
        let request = Request { client: ClientId(0), sequence: 1, prompt, tokens: 4, sampling: SAMPLING };
        let signature = Crypto::sign(&keys[usize::from(N)], &request.statement(&cluster));
        let asked = cluster.verify_submission(SignedRequest { request, signature }).unwrap();
        node.step(&seat, Input::Submit(asked), &mut |_| ()).unwrap();
        Scene { cluster, keys, node }
    }

    fn seat(&self) -> Seat<'_> {
        Seat { cluster: &self.cluster, me: ME, key: &self.keys[ME.index()] }
    }

    fn signed_by(&self, from: NodeId, message: Message) -> Envelope {
        signed(&Seat { cluster: &self.cluster, me: from, key: &self.keys[from.index()] }, message)
    }

    /// What `behaviour` makes of a message of this member to everybody.
    fn sends(&self, behaviour: &mut Faults, message: Message) -> Vec<Outgoing> {
        let sent = Outgoing::now(self.seat().others(), self.signed_by(ME, message));
        let outgoing = behaviour.rewrite(&self.seat(), &self.node, sent);
        for Outgoing { envelope, .. } in &outgoing {
            self.cluster.verify(envelope.clone()).expect("whatever goes out is signed by its author");
        }
        outgoing
    }

    fn output(&self, stage: Stage, position: u16) -> Message {
        let run = self.node.run().unwrap();
        let signal = [7, 7, 7, 7].into_iter().collect();
        Message::StageOutput(StageOutput { run: run.id, stage, position: Position(position), signal })
    }

    fn attest(&self, stage: Stage) -> Message {
        let run = self.node.run().unwrap();
        let claim = Claim { run: run.id, committed: run.committed(), stage, input: run.id.plan, output: run.id.plan };
        Message::Attest(Attest { claim, tokens: Tokens::new() })
    }

    fn vote(&self, epoch: u64, view: u32) -> Message {
        let ballot = Ballot { view: View(view), value: self.cluster.id() };
        Message::Agreement { epoch: Epoch(epoch), message: AgreementMessage::Vote(ballot) }
    }

    fn proposal(&self, epoch: u64) -> Message {
        let ballot = Ballot { view: View::ZERO, value: self.cluster.id() };
        Message::Agreement { epoch: Epoch(epoch), message: AgreementMessage::Propose { ballot, progress: None } }
    }

    /// A stage that this member is assigned to, and a fellow of it.
    fn stage_with_fellows(&self) -> (Stage, Vec<NodeId>) {
        let run = self.node.run().unwrap();
        let stage = self.cluster.stages().find(|stage| run.active.placement.set(*stage).contains(ME)).unwrap();
        (stage, run.active.placement.set(stage).without(ME).iter().collect())
    }
}

fn faulty(misbehaviour: Misbehaviour) -> Faults {
    Faults::new(misbehaviour, Epoch(1))
}

#[test]
fn before_its_epoch_nobody_misbehaves() {
    let scene = Scene::new();
    for kind in FaultKind::ALL {
        let FaultKind::Node(misbehaviour) = kind else { continue };
        let mut later = Faults::new(misbehaviour, Epoch(2));
        assert!(later.computes(&scene.node), "{kind}");
        for message in [scene.vote(1, 0), scene.proposal(1), scene.attest(Stage(1)), scene.output(Stage(1), 0)] {
            let outgoing = scene.sends(&mut later, message.clone());
            assert_eq!(outgoing.len(), 1, "{kind}");
            assert_eq!((&outgoing[0].envelope.message, outgoing[0].to.len()), (&message, 3), "{kind}");
            assert_eq!(outgoing[0].delay, Duration::ZERO, "{kind}");
        }
    }
}

#[test]
fn a_withholding_member_proposes_nothing_and_votes_to_half_of_its_peers() {
    let scene = Scene::new();
    let mut withholding = faulty(Misbehaviour::Withhold);
    assert!(scene.sends(&mut withholding, scene.proposal(1)).is_empty());
    let mut confidants = BTreeSet::new();
    for epoch in 1..=3 {
        let outgoing = scene.sends(&mut withholding, scene.vote(epoch, 0));
        assert_eq!(outgoing[0].to.len(), 2);
        confidants.insert(outgoing[0].to);
    }
    assert_eq!(confidants.len(), 3, "others in each epoch");
    // What others signed is hidden as well: an answer to one peer.
    let shown = Outgoing::now(scene.seat().others(), scene.signed_by(NodeId(1), scene.proposal(1)));
    assert!(withholding.rewrite(&scene.seat(), &scene.node, shown).is_empty());
    let fetch = Message::Fetch(Fetch { epoch: Epoch(1), value: None });
    assert_eq!(scene.sends(&mut withholding, fetch)[0].to.len(), 3, "it still asks for what it lacks");
}

#[test]
fn a_copycat_says_what_the_first_fellow_says_and_nothing_of_its_own() {
    let scene = Scene::new();
    let (stage, fellows) = scene.stage_with_fellows();
    let mut copycat = faulty(Misbehaviour::CopyCat);
    assert!(!copycat.computes(&scene.node));
    for message in [scene.output(stage, 0), scene.attest(stage)] {
        assert!(scene.sends(&mut copycat, message.clone()).is_empty(), "it has no result of its own");
        let first = scene.signed_by(fellows[0], message.clone());
        let copied = copycat.hear(&scene.seat(), &scene.node, &first);
        assert_eq!(copied.len(), 1);
        assert_eq!(copied[0].envelope, scene.signed_by(ME, message.clone()));
        assert!(!copied[0].to.contains(ME) && copied[0].to.contains(fellows[0]));
        let second = scene.signed_by(fellows[1], message);
        assert!(copycat.hear(&scene.seat(), &scene.node, &second).is_empty(), "once");
    }
    let other = scene.signed_by(fellows[0], scene.output(stage, 1));
    assert_eq!(copycat.hear(&scene.seat(), &scene.node, &other).len(), 1, "another position");
    assert_eq!(scene.sends(&mut copycat, scene.vote(1, 0)).len(), 1, "it takes part in agreement");
}

#[test]
fn a_copycat_does_not_speak_for_stages_of_others() {
    let scene = Scene::new();
    let run = scene.node.run().unwrap();
    let mut copycat = faulty(Misbehaviour::CopyCat);
    for stage in scene.cluster.stages() {
        for from in scene.seat().others().iter() {
            let assigned = run.active.placement.set(stage);
            let heard = scene.signed_by(from, scene.attest(stage));
            let copied = faulty(Misbehaviour::CopyCat).hear(&scene.seat(), &scene.node, &heard);
            assert_eq!(copied.len(), usize::from(assigned.contains(ME) && assigned.contains(from)));
        }
    }
    let Message::Attest(mut attest) = scene.attest(Stage(0)) else { unreachable!() };
    attest.claim.run.plan = scene.cluster.id();
    let heard = scene.signed_by(NodeId(1), Message::Attest(attest));
    assert!(copycat.hear(&scene.seat(), &scene.node, &heard).is_empty(), "of another run");
}

#[test]
fn a_replaying_member_repeats_what_everybody_said_in_every_epoch() {
    let scene = Scene::new();
    let mut replaying = faulty(Misbehaviour::Replay);
    let old: Vec<Envelope> = [(0, 1), (1, 1), (3, 2), (0, 3)]
        .map(|(from, epoch)| scene.signed_by(NodeId(from), scene.vote(epoch, 0)))
        .into();
    for envelope in &old {
        assert!(replaying.hear(&scene.seat(), &scene.node, envelope).is_empty());
    }
    let mut repeated: Vec<Envelope> = Vec::new();
    for view in 1..20 {
        let outgoing = scene.sends(&mut replaying, scene.vote(4, view));
        assert_eq!(outgoing[0].envelope, scene.signed_by(ME, scene.vote(4, view)), "it speaks as well");
        repeated.extend(outgoing.into_iter().skip(1).map(|outgoing| outgoing.envelope));
    }
    for envelope in &old {
        let count = repeated.iter().filter(|again| *again == envelope).count();
        assert!(count >= 2, "again and again: {count}");
    }
    assert!(repeated.iter().any(|again| again.from == ME));
}

#[test]
fn a_replaying_member_remembers_only_so_much() {
    let scene = Scene::new();
    let mut replay = Replay::default();
    for epoch in 0..600 {
        for view in 0..20 {
            replay.remember(&scene.signed_by(ME, scene.vote(epoch, view)));
        }
    }
    assert_eq!(replay.len(), 512 * 8);
}

#[test]
fn a_slow_member_is_late_with_its_outputs_only() {
    let scene = Scene::new();
    let mut slow = faulty(Misbehaviour::Slow);
    let delay = |slow: &mut Faults, message| scene.sends(slow, message)[0].delay;
    assert_eq!(delay(&mut slow, scene.output(Stage(0), 0)), Duration::from_millis(500));
    assert_eq!(delay(&mut slow, scene.attest(Stage(0))), Duration::ZERO);
    assert_eq!(delay(&mut slow, scene.vote(1, 0)), Duration::ZERO);
}

#[test]
fn a_silent_member_says_nothing() {
    let scene = Scene::new();
    assert!(scene.sends(&mut faulty(Misbehaviour::Silent), scene.vote(1, 0)).is_empty());
}

#[test]
fn an_equivocator_tells_each_peer_one_of_two_stories() {
    let scene = Scene::new();
    for message in [scene.proposal(1), scene.vote(1, 0)] {
        let outgoing = scene.sends(&mut faulty(Misbehaviour::Equivocate), message.clone());
        assert_eq!(outgoing.len(), 2);
        assert_eq!(outgoing[0].to.union(outgoing[1].to), scene.seat().others());
        assert_eq!(outgoing[0].to.len() + outgoing[1].to.len(), 3);
        assert_eq!(outgoing[0].envelope.message, message);
        assert_ne!(outgoing[1].envelope.message, message);
    }
}

#[test]
fn a_liar_says_something_else() {
    let scene = Scene::new();
    for message in [scene.output(Stage(0), 0), scene.attest(Stage(0))] {
        let outgoing = scene.sends(&mut faulty(Misbehaviour::Lie), message.clone());
        assert_eq!((outgoing.len(), outgoing[0].to.len()), (1, 3));
        assert_ne!(outgoing[0].envelope.message, message);
    }
    assert_eq!(scene.sends(&mut faulty(Misbehaviour::Lie), scene.vote(1, 0))[0].envelope.message, scene.vote(1, 0));
}
