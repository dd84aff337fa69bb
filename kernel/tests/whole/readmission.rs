//! Voters that lost their vote record: they come back without an operator,
//! sign nothing that they may have signed before, and a cluster that lost too
//! many says so.

use crate::cluster::byzantine::Behaviour;
use crate::cluster::executor::reference;
use crate::cluster::{Action, Crypto, Network, Plan, TestEnvelope, World, request};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::machine::Rejection;
use butterfly_kernel::message::notice::{Notice, Readmit};
use butterfly_kernel::message::{Envelope, Kind, Message};
use butterfly_kernel::node::{Blockade, Role};
use butterfly_kernel::types::{Epoch, NodeId, NodeSet, Nonce};

const PROMPT: [u8; 3] = [7, 8, 9];
const MILLISECOND: u64 = 1_000;
const SECOND: u64 = 1_000_000;

/// One token an epoch, so that every member leads.
fn world(n: usize, seed: u64) -> World {
    World::with(Plan { tokens_per_epoch: 1, stages: 3, ..Plan::of(n) }.cluster(), seed, Network::CALM)
}

fn ask(world: &mut World, member: usize, sequence: u64, tokens: u16) {
    let asked = request(&world.cluster, sequence, &PROMPT, tokens);
    world.submit(member, asked);
}

/// The disk of `member` is lost `now`; it begins again so much later.
fn wipe(world: &mut World, member: usize, after: u64) {
    let now = world.now;
    world.at(now, member, Action::Wipe);
    world.at(now + after, member, Action::Restart);
    world.run(now, |_| false);
}

/// The epochs that admitted `member`, as anybody saw them.
fn admissions(world: &World, member: usize) -> Vec<Epoch> {
    let commits = world.members.iter().flat_map(|other| &other.commits);
    let admitted = |notice: &Option<(NodeId, Notice)>| matches!(notice, Some((node, Notice::Readmit(_))) if node.index() == member);
    let mut epochs: Vec<Epoch> = commits.filter(|commit| admitted(&commit.notice)).map(|commit| commit.epoch).collect();
    epochs.sort_unstable();
    epochs.dedup();
    epochs
}

fn votes(world: &World, member: usize) -> bool {
    world.members[member].node.as_ref().is_some_and(|node| node.role() == Role::Replica)
}

/// `member` is admitted `times` times, the last time for good: it signs again,
/// and only in epochs behind the last admission.
fn is_back(world: &mut World, member: usize, times: usize, case: &str) {
    assert!(world.run(world.now + 30 * SECOND, |world| votes(world, member)), "{case}: {member} is not admitted");
    let admitted = admissions(world, member);
    assert_eq!(admitted.len(), times, "{case}: {admitted:?}");
    let sequence = world.node(member).head().state().next_sequence(butterfly_kernel::types::ClientId(0));
    let everybody: Vec<usize> = (0..world.members.len()).collect();
    for sequence in sequence..sequence + 2 {
        // Refused when it is under way.
        ask(world, member, sequence, 8);
        assert!(world.run(world.now + 60 * SECOND, |world| world.finished(&everybody, 0, sequence)), "{case}");
    }
    let signed = &world.members[member].signed_in;
    assert!(signed.first() > admitted.last(), "{case}: admitted in {admitted:?}, signed in {signed:?}");
    assert!(signed.len() > 1, "{case}: it votes again: {signed:?}");
    world.assert_agreement();
    assert!(world.accused().is_empty(), "{case}: {:?}", world.accused());
}

#[test]
fn a_voter_that_lost_its_record_at_any_moment_votes_again() {
    for member in 0..4 {
        // The request takes three milliseconds; later the cluster is idle.
        for moment in (0..4 * MILLISECOND).step_by(200).chain([SECOND, 5 * SECOND]) {
            let case = format!("{member} at {moment} us");
            let mut world = world(4, moment);
            ask(&mut world, (member + 1) % 4, 1, 6);
            world.run(moment, |_| false);
            world.now = moment;
            wipe(&mut world, member, 1 + moment % MILLISECOND);
            is_back(&mut world, member, 1, &case);
            let tokens: Vec<u8> = reference(3, &PROMPT, 6);
            assert_eq!(world.text()[..6], tokens, "{case}");
        }
    }
}

#[test]
fn who_is_admitted_hears_of_it_at_once() {
    for member in 0..4 {
        let mut world = world(4, 1);
        ask(&mut world, 0, 1, 2);
        world.run(SECOND, |_| false);
        wipe(&mut world, member, 1);
        assert!(world.run(world.now + 30 * SECOND, |world| !admissions(world, member).is_empty()));
        let admitted = world.now;
        assert!(world.run(admitted + 30 * SECOND, |world| votes(world, member)));
        assert!(world.now < admitted + MILLISECOND, "{member} waits for {} us", world.now - admitted);
    }
}

