//! Whole clusters in memory, without faults and with each fault.

use crate::cluster::byzantine::Behaviour;
use crate::cluster::executor::reference;
use crate::cluster::{Action, Network, World, request};
use butterfly_kernel::machine::Rejection;
use butterfly_kernel::message::Kind;
use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::node::Role;

const PROMPT: [u8; 5] = [10, 20, 30, 40, 50];
const SECOND: u64 = 1_000_000;

/// Runs a request of `tokens` tokens to the end and checks it against one machine.
fn answer(world: &mut World, tokens: u16, limit: u64) {
    let asked = request(&world.cluster, 1, &PROMPT, tokens);
    world.submit(0, asked);
    let per_epoch = u64::from(world.cluster.model().tokens_per_epoch);
    let epochs = u64::from(tokens).div_ceil(per_epoch);
    let done = world.run(limit, |world| world.all_committed(epochs));
    world.assert_agreement();
    assert!(done, "not done after {} us; heads {:?}", world.now, heads(world));
    assert_eq!(world.text(), reference(world.cluster.model().stages, &PROMPT, usize::from(tokens)));
}

fn heads(world: &World) -> Vec<Option<u64>> {
    world.members.iter().map(|member| member.node.as_ref().map(|node| node.head().epoch().0)).collect()
}

#[test]
fn without_faults_every_epoch_is_fast_and_nothing_is_sent_twice() {
    for n in [1, 4, 7, 10] {
        let mut world = World::new(n, 1, Network::CALM);
        answer(&mut world, 16, 60 * SECOND);
        let n = n as u64;
        for member in &world.members {
            assert!(member.commits.iter().all(|commit| commit.path == Path::Fast && commit.view.0 == 0));
            assert_eq!(member.commits.len(), 4);
        }
        assert_eq!(world.first_transmissions(Kind::Propose), 4 * (n - 1), "n = {n}");
        assert_eq!(world.first_transmissions(Kind::Vote), 4 * n * (n - 1), "n = {n}");
        assert_eq!(world.first_transmissions(Kind::ViewChange), 0);
        assert!(world.accused().is_empty());
    }
}

#[test]
fn a_silent_member_costs_only_the_views_that_it_leads() {
    for silent in 0..4 {
        let mut world = World::new(4, 2, Network::CALM);
        world.behave(silent, Behaviour::Silent);
        let asked = request(&world.cluster, 1, &PROMPT, 32);
        world.submit((silent + 1) % 4, asked);
        assert!(world.run(300 * SECOND, |world| world.all_committed(8)), "{:?}", heads(&world));
        world.assert_agreement();
        for member in world.honest() {
            for commit in &world.members[member].commits {
                let led_by_the_silent = commit.epoch.0 % 4 == silent as u64;
                assert_eq!(commit.view.0, u32::from(led_by_the_silent), "{commit:?}");
                assert_eq!(commit.path, Path::Fast);
            }
        }
        assert_eq!(world.text(), reference(4, &PROMPT, 32));
        assert!(world.accused().is_empty());
    }
}

#[test]
fn a_liar_is_blamed_and_changes_nothing() {
    for liar in 0..4 {
        let mut world = World::new(4, 3, Network::CALM);
        world.behave(liar, Behaviour::Lie);
        answer(&mut world, 16, 60 * SECOND);
        let accused = world.accused();
        assert!(accused.contains(&(liar, "attestation")), "{accused:?}");
        assert!(accused.iter().all(|(node, _)| *node == liar), "{accused:?}");
    }
}

#[test]
fn reserves_step_in_at_the_first_disagreement_and_do_not_wait_for_a_timer() {
    let mut world = World::new(4, 3, Network::CALM);
    world.behave(1, Behaviour::Lie);
    answer(&mut world, 16, 60 * SECOND);
    let patience = u64::from(world.cluster.timing.escalate.0) * 1000;
    assert!(world.now < patience, "{} us", world.now);
}

#[test]
fn reserves_step_in_for_owners_that_compute_but_do_not_attest() {
    for member in 0..4 {
        let mut world = World::new(4, 14, Network::CALM);
        world.behave(member, Behaviour::WithholdAttestations);
        answer(&mut world, 16, 60 * SECOND);
        assert!(world.accused().is_empty());
    }
}

