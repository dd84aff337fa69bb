//! Members come and go while requests are worked on: nothing is lost, nothing
//! stops, and nobody signs what it should not.

use crate::cluster::executor::reference;
use crate::cluster::generations::{admit, signed};
use crate::cluster::{Action, Crypto, Fate, Network, OPERATOR, Plan, TestCluster, World, request};
use butterfly_kernel::chain::Head;
use butterfly_kernel::cluster::{ClusterError, Seat};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::machine::Rejection;
use butterfly_kernel::message::change::{Change, SignedChange, Warrant, token_statement};
use butterfly_kernel::message::{Forged, Message};
use butterfly_kernel::node::{Record, RecordError, Role};
use butterfly_kernel::types::{NodeId, Resilience};

const PROMPT: [u8; 3] = [7, 8, 9];
const SECOND: u64 = 1_000_000;

/// One token an epoch, so that every member leads.
fn world(n: usize, seed: u64, network: Network) -> World {
    World::with(Plan { tokens_per_epoch: 1, stages: 3, ..Plan::of(n) }.cluster(), seed, network)
}

fn ask(world: &mut World, member: usize, sequence: u64, tokens: u16) {
    let asked = request(&world.cluster, sequence, &PROMPT, tokens);
    world.submit(member, asked);
}

fn remove(member: usize, resilience: Resilience) -> Change<Crypto> {
    Change::Remove { member: NodeId(member as u8), resilience }
}

fn order(world: &mut World, member: usize, change: Change<Crypto>) {
    let change = signed(world.cluster_of(member), change);
    world.order(member, change).unwrap();
}

/// Whether each of `members` is in this cluster of the chain.
fn are_in(world: &World, members: &[usize], generation: usize) -> bool {
    members
        .iter()
        .all(|member| world.members[*member].generation == generation && world.members[*member].node.is_some())
}

/// Each of `members` is bound to finish requests `sequences`, and the texts are right.
fn finish(world: &mut World, members: &[usize], sequences: std::ops::RangeInclusive<u64>, tokens: u16) {
    let last = *sequences.end();
    assert!(
        world.run(world.now + 120 * SECOND, |world| world.finished(members, 0, last)),
        "request {last} is not finished"
    );
    world.assert_agreement();
    assert!(world.accused().is_empty(), "{:?}", world.accused());
    let expected: Vec<u8> = sequences.flat_map(|_| reference(3, &PROMPT, tokens.into())).collect();
    assert_eq!(world.text(), expected);
}

#[test]
fn a_member_comes_and_another_goes_under_load() {
    for (seed, network) in [(1, Network::CALM), (2, Network::WILD), (3, Network::WILD)] {
        let mut world = world(4, seed, network);
        let newcomer = world.expect_newcomer();
        // Three requests wait while the roster changes twice.
        (1..=3).for_each(|sequence| ask(&mut world, 1, sequence, 5));
        world.run(world.now + 1_000, |_| false);
        order(&mut world, 2, admit(newcomer, Resilience::largest(5).unwrap()));
        assert!(world.run(world.now + 60 * SECOND, |world| are_in(world, &[0, 1, 2, 3, newcomer], 1)), "seed {seed}");
        // The member that leads the open epoch goes.
        let leaver = world.cluster_of(0).leader(world.node(0).epoch(), butterfly_kernel::types::View::ZERO);
        let leaver = world.cluster_of(0).roster().members[leaver.index()].index();
        let place = world.place_of(leaver).index();
        order(&mut world, leaver, remove(place, Resilience::largest(4).unwrap()));
        let stayers: Vec<usize> = (0..5).filter(|member| *member != leaver).collect();
        assert!(world.run(world.now + 60 * SECOND, |world| are_in(world, &stayers, 2)), "seed {seed}");
        ask(&mut world, stayers[0], 4, 5);
        finish(&mut world, &stayers, 1..=4, 5);
        assert!(!world.members[newcomer].signed_in.is_empty(), "seed {seed}: the newcomer signs");
        let end = world.later[1].descent().unwrap().epoch;
        assert!(world.members[leaver].signed_in.iter().all(|epoch| *epoch <= end), "seed {seed}: it signs no more");
        assert!(world.node(leaver).is_over());
    }
}

