//! One part of a run, held against `spec/Inference.tla`.
//!
//! A node that has reason to do several things does them in one step: it
//! proposes the payload that it puts together, and attests a stage when the
//! next one's input becomes certain. So a step of the kernel is one or more of
//! the specification's, all of one member, and a step of the specification is
//! there if the kernel takes it on the way to where one of its own steps leads.

use std::collections::BTreeSet;
use std::sync::Arc;

use butterfly_kernel::message::AgreementMessage;
use butterfly_kernel::types::{NodeId, NodeSet, View};

use super::{Conformance, Direction, Parting, hold, same_decisions};
use crate::explore::{Progress, System};
use crate::inference::local::Local;
use crate::inference::properties::decided;
use crate::inference::setting::{Parameters, Setting, Signal};
use crate::inference::values::{Computation, Id as ValueId, Values};
use crate::inference::{self, Inference};
use crate::transcription::inference::{self as specification, Action, Constants, Specification, State, Value};

/// The actions of the module.
pub const ACTIONS: &[&str] =
    &["Escalate", "Compute", "Attest", "Recover", "Certify", "Fetch", "Propose", "Vote", "EnterView", "Restart"];

/// The constants of the specification that belong to `setting`.
pub fn constants(setting: &Setting) -> Constants {
    let resilience = setting.parameters.resilience;
    let places = |nodes: NodeSet| nodes.iter().map(NodeId::index).collect::<BTreeSet<usize>>();
    let gives = |stage| Signal::ALL.map(|signal| named(setting.gives(stage, signal))).to_vec();
    Constants {
        n: resilience.n(),
        f: resilience.f(),
        p: resilience.p(),
        byzantine: setting.cluster.members().difference(setting.honest()).len(),
        owners: setting.stages().map(|stage| places(setting.owners(stage))).collect(),
        reserves: setting.stages().map(|stage| places(setting.reserves(stage))).collect(),
        signals: Signal::ALL.len(),
        committed: named(Signal::RIGHT),
        old: [named(Signal::OLD)].into(),
        gives: setting.stages().map(gives).collect(),
        leaders: setting.views().map(|view| setting.leader(view).index()).collect(),
        restarting: places(setting.honest()).into_iter().filter(|_| setting.parameters.restarts).collect(),
        without: BTreeSet::new(),
    }
}

/// Holds the kernel's node against the specification, both ways.
pub fn check(parameters: Parameters, progress: Progress<'_>) -> Conformance {
    let world = Inference::new(parameters);
    let specification = Specification::new(constants(world.setting()));
    hold(&world, progress, |state, found| check_steps(&world, &specification, state, found))
}

/// Every step from `state`: those of the kernel are the specification's, and
/// those of the specification are the kernel's.
fn check_steps(
    world: &Inference,
    specification: &Specification,
    state: &inference::State,
    found: &mut Conformance,
) -> Result<(), Parting> {
    let setting = world.setting();
    let mut steps = Vec::new();
    world.steps(state, &mut steps);
    let memo = world.memo();
    let locals = memo.locals(setting, state);
    let before = renamed(setting, &memo.values, &locals);
    let mut reached: BTreeSet<(usize, State)> = BTreeSet::new();
    for (action, next) in steps {
        let after = renamed(setting, &memo.values, &memo.locals(setting, &next));
        let member = action.node.index();
        if after == before {
            found.stutters += 1;
            continue;
        }
        if !reached.contains(&(member, after.clone())) {
            let mut path = Vec::new();
            if !leads(specification, &before, &after, member, &mut path) {
                return Err((Direction::Refinement, format!("{:?} of node {member}", action.act)));
            }
            found.compound += usize::from(path.len() > 1);
            reached.insert((member, after));
        }
    }
    let steps = specification.next(&before).into_iter().filter(|(_, after)| *after != before);
    for (action, after) in steps {
        // When nobody restarts any more, is not a member's to say.
        let Some(member) = action.member() else { continue };
        let through = |(other, end): &(usize, State)| {
            *other == member && leads(specification, &after, end, member, &mut Vec::new())
        };
        if !reached.iter().any(through) {
            return Err((Direction::Completeness, format!("{action:?}")));
        }
        *found.actions.entry(name(&action)).or_default() += 1;
    }
    let decided = decided(setting, &memo.values, &locals).into_iter().map(|value| signals(&memo.values, value));
    same_decisions(&decided.collect(), &specification.decided(&before))
}