#[test]
fn a_member_whose_own_result_differs_abstains_and_is_not_blamed() {
    for member in 0..4 {
        let mut world = World::new(4, 12, Network::CALM);
        world.behave(member, Behaviour::Miscompute);
        answer(&mut world, 16, 60 * SECOND);
        let attested = world.samples[&Kind::Attest].iter().any(|envelope| envelope.from.index() == member);
        assert!(!attested, "it attests what f + 1 others contradict");
        assert!(world.accused().is_empty());
    }
}

#[test]
fn an_equivocator_is_blamed_and_changes_nothing() {
    for equivocator in 0..4 {
        let mut world = World::new(4, 4, Network::CALM);
        world.behave(equivocator, Behaviour::Equivocate);
        answer(&mut world, 16, 60 * SECOND);
        // What proves it may still be under way.
        let limit = world.now + SECOND;
        world.run(limit, |world| world.accused().contains(&(equivocator, "proposals")));
        let accused = world.accused();
        assert!(accused.contains(&(equivocator, "proposals")), "{accused:?}");
        assert!(accused.iter().all(|(node, _)| *node == equivocator), "{accused:?}");
    }
}

#[test]
fn a_crashed_member_is_done_without_and_a_restarted_one_catches_up() {
    for member in 0..4 {
        let mut world = World::new(4, 5, Network::CALM);
        world.at(3_000, member, Action::Crash);
        world.at(900_000, member, Action::Restart);
        answer(&mut world, 32, 300 * SECOND);
        assert!(world.accused().is_empty());
    }
}

#[test]
fn an_old_decision_does_not_take_a_member_back() {
    let mut world = World::new(4, 13, Network::CALM);
    world.at(1_000, 3, Action::Crash);
    world.at(600_000, 3, Action::Restart);
    answer(&mut world, 32, 300 * SECOND);
    let old = world.samples[&Kind::Decided].first().expect("member 3 was told what was decided").clone();
    assert!(old.message.epoch().is_some_and(|epoch| epoch.0 < 8), "{:?}", old.message.epoch());
    for member in 0..4 {
        assert_eq!(world.replay(member, old.clone()), Err(Rejection::Stale));
        assert_eq!(heads(&world)[member], Some(8));
    }
}

#[test]
fn a_member_that_lost_its_record_signs_nothing_until_the_cluster_admits_it_again() {
    for member in 0..4 {
        let mut world = World::new(4, 15, Network::CALM);
        let signed = |world: &World| world.members[member].signed.clone();
        let asked = request(&world.cluster, 1, &PROMPT, 40);
        world.submit((member + 1) % 4, asked);
        assert!(world.run(SECOND, |world| !signed(world).is_empty()));
        let (before, lost) = (signed(&world), world.now);
        world.at(lost, member, Action::Wipe);
        // It draws another number at each start.
        for restart in [2_000, 2_500, 3_000] {
            world.at(lost + restart, member, Action::Restart);
        }
        let role = |world: &World| world.members[member].node.as_ref().map(|node| node.role());
        assert!(world.run(lost + SECOND, |world| role(world) == Some(Role::Learner)));
        assert!(world.run(300 * SECOND, |world| role(world) == Some(Role::Replica)));
        let admitted = world.members[member].node.as_ref().unwrap().head().epoch();
        // It may have been admitted with a number that it forgot since.
        assert!(world.run(300 * SECOND, |world| world.text().len() == 40), "{:?}", heads(&world));
        let after = signed(&world).into_iter().filter(|(key, _)| !before.contains_key(key));
        let epochs: Vec<_> = after.map(|((_, epoch, _), _)| epoch).collect();
        assert!(!epochs.is_empty(), "it votes again");
        assert!(epochs.iter().all(|epoch| *epoch > admitted), "{epochs:?} after {admitted:?}");
        assert_eq!(world.text(), reference(4, &PROMPT, 40));
        assert!(world.accused().is_empty());
    }
}

#[test]
fn two_crashed_of_four_stop_the_cluster() {
    let mut world = World::new(4, 6, Network::CALM);
    world.at(1, 2, Action::Crash);
    world.at(1, 3, Action::Crash);
    let asked = request(&world.cluster, 1, &PROMPT, 8);
    world.submit(0, asked);
    assert!(
        !world.run(100 * SECOND, |world| world.members[0].node.as_ref().is_some_and(|node| node.head().epoch().0 > 0))
    );
    world.at(world.now + 1, 2, Action::Restart);
    let limit = world.now + 100 * SECOND;
    assert!(world.run(limit, |world| world.members[0].node.as_ref().is_some_and(|node| node.head().epoch().0 == 2)));
}

