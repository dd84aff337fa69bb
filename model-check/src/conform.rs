//! The kernel against its specification, in both directions.
//!
//! *Refinement*: every step that the kernel takes is a step of the
//! specification, or changes nothing that the specification speaks of.
//! *Completeness*: wherever the specification allows a step, the kernel can
//! take it. Invariants alone miss a kernel that does too little, and one that
//! does too much but not yet enough to do harm.
//!
//! | module | subject |
//! | --- | --- |
//! | [`agreement`] | one epoch's agreement, `spec/Agreement.tla` |
//! | [`chain`] | several epochs, `spec/Chain.tla` |
//! | [`inference`] | one part of a run, `spec/Inference.tla` |

pub mod agreement;
pub mod chain;
pub mod inference;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde::Serialize;

use crate::explore::graph::Graph;
use crate::explore::{Progress, Run, System, Until};
use crate::story::Story;

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Every step of the kernel is one of the specification.
    Refinement,
    /// Every step of the specification is one of the kernel.
    Completeness,
}

impl Direction {
    /// As in tables and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Direction::Refinement => "Refinement",
            Direction::Completeness => "Completeness",
        }
    }
}

/// A step where kernel and specification part.
#[derive(Clone, Debug, Serialize)]
pub struct Departure {
    /// Which of them has a step that the other one lacks.
    pub direction: Direction,
    /// The step, in words.
    pub step: String,
    /// Steps of a shortest run to it, itself included.
    pub steps: usize,
    /// The run before it, told.
    pub story: Vec<String>,
}

/// What came of holding one world against the specification.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Conformance {
    /// States of the kernel's world.
    pub states: usize,
    /// Its steps.
    pub transitions: usize,
    /// Those that the specification does not speak of.
    pub stutters: usize,
    /// Those that are several steps of the specification at once.
    pub compound: usize,
    /// Questions of faulty leaders whose answers were compared with `Select`.
    pub questions: usize,
    /// How often each action of the specification was a step of the kernel.
    pub actions: BTreeMap<&'static str, usize>,
    /// Steps of the specification that the kernel cannot take, for the reason
    /// that [`agreement::EXEMPTION`] gives.
    pub exempt: usize,
    /// The first departure, if there is any.
    pub departure: Option<Departure>,
}

/// Where a step parts from the specification, and what the step is.
type Parting = (Direction, String);

/// Explores `world` and has `check` look at each state and its steps, nearest
/// first, until it finds a departure.
fn hold<S: System>(
    world: &S,
    progress: Progress<'_>,
    check: impl FnMut(&S::State, &mut Conformance) -> Result<(), Parting>,
) -> Conformance {
    let held = Held { world, check: RefCell::new(check), found: RefCell::default(), parting: RefCell::default() };
    let graph = Graph::explore(&held, Until::Violation, progress, |_, _, _, _, _| {});
    let violation = graph.exploration(&held).violations.into_iter().next();
    let mut found = held.found.into_inner();
    (found.states, found.transitions) = (graph.states.len(), graph.transitions);
    found.departure = violation.zip(held.parting.into_inner()).map(|(violation, (direction, step))| {
        let run = Run { first: violation.run.first, path: violation.run.path };
        depart::<S>(direction, step, &run, world.tell(&run.first, &run.path))
    });
    found
}

/// What the kernel decides is what the specification does.
fn same_decisions<V: Ord + Debug>(kernel: &BTreeSet<V>, specification: &BTreeSet<V>) -> Result<(), Parting> {
    let parting = |direction, value: &V| (direction, format!("a decision of {value:?}"));
    if let Some(value) = kernel.difference(specification).next() {
        return Err(parting(Direction::Refinement, value));
    }
    if let Some(value) = specification.difference(kernel).next() {
        return Err(parting(Direction::Completeness, value));
    }
    Ok(())
}

/// A world whose states are judged by the steps that they allow.
struct Held<'a, S, F> {
    world: &'a S,
    check: RefCell<F>,
    found: RefCell<Conformance>,
    parting: RefCell<Option<Parting>>,
}

impl<S: System, F: FnMut(&S::State, &mut Conformance) -> Result<(), Parting>> System for Held<'_, S, F> {
    type State = S::State;
    type Label = S::Label;

    fn initial(&self) -> Vec<S::State> {
        self.world.initial()
    }

    fn steps(&self, state: &S::State, steps: &mut Vec<(S::Label, S::State)>) {
        self.world.steps(state, steps);
    }

    fn properties(&self) -> &'static [&'static str] {
        &["Conformance"]
    }

    fn violated(&self, state: &S::State) -> Vec<usize> {
        if self.parting.borrow().is_some() {
            return Vec::new();
        }
        let parting = (self.check.borrow_mut())(state, &mut self.found.borrow_mut()).err();
        let parts = parting.is_some();
        *self.parting.borrow_mut() = parting;
        if parts { vec![0] } else { Vec::new() }
    }

    fn witnesses(&self) -> Vec<String> {
        self.world.witnesses()
    }

    fn describe(&self, label: &S::Label) -> String {
        self.world.describe(label)
    }

    fn tell(&self, first: &S::State, path: &[(S::Label, S::State)]) -> Story {
        self.world.tell(first, path)
    }
}

fn depart<S: System>(direction: Direction, step: String, run: &Run<S>, story: Story) -> Departure {
    let mut story = story.lines();
    story.push(match direction {
        Direction::Refinement => format!("{:2}. the kernel, not the specification: {step}", run.path.len() + 1),
        Direction::Completeness => format!("{:2}. the specification, not the kernel: {step}", run.path.len() + 1),
    });
    Departure { direction, step, steps: run.path.len() + 1, story }
}
