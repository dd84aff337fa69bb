//! A run of this world, told.

use std::collections::BTreeSet;

use butterfly_kernel::types::{NodeId, NodeSet};

use crate::story::{Arrow, Lifeline, Scene, Story};
use crate::world::faulty::{Goal, Offer};
use crate::world::network::{Count, Fact};
use crate::world::setting::{Ballot, CertRequest, Message, Report, Setting, ViewChange};
use crate::world::tables::Local;
use crate::world::{Action, State, World};

/// The steps of a run from its first state, and what holds at its end.
pub fn narrate(world: &World, first: &State, steps: &[(Action, State)]) -> Story {
    let setting = world.setting();
    let mut opening = vec![opening(setting)];
    opening.extend(consequences(setting, &BTreeSet::new(), &facts(world, first)));
    let mut scenes = Vec::new();
    let mut before = *first;
    for (action, after) in steps {
        let offer = world.tables().offers.get(action.offer).clone();
        let mut follows = consequences(setting, &facts(world, &before), &facts(world, after));
        if let Local::Decided { ballot, .. } = world.tables().locals.get(after.locals[action.node.index()]) {
            follows.push(format!("node {} decides {}", action.node.0, name(*ballot)));
        }
        scenes.push(Scene {
            at: action.node.index(),
            happening: happening(setting, action.node, &offer),
            arrows: arrows(&offer),
            consequences: follows,
        });
        before = *after;
    }
    Story { nodes: lifelines(setting), opening, scenes, ending: ending(world, &before) }
}

/// One for each member.
pub fn lifelines(setting: &Setting) -> Vec<Lifeline> {
    let members = setting.cluster.members();
    let lifelines =
        members.iter().map(|node| Lifeline { name: format!("node {}", node.0), faulty: setting.is_faulty(node) });
    lifelines.collect()
}

/// Who is faulty, and who leads.
pub fn opening(setting: &Setting) -> String {
    let leaders = setting.views().map(|view| format!("node {} leads view {}", setting.leader(view).0, view.0));
    let leaders: Vec<String> = leaders.collect();
    format!("{} faulty; {}", nodes(setting.faulty()), leaders.join(", "))
}

fn arrows(offer: &Offer) -> Vec<Arrow> {
    let arrow = |from: NodeId, says: String| Arrow { from: from.index(), says };
    match offer {
        Offer::TimeOut(_) => Vec::new(),
        Offer::Deliver { from, message } => vec![arrow(*from, say(message))],
        Offer::Tally { count, ballot, from, .. } => {
            let what = if *count == Count::Votes { "Vote" } else { "Commit" };
            from.iter().map(|from| arrow(from, format!("{what} {}", name(*ballot)))).collect()
        }
        Offer::Question { from, request, changes } => {
            let behind = changes.iter().map(|(node, change)| arrow(*node, say(&Message::ViewChange(change.clone()))));
            std::iter::once(arrow(*from, ask(request))).chain(behind).collect()
        }
    }
}

fn ending(world: &World, last: &State) -> Vec<String> {
    let setting = world.setting();
    let network = world.tables().networks.get(last.network).clone();
    let mut lines = Vec::new();
    let ballots = network.said().filter_map(|(_, message)| match message {
        Message::Vote(ballot) => Some((Count::Votes, *ballot)),
        Message::Commit(ballot) => Some((Count::Commits, *ballot)),
        _ => None,
    });
    for (count, ballot) in ballots.collect::<BTreeSet<_>>() {
        if network.decidable(setting).contains(&ballot.value) {
            let supporters = network.supporters(count, ballot).union(setting.faulty());
            let what = if count == Count::Votes { "votes" } else { "commits" };
            lines.push(format!("{what} for {} exist, or can, of {}", name(ballot), nodes(supporters)));
        }
    }
    lines.extend(network.breaches().map(|breach| format!("contract broken: {breach}")));
    lines
}

fn facts(world: &World, state: &State) -> BTreeSet<Fact> {
    world.tables().networks.get(state.network).facts().clone()
}

/// What happens to `to`, in one line.
pub fn happening(setting: &Setting, to: NodeId, offer: &Offer) -> String {
    let to = to.0;
    let author = |from: NodeId| {
        let kind = if setting.is_faulty(from) { "faulty node" } else { "node" };
        format!("{kind} {}", from.0)
    };
    match offer {
        Offer::TimeOut(view) => format!("node {to}: the time of view {} is over", view.0),
        Offer::Deliver { from, message } => format!("{} -> node {to}: {}", author(*from), say(message)),
        Offer::Tally { count, ballot, from, goal } => {
            let what = if *count == Count::Votes { "vote" } else { "commit" };
            let goal = if *goal == Goal::Decide { "a decision" } else { "a commit certificate" };
            format!("{} -> node {to}: {what} for {}, as far as {goal} needs", nodes(*from), name(*ballot))
        }
        Offer::Question { from, request, changes } => {
            let behind = changes.iter().map(|(node, change)| {
                format!("; {} -> node {to}: {}", author(*node), say(&Message::ViewChange(change.clone())))
            });
            let behind: String = behind.collect();
            format!("{} -> node {to}: {}{behind}", author(*from), ask(request))
        }
    }
}

fn consequences(setting: &Setting, before: &BTreeSet<Fact>, after: &BTreeSet<Fact>) -> Vec<String> {
    let lines = after.difference(before).filter_map(|fact| match fact {
        Fact::Said { from, message } => Some(format!("node {} says: {}", from.0, say(message))),
        Fact::Certified(ballot) => {
            let leader = setting.leader(ballot.view).0;
            Some(format!("acknowledged: faulty node {leader} can now certify {}", name(*ballot)))
        }
        Fact::Breach(_) => None,
    });
    lines.collect()
}

/// In words.
pub fn say(message: &Message) -> String {
    match message {
        Message::Propose { ballot, .. } => format!("Propose {}", name(*ballot)),
        Message::Vote(ballot) => format!("Vote {}", name(*ballot)),
        Message::Commit(ballot) => format!("Commit {}", name(*ballot)),
        Message::ViewChange(change) => format!("ViewChange to view {}, {}", change.view.0, reported(change)),
        Message::CertRequest(request) => ask(request),
        Message::CertAck(ballot) => format!("CertAck {}", name(*ballot)),
    }
}

/// In words.
pub fn reported(change: &ViewChange) -> String {
    report(&change.report())
}

/// In words.
pub fn ask(request: &CertRequest) -> String {
    let reports = request.reports.iter().map(|(from, told)| format!("node {} {}", from.0, report(told)));
    let reports: Vec<String> = reports.collect();
    format!("CertRequest {} because {}", name(request.ballot), reports.join(", "))
}

fn report(report: &Report) -> String {
    let voted = report.voted.map_or("did not vote".to_owned(), |ballot| format!("voted {}", name(ballot)));
    match report.locked {
        None => voted,
        Some(ballot) => format!("{voted} and holds a certificate of {}", name(ballot)),
    }
}

/// In words.
pub fn name(ballot: Ballot) -> String {
    format!("{} in view {}", ballot.value, ballot.view.0)
}

/// In words.
pub fn nodes(set: NodeSet) -> String {
    let names: Vec<String> = set.iter().map(|node| node.0.to_string()).collect();
    let noun = if names.len() == 1 { "node" } else { "nodes" };
    format!("{noun} {}", names.join(", "))
}
