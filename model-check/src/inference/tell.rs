//! A run of this world, told.

use butterfly_kernel::message::AgreementMessage;
use butterfly_kernel::types::{NodeId, NodeSet};

use super::local::{Local, Statement};
use super::setting::Setting;
use super::values::{Id as ValueId, Values};
use super::{Act, Action, Inference, State};
use crate::story::{Lifeline, Scene, Story};

/// The steps of a run from its first state, and what holds at its end.
pub(super) fn tell(world: &Inference, first: &State, path: &[(Action, State)]) -> Story {
    let setting = world.setting();
    let memo = world.memo();
    let lifeline = |node: NodeId| Lifeline { name: format!("node {}", node.0), faulty: node == setting.liar() };
    let mut story = Story {
        nodes: setting.cluster.members().iter().map(lifeline).collect(),
        opening: opening(setting),
        ..Story::default()
    };
    let mut here = *first;
    for (action, next) in path {
        let at = action.node.index();
        let (before, after) = (memo.local(here.0[at]), memo.local(next.0[at]));
        story.scenes.push(Scene {
            at,
            happening: happening(&memo.values, action),
            arrows: Vec::new(),
            consequences: consequences(setting, &memo.values, action.node, &before, &after),
        });
        here = *next;
    }
    for (node, local) in memo.locals(setting, &here).iter().enumerate() {
        story.ending.extend(local.breaches.iter().map(|breach| format!("node {node} broke its contract: {breach}")));
    }
    story
}

fn opening(setting: &Setting) -> Vec<String> {
    let names = |nodes: NodeSet| nodes.iter().map(|node| node.0.to_string()).collect::<Vec<_>>().join(", ");
    let leaders = setting.views().map(|view| format!("node {} leads view {}", setting.leader(view).0, view.0));
    let mut lines = vec![format!("node {} lies; {}", setting.liar().0, leaders.collect::<Vec<_>>().join(", "))];
    lines.extend(setting.stages().map(|stage| {
        let (owners, reserves) = (names(setting.owners(stage)), names(setting.reserves(stage)));
        format!("stage {}: owners {owners}; reserve {reserves}", stage.0 + 1)
    }));
    lines
}

fn happening(values: &Values, action: &Action) -> String {
    let node = action.node.0;
    match action.act {
        Act::Escalate(stage) => format!("node {node} is missed in stage {}", stage.0 + 1),
        Act::Compute(stage) => format!("node {node} is certain of the input of stage {}", stage.0 + 1),
        Act::Attest(stage) => format!("node {node} hears others agree with it on stage {}", stage.0 + 1),
        Act::Certify(value) => format!("node {node} hears attestations for {}", name(values, value)),
        Act::Fetch(value) => format!("node {node} is given the payload of {}", name(values, value)),
        Act::Propose(view) => format!("node {node} has what it needs to lead view {}", view.0),
        Act::Vote(value) => format!("node {node} hears {} proposed", name(values, value)),
        Act::EnterView(view) => format!("node {node} has reason to leave for view {}", view.0),
        Act::Restart => format!("node {node} restarts from its disk"),
        Act::Recover(stage) => format!("node {node} asks for the earlier inputs of stage {}", stage.0 + 1),
    }
}

fn consequences(setting: &Setting, values: &Values, node: NodeId, before: &Local, after: &Local) -> Vec<String> {
    let node = node.0;
    let mut lines = Vec::new();
    for stage in setting.stages() {
        let (place, number) = (stage.index(), stage.0 + 1);
        if after.working[place] && !before.working[place] {
            lines.push(format!("node {node} steps in, in stage {number}"));
        }
        if let Some(own) = after.computed[place].filter(|_| before.computed[place].is_none()) {
            lines.push(format!("node {node} computes stage {number}: {} of {}", own.output.0, own.input.0));
        }
        if after.attested[place] && !before.attested[place] {
            lines.push(format!("node {node} says: Attest stage {number}"));
        }
        if after.past[place] && !before.past[place] {
            lines.push(format!("node {node} has the earlier inputs of stage {number}"));
        }
    }
    for value in after.candidates.difference(&before.candidates) {
        lines.push(format!("node {node} holds the payload of {}", name(values, *value)));
    }
    let new = after.said.difference(&before.said);
    lines.extend(new.map(|statement| format!("node {node} says: {}", say(values, statement))));
    lines
}

fn say(values: &Values, statement: &Statement) -> String {
    let named = |digest| values.find(digest).map_or("something else".to_owned(), |value| name(values, value));
    match statement {
        AgreementMessage::Propose { ballot, .. } => {
            format!("Propose {} in view {}", named(ballot.value), ballot.view.0)
        }
        AgreementMessage::Vote(ballot) => format!("Vote {} in view {}", named(ballot.value), ballot.view.0),
        AgreementMessage::ViewChange(change) => format!("ViewChange to view {}", change.view.0),
        AgreementMessage::Commit(_) | AgreementMessage::CertRequest(_) | AgreementMessage::CertAck(_) => {
            "something else".to_owned()
        }
    }
}

/// What crossed each link.
fn name(values: &Values, value: ValueId) -> String {
    let signals: Vec<String> = values.get(value).signals.iter().map(|signal| signal.0.to_string()).collect();
    format!("[{}]", signals.join(" "))
}
