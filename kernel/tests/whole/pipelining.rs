//! While one part of a request is agreed on, the next is computed, and no more
//! than that.

use crate::cluster::executor::reference;
use crate::cluster::{Fate, Network, Plan, World, request};
use butterfly_kernel::message::Message;

const PROMPT: [u8; 5] = [10, 20, 30, 40, 50];
const TOKENS: u16 = 32;
const PART: u16 = 4;
const EPOCHS: u64 = (TOKENS / PART) as u64;
const MILLISECOND: u64 = 1_000;
const SECOND: u64 = 1_000_000;
/// One message between stages.
const HOP: u64 = 2 * MILLISECOND;
/// One message of agreement. A decision takes two.
const VOTE: u64 = 20 * MILLISECOND;

/// Messages of agreement are `late`.
fn at_work(late: u64) -> World {
    let mut world = World::with(Plan::of(4).cluster(), 1, Network { delay: (HOP, HOP), ..Network::CALM });
    world.weather = Some(Box::new(move |_, _, envelope| match envelope.message {
        Message::Agreement { .. } => Fate::Late(late),
        _ => Fate::Pass,
    }));
    let asked = request(&world.cluster, 1, &PROMPT, TOKENS);
    world.submit(0, asked);
    world
}

/// The position behind the inputs of the first `parts` parts.
fn end(parts: u64) -> u16 {
    PROMPT.len() as u16 - 1 + parts as u16 * PART
}

/// The last position of which `member` sent an output of any stage.
fn computed(world: &World, member: usize) -> u16 {
    world.members[member].outputs.values().map(|position| position.0).max().unwrap_or(0)
}

fn newest(world: &World) -> u64 {
    (0..4).map(|member| world.head(member)).max().unwrap()
}

#[test]
fn the_next_part_is_computed_while_this_one_is_agreed_on() {
    let mut world = at_work(VOTE);
    for decided in 0..EPOCHS - 1 {
        // Nobody holds the part decided, and the part behind it is computed to its end.
        let whole = |world: &World| (0..4).any(|member| computed(world, member) + 1 >= end(decided + 2));
        assert!(world.run(60 * SECOND, |world| whole(world) || newest(world) > decided));
        assert_eq!(newest(&world), decided, "it was decided before the next part was computed");
        assert!(world.run(60 * SECOND, |world| newest(world) > decided));
    }
    assert!(world.run(60 * SECOND, |world| world.all_committed(EPOCHS)));
    assert_eq!(world.text(), reference(4, &PROMPT, usize::from(TOKENS)));
}

#[test]
fn nobody_computes_more_than_one_part_ahead() {
    let mut world = at_work(SECOND);
    let too_far = |world: &World| (0..4).any(|member| computed(world, member) >= end(world.head(member) + 2));
    assert!(world.run(100 * SECOND, |world| too_far(world) || world.all_committed(EPOCHS)));
    assert!(!too_far(&world), "after {} us", world.now);
}

#[test]
fn agreement_costs_no_time_when_computing_takes_longer() {
    let time = |late: u64| {
        let mut world = at_work(late);
        assert!(world.run(60 * SECOND, |world| world.all_committed(EPOCHS)));
        world.now
    };
    let (without, with) = (time(0), time(VOTE / 4));
    println!("{without} us, with slower votes {with} us");
    // One decision at the end, and not one for each epoch.
    assert!(with - without < EPOCHS * 2 * (VOTE / 4) / 3, "{without} us, {with} us");
}
