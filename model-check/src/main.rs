//! The command line. Results go to standard output, progress to standard
//! error; the exit status is 0 only if everything asked for was explored to
//! its end and came out as it must.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_model_check::explore::Engine;
use butterfly_model_check::models::{Entry, Expect, Tier, find, models};
use butterfly_model_check::mutants::{self, Row, report};
use butterfly_model_check::run::{Outcome, run_with};
use butterfly_model_check::world::PROPERTIES;
use clap::{Parser, Subcommand};
use serde_json::{Value, json};

/// Explores the kernel of Butterfly exhaustively.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The models, their parameters and what must come out.
    List {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Explores one model.
    Run {
        /// Its name, from `list`.
        model: String,
        /// What explores it.
        #[arg(long, value_enum, default_value = "graph")]
        engine: Engine,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Explores every model, with every engine.
    All {
        /// Those that take long as well.
        #[arg(long)]
        nightly: bool,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Puts bugs into the kernel, one at a time, and sees that each is noticed.
    Mutants {
        /// This one only, with its counterexample.
        mutant: Option<String>,
        /// Those that take long as well.
        #[arg(long)]
        nightly: bool,
        /// Print one JSON document.
        #[arg(long, conflicts_with = "survey")]
        json: bool,
        /// Try it in every configuration, by every layer, whatever is pinned.
        #[arg(long)]
        survey: bool,
    },
}

/// What nobody can run: an unknown model.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::List { json } => {
            list(json);
            ExitCode::SUCCESS
        }
        Command::Run { model, engine, json } => match find(&model) {
            Some(entry) => {
                let outcomes = watched(entry, &[engine], "");
                if json {
                    outcomes.iter().for_each(|outcome| println!("{}", json!(outcome)));
                } else {
                    print(&outcomes);
                }
                status(&outcomes)
            }
            None => {
                eprintln!("there is no model `{model}`; there are:");
                models().for_each(|entry| eprintln!("  {}", entry.name));
                ExitCode::from(USAGE)
            }
        },
        Command::All { nightly, json } => {
            let entries = models().filter(|entry| nightly || entry.tier == Tier::Always);
            let entries: Vec<&Entry> = entries.collect();
            let place = |number: usize| format!("[{}/{}] ", number + 1, entries.len());
            let run = |(number, entry): (usize, &&Entry)| watched(entry, entry.engines(), &place(number));
            let outcomes: Vec<Outcome> = entries.iter().enumerate().flat_map(run).collect();
            if json {
                let ok = outcomes.iter().all(Outcome::is_expected);
                println!("{}", json!({ "ok": ok, "runs": outcomes }));
            } else {
                print(&outcomes);
            }
            status(&outcomes)
        }
        Command::Mutants { mutant, nightly, json, survey } => {
            let Some(mutants) = named(mutant.as_deref()) else { return ExitCode::from(USAGE) };
            if survey {
                mutants.into_iter().for_each(report::survey);
                return ExitCode::SUCCESS;
            }
            let mut said = |mutant: Mutant| eprintln!("{mutant:?}");
            let rows: Vec<Row> = mutants.iter().map(|listed| mutants::run(*listed, nightly, &mut said)).collect();
            if json {
                println!("{}", report::document(&rows));
            } else {
                report::print(&rows, mutant.is_some());
            }
            if rows.iter().all(Row::is_expected) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

/// Every mutant, or the one called `name`.
fn named(name: Option<&str>) -> Option<Vec<Mutant>> {
    let Some(name) = name else { return Some(Mutant::ALL.to_vec()) };
    let found = Mutant::ALL.iter().find(|mutant| format!("{mutant:?}") == name);
    if found.is_none() {
        eprintln!("there is no mutant `{name}`; there are:");
        Mutant::ALL.iter().for_each(|mutant| eprintln!("  {mutant:?}: {}", mutant.about()));
    }
    found.map(|mutant| vec![*mutant])
}

/// Runs a model and says on standard error how far it is.
fn watched(entry: &Entry, engines: &[Engine], place: &str) -> Vec<Outcome> {
    let terminal = std::io::stderr().is_terminal();
    let what = |engine: Engine| format!("{place}{} by {}", entry.name, engine.name());
    let started = Instant::now();
    let mut said = started;
    let mut progress = |engine: Engine, states: usize| {
        if !terminal && states == 0 {
            eprintln!("{}", what(engine));
        } else if terminal && said.elapsed() >= Duration::from_millis(100) {
            said = Instant::now();
            eprint!("\r\x1b[K{}: {states} states, {:.0} s", what(engine), started.elapsed().as_secs_f64());
            let _ = std::io::stderr().flush();
        }
    };
    let outcomes = run_with(entry, engines, &mut progress);
    if terminal {
        eprintln!("\r\x1b[K{place}{}: {} states", entry.name, outcomes.first().map_or(0, |outcome| outcome.distinct));
    }
    outcomes
}

fn status(outcomes: &[Outcome]) -> ExitCode {
    if outcomes.iter().all(Outcome::is_expected) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn list(json: bool) {
    if json {
        let models: Vec<Value> = models().map(describe).collect();
        println!("{}", json!({ "models": models }));
        return;
    }
    let width = models().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in models() {
        let nightly = if entry.tier == Tier::Nightly { " (nightly)" } else { "" };
        println!("{:width$}  {}: {}{nightly}", entry.name, entry.configuration(), expected(entry));
    }
}

fn describe(entry: &Entry) -> Value {
    let agreement = entry.subject.agreement();
    json!({
        "name": entry.name,
        "nightly": entry.tier == Tier::Nightly,
        "parameters": {
            "n": agreement.resilience.n(),
            "f": agreement.resilience.f(),
            "p": agreement.resilience.p(),
            "faulty": agreement.faulty,
            "views": agreement.schedule.len(),
            "leaders": agreement.schedule,
            "delivery": entry.subject.delivery(),
            "mutant": agreement.mutant.map(|mutant| format!("{mutant:?}")),
        },
        "properties": PROPERTIES,
        "expect": expected(entry),
    })
}

fn expected(entry: &Entry) -> String {
    match entry.expect {
        Expect::Holds { distinct, .. } => format!("holds in {distinct} states"),
        Expect::Violates { property, steps } => format!("{property} violated in {steps} steps"),
    }
}

fn print(outcomes: &[Outcome]) {
    for outcome in outcomes {
        for violation in &outcome.violations {
            println!("{}: {} is violated in {} steps", outcome.model, violation.property, violation.steps);
            violation.story.iter().for_each(|line| println!("{line}"));
            println!();
        }
        if !outcome.through.is_empty() && outcome.violations.is_empty() {
            println!("{}: went through {}", outcome.model, outcome.through.join("; "));
        }
    }
    println!();
    let width = outcomes.iter().map(|outcome| outcome.model.len()).max().unwrap_or(0);
    let wide = outcomes.iter().map(|outcome| outcome.configuration.len()).max().unwrap_or(0);
    println!(
        "{:width$}  {:wide$}  {:10}  {:>10}  {:>11}  {:>5}  {:>7}  result",
        "model", "configuration", "engine", "distinct", "transitions", "depth", "seconds"
    );
    for outcome in outcomes {
        let complete = if outcome.complete { "complete, " } else { "" };
        println!(
            "{:width$}  {:wide$}  {:10}  {:>10}  {:>11}  {:>5}  {:>7.1}  {complete}{}",
            outcome.model,
            outcome.configuration,
            outcome.engine,
            outcome.distinct,
            outcome.transitions,
            outcome.depth,
            outcome.seconds,
            outcome.result()
        );
        outcome.surprises.iter().for_each(|surprise| println!("{:width$}  ! {surprise}", ""));
    }
}
