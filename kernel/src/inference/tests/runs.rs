//! Which run a member is at: what it goes on with, forgets, and still lacks.

use super::*;
use crate::chain::{Active, State};

/// Tells `member` all that other members find in the first part, stage by stage.
fn hears_the_first_part(member: &mut Member<'_>, tokens: [u8; 2]) {
    let run = member.run.clone();
    let places = (0..3).map(|at| (FIRST, at, 5)).chain([(LAST, 2, tokens[0]), (FIRST, 3, 5), (LAST, 3, tokens[1])]);
    for (stage, position, signal) in places {
        let others: Vec<NodeId> = run.active.placement.assigned(stage).filter(|node| *node != member.me).collect();
        others.iter().take(2).for_each(|from| member.hears(*from, stage, position, &[signal]).unwrap());
    }
}

/// The state in which `tokens` are decided of `active`, whatever else follows.
fn decided(cluster: &Cluster<C, N>, run: &Run<C>, tokens: [u8; 2]) -> State<C> {
    let name = run.active.request.digest(cluster);
    let middle =
        [5; 4].iter().fold(first_link(cluster, &name, LAST), |link, signal| extend(cluster, &link, &[*signal]));
    let [input, _, output] = links(cluster, run, &tokens);
    let links: Links<C> = [input, middle, output].into_iter().collect();
    Head::Genesis.state().advance(cluster, Epoch(1), &run.active, &tokens.into_iter().collect(), &links)
}

impl Member<'_> {
    fn follows(&mut self, state: &State<C>) {
        self.out.clear();
        self.does(|inference, seat, out| {
            inference.follow(seat, state, &mut |it| out.push(it));
            Ok(())
        })
        .unwrap();
    }

    fn committed(&self) -> Option<u16> {
        self.inference.run().map(Run::committed)
    }
}

#[test]
fn a_member_is_done_with_a_part_when_it_followed_every_stage_that_concerns_it() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    for me in (0..4).map(NodeId) {
        let mut member = Member::new(&cluster, me, &run);
        assert!(!member.inference.has_computed(me));
        hears_the_first_part(&mut member, [9, 8]);
        assert!(member.inference.has_computed(me), "{me:?}");
        member.inference.clear();
        assert!(!member.inference.has_computed(me) && member.inference.run().is_none());
    }
}

#[test]
fn a_run_goes_on_with_the_tokens_that_are_certain_here_and_no_others() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let right = decided(&cluster, &run, [9, 8]);
    let heard = |me: NodeId| {
        let mut member = Member::new(&cluster, me, &run);
        hears_the_first_part(&mut member, [9, 8]);
        member
    };
    let me = seats(&run, FIRST)[0];
    // The same state again adds nothing, and takes nothing away.
    let mut member = heard(me);
    member.follows(&right);
    assert_eq!((member.committed(), member.inference.gatherings[0].part.committed), (Some(2), 2));
    let before = member.inference.clone();
    member.follows(&right);
    assert_eq!(member.inference, before);
    assert!(!member.out.iter().any(|output| matches!(output, Output::Assign { .. })));
    // What is certain here was not decided.
    let mut member = heard(me);
    member.follows(&decided(&cluster, &run, [9, 7]));
    assert_eq!(member.committed(), None, "it is begun again from what is decided");
    // Less than a part, another placement, another request, or none.
    let active = |alter: &dyn Fn(&mut Active<C>)| {
        let mut state = right.clone();
        alter(state.active.as_mut().unwrap());
        state
    };
    let less = active(&|active| {
        active.output.pop();
    });
    let placed = (0..9).map(|seed| cluster.place(&cluster.roster().assignment.profiles, &seed).unwrap());
    let elsewhere = placed.into_iter().find(|placement| *placement != run.active.placement).unwrap();
    let moved = active(&|active| active.placement = elsewhere.clone());
    let asked = active(&|active| active.request.request.tokens += 1);
    let none = State { active: None, ..right.clone() };
    for state in [less, moved, asked, none] {
        let mut member = heard(me);
        member.follows(&state);
        assert_eq!(member.committed(), None);
    }
}

