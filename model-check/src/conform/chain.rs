//! Several epochs, held against `spec/Chain.tla`. Every variable of the module
//! is there in the world as well, so the abstraction only renames.

use std::collections::BTreeSet;

use butterfly_kernel::node::Role;
use butterfly_kernel::types::NodeId;

use super::{Conformance, Direction, Parting, hold, same_decisions};
use crate::chain::memo::{Brief, Memo, decided};
use crate::chain::setting::{Parameters, Setting};
use crate::chain::values::{Id as ValueId, Increment, Values};
use crate::chain::{self, Act, Chain as World};
use crate::explore::{Progress, System};
use crate::transcription::chain::{self as specification, Action, Chain, Constants, Notice, Rules, Specification};

/// The actions of the module.
pub const ACTIONS: &[&str] = &["Vote", "Close", "CatchUp", "Enter", "Start", "Lose"];

/// The constants of the specification that belong to `setting`.
pub fn constants(setting: &Setting) -> Constants {
    let Parameters { resilience, changes, epochs, work, draws, together, equivocation, fresh_nonce, .. } =
        setting.parameters;
    Constants {
        n: resilience.n(),
        f: resilience.f(),
        p: resilience.p(),
        honest: setting.honest().len(),
        byzantine: setting.faulty().len(),
        founders: setting.everybody().difference(setting.joining()).iter().map(NodeId::index).collect(),
        joining: setting.joining().iter().map(NodeId::index).collect(),
        leaving: setting.leaving().iter().map(NodeId::index).collect(),
        changes,
        epochs: usize::try_from(epochs).expect("few epochs"),
        work: usize::from(work),
        draws: usize::from(draws),
        fallible: setting.fallible().iter().map(NodeId::index).collect(),
        together,
        equivocation,
        notices_first: false,
        rules: Rules { fresh_nonce, ..Rules::PROTOCOL },
        orbits: false,
    }
}

/// Holds the kernel's node against the specification, both ways.
pub fn check(parameters: Parameters, progress: Progress<'_>) -> Conformance {
    let world = World::new(parameters);
    let specification = Specification::new(constants(world.setting()));
    hold(&world, progress, |state, found| check_steps(&world, &specification, state, found))
}

/// Every step from `state`: those of the kernel are the specification's, and
/// those of the specification are the kernel's.
fn check_steps(
    world: &World,
    specification: &Specification,
    state: &chain::State,
    found: &mut Conformance,
) -> Result<(), Parting> {
    let mut steps = Vec::new();
    world.steps(state, &mut steps);
    let memo = world.memo();
    let before = renamed(world.setting(), &memo, state);
    let allowed: BTreeSet<(Action, specification::State)> =
        specification.next(&before).into_iter().filter(|(_, after)| *after != before).collect();
    let mut taken = BTreeSet::new();
    for (action, next) in steps {
        let step = (renamed_action(&memo.values, &action), renamed(world.setting(), &memo, &next));
        if step.1 == before {
            found.stutters += 1;
        } else if allowed.contains(&step) {
            *found.actions.entry(name(&step.0)).or_default() += 1;
            taken.insert(step);
        } else {
            return Err((Direction::Refinement, describe(&step.0)));
        }
    }
    if let Some((action, _)) = allowed.iter().find(|step| !taken.contains(*step)) {
        return Err((Direction::Completeness, describe(action)));
    }
    let publics = memo.publics(world.setting(), state);
    let decided =
        decided(world.setting(), &memo.values, &publics).into_iter().map(|value| renamed_value(&memo.values, value));
    same_decisions(&decided.collect(), &specification.decided(&before))
}

fn renamed(setting: &Setting, memo: &Memo, state: &chain::State) -> specification::State {
    let publics = memo.publics(setting, state);
    let values = &memo.values;
    specification::State {
        memory: publics.iter().map(|public| renamed_record(values, &public.memory)).collect(),
        record: publics.iter().map(|public| renamed_record(values, &public.disk)).collect(),
        signed: publics
            .iter()
            .map(|public| public.signed.iter().map(|value| renamed_value(values, *value)).collect())
            .collect(),
        notices: publics.iter().flat_map(|public| public.notices.iter().filter_map(renamed_notice)).collect(),
        drawn: publics.iter().map(|public| usize::from(public.drawn)).collect(),
    }
}

fn renamed_record(values: &Values, record: &Brief) -> specification::Record {
    let role = match record.role {
        Role::Replica | Role::Worker => specification::Role::Replica,
        Role::Learner => specification::Role::Learner,
    };
    let value = |value: Option<ValueId>| value.map_or(Chain::NONE, |value| renamed_value(values, value));
    specification::Record {
        role,
        origin: usize::try_from(values.origin(record.cluster)).expect("few epochs"),
        head: renamed_value(values, record.head),
        voted: value(record.voted),
        payload: value(record.payload),
    }
}

fn renamed_value(values: &Values, value: ValueId) -> Chain {
    let renamed = |increment: Increment| match increment {
        Increment::Work(work) => specification::Increment::Work(usize::from(work)),
        Increment::Readmit { .. } => {
            specification::Increment::Readmit(renamed_notice(&increment).expect("it is a notice"))
        }
        Increment::Admit(node) => specification::Increment::Admit(node.index()),
        Increment::Remove(node) => specification::Increment::Remove(node.index()),
    };
    values.increments(value).into_iter().map(renamed).collect()
}

fn renamed_notice(increment: &Increment) -> Option<Notice> {
    match *increment {
        Increment::Work(_) | Increment::Admit(_) | Increment::Remove(_) => None,
        Increment::Readmit { member, origin, incarnation, drawn } => Some(Notice {
            member: member.index(),
            origin: usize::try_from(origin).expect("few epochs"),
            incarnation: usize::try_from(incarnation).expect("few incarnations"),
            nonce: usize::from(drawn),
        }),
    }
}

fn renamed_action(values: &Values, action: &chain::Action) -> Action {
    let member = action.node.index();
    match action.act {
        Act::Vote(value) => Action::Vote { member, value: renamed_value(values, value) },
        Act::Close(value) => Action::Close { member, value: renamed_value(values, value) },
        Act::CatchUp(value) => Action::CatchUp { member, value: renamed_value(values, value) },
        Act::Enter => Action::Enter { member },
        Act::Start => Action::Start { member },
        Act::Lose => Action::Lose { member },
    }
}

fn name(action: &Action) -> &'static str {
    match action {
        Action::Vote { .. } => "Vote",
        Action::Close { .. } => "Close",
        Action::CatchUp { .. } => "CatchUp",
        Action::Enter { .. } => "Enter",
        Action::Start { .. } => "Start",
        Action::Lose { .. } => "Lose",
    }
}

fn describe(action: &Action) -> String {
    let (name, member) = (name(action), action.member());
    match action {
        Action::Vote { value, .. } | Action::Close { value, .. } | Action::CatchUp { value, .. } => {
            format!("{name} of node {member}, {:?}", value.increments())
        }
        Action::Enter { .. } | Action::Start { .. } | Action::Lose { .. } => format!("{name} of node {member}"),
    }
}
