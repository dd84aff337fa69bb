//! Runs one model to its end and compares what came out with what must.

use std::time::Instant;

use serde::Serialize;

use crate::explore::graph::Graph;
use crate::explore::{Engine, Exploration, Only, Progress, Shared, Until, stateright};
use crate::models::{Entry, Expect, Visit};
use crate::story::Story;

/// What came out.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The model.
    pub model: &'static str,
    /// n, f, p, leaders, delivery.
    pub configuration: String,
    /// What explored it.
    pub engine: &'static str,
    /// Distinct states.
    pub distinct: usize,
    /// Steps between them.
    pub transitions: usize,
    /// States on the longest shortest path.
    pub depth: usize,
    /// Wall-clock time.
    pub seconds: f64,
    /// Whether every reachable state was explored.
    pub complete: bool,
    /// Properties that fail, each with a shortest run to a state where it does.
    pub violations: Vec<Violation>,
    /// Branches of the protocol that reachable steps went through.
    pub through: Vec<String>,
    /// Differences from what must come out. None: all is as it must be.
    pub surprises: Vec<String>,
}

/// A property that fails.
#[derive(Clone, Debug, Serialize)]
pub struct Violation {
    /// Which.
    pub property: &'static str,
    /// Steps to the state in which it fails.
    pub steps: usize,
    /// The steps, told.
    pub story: Vec<String>,
    /// The same, to be drawn.
    #[serde(skip)]
    pub told: Story,
}

impl Outcome {
    /// Whether all is as it must be.
    pub fn is_expected(&self) -> bool {
        self.surprises.is_empty()
    }

    /// One or two words for the table.
    pub fn result(&self) -> String {
        let failed: Vec<&str> = self.violations.iter().map(|violation| violation.property).collect();
        match (self.is_expected(), failed.is_empty()) {
            (true, true) => "holds".to_owned(),
            (true, false) => format!("{} violated, as it must be", failed.join(", ")),
            (false, _) => "NOT AS EXPECTED".to_owned(),
        }
    }
}

/// Explores `entry` with `engine`.
pub fn run(entry: &Entry, engine: Engine, progress: Progress<'_>) -> Outcome {
    let mut outcomes = run_with(entry, &[engine], &mut |_, states| progress(states));
    outcomes.pop().expect("one engine, one outcome")
}

/// Explores `entry` with one engine after the other. The world remembers what
/// it was told by the kernel, so the second asks nothing twice.
pub fn run_with(entry: &Entry, engines: &[Engine], progress: &mut dyn FnMut(Engine, usize)) -> Vec<Outcome> {
    let until = match entry.expect {
        Expect::Holds { .. } | Expect::Open => Until::End,
        Expect::Violates { .. } => Until::Violation,
    };
    entry.subject.visit(Conclude { entry, engines, until, progress })
}

/// Explores a world with one engine after the other.
struct Conclude<'a> {
    entry: &'a Entry,
    engines: &'a [Engine],
    until: Until,
    progress: &'a mut dyn FnMut(Engine, usize),
}

impl Visit for Conclude<'_> {
    type Output = Vec<Outcome>;

    fn visit<S: Shared>(self, system: S) -> Vec<Outcome> {
        let Conclude { entry, engines, until, progress } = self;
        // Of a control, only what it is to fail is looked at.
        let property = match entry.expect {
            Expect::Violates { property, .. } => Some(property),
            Expect::Holds { .. } | Expect::Open => None,
        };
        let system = Only { system, property };
        let outcomes = engines.iter().map(|engine| {
            progress(*engine, 0);
            outcome(entry, *engine, &system, until, &mut |states| progress(*engine, states))
        });
        outcomes.collect()
    }
}

fn outcome<S: Shared>(entry: &Entry, engine: Engine, system: &S, until: Until, progress: Progress<'_>) -> Outcome {
    let started = Instant::now();
    let found = explore(system, engine, until, progress);
    let seconds = started.elapsed().as_secs_f64();
    let violations = found.violations.iter().map(|violation| {
        let told = system.tell(&violation.run.first, &violation.run.path);
        Violation { property: violation.property, steps: violation.run.path.len(), story: told.lines(), told }
    });
    let mut outcome = Outcome {
        model: entry.name,
        configuration: entry.configuration(),
        engine: engine.name(),
        distinct: found.distinct,
        transitions: found.transitions,
        depth: found.depth,
        seconds,
        complete: found.complete,
        violations: violations.collect(),
        through: system.witnesses(),
        surprises: Vec::new(),
    };
    outcome.surprises = surprises(entry.expect, &outcome);
    outcome
}

/// Explores `system` with `engine`.
pub fn explore<S: Shared>(system: &S, engine: Engine, until: Until, progress: Progress<'_>) -> Exploration<S> {
    match engine {
        Engine::Stateright => stateright::explore(system.clone(), until, progress),
        Engine::Graph => Graph::explore(system, until, progress, |_, _, _, _, _| {}).exploration(system),
    }
}

fn surprises(expect: Expect, outcome: &Outcome) -> Vec<String> {
    let mut surprises = Vec::new();
    match expect {
        Expect::Holds { distinct, transitions, depth, through } => {
            for violation in &outcome.violations {
                surprises.push(format!("{} is violated in {} steps", violation.property, violation.steps));
            }
            if !outcome.complete {
                surprises.push("not every reachable state was explored".to_owned());
            }
            let pins = [
                ("distinct states", outcome.distinct, distinct),
                ("transitions", outcome.transitions, transitions),
                ("depth", outcome.depth, depth),
            ];
            for (what, found, pinned) in pins {
                if found != pinned {
                    surprises.push(format!("{what}: {found}, pinned at {pinned}"));
                }
            }
            for witness in through.iter().filter(|witness| outcome.through.iter().all(|seen| seen != *witness)) {
                surprises.push(format!("never reached: {witness}"));
            }
        }
        Expect::Open => {
            for violation in &outcome.violations {
                surprises.push(format!("{} is violated in {} steps", violation.property, violation.steps));
            }
            if !outcome.complete {
                surprises.push("not every reachable state was explored".to_owned());
            }
        }
        Expect::Violates { property, steps } => {
            let found = outcome.violations.iter().find(|violation| violation.property == property);
            match found {
                None => surprises.push(format!("{property} should be violated and is not")),
                Some(violation) if violation.steps != steps => {
                    let found = violation.steps;
                    surprises.push(format!("steps of the counterexample: {found}, pinned at {steps}"));
                }
                Some(_) => {}
            }
        }
    }
    surprises
}
