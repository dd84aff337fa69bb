//! Owners that die, stages whose inputs are lost, members that come late: the
//! text stays the same, and what was computed is computed again in one batch.

use crate::cluster::byzantine::Behaviour;
use crate::cluster::executor::{reference, reference_digest};
use crate::cluster::{Action, Crypto, Network, Plan, World, request};
use butterfly_kernel::chain::State;
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::message::{Forged, Kind, Message};
use butterfly_kernel::types::{CHECKPOINTS_KEPT, Position, Stage};

const PROMPT: [u8; 5] = [10, 20, 30, 40, 50];
const STAGES: u8 = 4;
/// What one epoch adds.
const PART: u16 = 4;
const MILLISECOND: u64 = 1_000;
const SECOND: u64 = 1_000_000;
/// A network on which a request takes longer than it takes to be back.
const FAR: Network = Network { delay: (4 * MILLISECOND, 6 * MILLISECOND), ..Network::CALM };
/// A network so slow that recovering takes longer than anybody waits before asking again.
const SLOW: Network = Network { delay: (20 * MILLISECOND, 40 * MILLISECOND), ..Network::CALM };

/// A cluster that works on one request of `tokens` tokens.
fn at_work(seed: u64, tokens: u16, network: Network) -> World {
    let mut world = World::with(Plan::of(4).cluster(), seed, network);
    let asked = request(&world.cluster, 1, &PROMPT, tokens);
    world.submit(0, asked);
    world
}

/// Runs until `members` are done, and compares what each of them holds with one machine.
fn finish(world: &mut World, members: &[usize], tokens: u16, case: &str) {
    let done = world.run(world.now + 60 * SECOND, |world| world.finished(members, 0, 1));
    let heads: Vec<u64> = (0..world.members.len()).map(|member| world.head(member)).collect();
    assert!(done, "{case}: not done after {} us, heads {heads:?}", world.now);
    world.assert_agreement();
    let computed = reference_digest(&world.cluster, &request(&world.cluster, 1, &PROMPT, tokens));
    for member in members {
        assert_eq!(world.node(*member).head().state().computed, Some(computed), "{case}: {member}");
    }
    assert_eq!(world.text(), reference(STAGES, &PROMPT, usize::from(tokens)), "{case}");
    assert!(world.accused().is_empty(), "{case}");
}

/// The members of `stage`: two owners and a reserve.
fn assigned(world: &World, stage: Stage) -> Vec<usize> {
    let placement = &world.node(0).run().expect("a run").active.placement;
    placement.assigned(stage).map(|member| member.index()).collect()
}

/// Whoever owns `stage` first, and all the stages that it owns.
fn owner_of(world: &World, stage: Stage) -> (usize, Vec<Stage>) {
    let owner = assigned(world, stage)[0];
    let owned = world.cluster.stages().filter(|stage| assigned(world, *stage)[..2].contains(&owner));
    (owner, owned.collect())
}

fn others(without: usize) -> Vec<usize> {
    (0..4).filter(|member| *member != without).collect()
}

/// Every stage at every position of which it says anything when `tokens` are asked for.
fn moments(tokens: u16) -> impl Iterator<Item = (Stage, Position)> {
    let prompt = PROMPT.len() as u16;
    let first = move |stage: u8| if stage == STAGES - 1 { prompt - 1 } else { 0 };
    (0..STAGES).flat_map(move |stage| (first(stage)..prompt + tokens - 1).map(move |at| (Stage(stage), Position(at))))
}

fn has_sent(world: &World, member: usize, stage: Stage, position: Position) -> bool {
    world.members[member].outputs.get(&stage).is_some_and(|sent| *sent >= position)
}

/// How often `member` ran `stage` over several inputs, the prompt of the last stage left out.
fn batches(world: &World, member: usize, stage: Stage) -> usize {
    let replays = world.members[member].executor.replays.iter();
    let beyond_the_prompt = |to: usize| stage != Stage(STAGES - 1) || to > PROMPT.len();
    replays.filter(|replay| replay.stage == stage && beyond_the_prompt(replay.to)).count()
}