#[test]
fn what_is_said_of_another_run_is_for_later_or_for_nobody() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [me, other, ..] = seats(&run, FIRST);
    let mut member = Member::new(&cluster, me, &run);
    let mut hears = |id: RunId<C>| {
        let signal = [5].into_iter().collect();
        let output = StageOutput { run: id, stage: FIRST, position: Position(0), signal };
        member.does(|inference, seat, out| inference.on_stage_output(seat, other, output, &mut |it| out.push(it)))
    };
    assert_eq!(hears(RunId { plan: run.id.plan ^ 1, ..run.id }), Err(Rejection::OtherRun), "of the same turn");
    let later = RunId { sequence: run.id.sequence + 1, ..run.id };
    assert_eq!(hears(later), Err(Rejection::Early(Place::Run(Turn::of(&later)))));
    assert_eq!(hears(run.id), Ok(()));
}

#[test]
fn a_member_says_again_and_asks_for_what_is_not_certain_and_nothing_else() {
    let cluster = cluster(2);
    let run = run(&cluster, 2);
    let me = seats(&run, FIRST)[0];
    let mut member = Member::new(&cluster, me, &run);
    let rounds = |member: &mut Member<'_>| {
        member.out.clear();
        (0..2).for_each(|_| member.ends_round());
        let kinds: Vec<Kind> = member.sent().into_iter().map(|(kind, _)| kind).collect();
        [Kind::StageOutput, Kind::Pull].map(|kind| kinds.contains(&kind))
    };
    assert_eq!(rounds(&mut member), [false, true], "it has found nothing yet");
    member.computed(FIRST, 0, &[5]).unwrap();
    assert_eq!(rounds(&mut member), [true, true]);
    let mut member = Member::new(&cluster, me, &run);
    hears_the_first_part(&mut member, [9, 8]);
    assert_eq!(rounds(&mut member), [false, false], "all of the run is certain");
}

#[test]
fn a_part_that_was_just_opened_is_given_its_time() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let me = seats(&run, FIRST)[2];
    let mut member = Member::new(&cluster, me, &run);
    hears_the_first_part(&mut member, [9, 8]);
    for (stage, position, signal) in [(FIRST, 4, 5), (LAST, 4, 7), (FIRST, 5, 5), (LAST, 5, 6)] {
        let others: Vec<NodeId> = run.active.placement.assigned(stage).filter(|node| *node != me).collect();
        others.iter().take(2).for_each(|from| member.hears(*from, stage, position, &[signal]).unwrap());
    }
    member.inference.begin_round(me);
    member.follows(&decided(&cluster, &run, [9, 8]));
    member.out.clear();
    member
        .does(|inference, seat, out| {
            inference.retransmit(seat, &mut |it| out.push(it));
            Ok(())
        })
        .unwrap();
    assert!(member.sent().iter().all(|(kind, _)| *kind != Kind::Pull), "its first position has waited for no round");
}

#[test]
fn who_comes_late_lacks_the_inputs_of_every_stage_but_the_first() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let state = decided(&cluster, &run, [9, 8]);
    let mut later = run.clone();
    later.active = state.active.unwrap();
    for (run, known) in [(&run, true), (&later, false)] {
        let member = Member::new(&cluster, seats(run, LAST)[0], run);
        let has_past = [FIRST, LAST].map(|stage| member.inference.standing(stage).unwrap().has_past);
        assert_eq!(has_past, [true, known], "{} tokens are committed", run.committed());
    }
}

