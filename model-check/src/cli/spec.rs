//! `butterfly-check spec`.

use std::path::Path;
use std::process::ExitCode;

use butterfly_model_check::explore::graph::Graph;
use butterfly_model_check::explore::{Engine, Until};
use butterfly_model_check::run::explore;
use butterfly_model_check::transcription::agreement::Specification;
use butterfly_model_check::transcription::{configuration, dump};
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

/// The command.
pub(crate) fn spec(names: &[String], engine: Engine, dumped: Option<&Path>, json: bool) -> ExitCode {
    let there_is = configuration::names;
    if dumped.is_some() && engine != Engine::Graph {
        return refuse("only one engine keeps its states to be compared", ["--engine graph".to_owned()].into_iter());
    }
    if dumped.is_some() && names.len() != 1 {
        return refuse("a dump is of one configuration: name it", there_is().into_iter());
    }
    let names = if names.is_empty() { there_is() } else { names.to_vec() };
    let mut all = Vec::new();
    for name in names {
        let constants = match configuration::read(&name) {
            Ok(constants) => constants,
            Err(error) => return refuse(&error.to_string(), there_is().into_iter()),
        };
        let mut meter = Meter::new(format!("{name}, in Rust"));
        let system = Specification::new(constants);
        // With a rule taken out the run ends where TLC's does.
        let until = if name.starts_with("broken-") { Until::Violation } else { Until::End };
        let progress = &mut |states| meter.states(states);
        let graph = (engine == Engine::Graph).then(|| Graph::explore(&system, until, progress, |_, _, _, _, _| {}));
        let exploration = match &graph {
            Some(graph) => graph.exploration(&system),
            None => explore(&system, engine, until, progress),
        };
        let same_as_dump = match dumped.map(std::fs::read_to_string) {
            None => None,
            Some(Err(error)) => {
                eprintln!("cannot read the dump: {error}");
                return ExitCode::FAILURE;
            }
            Some(Ok(text)) => match dump::states(&text, system.constants()) {
                Ok(states) => graph.as_ref().map(|graph| {
                    let found = &graph.states;
                    states.len() == found.len() && states.iter().all(|state| found.find(state).is_some())
                }),
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::FAILURE;
                }
            },
        };
        meter.end();
        all.push(Found {
            configuration: name,
            distinct: exploration.distinct,
            transitions: exploration.transitions,
            depth: exploration.depth,
            complete: exploration.complete,
            violations: exploration.violations.iter().map(|found| (found.property, found.run.path.len() + 1)).collect(),
            same_as_dump,
        });
    }
    // Where a rule is switched off something must fail, and nowhere else.
    let as_it_must_be = |found: &Found| {
        let broken = found.configuration.starts_with("broken-");
        broken != found.violations.is_empty() && (found.complete || broken) && found.same_as_dump != Some(false)
    };
    let ok = !all.is_empty() && all.iter().all(as_it_must_be);
    if json {
        println!("{}", json!({ "ok": ok, "runs": all }));
    } else {
        let width = all.iter().map(|found| found.configuration.len()).max().unwrap_or(0);
        println!("{:width$}  {:>9}  {:>11}  {:>5}  result", "configuration", "distinct", "transitions", "depth");
        for found in &all {
            let mut result: Vec<String> = found
                .violations
                .iter()
                .map(|(property, states)| format!("{property} is violated after {states} states"))
                .collect();
            result.extend(found.same_as_dump.map(|same| {
                if same { "the same states as TLC".to_owned() } else { "OTHER STATES THAN TLC".to_owned() }
            }));
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
    status(ok)
}
