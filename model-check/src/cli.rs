//! One file for each command, and what they share.

pub(crate) mod all;
pub(crate) mod bench;
pub(crate) mod conform;
pub(crate) mod crash_points;
pub(crate) mod figures;
pub(crate) mod hunt;
pub(crate) mod list;
pub(crate) mod liveness;
pub(crate) mod mutants;
pub(crate) mod run;
pub(crate) mod shrink;
pub(crate) mod side_by_side;
pub(crate) mod simulate;
pub(crate) mod spec;
pub(crate) mod trace;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use butterfly_model_check::models::{Entry, find, models};
use serde::Serialize;

/// What nobody can do: an unknown model, or impossible parameters.
const USAGE: u8 = 2;

/// The exit status of a command that was carried out.
pub(crate) fn status(all_as_it_must_be: bool) -> ExitCode {
    if all_as_it_must_be { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Refuses, and says what there is.
pub(crate) fn refuse(what: &str, there_is: impl Iterator<Item = String>) -> ExitCode {
    eprintln!("{what}; there is:");
    there_is.for_each(|name| eprintln!("  {name}"));
    ExitCode::from(USAGE)
}

/// The model called `name`, or a refusal with the list of all.
pub(crate) fn model(name: &str) -> Result<&'static Entry, ExitCode> {
    find(name)
        .ok_or_else(|| refuse(&format!("there is no model `{name}`"), models().map(|entry| entry.name.to_owned())))
}

/// A line of the closing table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) model: String,
    pub(crate) configuration: String,
    /// What explored it, or what it was held against.
    pub(crate) engine: String,
    pub(crate) distinct: usize,
    pub(crate) transitions: usize,
    pub(crate) depth: Option<usize>,
    pub(crate) seconds: f64,
    pub(crate) result: String,
    /// Differences from what must come out.
    pub(crate) surprises: Vec<String>,
}

/// Prints the closing table.
pub(crate) fn table(rows: &[Row]) {
    let wide = |pick: fn(&Row) -> &String, least: usize| {
        rows.iter().map(|row| pick(row).chars().count()).max().unwrap_or(0).max(least)
    };
    let (model, configuration, engine) =
        (wide(|row| &row.model, 5), wide(|row| &row.configuration, 13), wide(|row| &row.engine, 6));
    println!(
        "{:model$}  {:configuration$}  {:engine$}  {:>10}  {:>11}  {:>5}  {:>7}  result",
        "model", "configuration", "engine", "distinct", "transitions", "depth", "seconds"
    );
    for row in rows {
        println!(
            "{:model$}  {:configuration$}  {:engine$}  {:>10}  {:>11}  {:>5}  {:>7.1}  {}",
            row.model,
            row.configuration,
            row.engine,
            row.distinct,
            row.transitions,
            row.depth.map_or("-".to_owned(), |depth| depth.to_string()),
            row.seconds,
            row.result
        );
        row.surprises.iter().for_each(|surprise| println!("{:model$}  ! {surprise}", ""));
    }
}

/// Says on standard error how far something is: a line that is written over
/// on a terminal, one line for each task elsewhere.
pub(crate) struct Meter {
    what: String,
    begun: Instant,
    said: Instant,
    terminal: bool,
}

impl Meter {
    /// Begins a task.
    pub(crate) fn new(what: String) -> Meter {
        let terminal = std::io::stderr().is_terminal();
        if !terminal {
            eprintln!("{what}");
        }
        let now = Instant::now();
        Meter { what, begun: now, said: now, terminal }
    }

    /// So many states were found by now.
    pub(crate) fn states(&mut self, states: usize) {
        if self.terminal && self.said.elapsed() >= Duration::from_millis(100) {
            self.said = Instant::now();
            eprint!("\r\x1b[K{}: {states} states, {:.0} s", self.what, self.begun.elapsed().as_secs_f64());
            let _ = std::io::stderr().flush();
        }
    }

    /// Ends the task; returns how many seconds it took.
    pub(crate) fn end(self) -> f64 {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
        self.begun.elapsed().as_secs_f64()
    }
}