#[test]
fn an_owner_killed_at_any_position_of_any_stage_is_replaced_with_one_batch() {
    let tokens = 16;
    let first_part = PROMPT.len() as u16 - 1 + PART;
    for (stage, position) in moments(tokens) {
        let case = format!("{stage:?}, {position:?}");
        let mut world = at_work(1, tokens, Network::CALM);
        let (owner, owned) = owner_of(&world, stage);
        let reserves: Vec<usize> = owned.iter().map(|stage| assigned(&world, *stage)[2]).collect();
        assert!(world.run(9 * SECOND, |world| has_sent(world, owner, stage, position)), "{case}");
        let last = Position(PROMPT.len() as u16 + tokens - 2);
        let left: Vec<bool> = owned.iter().map(|stage| !has_sent(&world, owner, *stage, last)).collect();
        world.at(world.now, owner, Action::Crash);
        finish(&mut world, &others(owner), tokens, &case);
        for ((stage, reserve), left) in owned.into_iter().zip(reserves).zip(left) {
            let taken_over = batches(&world, reserve, stage);
            // In the first part there is nothing to make up for in one go, and
            // nothing is left to do in a stage that went through.
            let needed = left && position.0 > first_part;
            assert!(taken_over <= 1 && (taken_over == 1 || !needed), "{case}: {stage:?} {taken_over}");
            for other in others(owner).into_iter().filter(|other| *other != reserve) {
                assert_eq!(batches(&world, other, stage), 0, "{case}: {other} had it all");
            }
        }
    }
}

#[test]
fn an_owner_restarted_at_any_position_is_back_and_runs_no_input_twice() {
    let tokens = 56;
    let first_part = PROMPT.len() as u16 - 1 + PART;
    for (stage, position) in moments(16) {
        let case = format!("{stage:?}, {position:?}");
        let mut world = at_work(2, tokens, FAR);
        let (owner, owned) = owner_of(&world, stage);
        assert!(world.run(9 * SECOND, |world| has_sent(world, owner, stage, position)), "{case}");
        world.at(world.now, owner, Action::Crash);
        world.at(world.now + 1, owner, Action::Restart);
        let until = world.now + 1;
        world.run(until, |_| false);
        finish(&mut world, &[0, 1, 2, 3], tokens, &case);
        for stage in owned {
            let mut done = 0;
            let replays = world.members[owner].executor.replays.iter();
            for replay in replays.filter(|replay| replay.stage == stage) {
                assert!(replay.from >= done, "{case}: {stage:?} ran an input twice: {replay:?}");
                done = replay.to;
            }
            // One up to where it came in, one over what it had missed of the part
            // under way, and one more if a part went by before it asked: who
            // asks gives the others a round.
            assert!(position.0 <= first_part || batches(&world, owner, stage) <= 3, "{case}: {stage:?}");
            assert!(world.members[owner].attested.contains_key(&stage), "{case}: {stage:?}");
        }
    }
}

/// All members die at once when `epochs` are decided, and begin again.
fn kill_all(epochs: u64, tokens: u16, network: Network) -> World {
    let mut world = at_work(epochs, tokens, network);
    assert!(world.run(60 * SECOND, |world| (0..4).any(|member| world.head(member) >= epochs)));
    let now = world.now;
    for member in 0..4 {
        world.at(now, member, Action::Crash);
        world.at(now + 1, member, Action::Restart);
    }
    world.run(now + 1, |_| false);
    finish(&mut world, &[0, 1, 2, 3], tokens, &format!("after {epochs}, {network:?}"));
    world
}

#[test]
fn a_cluster_killed_at_once_at_any_epoch_recovers_along_the_stages_and_goes_on() {
    for epochs in 0..8 {
        let world = kill_all(epochs, 32, Network::CALM);
        assert!(world.members.iter().all(|member| member.blocked.is_none()));
    }
}

#[test]
fn recovering_may_take_longer_than_anybody_waits_before_asking_again() {
    let world = kill_all(9, 40, SLOW);
    assert!(world.now < 30 * SECOND, "{}", world.now);
}

#[test]
fn wrong_inputs_from_a_fellow_delay_recovery_only() {
    let tokens = 40;
    for liar in 0..4 {
        for stage in (0..STAGES).map(Stage) {
            let case = format!("{liar} lies, the owner of {stage:?} lost its inputs");
            let mut world = at_work(3, tokens, FAR);
            world.behave(liar, Behaviour::Misremember);
            let (owner, owned) = owner_of(&world, stage);
            if owner == liar {
                continue;
            }
            assert!(world.run(9 * SECOND, |world| world.head(owner) >= 4), "{case}");
            world.at(world.now, owner, Action::Crash);
            world.at(world.now + 1, owner, Action::Restart);
            let until = world.now + 1;
            world.run(until, |_| false);
            finish(&mut world, &others(liar), tokens, &case);
            for stage in owned {
                assert!(world.members[owner].attested.contains_key(&stage), "{case}: {stage:?}");
            }
        }
    }
}