#[test]
fn a_learner_that_begins_again_before_it_is_admitted_draws_another_number() {
    for member in 0..4 {
        for second in [50, 90, 130, 170, 250, 500, 2_000] {
            let case = format!("{member}, again after {second} us");
            let mut world = world(4, second);
            ask(&mut world, (member + 1) % 4, 1, 12);
            assert!(world.run(SECOND, |world| world.head(member) >= 1));
            wipe(&mut world, member, 1);
            let now = world.now;
            world.at(now + second, member, Action::Crash);
            world.at(now + second + 10, member, Action::Restart);
            world.run(now + second + 10, |_| false);
            assert!(world.run(now + 30 * SECOND, |world| votes(world, member)), "{case}");
            // The first number may have been committed meanwhile: that admits nobody.
            let times = admissions(&world, member).len();
            assert!(times <= 2, "{case}");
            is_back(&mut world, member, times, &case);
        }
    }
}

#[test]
fn a_voter_that_loses_its_record_twice_is_admitted_twice() {
    for member in 0..4 {
        let mut world = world(4, 2);
        ask(&mut world, (member + 1) % 4, 1, 20);
        assert!(world.run(SECOND, |world| world.head(member) >= 2));
        wipe(&mut world, member, 1);
        assert!(world.run(30 * SECOND, |world| votes(world, member)));
        wipe(&mut world, member, 1);
        is_back(&mut world, member, 2, &format!("{member}"));
    }
}

#[test]
fn two_of_seven_that_lost_their_records_at_once_are_both_admitted() {
    for (one, other) in [(0, 1), (1, 2), (5, 6), (0, 6), (2, 4)] {
        let mut world = world(7, 3);
        ask(&mut world, 3, 1, 12);
        assert!(world.run(SECOND, |world| world.head(3) >= 2));
        let now = world.now;
        for member in [one, other] {
            world.at(now, member, Action::Wipe);
            world.at(now + 1, member, Action::Restart);
        }
        world.run(now + 1, |_| false);
        is_back(&mut world, one, 1, "the first");
        is_back(&mut world, other, 1, "the second");
    }
}

fn set(members: &[usize]) -> NodeSet {
    members.iter().map(|member| NodeId(*member as u8)).collect()
}

#[test]
fn four_of_which_two_lost_their_records_say_who_they_are_and_commit_nothing() {
    for (one, other) in [(0, 1), (1, 2), (0, 3)] {
        let plan = Plan { tokens_per_epoch: 1, stages: 3, workers: 1, ..Plan::of(4) };
        let mut world = World::with(plan.cluster(), 4, Network::CALM);
        ask(&mut world, 2, 1, 12);
        assert!(world.run(SECOND, |world| world.head(2) >= 2));
        let now = world.now;
        for member in [one, other] {
            world.at(now, member, Action::Wipe);
            world.at(now + 1, member, Action::Restart);
        }
        world.run(now + 1, |_| false);
        let blockade = Blockade { silent: NodeSet::EMPTY, learners: set(&[one, other]) };
        let all = |world: &World| world.members.iter().all(|member| member.blocked == Some(blockade));
        assert!(world.run(30 * SECOND, all), "{:?}", world.members.iter().map(|m| m.blocked).collect::<Vec<_>>());
        let heads: Vec<u64> = (0..4).map(|member| world.head(member)).collect();
        assert!(!world.run(60 * SECOND, |world| !all(world)), "it stays so");
        assert_eq!(heads, (0..4).map(|member| world.head(member)).collect::<Vec<_>>());
        world.assert_agreement();
        let text = world.text();
        assert_eq!(text, reference(3, &PROMPT, 12)[..text.len()]);
    }
}

#[test]
fn a_blockade_ends_when_a_silent_voter_is_there_again() {
    for (lost, silent) in [(0, 1), (1, 0), (2, 3), (3, 1)] {
        for action in [Action::Crash, Action::Pause(60 * SECOND)] {
            let mut world = world(4, 5);
            ask(&mut world, 2, 1, 12);
            assert!(world.run(SECOND, |world| world.head(2) >= 2));
            let now = world.now;
            world.at(now, silent, action);
            world.at(now, lost, Action::Wipe);
            world.at(now + 1, lost, Action::Restart);
            world.run(now + 1, |_| false);
            let live: Vec<usize> = (0..4).filter(|member| *member != silent).collect();
            let blockade = Blockade { silent: set(&[silent]), learners: set(&[lost]) };
            let all = |world: &World| live.iter().all(|member| world.members[*member].blocked == Some(blockade));
            assert!(world.run(30 * SECOND, all), "{:?}", world.members.iter().map(|m| m.blocked).collect::<Vec<_>>());
            if matches!(action, Action::Crash) {
                world.at(60 * SECOND, silent, Action::Restart);
            }
            world.run(60 * SECOND, |_| false);
            assert!(live.iter().all(|member| world.members[*member].resumed == 0));
            is_back(&mut world, lost, 1, "the lost");
            let limit = world.now + 3 * SECOND;
            let over = |world: &World| world.members.iter().all(|member| member.blocked.is_none());
            assert!(world.run(limit, over), "{lost} {silent}");
            assert!(live.iter().all(|member| world.members[*member].resumed == 1));
            assert_eq!(world.text()[..12], reference(3, &PROMPT, 12));
        }
    }
}

