//! One epoch's agreement, held against `spec/Agreement.tla`. The abstraction is
//! what everybody can see: what each honest node said.

use super::{Conformance, Direction, Parting, depart, hold};
use crate::explore::graph::{Graph, Place};
use crate::explore::{Progress, System, Until};
use crate::records::questions::Answer;
use crate::records::{self, Act, Options, Records};
use crate::symbolic::Value;
use crate::transcription::agreement::{self as specification, Constants, Entry, Specification, entry};
use crate::world::faulty::request;
use crate::world::setting::{Ballot, Message, Setting};
use crate::world::{self, World, narrate};

/// The actions of the module.
pub const ACTIONS: &[&str] = &["Propose", "Vote", "Commit", "EnterView"];

/// The only steps of the specification that the kernel need not be able to
/// take: those that are gone when the specification breaks ties as the kernel does.
pub const EXEMPTION: &str = "of values with equal support after an equivocation the kernel takes the smallest; the \
     specification admits any of them, and each is safe";

/// The constants of the specification that belong to `setting`.
pub fn constants(setting: &Setting) -> Constants {
    let resilience = setting.parameters.resilience;
    let leader = |view| Some(setting.leader(view).index()).filter(|_| !setting.is_led_by_faulty(view));
    let (n, f, p) = (resilience.n(), resilience.f(), resilience.p());
    Constants::with_every_guard((n, f, p), setting.faulty().len(), setting.views().map(leader).collect())
}

/// Holds the kernel, from record to record, against the specification, both ways.
pub fn from_records(setting: Setting, options: Options, progress: Progress<'_>) -> Conformance {
    let constants = constants(&setting);
    let strict = Specification::new(Constants { smallest_of_equals: true, ..constants.clone() });
    let specification = Specification::new(constants);
    let world = Records::new(setting, options);
    let mut found = hold(&world, progress, |state, found| check(&world, &specification, &strict, state, found));
    // With interchangeable names there are too many questions to put each of them.
    if found.departure.is_none() && !world.setting().parameters.symmetry {
        check_answers(&world, &strict, &mut found);
    }
    found
}

/// Every question that a faulty leader can put is answered as `Select` says.
fn check_answers(world: &Records, specification: &Specification, found: &mut Conformance) {
    let answers = world.memo().answers(world.setting());
    found.questions = answers.len();
    let told = |ballot: Option<Ballot>| ballot.map(|ballot| (records::local::place(ballot.view), entry(ballot.value)));
    for Answer { ballot, reports, acknowledged } in answers {
        let seen: Vec<_> =
            reports.iter().map(|(node, report)| (node.index(), [told(report.voted), told(report.locked)])).collect();
        if specification.admits(&seen, entry(ballot.value)) == acknowledged {
            continue;
        }
        let direction = if acknowledged { Direction::Refinement } else { Direction::Completeness };
        let verb = if acknowledged { "acknowledges" } else { "does not acknowledge" };
        let question = narrate::ask(&request(ballot, reports.into_iter()));
        let step = format!("{verb} {question}");
        found.departure =
            Some(super::Departure { direction, steps: 1, story: vec![format!(" 1. the kernel {step}")], step });
        return;
    }
}

/// Every step from `state`: those of the kernel are the specification's, and
/// those of the specification are the kernel's.
fn check(
    world: &Records,
    specification: &Specification,
    strict: &Specification,
    state: &records::State,
    found: &mut Conformance,
) -> Result<(), Parting> {
    // Whoever said two things in one view has been found out on the way here.
    let Some(before) = abstract_record(world, state) else { return Ok(()) };
    let allowed = specification.next(&before);
    let mut taken = Vec::new();
    for (action, next) in world.concrete_steps(state) {
        let action = specification::Action { replica: action.node.index(), act: action.act };
        let after = abstract_record(world, &next);
        let step = after.map(|after| (action, after));
        match step.filter(|step| allowed.contains(step)) {
            Some(step) => {
                *found.actions.entry(name(&action.act)).or_default() += 1;
                taken.push(step);
            }
            None if after == Some(before) => found.stutters += 1,
            None => return Err((Direction::Refinement, describe(&action))),
        }
    }
    let decided = world.memo().decided(world.setting(), state);
    let decided: Vec<Entry> = decided.into_iter().map(entry).collect();
    let must = specification.decided(&before);
    if let Some(value) = decided.iter().find(|value| !must.contains(value)) {
        return Err((Direction::Refinement, format!("a decision of value {}", value - 1)));
    }
    if let Some(value) = must.iter().find(|value| !decided.contains(value)) {
        return Err((Direction::Completeness, format!("a decision of value {}", value - 1)));
    }
    let missing: Vec<_> = allowed.iter().filter(|step| !taken.contains(step)).collect();
    if !missing.is_empty() {
        let required = strict.next(&before);
        if let Some((action, _)) = missing.iter().find(|step| required.contains(step)) {
            return Err((Direction::Completeness, describe(action)));
        }
        found.exempt += missing.len();
    }
    Ok(())
}