#[test]
fn what_a_host_says_that_it_kept_is_compared_with_what_was_committed() {
    let tokens = 40;
    for stage in (0..STAGES).map(Stage) {
        let mut world = at_work(4, tokens, FAR);
        let (owner, owned) = owner_of(&world, stage);
        assert!(world.run(9 * SECOND, |world| world.head(owner) >= 4));
        world.members[owner].kept = Some(world.members[owner].executor.damaged());
        world.at(world.now, owner, Action::Crash);
        world.at(world.now + 1, owner, Action::Restart);
        let until = world.now + 1;
        world.run(until, |_| false);
        finish(&mut world, &[0, 1, 2, 3], tokens, &format!("{stage:?}"));
        for stage in owned {
            assert!(world.members[owner].attested.contains_key(&stage), "{stage:?}");
        }
    }
}

#[test]
fn a_member_that_was_never_there_catches_up_with_one_message_and_no_other_state_is_believed() {
    let mut world = World::with(Plan::of(4).cluster(), 5, Network::CALM);
    world.at(0, 3, Action::Crash);
    let asked = request(&world.cluster, 1, &PROMPT, 32);
    world.submit(0, asked);
    assert!(world.run(60 * SECOND, |world| world.finished(&[0, 1, 2], 0, 1)));
    let late = world.now;
    world.at(late, 3, Action::Restart);
    assert!(world.run(late + MILLISECOND, |world| world.finished(&[3], 0, 1)), "{:?}", world.head(3));
    let decided = world.samples[&Kind::Decided].iter().find(|envelope| envelope.message.epoch().unwrap().0 == 8);
    let decided = decided.expect("member 3 was told").clone();
    let tampered = |tamper: fn(&mut State<Crypto>)| {
        let mut envelope = decided.clone();
        let Message::Decided(decided) = &mut envelope.message else { panic!("a decision") };
        tamper(&mut decided.state);
        // Its author stands by it.
        let from = envelope.from;
        envelope.signature = Crypto::sign(&from, &envelope.message.statement(&world.cluster));
        world.cluster.verify(envelope).map(|_| ())
    };
    assert_eq!(tampered(|_| {}), Ok(()));
    assert_eq!(tampered(|state| state.interrupted = true), Err(Forged::Certificate));
    assert_eq!(tampered(|state| state.computed = Some(7)), Err(Forged::Certificate));
    assert_eq!(tampered(|state| state.served = None), Err(Forged::Certificate));
    assert_eq!(tampered(|state| state.finished.clear()), Err(Forged::Certificate));
}

#[test]
fn every_checkpoint_is_reported_once_and_the_newest_ten_are_kept() {
    let plan = Plan { context: 128, checkpoint_interval: 6, ..Plan::of(4) };
    let mut world = World::with(plan.cluster(), 6, Network::CALM);
    let tokens = 120;
    let asked = request(&world.cluster, 1, &PROMPT, tokens);
    world.submit(0, asked);
    let epochs = u64::from(tokens / PART);
    assert!(world.run(SECOND, |world| world.all_committed(epochs - 1)));
    let active = world.node(0).head().state().active.expect("the last part is not decided");
    assert!(world.run(SECOND, |world| world.finished(&[0, 1, 2, 3], 0, 1)));
    // The first boundary at least six positions behind the last: 8, 16, 24 and so on.
    let boundaries = (1..epochs as u16).map(|epoch| PROMPT.len() as u16 - 1 + epoch * PART);
    let expected: Vec<Position> = boundaries.step_by(2).map(Position).collect();
    assert!(expected.len() > CHECKPOINTS_KEPT);
    let kept: Vec<Position> = active.checkpoints.iter().map(|checkpoint| checkpoint.position).collect();
    assert_eq!(kept, expected[expected.len() - CHECKPOINTS_KEPT..]);
    for member in &world.members {
        assert_eq!(member.checkpoints, expected);
    }
}
