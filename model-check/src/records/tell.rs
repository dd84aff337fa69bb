//! A run of this world, told.

use butterfly_kernel::types::NodeId;

use super::{Act, Action, Records, State};
use crate::explore::System;
use crate::story::{Arrow, Scene, Story};
use crate::symbolic::Value;
use crate::world::narrate::{lifelines, name, nodes, opening};
use crate::world::network::Count;
use crate::world::setting::Ballot;

/// The steps of a run from its first state, and what holds at its end.
pub fn tell(world: &Records, first: &State, path: &[(Action, State)]) -> Story {
    let setting = world.setting();
    let mut story = Story { nodes: lifelines(setting), opening: vec![opening(setting)], ..Story::default() };
    // States on the path stand for all that differ in names; here nodes keep theirs.
    let mut here = *first;
    for (_, next) in path {
        let steps = world.concrete_steps(&here);
        let (action, after) = steps
            .into_iter()
            .find(|(_, after)| world.representative(after) == world.representative(next))
            .expect("a step of the path");
        story.scenes.push(scene(world, &here, &action));
        here = after;
    }
    story.ending = ending(world, &here);
    story
}

fn scene(world: &Records, before: &State, action: &Action) -> Scene {
    let setting = world.setting();
    let publics = world.publics(before);
    let node = action.node.0;
    let voters = |ballot: Ballot| setting.supporters(&publics, |public| &public.votes, ballot);
    let committed = |ballot: Ballot| setting.supporters(&publics, |public| &public.commits, ballot);
    let from = |nodes: Vec<NodeId>, says: String| {
        let others = nodes.into_iter().chain(setting.faulty().iter()).filter(|from| *from != action.node);
        others.map(|from| Arrow { from: from.index(), says: says.clone() }).collect::<Vec<_>>()
    };
    let (happening, arrows, consequence) = match action.act {
        Act::Propose(ballot) => {
            let entered = setting.honest().iter().filter(|node| {
                let view = usize::try_from(ballot.view.0).unwrap_or(usize::MAX);
                publics[node.index()].changes.get(view).is_some_and(|change| *change != 0)
            });
            let arrows = match ballot.view.0 {
                0 => Vec::new(),
                view => from(entered.collect(), format!("ViewChange to view {view}")),
            };
            let says = format!("node {node} says: Propose and Vote {}", name(ballot));
            (format!("node {node} leads view {} and proposes {}", ballot.view.0, name(ballot)), arrows, says)
        }
        Act::Vote(ballot) => {
            let leader = setting.leader(ballot.view);
            let kind = if setting.is_faulty(leader) { "faulty node" } else { "node" };
            let says = format!("Propose {}", name(ballot));
            let happening = format!("{kind} {} -> node {node}: {says}", leader.0);
            let arrows = vec![Arrow { from: leader.index(), says }];
            (happening, arrows, format!("node {node} says: Vote {}", name(ballot)))
        }
        Act::Commit(ballot) => {
            let arrows = from(voters(ballot), format!("Vote {}", name(ballot)));
            let happening = format!("node {node} holds a commit certificate of {}", name(ballot));
            (happening, arrows, format!("node {node} says: Commit {}", name(ballot)))
        }
        Act::EnterView(view) => {
            let happening = format!("node {node}: the time of view {} is over", view.0 - 1);
            let after = world.concrete_steps(before).into_iter().find(|(other, _)| other == action);
            let told = after.map(|(_, state)| report(world, &state, action.node, view)).unwrap_or_default();
            (happening, Vec::new(), format!("node {node} says: ViewChange to view {}, {told}", view.0))
        }
        Act::CatchUp(ballot) => {
            let happening = format!("node {node} is shown that {} is decided", name(ballot));
            (happening, Vec::new(), format!("node {node} takes it as decided"))
        }
        Act::Decide(ballot) => {
            let votes = voters(ballot);
            let arrows = match votes.len() + setting.faulty().len() >= setting.cluster.fast_quorum() {
                true => from(votes, format!("Vote {}", name(ballot))),
                false => from(committed(ballot), format!("Commit {}", name(ballot))),
            };
            let happening = format!("node {node} hears a quorum for {}", name(ballot));
            (happening, arrows, format!("node {node} decides {}", name(ballot)))
        }
    };
    Scene { at: action.node.index(), happening, arrows, consequences: vec![consequence] }
}

fn report(world: &Records, state: &State, node: NodeId, view: butterfly_kernel::types::View) -> String {
    let memo = world.memo();
    let number = memo.public(state.0[node.index()]).changes[super::local::place(view)];
    match number {
        0 => "which it does not say".to_owned(),
        number => crate::world::narrate::reported(memo.change(number)),
    }
}

fn ending(world: &Records, last: &State) -> Vec<String> {
    let setting = world.setting();
    let publics = world.publics(last);
    let decided = world.memo().decided(setting, last);
    let mut lines = Vec::new();
    for view in setting.views() {
        for ballot in Value::ALL.map(|value| Ballot { view, value }) {
            if !decided.contains(&ballot.value) {
                continue;
            }
            let votes = setting.supporters(&publics, |public| &public.votes, ballot);
            let commits = setting.supporters(&publics, |public| &public.commits, ballot);
            for (what, count, honest) in [("votes", Count::Votes, votes), ("commits", Count::Commits, commits)] {
                if !honest.is_empty() {
                    let helpers = setting.helpers(count);
                    let all = honest.into_iter().collect::<butterfly_kernel::types::NodeSet>().union(helpers);
                    lines.push(format!("{what} for {} exist, or can, of {}", name(ballot), nodes(all)));
                }
            }
        }
    }
    lines.extend(world.memo().breaches(setting, last).iter().map(|breach| format!("contract broken: {breach}")));
    debug_assert!(world.violated(last).is_empty() || !lines.is_empty(), "a violation without a reason");
    lines
}