#[test]
fn two_liars_that_do_not_collude_stop_the_cluster_or_change_nothing() {
    for (one, other) in [(0, 1), (1, 2), (2, 3), (0, 3)] {
        let mut world = World::new(4, 7, Network::CALM);
        world.behave(one, Behaviour::Lie);
        world.behave(other, Behaviour::Lie);
        let asked = request(&world.cluster, 1, &PROMPT, 16);
        let expected = reference(4, &PROMPT, 16);
        world.submit(0, asked);
        world.run(60 * SECOND, |world| world.all_committed(4));
        world.assert_agreement();
        let text = world.text();
        assert_eq!(text, expected[..text.len()], "what was committed is right");
    }
}

#[test]
fn a_liar_with_a_copy_cat_are_two_faults_and_change_nothing_where_two_are_tolerated() {
    for copy_cat in [1, 3, 6] {
        let mut world = World::new(7, 8, Network::CALM);
        world.behave(0, Behaviour::Lie);
        world.behave(copy_cat, Behaviour::CopyCat(0));
        answer(&mut world, 16, 120 * SECOND);
        assert!(world.accused().iter().all(|(node, _)| *node == 0 || *node == copy_cat));
    }
}

#[test]
fn more_silent_members_than_the_fast_path_survives_are_decided_slowly() {
    // n = 7, f = 2, p = 1: two silent members leave five, a slow quorum.
    let mut world = World::new(7, 9, Network::CALM);
    world.behave(5, Behaviour::Silent);
    world.behave(6, Behaviour::Silent);
    answer(&mut world, 16, 120 * SECOND);
    let commits = |world: &World| world.members[0].commits.clone();
    assert!(commits(&world).iter().all(|commit| commit.path == Path::Slow), "{:?}", commits(&world));
    assert!(world.first_transmissions(Kind::Commit) > 0);
}

#[test]
fn requests_of_one_client_are_answered_once_each_in_their_order() {
    let mut world = World::new(4, 10, Network::CALM);
    let mut expected = Vec::new();
    for sequence in 1..=3_u64 {
        let prompt = [sequence as u8; 3];
        let asked = request(&world.cluster, sequence, &prompt, 6);
        expected.extend(reference(4, &prompt, 6));
        world.submit(sequence as usize, asked.clone());
        let limit = world.now + 60 * SECOND;
        assert!(world.run(limit, |world| world.all_committed(sequence * 2)));
        // Once more, to everybody: it is finished.
        for member in 0..4 {
            world.submit(member, asked.clone());
        }
    }
    world.assert_agreement();
    assert_eq!(world.text(), expected, "six tokens are an epoch of four and one of two");
}

#[test]
fn three_paused_members_meet_in_a_view_again() {
    for seed in 0..20 {
        let mut world = World::new(4, seed, Network { loss: 0.0, duplication: 0.0, delay: (80, 30_000) });
        // One crashed for good, so that the three must meet; they sleep at different times.
        world.at(1, 3, Action::Crash);
        for (member, (from, until)) in [(5, 19), (6, 23), (4, 21)].into_iter().enumerate() {
            world.at(from * 1000, member, Action::Pause(until * SECOND));
        }
        answer_among(&mut world, &[0, 1, 2], 24, 200 * SECOND);
    }
}

/// As `answer`, where only `members` can be expected to finish.
fn answer_among(world: &mut World, members: &[usize], tokens: u16, limit: u64) {
    let asked = request(&world.cluster, 1, &PROMPT, tokens);
    world.submit(members[0], asked);
    let epochs = u64::from(tokens).div_ceil(u64::from(world.cluster.model().tokens_per_epoch));
    let finished = |world: &World| {
        members
            .iter()
            .all(|member| world.members[*member].node.as_ref().is_some_and(|node| node.head().epoch().0 >= epochs))
    };
    let done = world.run(limit, finished);
    world.assert_agreement();
    assert!(done, "not done after {} us; heads {:?}", world.now, heads(world));
    assert_eq!(world.text(), reference(4, &PROMPT, usize::from(tokens)));
}