#[test]
fn the_roster_changes_between_requests_only() {
    let mut world = world(4, 7, Network::CALM);
    world.expect_newcomer();
    ask(&mut world, 0, 1, 12);
    assert!(world.run(SECOND, |world| world.node(0).head().state().active.is_some()));
    order(&mut world, 0, admit(4, Resilience::largest(5).unwrap()));
    assert!(world.run(world.now + 10 * SECOND, |world| are_in(world, &[0, 1, 2, 3, 4], 1)));
    let descent = world.later[0].descent().unwrap();
    assert_eq!(descent.epoch.0, 13, "twelve epochs of a token each came before");
    assert_eq!((descent.first, descent.previous), (world.cluster.id(), world.cluster.id()));
    finish(&mut world, &[0, 1, 2, 3, 4], 1..=1, 12);
}

#[test]
fn who_was_away_enters_when_it_is_back() {
    let mut world = world(4, 11, Network::CALM);
    let newcomer = world.expect_newcomer();
    world.at(0, 3, Action::Crash);
    world.run(1, |_| false);
    order(&mut world, 0, admit(newcomer, Resilience::largest(5).unwrap()));
    assert!(world.run(60 * SECOND, |world| are_in(world, &[0, 1, 2, newcomer], 1)), "with one of four down");
    ask(&mut world, 1, 1, 6);
    finish(&mut world, &[0, 1, 2, newcomer], 1..=1, 6);
    // It still believes in the first roster, whose others have all moved on.
    world.at(world.now, 3, Action::Restart);
    assert!(world.run(world.now + 60 * SECOND, |world| are_in(world, &[3], 1)));
    ask(&mut world, 3, 2, 6);
    finish(&mut world, &[0, 1, 2, 3, newcomer], 1..=2, 6);
    assert_eq!(world.node(3).role(), Role::Replica, "its record said what it had signed");
}

#[test]
fn a_crash_at_any_output_of_the_change_loses_nothing() {
    for outputs in 0..12 {
        let mut world = world(4, 100 + outputs as u64, Network::CALM);
        let newcomer = world.expect_newcomer();
        ask(&mut world, 0, 1, 3);
        order(&mut world, 0, admit(newcomer, Resilience::largest(5).unwrap()));
        // Just before it is decided, in its next step that says anything.
        let before_the_change = |world: &World| world.head(2) == 3;
        assert!(world.run(10 * SECOND, before_the_change));
        world.at(world.now, 2, Action::CrashInStep(outputs));
        world.at(world.now + 20 * SECOND, 2, Action::Restart);
        assert!(world.run(world.now + 60 * SECOND, |world| are_in(world, &[0, 1, 2, 3, newcomer], 1)), "{outputs}");
        ask(&mut world, 2, 2, 3);
        finish(&mut world, &[0, 1, 2, 3, newcomer], 1..=2, 3);
    }
}

#[test]
fn who_lost_its_record_is_a_learner_behind_the_change_as_well() {
    let mut world = world(4, 13, Network::CALM);
    let newcomer = world.expect_newcomer();
    order(&mut world, 0, admit(newcomer, Resilience::largest(5).unwrap()));
    let everybody = [0, 1, 2, 3, newcomer];
    assert!(world.run(60 * SECOND, |world| are_in(world, &everybody, 1)));
    ask(&mut world, 0, 1, 6);
    finish(&mut world, &everybody, 1..=1, 6);
    let now = world.now;
    world.at(now, 3, Action::Wipe);
    world.at(now, 3, Action::Restart);
    // It begins in the first cluster, and comes through the change without a vote.
    let is = |world: &World, role| world.members[3].node.as_ref().is_some_and(|node| node.role() == role);
    assert!(world.run(now + 60 * SECOND, |world| is(world, Role::Learner)));
    assert!(world.run(world.now + 60 * SECOND, |world| is(world, Role::Learner) && are_in(world, &[3], 1)));
    assert!(world.run(world.now + 60 * SECOND, |world| is(world, Role::Replica)), "it is admitted again");
    let incarnation = world.node(0).head().state().readmitted.get(&NodeId(3)).map(|readmit| readmit.incarnation);
    assert_eq!(incarnation, Some(1), "the first time in this cluster");
    ask(&mut world, 3, 2, 6);
    finish(&mut world, &everybody, 1..=2, 6);
}

