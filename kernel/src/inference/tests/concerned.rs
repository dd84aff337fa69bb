//! Which stages concern a member: those that it is assigned to, and those
//! whose outputs they consume. Here there are more stages than that.

use super::*;

const MIDDLE: Stage = Stage(1);
const END: Stage = Stage(2);

fn wide() -> Cluster<C, N> {
    cluster_of(8, 3, 2)
}

/// A member that is assigned to `stage` and to no other.
fn only_in(run: &Run<C>, stage: Stage) -> NodeId {
    let placement = &run.active.placement;
    let elsewhere = |node: NodeId| run.stages().any(|other| other != stage && placement.set(other).contains(node));
    placement.assigned(stage).find(|node| !elsewhere(*node)).unwrap()
}

/// Two members of `stage` say `signal`.
fn hears_two(member: &mut Member<'_>, stage: Stage, position: u16, signal: u8) {
    let others: Vec<NodeId> =
        member.run.active.placement.assigned(stage).filter(|node| *node != member.me).take(2).collect();
    others.iter().for_each(|from| member.hears(*from, stage, position, &[signal]).unwrap());
}

#[test]
fn a_member_hears_what_its_stages_give_and_take_and_nothing_else() {
    let cluster = wide();
    let run = run(&cluster, 6);
    for (mine, other) in [(FIRST, MIDDLE), (MIDDLE, END), (END, FIRST)] {
        let me = only_in(&run, mine);
        let mut member = Member::new(&cluster, me, &run);
        let fellow = run.active.placement.assigned(other).next().unwrap();
        assert_eq!(
            member.hears(fellow, other, 2, &[5]),
            Err(Rejection::Unauthorised),
            "{mine:?} takes nothing from it"
        );
    }
}

#[test]
fn outputs_are_given_to_those_whom_they_concern() {
    let cluster = wide();
    let run = run(&cluster, 6);
    let [first, middle, end] = [FIRST, MIDDLE, END].map(|stage| only_in(&run, stage));
    let mut member = Member::new(&cluster, first, &run);
    if run.active.placement.owners(FIRST).contains(first) {
        member.computed(FIRST, 0, &[5]).unwrap();
    }
    assert_eq!(member.is_asked(end, FIRST, 0), Err(Rejection::Unauthorised), "its inputs come from the middle");
    assert_eq!(member.is_asked(middle, MIDDLE, 0), Err(Rejection::Unauthorised), "who is asked has none of it");
    assert_eq!(member.is_asked(middle, FIRST, 0), Ok(()));
}

#[test]
fn a_part_is_done_without_the_stages_of_others() {
    let cluster = wide();
    let run = run(&cluster, 2);
    let me = only_in(&run, FIRST);
    let mut member = Member::new(&cluster, me, &run);
    for position in 0..4 {
        assert!(!member.inference.has_computed(me));
        hears_two(&mut member, FIRST, position, 5);
        if position >= 2 {
            hears_two(&mut member, END, position, 9);
        }
    }
    assert!(member.inference.has_computed(me), "of the middle it heard nothing");
}

#[test]
fn who_cannot_see_the_input_of_a_stage_asks_for_its_output() {
    let cluster = wide();
    let run = run(&cluster, 6);
    // The middle does not see the tokens, the end not what the middle takes.
    for (mine, asks, heard) in [(MIDDLE, FIRST, 3), (END, MIDDLE, 0)] {
        let mut member = Member::new(&cluster, only_in(&run, mine), &run);
        for position in 0..heard {
            hears_two(&mut member, asks, position, 5);
        }
        (0..2).for_each(|_| member.ends_round());
        let asked = member.out.drain(..).filter_map(|output| match output {
            Output::Send { envelope, .. } => match envelope.message {
                Message::Pull(pull) => Some((pull.stage, pull.position.0)),
                _ => None,
            },
            _ => None,
        });
        assert!(asked.collect::<Vec<_>>().contains(&(asks, heard)), "{mine:?}");
    }
}