/// What the specification knows of a state: none if it has no words for it,
/// since somebody said two things in one view.
fn abstract_record(world: &Records, state: &records::State) -> Option<specification::State> {
    let setting = world.setting();
    let mut abstracted = specification::State::default();
    for (replica, public) in world.publics(state).iter().enumerate() {
        let here = &mut abstracted.replicas[replica];
        here.view = public.view;
        for view in setting.views() {
            let place = records::local::place(view);
            let only = |values: records::local::Values| {
                let mut values = values.iter();
                match (values.next(), values.next()) {
                    (None, _) => Some(0),
                    (Some(value), None) if Value::VALID.contains(&value) => Some(entry(value)),
                    _ => None,
                }
            };
            here.votes[place] = only(public.votes[place])?;
            here.commits[place] = only(public.commits[place])?;
            if setting.leader(view).index() == replica {
                abstracted.proposals[place] = only(public.proposals[place])?;
            }
        }
    }
    Some(abstracted)
}

/// Holds the kernel, each message to each receiver, against the specification.
/// One input may make a node take several steps at once, so a step must be one
/// or more of the specification's, all of the same replica.
pub fn from_receivers(world: &World, progress: Progress<'_>) -> Conformance {
    let specification = Specification::new(constants(world.setting()));
    let mut found = Conformance::default();
    let mut departure: Option<(Place, String)> = None;
    let graph = Graph::explore(world, Until::End, progress, |from, state, action, _, next| {
        if departure.is_some() {
            return;
        }
        let (Some(before), Some(after)) = (abstract_network(world, state), abstract_network(world, next)) else {
            departure = Some((from, format!("node {} says two things in one view", action.node.0)));
            return;
        };
        if before == after {
            found.stutters += 1;
            return;
        }
        let mut path = Vec::new();
        if leads(&specification, &before, &after, action.node.index(), &mut path) {
            found.compound += usize::from(path.len() > 1);
            for act in path {
                *found.actions.entry(name(&act)).or_default() += 1;
            }
        } else {
            departure = Some((from, format!("what node {} does next", action.node.0)));
        }
    });
    found.states = graph.states.len();
    found.transitions = graph.transitions;
    found.departure = departure.map(|(place, step)| {
        let run = graph.path(world, place);
        depart(Direction::Refinement, step, &run, world.tell(&run.first, &run.path))
    });
    found
}

/// Whether steps of `replica` lead from `before` to `after`; puts them into `path`.
pub(crate) fn leads(
    specification: &Specification,
    before: &specification::State,
    after: &specification::State,
    replica: usize,
    path: &mut Vec<Act>,
) -> bool {
    if before == after {
        return true;
    }
    let within = |ours: Entry, theirs: Entry| ours == 0 || ours == theirs;
    let on_the_way = |state: &specification::State| {
        let (ours, theirs) = (&state.replicas[replica], &after.replicas[replica]);
        ours.view <= theirs.view
            && ours.votes.iter().zip(&theirs.votes).all(|(ours, theirs)| within(*ours, *theirs))
            && ours.commits.iter().zip(&theirs.commits).all(|(ours, theirs)| within(*ours, *theirs))
            && state.proposals.iter().zip(&after.proposals).all(|(ours, theirs)| within(*ours, *theirs))
    };
    for (action, next) in specification.next(before) {
        if action.replica == replica && on_the_way(&next) {
            path.push(action.act);
            if leads(specification, &next, after, replica, path) {
                return true;
            }
            path.pop();
        }
    }
    false
}

fn abstract_network(world: &World, state: &world::State) -> Option<specification::State> {
    let setting = world.setting();
    let tables = world.tables();
    let mut abstracted = specification::State::default();
    for (from, message) in tables.networks.get(state.network).said() {
        let here = &mut abstracted.replicas[from.index()];
        let put = |slot: &mut Entry, value: Value| {
            let new = *slot == 0 && Value::VALID.contains(&value);
            *slot = entry(value);
            new
        };
        let alone = match message {
            Message::Vote(ballot) => put(&mut here.votes[records::local::place(ballot.view)], ballot.value),
            Message::Commit(ballot) => put(&mut here.commits[records::local::place(ballot.view)], ballot.value),
            Message::ViewChange(change) => {
                here.view = here.view.max(u8::try_from(change.view.0).expect("few views"));
                true
            }
            Message::Propose { ballot, .. } if setting.leader(ballot.view) == from => {
                put(&mut abstracted.proposals[records::local::place(ballot.view)], ballot.value)
            }
            _ => true,
        };
        if !alone {
            return None;
        }
    }
    Some(abstracted)
}

pub(crate) fn name(act: &Act) -> &'static str {
    match act {
        Act::Propose(_) => "Propose",
        Act::Vote(_) => "Vote",
        Act::Commit(_) => "Commit",
        Act::EnterView(_) => "EnterView",
        Act::Decide(_) => "Decide",
        Act::CatchUp(_) => "CatchUp",
    }
}

fn describe(action: &specification::Action) -> String {
    let (node, name) = (action.replica, name(&action.act));
    match action.act {
        Act::EnterView(view) => format!("{name} of node {node}, to view {}", view.0),
        Act::Propose(ballot) | Act::Vote(ballot) | Act::Commit(ballot) | Act::Decide(ballot) | Act::CatchUp(ballot) => {
            format!("{name} of node {node}, {} in view {}", ballot.value, ballot.view.0)
        }
    }
}