#[test]
fn workers_come_and_go_and_none_becomes_a_voter() {
    let plan = Plan { workers: 1, tokens_per_epoch: 1, stages: 3, ..Plan::of(4) };
    let mut world = World::with(plan.cluster(), 17, Network::CALM);
    let newcomer = world.expect_newcomer();
    let four = Resilience::largest(4).unwrap();
    let Change::Admit { newcomer: who, .. } = admit(newcomer, four) else { unreachable!() };
    order(&mut world, 1, Change::Admit { newcomer: who, votes: false, resilience: four });
    assert!(world.run(60 * SECOND, |world| are_in(world, &[0, 1, 2, 3, 4, newcomer], 1)));
    assert_eq!(world.node(newcomer).role(), Role::Worker);
    ask(&mut world, 0, 1, 6);
    finish(&mut world, &[0, 1, 2, 3, 4, newcomer], 1..=1, 6);
    order(&mut world, 1, remove(4, four));
    assert!(world.run(world.now + 60 * SECOND, |world| are_in(world, &[0, 1, 2, 3, newcomer], 2)));
    assert_eq!(world.place_of(newcomer), NodeId(4), "it moved up, and is a worker still");
    ask(&mut world, 0, 2, 6);
    finish(&mut world, &[0, 1, 2, 3, newcomer], 1..=2, 6);

    // A voter goes and n stays: the first worker would have to vote.
    let change = signed(world.cluster_of(0), remove(0, four));
    assert_eq!(world.order(0, change), Err(Rejection::Invalid));
}

#[test]
fn a_change_is_good_for_one_cluster() {
    let mut world = world(4, 19, Network::CALM);
    world.expect_newcomer();
    let five = Resilience::largest(5).unwrap();
    let change = signed(&world.cluster, admit(4, five));
    let rival = signed(&world.cluster, admit(5, five));
    world.order(0, change.clone()).unwrap();
    assert_eq!(world.order(0, change.clone()), Err(Rejection::Duplicate));
    assert_eq!(world.order(0, rival.clone()), Err(Rejection::Full), "one at a time");
    assert!(world.run(60 * SECOND, |world| are_in(world, &[0, 1, 2, 3, 4], 1)));
    for again in [change, rival] {
        assert_eq!(world.cluster_of(0).verify_change(again).err(), Some(Forged::Signature));
    }
}

#[test]
fn a_roster_is_changed_by_whose_word_it_says_only() {
    let cluster = Plan::of(4).cluster();
    let five = Resilience::largest(5).unwrap();
    let change = admit(4, five);
    let (token, stranger) = (NodeId(77), NodeId(78));
    let verdict = |change: &Change<Crypto>, warrant| {
        let signed = SignedChange { change: change.clone(), warrant };
        cluster.verify_change(signed).err()
    };
    let by = |key: NodeId, change: &Change<Crypto>| Crypto::sign(&key, &change.statement(&cluster));
    let tokened = |operator: NodeId, bearer: NodeId, change: &Change<Crypto>, votes, resilience| Warrant::Token {
        token,
        operator: Crypto::sign(&operator, &token_statement(&cluster, &token, votes, resilience)),
        bearer: by(bearer, change),
    };
    assert_eq!(verdict(&change, Warrant::Operator(by(OPERATOR, &change))), None);
    assert_eq!(verdict(&change, tokened(OPERATOR, token, &change, true, five)), None);

    let forged = Some(Forged::Signature);
    let other = admit(5, five);
    assert_eq!(verdict(&change, Warrant::Operator(by(NodeId(0), &change))), forged, "a member's word");
    assert_eq!(verdict(&change, Warrant::Operator(by(OPERATOR, &other))), forged, "of another change");
    assert_eq!(verdict(&change, tokened(stranger, token, &change, true, five)), forged, "nobody's token");
    assert_eq!(verdict(&change, tokened(OPERATOR, stranger, &change, true, five)), forged, "without its secret");
    assert_eq!(verdict(&change, tokened(OPERATOR, token, &other, true, five)), forged, "for somebody else");
    assert_eq!(verdict(&change, tokened(OPERATOR, token, &change, false, five)), forged, "of a worker");
    let bolder = Resilience::new(5, 1, 0).unwrap();
    assert_eq!(verdict(&change, tokened(OPERATOR, token, &change, true, bolder)), forged, "with other bounds");
    let remove = remove(0, Resilience::largest(3).unwrap());
    assert_eq!(verdict(&remove, tokened(OPERATOR, token, &remove, true, five)), forged, "a token removes nobody");
    assert_eq!(verdict(&remove, Warrant::Operator(by(OPERATOR, &remove))), None);
}

