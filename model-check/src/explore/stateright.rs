//! Stateright over the same systems.
//!
//! Breadth first on one thread, so that depth and counterexamples are the
//! shortest and every number is repeatable. No bound is ever set: a run that
//! hits one passes all the same. Its visited set holds 64-bit fingerprints.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stateright::{Checker, HasDiscoveries, Model, Path, Property};

use super::{Exploration, Progress, Run, Shared, System, Until, Violation};
use crate::chart;

/// A step with where it leads.
#[derive(Clone, Debug, PartialEq)]
pub struct Step<L, T> {
    /// What it is called.
    pub label: L,
    /// Where it leads.
    pub state: T,
}

/// A system as Stateright wants it.
pub struct ForStateright<S: System> {
    system: S,
    expanded: AtomicUsize,
    /// The first state met that fails each property, by its place in the list.
    failures: Mutex<BTreeMap<usize, S::State>>,
}

impl<S: System> ForStateright<S> {
    /// `system`, nothing explored yet.
    pub fn new(system: S) -> ForStateright<S> {
        ForStateright { system, expanded: AtomicUsize::new(0), failures: Mutex::default() }
    }

    /// Stateright reports the last violation that it meets before it stops, so
    /// only the first is shown to it: breadth first, that is a nearest one.
    /// It knows properties of states only, so a step is judged where it begins.
    fn holds(&self, property: usize, state: &S::State) -> bool {
        let holds = if self.system.is_of_steps(property) {
            breaking(&self.system, property, state).is_none()
        } else {
            !self.system.violated(state).contains(&property)
        };
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        holds || failures.entry(property).or_insert(*state) != state
    }
}

impl<S> Model for ForStateright<S>
where
    S: System + Send + Sync + 'static,
    S::State: Send + Sync + 'static,
    S::Label: Send + Sync + 'static,
{
    type State = S::State;
    type Action = Step<S::Label, S::State>;

    fn init_states(&self) -> Vec<S::State> {
        self.system.initial()
    }

    fn actions(&self, state: &S::State, actions: &mut Vec<Step<S::Label, S::State>>) {
        self.expanded.fetch_add(1, Ordering::Relaxed);
        let mut steps = Vec::new();
        self.system.steps(state, &mut steps);
        actions.extend(steps.into_iter().map(|(label, state)| Step { label, state }));
    }

    fn next_state(&self, _: &S::State, step: Step<S::Label, S::State>) -> Option<S::State> {
        Some(step.state)
    }

    fn format_action(&self, step: &Step<S::Label, S::State>) -> String {
        self.system.describe(&step.label)
    }

    fn as_svg(&self, path: Path<S::State, Step<S::Label, S::State>>) -> Option<String> {
        let path = path.into_vec();
        let first = path.first()?.0;
        let steps = path.into_iter().filter_map(|(_, step)| step).map(|step| (step.label, step.state));
        Some(chart::draw("the steps so far", &self.system.tell(&first, &steps.collect::<Vec<_>>())))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        // Conditions are plain functions there, so each place needs its own.
        let conditions: [fn(&Self, &S::State) -> bool; 16] = [
            holds_at::<0, S>,
            holds_at::<1, S>,
            holds_at::<2, S>,
            holds_at::<3, S>,
            holds_at::<4, S>,
            holds_at::<5, S>,
            holds_at::<6, S>,
            holds_at::<7, S>,
            holds_at::<8, S>,
            holds_at::<9, S>,
            holds_at::<10, S>,
            holds_at::<11, S>,
            holds_at::<12, S>,
            holds_at::<13, S>,
            holds_at::<14, S>,
            holds_at::<15, S>,
        ];
        let names = self.system.properties();
        assert!(names.len() <= conditions.len(), "a system has at most {} properties", conditions.len());
        names.iter().zip(conditions).map(|(name, condition)| Property::always(name, condition)).collect()
    }
}

fn holds_at<const PROPERTY: usize, S: System>(model: &ForStateright<S>, state: &S::State) -> bool {
    model.holds(PROPERTY, state)
}

/// The first step from `state` that breaks `property`, if there is any.
fn breaking<S: System>(system: &S, property: usize, state: &S::State) -> Option<(S::Label, S::State)> {
    let mut steps = Vec::new();
    system.steps(state, &mut steps);
    steps.into_iter().find(|(label, next)| system.violated_by(state, label, next).contains(&property))
}

/// Explores `system` with Stateright.
pub fn explore<S: Shared>(system: S, until: Until, progress: Progress<'_>) -> Exploration<S> {
    let mut builder = ForStateright::new(system.clone()).checker();
    if until == Until::Violation {
        builder = builder.finish_when(HasDiscoveries::AnyFailures);
    }
    let checker = builder.spawn_bfs();
    while !checker.is_done() {
        progress(checker.unique_state_count());
        std::thread::sleep(Duration::from_millis(5));
    }
    let checker = checker.join();
    // Following a path to a violation computes steps again: count before.
    let expanded = checker.model().expanded.load(Ordering::Relaxed);
    let distinct = checker.unique_state_count();
    let names = system.properties().iter().enumerate();
    let found = names.filter_map(|(place, property)| Some((place, *property, checker.discovery(property)?)));
    let violations = found.map(|(place, property, path)| {
        let path = path.into_vec();
        let first = path.first().map(|(first, _)| *first).expect("a path has a beginning");
        let last = path.last().map_or(first, |(last, _)| *last);
        let steps = path.into_iter().filter_map(|(_, step)| step).map(|step| (step.label, step.state));
        let judged = if system.is_of_steps(place) { breaking(&system, place, &last) } else { None };
        Violation { property, run: Run { first, path: steps.chain(judged).collect() } }
    });
    let initial = system.initial().len();
    Exploration {
        distinct,
        // Stateright counts first states as generated.
        transitions: checker.state_count().saturating_sub(initial),
        depth: checker.max_depth(),
        complete: expanded == distinct,
        violations: violations.collect(),
    }
}

/// Serves Stateright's Explorer for `system` on `address`, until the process ends.
pub fn serve<S: Shared>(system: S, address: std::net::SocketAddr) {
    let _ = ForStateright::new(system).checker().serve(address);
}
