//! `butterfly-check spec`.

use std::collections::HashSet;
use std::path::Path;
use std::process::ExitCode;

use butterfly_model_check::explore::graph::Graph;
use butterfly_model_check::explore::{Engine, Until, Violation};
use butterfly_model_check::run::explore;
use butterfly_model_check::transcription::configuration::{self, Configuration, Constants, Names};
use butterfly_model_check::transcription::dump::{self, Dumped};
use butterfly_model_check::transcription::explored::Explored;
use butterfly_model_check::transcription::{agreement, chain, inference};
use serde::Serialize;
use serde_json::json;

use super::{Meter, refuse, status};

/// What came of one configuration.
#[derive(Serialize)]
struct Found {
    configuration: String,
    distinct: usize,
    transitions: usize,
    depth: usize,
    complete: bool,
    /// Properties that fail, with the states of a shortest counterexample.
    violations: Vec<(&'static str, usize)>,
    /// Whether TLC found the same states, if its states were given.
    same_as_dump: Option<bool>,
}

impl Found {
    /// Where a rule is switched off something must fail, and nowhere else.
    fn is_as_it_must_be(&self) -> bool {
        let must_fail = configuration::must_fail(&self.configuration);
        must_fail != self.violations.is_empty() && (self.complete || must_fail) && self.same_as_dump != Some(false)
    }
}

/// The command.
pub(crate) fn spec(names: &[String], engine: Engine, dumped: Option<&Path>, json: bool) -> ExitCode {
    let there_is = configuration::names;
    if dumped.is_some() && engine != Engine::Graph {
        return refuse("only one engine keeps its states to be compared", ["--engine graph".to_owned()].into_iter());
    }
    if dumped.is_some() && names.len() != 1 {
        return refuse("a dump is of one configuration: name it", there_is().into_iter());
    }
    let dumped = match dumped.map(std::fs::read_to_string).transpose() {
        Ok(text) => text,
        Err(error) => {
            eprintln!("cannot read the dump: {error}");
            return ExitCode::FAILURE;
        }
    };
    let names = if names.is_empty() { there_is() } else { names.to_vec() };
    let mut all = Vec::new();
    for name in names {
        let configuration = match configuration::read(&name) {
            Ok(configuration) => configuration,
            Err(error) => return refuse(&format!("{name}: {error}"), there_is().into_iter()),
        };
        match (Task { name, engine, dumped: dumped.as_deref() }).check(configuration) {
            Ok(found) => all.push(found),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let ok = !all.is_empty() && all.iter().all(Found::is_as_it_must_be);
    if json {
        println!("{}", json!({ "ok": ok, "runs": all }));
    } else {
        print(&all);
    }
    status(ok)
}

/// One configuration to be explored.
struct Task<'d> {
    name: String,
    engine: Engine,
    /// What TLC wrote.
    dumped: Option<&'d str>,
}

impl Task<'_> {
    fn check(self, configuration: Configuration) -> Result<Found, String> {
        let Configuration { constants, checked, names } = configuration;
        match constants {
            Constants::Agreement(constants) => self.explore(agreement::Specification::new(constants), checked, &names),
            Constants::Chain(constants) => self.explore(chain::Specification::new(constants), checked, &names),
            Constants::Inference(constants) => self.explore(inference::Specification::new(constants), checked, &names),
        }
    }

    fn explore<M: Dumped>(self, module: M, checked: Vec<usize>, names: &Names) -> Result<Found, String> {
        let Task { name, engine, dumped } = self;
        let mut meter = Meter::new(format!("{name}, in Rust"));
        let system = Explored::new(module.clone(), checked);
        // What must fail is followed as far as TLC does.
        let until = if configuration::must_fail(&name) { Until::Violation } else { Until::End };
        let progress = &mut |states| meter.states(states);
        let graph = (engine == Engine::Graph).then(|| Graph::explore(&system, until, progress, |_, _, _, _, _| {}));
        let exploration = match &graph {
            Some(graph) => graph.exploration(&system),
            None => explore(&system, engine, until, progress),
        };
        let same_as_dump = match (&graph, dumped) {
            (Some(graph), Some(text)) => {
                let found: HashSet<M::State> = graph.states.iter().map(|state| system.state(*state)).collect();
                let dumped = dump::states(text, &module, names)?;
                if let Some(state) = found.symmetric_difference(&dumped).next() {
                    let whose = if found.contains(state) { "in Rust" } else { "by TLC" };
                    eprintln!("{name}: found {whose} only: {state:?}");
                }
                Some(found == dumped)
            }
            _ => None,
        };
        meter.end();
        let violation = |found: &Violation<_>| (found.property, found.run.path.len() + 1);
        Ok(Found {
            configuration: name,
            distinct: exploration.distinct,
            transitions: exploration.transitions,
            depth: exploration.depth,
            complete: exploration.complete,
            violations: exploration.violations.iter().map(violation).collect(),
            same_as_dump,
        })
    }
}

fn print(all: &[Found]) {
    let width = all.iter().map(|found| found.configuration.len()).max().unwrap_or(0);
    println!("{:width$}  {:>9}  {:>11}  {:>5}  result", "configuration", "distinct", "transitions", "depth");
    for found in all {
        let mut result: Vec<String> = found
            .violations
            .iter()
            .map(|(property, states)| format!("{property} is violated after {states} states"))
            .collect();
        result.extend(
            found.same_as_dump.map(|same| {
                if same { "the same states as TLC".to_owned() } else { "OTHER STATES THAN TLC".to_owned() }
            }),
        );
        println!(
            "{:width$}  {:>9}  {:>11}  {:>5}  {}",
            found.configuration,
            found.distinct,
            found.transitions,
            found.depth,
            result.join("; ")
        );
    }
}