#[test]
fn a_change_that_does_not_fit_is_refused() {
    let mut world = world(4, 23, Network::CALM);
    let five = Resilience::largest(5).unwrap();
    let four = Resilience::largest(4).unwrap();
    let refused = [
        ("a member's key again", admit(2, five)),
        ("the client's key", admit(200, five)),
        ("n of the old roster", admit(4, four)),
        ("somebody who is none", remove(4, Resilience::largest(3).unwrap())),
        ("with n as it is", remove(3, four)),
    ];
    for (case, change) in refused {
        let change = signed(&world.cluster, change);
        assert_eq!(world.order(0, change), Err(Rejection::Invalid), "{case}");
    }
    assert!(world.later.is_empty());
}

#[test]
fn a_change_that_fits_no_more_is_given_up() {
    let plan = Plan { workers: 1, tokens_per_epoch: 1, stages: 1, ..Plan::of(4) };
    let mut world = World::with(plan.cluster(), 37, Network::CALM);
    ask(&mut world, 0, 1, 12);
    assert!(world.run(SECOND, |world| world.node(0).head().is_working()));
    // Three are needed to run a stage. The worker is one of four that can, until
    // one of the others can do nothing any more, and then one more.
    world.revise(1, butterfly_kernel::assignment::Profile::with_speed(0)).unwrap();
    let change = signed(&world.cluster, remove(4, Resilience::largest(4).unwrap()));
    world.order(0, change.clone()).unwrap();
    world.revise(2, butterfly_kernel::assignment::Profile::with_speed(0)).unwrap();
    assert!(world.run(world.now + 120 * SECOND, |world| world.finished(&[0, 1, 2, 3, 4], 0, 1)));
    ask(&mut world, 0, 2, 4);
    assert!(world.run(world.now + 120 * SECOND, |world| world.finished(&[0, 1, 2, 3, 4], 0, 2)));
    assert!(world.later.is_empty(), "two members and no worker cannot run the model");
    assert_eq!(world.order(0, change), Err(Rejection::Invalid));
}

/// A world that went through a change, and the decision that made it.
fn changed() -> (World, butterfly_kernel::chain::Decided<Crypto>) {
    let mut world = world(4, 29, Network::CALM);
    world.expect_newcomer();
    // Node 3 hears nothing of it, and stands at the end of the first cluster.
    order(&mut world, 0, admit(4, Resilience::largest(5).unwrap()));
    assert!(world.run(60 * SECOND, |world| are_in(world, &[0, 1, 2, 3, 4], 1)));
    let last = world.ending(0).clone();
    (world, last)
}

#[test]
fn nothing_leads_into_a_cluster_but_the_decision_before_it() {
    let (world, last) = changed();
    let next = &world.later[0];
    let seat = Seat { cluster: next, me: NodeId(1), key: &NodeId(1) };
    let enter = |last: &butterfly_kernel::chain::Decided<Crypto>| Record::entering(&seat, Role::Replica, last);
    let record = enter(&last).unwrap();
    assert!(matches!(&record.head, Head::Entered(state) if state.change.is_none()));
    assert!(butterfly_kernel::node::Node::new(&seat, Some(record.clone())).is_ok());

    let mut other_value = last.clone();
    other_value.certificate.ballot.value ^= 1;
    let mut other_state = last.clone();
    other_state.state.served = Some(butterfly_kernel::types::ClientId(0));
    let mut unchanged = last.clone();
    unchanged.state.change = None;
    for (case, last) in [("value", other_value), ("state", other_state), ("no change", unchanged.clone())] {
        assert_eq!(enter(&last), Err(RecordError::Head), "{case}");
    }
    assert_eq!(world.cluster.next(&unchanged).err(), Some(ClusterError::Unchanged));
    // Not into the first one, nor out of nothing.
    let first = Seat { cluster: &world.cluster, me: NodeId(1), key: &NodeId(1) };
    assert_eq!(Record::entering(&first, Role::Replica, &last), Err(RecordError::Head));
    let is_refused = |seat: &Seat<'_, Crypto, 16>, record| {
        butterfly_kernel::node::Node::new(seat, record).err() == Some(RecordError::Head)
    };
    assert!(is_refused(&seat, None), "a record that says nothing is not one of a later cluster");
    assert!(is_refused(&first, Some(record.clone())));
    let mut bent = record;
    if let Head::Entered(state) = &mut bent.head {
        state.interrupted = !state.interrupted;
    }
    assert!(is_refused(&seat, Some(bent)));
}

