//! What `cargo xtask spec` says at the end.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Run;
use super::configurations::{Configuration, Outcome};

/// All runs, grouped by configuration.
pub(super) struct Report {
    runs: Vec<Run>,
}

impl Report {
    pub(super) fn new<const LANES: usize>(chosen: &[&Configuration], lanes: [Vec<Run>; LANES]) -> Self {
        let mut runs: Vec<Run> = lanes.into_iter().flatten().collect();
        // The sort is stable, so the first checker stays first.
        runs.sort_by_key(|run| chosen.iter().position(|c| c.name == run.configuration.name));
        Self { runs }
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    pub(super) fn unexpected(&self) -> usize {
        self.runs.iter().filter(|run| !run.as_expected()).count()
    }

    pub(super) fn table(&self) -> String {
        let mut table = row(["configuration", "checker", "distinct", "depth", "time", "result"]);
        for run in &self.runs {
            let Cells { distinct, depth, result } = cells(run);
            let time = format!("{:.1} s", run.time.as_secs_f64());
            let name = run.configuration.name;
            table += &row([name, run.checker, &distinct, &depth, &time, &result]);
        }
        table
    }

    pub(super) fn json(&self) -> Value {
        let runs: Vec<Value> = self.runs.iter().map(json_of).collect();
        json!({ "runs": runs, "unexpected": self.unexpected() })
    }
}

/// One line about a run that has just ended.
pub(super) fn progress(run: &Run) -> String {
    let mut line = format!(
        "{:11} {}: {}, {:.1} s",
        run.checker,
        run.configuration.name,
        cells(run).result,
        run.time.as_secs_f64()
    );
    if let Err(error) = &run.outcome {
        let _ = write!(line, "\n{error:#}");
    }
    line
}

struct Cells {
    distinct: String,
    depth: String,
    result: String,
}

fn cells(run: &Run) -> Cells {
    let (distinct, depth, result) = match &run.outcome {
        Ok(Outcome::Holds { states, depth }) => (states.to_string(), depth.to_string(), "holds".to_owned()),
        Ok(Outcome::Violates { property, length }) => {
            // How many other states were seen by then depends on the checker.
            ("-".to_owned(), length.to_string(), format!("{property} violated"))
        }
        Ok(Outcome::Starves { states }) => (states.to_string(), "-".to_owned(), "what must happen does not".to_owned()),
        Err(_) => ("-".to_owned(), "-".to_owned(), "did not complete".to_owned()),
    };
    let result = if run.as_expected() {
        format!("{result}, as expected")
    } else {
        format!("{result}; EXPECTED: {}", run.configuration.expected)
    };
    Cells { distinct, depth, result }
}

fn row(cells: [&str; 6]) -> String {
    let [name, checker, distinct, depth, time, result] = cells;
    format!("{name:30} {checker:11} {distinct:>9} {depth:>5} {time:>8}  {result}\n")
}

fn json_of(run: &Run) -> Value {
    let outcome = match &run.outcome {
        Ok(Outcome::Holds { states, depth }) => {
            json!({ "holds": true, "distinct_states": states, "depth": depth })
        }
        Ok(Outcome::Violates { property, length }) => {
            json!({ "holds": false, "violated": property, "length": length })
        }
        Ok(Outcome::Starves { states }) => {
            json!({ "holds": false, "starves": true, "distinct_states": states })
        }
        Err(error) => json!({ "error": format!("{error:#}") }),
    };
    json!({
        "configuration": run.configuration.name,
        "checker": run.checker,
        "outcome": outcome,
        "as_expected": run.as_expected(),
        "seconds": run.time.as_secs_f64(),
    })
}
