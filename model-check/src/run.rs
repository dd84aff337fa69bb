//! Runs one model to its end and compares what came out with what must.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use serde::Serialize;
use stateright::{Checker, HasDiscoveries, Model};

use crate::models::{Entry, Expect};
use crate::narrate::narrate;
use crate::world::{PROPERTIES, World};

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

/// Explores `entry` with Stateright, breadth first on one thread, so that
/// depth and counterexamples are the shortest and every number is repeatable.
pub fn run(entry: &'static Entry) -> Outcome {
    let world = World::new(entry.parameters());
    let started = Instant::now();
    let mut builder = world.clone().checker();
    if matches!(entry.expect, Expect::Violates { .. }) {
        builder = builder.finish_when(HasDiscoveries::AnyFailures);
    }
    let checker = builder.spawn_bfs();
    let terminal = std::io::stderr().is_terminal();
    if !terminal {
        eprintln!("exploring {}", entry.name);
    }
    while !checker.is_done() {
        if terminal {
            let states = checker.unique_state_count();
            eprint!("\rexploring {}: {states} states, {:.0} s  ", entry.name, started.elapsed().as_secs_f64());
            let _ = std::io::stderr().flush();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    if terminal {
        eprintln!();
    }
    let checker = checker.join();
    let seconds = started.elapsed().as_secs_f64();
    // Following a path to a violation computes successors again: count before.
    let (expanded, distinct) = (world.expanded(), checker.unique_state_count());
    let violations = violations(&world, &checker);
    let mut outcome = Outcome {
        model: entry.name,
        configuration: entry.configuration(),
        engine: "stateright",
        distinct,
        // Stateright counts the one initial state as generated.
        transitions: checker.state_count().saturating_sub(1),
        depth: checker.max_depth(),
        seconds,
        complete: expanded == distinct,
        violations,
        through: world.seen().iter().map(ToString::to_string).collect(),
        surprises: Vec::new(),
    };
    outcome.surprises = surprises(entry, &outcome, &world);
    outcome
}

fn violations(world: &World, checker: &impl Checker<World>) -> Vec<Violation> {
    let found = PROPERTIES.into_iter().filter_map(|property| Some((property, checker.discovery(property)?)));
    let violations = found.map(|(property, path)| {
        let path = path.into_vec();
        let steps: Vec<_> = path
            .iter()
            .zip(path.iter().skip(1))
            .filter_map(|((_, action), (state, _))| action.map(|action| (action, *state)))
            .collect();
        let story = path.first().map(|(first, _)| narrate(world, first, &steps)).unwrap_or_default();
        Violation { property, steps: steps.len(), story }
    });
    violations.collect()
}

fn surprises(entry: &Entry, outcome: &Outcome, world: &World) -> Vec<String> {
    let mut surprises = Vec::new();
    match entry.expect {
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
            let seen = world.seen();
            for witness in through.iter().filter(|witness| !seen.contains(witness)) {
                surprises.push(format!("never reached: {witness}"));
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
            for other in outcome.violations.iter().filter(|violation| violation.property != property) {
                surprises.push(format!("{} is violated as well", other.property));
            }
        }
    }
    surprises
}