#[test]
fn what_a_later_cluster_decided_says_nothing_in_an_earlier_one() {
    let (mut world, _) = changed();
    ask(&mut world, 0, 1, 4);
    finish(&mut world, &[0, 1, 2, 3, 4], 1..=1, 4);
    let decided = world.node(0).head().decided().unwrap().clone();
    assert!(world.later[0].decided_is_genuine(&decided));
    assert!(!world.cluster.decided_is_genuine(&decided), "a change is never skipped");
    let seat = |cluster: &TestCluster| {
        Seat { cluster, me: NodeId(0), key: &NodeId(0) }.envelope(Message::Decided(decided.clone()))
    };
    assert!(world.later[0].verify(seat(&world.later[0])).is_ok());
    assert!(world.cluster.verify(seat(&world.cluster)).is_err());
    assert!(world.cluster.verify(seat(&world.later[0])).is_err());
}

#[test]
fn who_hears_nothing_of_the_change_signs_nothing_behind_it() {
    let mut world = world(4, 31, Network::CALM);
    let newcomer = world.expect_newcomer();
    // Decisions do not reach node 3, and votes do not either.
    world.weather = Some(Box::new(|_, to, _| if to == 3 { Fate::Lost } else { Fate::Pass }));
    order(&mut world, 0, admit(newcomer, Resilience::largest(5).unwrap()));
    assert!(world.run(60 * SECOND, |world| are_in(world, &[0, 1, 2, newcomer], 1)));
    ask(&mut world, 0, 1, 6);
    finish(&mut world, &[0, 1, 2, newcomer], 1..=1, 6);
    assert!(world.members[3].signed_in.iter().all(|epoch| epoch.0 <= 1), "{:?}", world.members[3].signed_in);
    world.weather = None;
    ask(&mut world, 1, 2, 6);
    finish(&mut world, &[0, 1, 2, 3, newcomer], 1..=2, 6);
}

/// Members come and go at random, one is killed in the middle of a step, on a
/// network that loses, repeats and reorders, while a client asks.
#[test]
fn random_changes_lose_nothing() {
    for seed in 0..6 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut world = world(4, seed, Network::WILD);
        let mut members: Vec<usize> = (0..4).collect();
        for round in 1..=3 {
            ask(&mut world, members[rng.usize(..members.len())], round, 4);
            let teller = members[rng.usize(..members.len())];
            let change = if members.len() == 4 || members.len() < 6 && rng.bool() {
                let newcomer = world.expect_newcomer();
                members.push(newcomer);
                admit(newcomer, Resilience::largest(members.len()).unwrap())
            } else {
                let leaver = members.remove(rng.usize(..members.len()));
                remove(world.place_of(leaver).index(), Resilience::largest(members.len()).unwrap())
            };
            order(&mut world, teller, change);
            let victim = members[rng.usize(..members.len())];
            let generation = usize::try_from(round).unwrap();
            if world.members[victim].node.is_some() {
                world.at(world.now + rng.u64(..SECOND / 10), victim, Action::CrashInStep(rng.usize(..6)));
                world.at(world.now + rng.u64(5 * SECOND..10 * SECOND), victim, Action::Restart);
            }
            let entered = |world: &World| are_in(world, &members, generation);
            assert!(world.run(world.now + 300 * SECOND, entered), "seed {seed}, round {round}");
        }
        finish(&mut world, &members, 1..=3, 4);
    }
}