fn applications(world: &World, member: usize) -> Vec<TestEnvelope> {
    let samples = world.samples.get(&Kind::Readmit).into_iter().flatten();
    samples.filter(|envelope| envelope.from.index() == member).cloned().collect()
}

#[test]
fn old_applications_do_nothing() {
    let mut world = world(4, 6);
    ask(&mut world, 0, 1, 8);
    assert!(world.run(SECOND, |world| world.head(0) >= 2));
    wipe(&mut world, 3, 1);
    is_back(&mut world, 3, 1, "once");
    let head = world.head(0);
    let old = applications(&world, 3);
    assert!(!old.is_empty());
    for application in old {
        for member in 0..3 {
            assert_eq!(world.replay(member, application.clone()), Err(Rejection::Stale));
        }
    }
    world.run(world.now + 10 * SECOND, |_| false);
    assert_eq!(world.head(0), head);
}

#[test]
fn a_number_of_an_earlier_life_admits_nobody() {
    let mut world = world(4, 7);
    world.run(SECOND, |_| false);
    // In its first life without a record nobody hears member 3.
    world.weather =
        Some(Box::new(|from, _, _| if from == 3 { crate::cluster::Fate::Lost } else { crate::cluster::Fate::Pass }));
    wipe(&mut world, 3, 1);
    world.run(world.now + SECOND, |_| false);
    let of_the_first_life = applications(&world, 3)[0].clone();
    world.at(world.now, 3, Action::Crash);
    world.at(world.now + 1, 3, Action::Restart);
    world.run(world.now + 1, |_| false);
    for member in 0..3 {
        world.replay(member, of_the_first_life.clone()).unwrap();
    }
    assert!(world.run(world.now + 30 * SECOND, |world| !admissions(world, 3).is_empty()));
    assert_eq!(world.node(3).role(), Role::Learner);
    world.weather = None;
    is_back(&mut world, 3, 2, "the second life");
}

#[test]
fn a_member_that_applies_again_and_again_costs_every_other_epoch_at_most() {
    for faulty in 0..4 {
        let mut world = world(4, 8);
        let me = NodeId(faulty as u8);
        ask(&mut world, (faulty + 1) % 4, 1, 16);
        let others: Vec<usize> = (0..4).filter(|member| *member != faulty).collect();
        let mut number = 0_u128;
        while !world.finished(&others, 0, 1) {
            assert!(world.now < 60 * SECOND, "{faulty}");
            for member in &others {
                let incarnation = world.node(*member).head().state().next_incarnation(me);
                number += 1;
                let nonce = Nonce(number.to_le_bytes());
                let message = Message::Notice(Notice::Readmit(Readmit { incarnation, nonce }));
                let signature = Crypto::sign(&me, &message.statement(&world.cluster));
                let _ = world.replay(*member, Envelope { from: me, message, signature });
            }
            let until = world.now + 200;
            world.run(until, |_| false);
            world.now = until;
        }
        let commits = &world.members[others[0]].commits;
        let first = commits.iter().position(|commit| !commit.tokens.is_empty()).unwrap();
        let is_notice: Vec<bool> = commits[first..].iter().map(|commit| commit.notice.is_some()).collect();
        assert!(is_notice.iter().filter(|notice| **notice).count() > 3, "{faulty}: it tries: {is_notice:?}");
        assert!(is_notice.windows(2).all(|pair| pair != [true, true]), "{faulty}: {is_notice:?}");
        assert_eq!(world.text(), reference(3, &PROMPT, 16));
    }
}