#[test]
fn attestations_wait_until_the_tokens_before_their_part_are_certain() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    for me in (0..4).map(NodeId) {
        let mut member = Member::new(&cluster, me, &run);
        let follows = |member: &Member<'_>| [0, 2, 4].map(|committed| member.inference.follows(committed));
        assert_eq!(follows(&member), [true, false, false]);
        assert!(!member.inference.follows(1), "no part begins there");
        hears_the_first_part(&mut member, [9, 8]);
        assert_eq!(follows(&member), [true, true, false], "{me:?}: two parts are under way");
        assert!(!member.inference.follows(1), "no part begins there");
        member.follows(&decided(&cluster, &run, [9, 8]));
        assert_eq!(follows(&member), [false, true, false]);
    }
}

#[test]
fn a_member_goes_on_computing_where_it_was_or_where_the_run_goes_on() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [me, other, reserve, _] = seats(&run, FIRST);
    let lasts: Vec<NodeId> = run.active.placement.assigned(LAST).filter(|node| *node != me).take(2).collect();
    for followed in [true, false] {
        let mut member = Member::new(&cluster, me, &run);
        for (position, token) in [(0, None), (1, None), (2, Some(9)), (3, Some(8))] {
            if followed {
                member.computed(FIRST, position, &[5]).unwrap();
            }
            for from in [other, reserve] {
                let _ = member.hears(from, FIRST, position, &[5]);
            }
            for (from, token) in lasts.iter().zip([token; 2]).filter_map(|(from, token)| Some((from, token?))) {
                member.hears(*from, LAST, position, &[token]).unwrap();
            }
        }
        let asked = |member: &mut Member<'_>| {
            let asked = member.asked_to_compute();
            asked.into_iter().filter(|(stage, ..)| *stage == FIRST).map(|(_, position, _)| position).collect::<Vec<_>>()
        };
        let before: &[u16] = if followed { &[0, 1, 2, 3, 4] } else { &[0] };
        assert_eq!(asked(&mut member), before);
        member.follows(&decided(&cluster, &run, [9, 8]));
        let after: &[u16] = if followed { &[] } else { &[4] };
        assert_eq!(asked(&mut member), after, "its host is at work on position 4 already: {followed}");
        assert_eq!(member.computed(FIRST, 4, &[5]), Ok(()));
    }
}

#[test]
fn nothing_is_computed_behind_the_parts_under_way() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [me, other, reserve, _] = seats(&run, FIRST);
    let lasts: Vec<NodeId> = run.active.placement.assigned(LAST).filter(|node| *node != me).take(2).collect();
    let mut member = Member::new(&cluster, me, &run);
    for position in 0..6 {
        member.computed(FIRST, position, &[5]).unwrap();
        for from in [other, reserve] {
            let _ = member.hears(from, FIRST, position, &[5]);
        }
        if position >= 2 {
            lasts.iter().for_each(|from| member.hears(*from, LAST, position, &[9]).unwrap());
        }
    }
    assert_eq!(member.inference.fresh.len(), 4, "the input of position 6 is certain");
    let asked = member.asked_to_compute().into_iter().filter(|(stage, ..)| *stage == FIRST);
    assert_eq!(asked.map(|(_, position, _)| position).max(), Some(5));
}

#[test]
fn a_host_is_given_the_inputs_of_its_stages_and_none_behind_the_end() {
    let cluster = cluster(2);
    let run = run(&cluster, 2);
    for me in (0..4).map(NodeId) {
        let mut member = Member::new(&cluster, me, &run);
        hears_the_first_part(&mut member, [9, 8]);
        let provided = member.out.drain(..).filter_map(|output| match output {
            Output::Provide { stage, position, signal, .. } => Some((stage, position.0, signal.to_vec())),
            _ => None,
        });
        let of = |stage: Stage| run.active.placement.set(stage).contains(me);
        // The second token would be the input behind the end.
        let token = of(FIRST).then(|| (FIRST, 3, [9].to_vec()));
        let signals = (0..4).filter(|_| of(LAST)).map(|position| (LAST, position, [5].to_vec()));
        let mut expected: Vec<_> = token.into_iter().chain(signals).collect();
        let mut provided: Vec<_> = provided.collect();
        expected.sort();
        provided.sort();
        assert_eq!(provided, expected, "{me:?}");
    }
}
