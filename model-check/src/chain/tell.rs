//! A run of this world, told.

use std::sync::Arc;

use butterfly_kernel::node::Role;
use butterfly_kernel::types::NodeId;

use super::memo::{Memo, Public, decided};
use super::values::{GENESIS, Id as ValueId, Increment, Values};
use super::{Act, Action, Chain, State};
use crate::story::{Arrow, Lifeline, Scene, Story};

/// A step in one line.
pub(super) fn describe(values: &Values, action: &Action) -> String {
    let node = action.node.0;
    match action.act {
        Act::Vote(value) => format!("node {node}: Vote {}", name(values, value)),
        Act::Close(value) => format!("node {node}: Close {}", name(values, value)),
        Act::CatchUp(value) => format!("node {node}: CatchUp {}", name(values, value)),
        Act::Enter => format!("node {node}: Enter"),
        Act::Start => format!("node {node}: Start"),
        Act::Lose => format!("node {node}: Lose"),
    }
}

/// The steps of a run from its first state, and what holds at its end.
pub(super) fn tell(world: &Chain, first: &State, path: &[(Action, State)]) -> Story {
    let setting = world.setting();
    let memo = world.memo();
    let lifeline =
        |node: NodeId| Lifeline { name: format!("node {}", node.0), faulty: setting.faulty().contains(node) };
    let opening = format!("node {} is faulty and leads every epoch", setting.leader().0);
    let mut story =
        Story { nodes: setting.everybody().iter().map(lifeline).collect(), opening: vec![opening], ..Story::default() };
    let mut here = *first;
    for (action, next) in path {
        let before = memo.publics(setting, &here);
        let after = memo.public(next.0[action.node.index()]);
        story.scenes.push(scene(world, &memo, &before, action, &after));
        here = *next;
    }
    story.ending = ending(world, &memo, &here);
    story
}

fn scene(world: &Chain, memo: &Memo, before: &[Arc<Public>], action: &Action, after: &Public) -> Scene {
    let values = &memo.values;
    let node = action.node.0;
    let leader = world.setting().leader();
    let from = |from: NodeId, says: String| Arrow { from: from.index(), says };
    let (happening, arrows) = match action.act {
        Act::Vote(value) => {
            let says = format!("Propose {}", name(values, value));
            (format!("faulty node {} -> node {node}: {says}", leader.0), vec![from(leader, says)])
        }
        Act::Close(value) => {
            let voted = (0..).zip(before).filter(|(voter, public)| *voter != node && public.signed.contains(&value));
            let voters = voted.map(|(voter, _)| NodeId(voter)).chain(world.setting().faulty().iter());
            let arrows = voters.map(|voter| from(voter, format!("Vote {}", name(values, value)))).collect();
            (format!("node {node} hears a quorum of votes for {}", name(values, value)), arrows)
        }
        Act::CatchUp(value) => {
            let says = format!("Decided {}", name(values, value));
            (format!("node {node} is told: {says}"), vec![from(leader, says)])
        }
        Act::Enter => (format!("node {node} goes on in the next cluster"), Vec::new()),
        Act::Start => (format!("node {node} restarts from its disk"), Vec::new()),
        Act::Lose => (format!("node {node} loses its record and restarts"), Vec::new()),
    };
    let was = &before[action.node.index()];
    let mut consequences = Vec::new();
    for value in after.signed.difference(&was.signed) {
        consequences.push(format!("node {node} says: Vote {}", name(values, *value)));
    }
    for notice in after.notices.difference(&was.notices) {
        consequences.push(format!("node {node} says: {}", told(*notice)));
    }
    if after.memory.head != was.memory.head {
        consequences.push(format!("node {node} holds {} as decided", name(values, after.memory.head)));
    }
    if after.memory.role != was.memory.role {
        let role = if after.memory.role == Role::Learner { "a learner" } else { "a replica again" };
        consequences.push(format!("node {node} is {role}"));
    }
    Scene { at: action.node.index(), happening, arrows, consequences }
}

fn ending(world: &Chain, memo: &Memo, last: &State) -> Vec<String> {
    let setting = world.setting();
    let publics = memo.publics(setting, last);
    let mut lines = Vec::new();
    for value in decided(setting, &memo.values, &publics) {
        lines.push(format!("{} is decided, or can be", name(&memo.values, value)));
    }
    for (node, public) in publics.iter().enumerate() {
        lines.extend(public.breaches.iter().map(|breach| format!("node {node} broke its contract: {breach}")));
    }
    lines
}

/// What each epoch of the chain added.
fn name(values: &Values, value: ValueId) -> String {
    if value == GENESIS {
        return "the beginning".to_owned();
    }
    let increments: Vec<String> = values.increments(value).into_iter().map(told).collect();
    format!("[{}]", increments.join(", "))
}

fn told(increment: Increment) -> String {
    match increment {
        Increment::Work(work) => format!("work {work}"),
        Increment::Readmit { member, incarnation, drawn, .. } => {
            format!("node {} again, incarnation {incarnation}, number {drawn}", member.0)
        }
        Increment::Admit(node) => format!("node {} comes", node.0),
        Increment::Remove(node) => format!("node {} goes", node.0),
    }
}