/// Whether steps of `member` lead from `before` to `after`; puts them into `path`.
fn leads(specification: &Specification, before: &State, after: &State, member: usize, path: &mut Vec<Action>) -> bool {
    if before == after {
        return true;
    }
    for (action, next) in specification.next(before) {
        let is_restart = matches!(action, Action::Restart { .. });
        let goes_on = action.member() == Some(member)
            && next != *before
            && (is_restart && path.is_empty() || !is_restart && is_on_the_way(&next, after, member));
        if goes_on {
            path.push(action);
            if leads(specification, &next, after, member, path) {
                return true;
            }
            path.pop();
        }
    }
    false
}

/// Whether nothing that `member` did by `here` is undone in `end`.
fn is_on_the_way(here: &State, end: &State, member: usize) -> bool {
    fn kept<T: PartialEq>(here: &[T], end: &[T], nothing: &T) -> bool {
        here.iter().zip(end).all(|(here, end)| here == nothing || here == end)
    }
    kept(&here.working[member], &end.working[member], &false)
        && kept(&here.computed[member], &end.computed[member], &None)
        && kept(&here.attested[member], &end.attested[member], &false)
        && kept(&here.past[member], &end.past[member], &false)
        && here.candidates[member].is_subset(&end.candidates[member])
        && here.view[member] <= end.view[member]
        && kept(&here.votes[member], &end.votes[member], &None)
        && kept(&here.proposals, &end.proposals, &None)
}

fn renamed(setting: &Setting, values: &Values, locals: &[Arc<Local>]) -> State {
    let last = setting.views().last().expect("a view");
    let views = || setting.views();
    let place = |view: View| usize::try_from(view.0).expect("few views");
    let voted = |local: &Local, view: View| {
        local.said.iter().find_map(|statement| match statement {
            AgreementMessage::Vote(ballot) if ballot.view == view => values.find(ballot.value),
            _ => None,
        })
    };
    let proposed = |local: &Local, view: View| {
        local.said.iter().find_map(|statement| match statement {
            AgreementMessage::Propose { ballot, .. } if ballot.view == view => values.find(ballot.value),
            _ => None,
        })
    };
    let leads = |view: View| locals.get(setting.leader(view).index());
    State {
        working: locals.iter().map(|local| local.working.clone()).collect(),
        computed: locals
            .iter()
            .map(|local| local.computed.iter().map(|computation| computation.map(computed)).collect())
            .collect(),
        attested: locals.iter().map(|local| local.attested.clone()).collect(),
        past: locals.iter().map(|local| local.past.clone()).collect(),
        candidates: locals
            .iter()
            .map(|local| local.candidates.iter().map(|value| signals(values, *value)).collect())
            .collect(),
        // Who restarts in the last view leaves it, for one that is not explored.
        view: locals.iter().map(|local| place(local.memory.agreement.view.min(last))).collect(),
        votes: locals
            .iter()
            .map(|local| views().map(|view| voted(local, view).map(|value| signals(values, value))).collect())
            .collect(),
        proposals: views().map(|view| proposed(leads(view)?, view).map(|value| signals(values, value))).collect(),
        stabilised: !setting.parameters.restarts,
    }
}

fn computed(computation: Computation) -> specification::Computation {
    specification::Computation { input: named(computation.input), output: named(computation.output) }
}

fn signals(values: &Values, value: ValueId) -> Value {
    values.get(value).signals.iter().map(|signal| named(*signal)).collect()
}

fn named(signal: Signal) -> specification::Signal {
    usize::from(signal.0)
}

fn name(action: &Action) -> &'static str {
    match action {
        Action::Escalate { .. } => "Escalate",
        Action::Compute { .. } => "Compute",
        Action::Attest { .. } => "Attest",
        Action::Recover { .. } => "Recover",
        Action::Certify { .. } => "Certify",
        Action::Fetch { .. } => "Fetch",
        Action::Propose { .. } => "Propose",
        Action::Vote { .. } => "Vote",
        Action::EnterView { .. } => "EnterView",
        Action::Restart { .. } => "Restart",
        Action::Stabilise => "Stabilise",
    }
}