#[test]
fn a_member_that_applies_again_and_again_keeps_nobody_else_out() {
    let mut world = world(7, 8);
    let pest = NodeId(0);
    ask(&mut world, 1, 1, 24);
    let others: Vec<usize> = (1..7).collect();
    let mut number = 0_u128;
    let mut wiped = false;
    while admissions(&world, 6).is_empty() {
        assert!(world.now < 60 * SECOND);
        for member in &others {
            if world.members[*member].node.is_none() {
                continue;
            }
            let incarnation = world.node(*member).head().state().next_incarnation(pest);
            number += 1;
            let message = Message::Notice(Notice::Readmit(Readmit { incarnation, nonce: Nonce(number.to_le_bytes()) }));
            let signature = Crypto::sign(&pest, &message.statement(&world.cluster));
            let _ = world.replay(*member, Envelope { from: pest, message, signature });
        }
        // Once it had its way, another member is really lost.
        if !wiped && !admissions(&world, 0).is_empty() {
            wiped = true;
            let now = world.now;
            world.at(now, 6, Action::Wipe);
            world.at(now + 1, 6, Action::Restart);
        }
        let until = world.now + 200;
        world.run(until, |_| false);
        world.now = until;
    }
    let (lost, back) = (admissions(&world, 0), admissions(&world, 6));
    let between = lost.iter().filter(|epoch| **epoch < back[0]).count();
    assert!(between <= 2, "it had its way in {lost:?} before the other in {back:?}");
    world.assert_agreement();
}

#[test]
fn a_cluster_killed_at_once_resumes_without_learners() {
    for moment in (0..4 * MILLISECOND).step_by(250) {
        let mut world = world(4, moment);
        ask(&mut world, 0, 1, 8);
        world.run(moment, |_| false);
        for member in 0..4 {
            world.at(moment, member, Action::Crash);
            world.at(moment + 1, member, Action::Restart);
        }
        world.run(moment + 1, |_| false);
        assert!((0..4).all(|member| votes(&world, member)));
        ask(&mut world, 1, 1, 8);
        assert!(world.run(60 * SECOND, |world| world.finished(&[0, 1, 2, 3], 0, 1)), "{moment}");
        assert!(!world.samples.contains_key(&Kind::Readmit));
        assert_eq!(world.text(), reference(3, &PROMPT, 8));
    }
}

#[test]
fn an_application_told_to_one_member_only_makes_nobody_believe_in_a_blockade() {
    for (faulty, incarnation) in [(1, 1), (3, 1), (1, 7), (3, 7)] {
        let mut world = world(4, 9);
        let me = NodeId(faulty);
        world.run(3 * SECOND, |_| false);
        let message = Message::Notice(Notice::Readmit(Readmit { incarnation, nonce: Nonce([1; 16]) }));
        let signature = Crypto::sign(&me, &message.statement(&world.cluster));
        world.replay(0, Envelope { from: me, message, signature }).unwrap();
        let limit = world.now + 100 * SECOND;
        let alarmed = world.run(limit, |world| world.members.iter().any(|member| member.blocked.is_some()));
        assert!(!alarmed, "{faulty} {incarnation}: {:?} at {}", world.members[0].blocked, world.now);
    }
}

#[test]
fn an_epoch_that_takes_long_is_no_blockade_for_voters_or_workers() {
    let mut world = World::with(Plan { workers: 2, ..Plan::of(4) }.cluster(), 10, Network::CALM);
    (0..6).for_each(|member| world.behave(member, Behaviour::Slow));
    ask(&mut world, 0, 1, 4);
    let all: Vec<usize> = (0..6).collect();
    let alarmed = |world: &World| world.members.iter().any(|member| member.blocked.is_some());
    assert!(world.run(60 * SECOND, |world| alarmed(world) || world.finished(&all, 0, 1)));
    assert!(!alarmed(&world), "{:?}", world.members.iter().map(|m| m.blocked).collect::<Vec<_>>());
    assert!(world.now > 8 * SECOND, "it takes long");
}

#[test]
fn workers_know_of_a_blockade_too() {
    let plan = Plan { tokens_per_epoch: 1, workers: 2, ..Plan::of(4) };
    let mut world = World::with(plan.cluster(), 11, Network::CALM);
    ask(&mut world, 0, 1, 8);
    world.at(1, 2, Action::Crash);
    world.at(1, 3, Action::Crash);
    let blockade = Some(Blockade { silent: set(&[2, 3]), learners: NodeSet::EMPTY });
    let all = |world: &World| [0, 1, 4, 5].iter().all(|member| world.members[*member].blocked == blockade);
    assert!(world.run(60 * SECOND, all), "{:?}", world.members.iter().map(|m| m.blocked).collect::<Vec<_>>());
    world.at(world.now, 2, Action::Restart);
    let over = |world: &World| world.members.iter().all(|member| member.blocked.is_none());
    assert!(world.run(world.now + 60 * SECOND, |world| world.finished(&[0, 1, 2, 4, 5], 0, 1)));
    assert!(world.run(world.now + 3 * SECOND, over));
}
