//! What members can do is a committed fact: when it changes, requests that
//! begin later are placed anew, alike by everybody, and those under way are not.

use crate::cluster::executor::reference;
use crate::cluster::{Network, Plan, World, request};
use butterfly_kernel::assignment::Profile;
use butterfly_kernel::machine::Rejection;
use butterfly_kernel::message::Notice;
use butterfly_kernel::types::NodeId;

const PROMPT: [u8; 5] = [10, 20, 30, 40, 50];
const SECOND: u64 = 1_000_000;
const IDLE: Profile = Profile::with_speed(0);

/// Who computes a stage of the run under way, as every member sees it.
fn assigned(world: &World) -> Vec<NodeId> {
    let mut placements = world.members.iter().map(|member| {
        let node = member.node.as_ref().unwrap();
        node.head().state().active.map(|active| active.placement)
    });
    let first = placements.next().unwrap().expect("a request under way");
    assert!(placements.all(|other| other.as_ref() == Some(&first)), "placed alike by everybody");
    let mut members: Vec<NodeId> = first.stages().flat_map(|stage| first.assigned(stage).collect::<Vec<_>>()).collect();
    members.sort_unstable();
    members.dedup();
    members
}

#[test]
fn a_member_that_hands_its_stages_over_is_asked_for_none_by_the_next_request() {
    let mut world = World::with(Plan { workers: 2, ..Plan::of(4) }.cluster(), 3, Network::CALM);
    let first = request(&world.cluster, 1, &PROMPT, 24);
    world.submit(0, first);
    assert!(world.run(SECOND, |world| world.all_committed(1)));
    let before = assigned(&world);
    let leaving = before.iter().copied().find(|member| *member != NodeId(0)).unwrap();
    world.revise(leaving.index(), IDLE).unwrap();
    assert_eq!(world.revise(leaving.index(), IDLE), Err(Rejection::Duplicate));
    let noticed = |world: &World| {
        let commits = world.members[0].commits.iter();
        commits.filter(|commit| matches!(commit.notice, Some((member, Notice::Revise(_))) if member == leaving)).count()
    };
    assert!(world.run(20 * SECOND, |world| noticed(world) == 1), "it is committed");
    assert!(world.run(20 * SECOND, |world| world.all_committed(5)));
    assert_eq!(assigned(&world), before, "what is under way stays where it is");
    assert!(world.run(40 * SECOND, |world| world.all_committed(7)));
    assert_eq!(world.text(), reference(4, &PROMPT, 24));

    let second = request(&world.cluster, 2, &PROMPT, 12);
    world.submit(1, second);
    assert!(world.run(60 * SECOND, |world| world.all_committed(8)));
    assert!(!assigned(&world).contains(&leaving), "it hands over");
    assert!(world.run(80 * SECOND, |world| world.all_committed(10)));
    assert_eq!(noticed(&world), 1, "said once, committed once");
    assert_eq!(world.revise(leaving.index(), IDLE), Err(Rejection::Duplicate));
}

#[test]
fn a_notice_after_which_the_model_could_not_be_run_is_refused_by_everybody() {
    // Three of four members are needed for each stage: one may leave, not two.
    let mut world = World::with(Plan::of(4).cluster(), 4, Network::CALM);
    world.revise(1, IDLE).unwrap();
    assert!(world.run(20 * SECOND, |world| world.all_committed(1)));
    world.revise(2, IDLE).unwrap();
    let asked = request(&world.cluster, 1, &PROMPT, 8);
    world.submit(0, asked);
    assert!(world.run(60 * SECOND, |world| world.all_committed(3)));
    let notices = world.members[0].commits.iter().filter(|commit| commit.notice.is_some()).count();
    assert_eq!(notices, 1);
    assert_eq!(world.text(), reference(4, &PROMPT, 8));
}
