//! The command line. Results go to standard output, progress to standard
//! error; the exit status is 0 only if everything asked for was explored to
//! its end and came out as it must.

use std::process::ExitCode;

use butterfly_model_check::models::{Entry, Expect, MODELS, Tier, find};
use butterfly_model_check::run::{Outcome, run};
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
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Explores every model.
    All {
        /// Those that take long as well.
        #[arg(long)]
        nightly: bool,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
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
        Command::Run { model, json } => match find(&model) {
            Some(entry) => {
                let outcome = run(entry);
                if json {
                    println!("{}", json!(outcome));
                } else {
                    print(std::slice::from_ref(&outcome));
                }
                status(&[outcome])
            }
            None => {
                eprintln!("there is no model `{model}`; there are:");
                MODELS.iter().for_each(|entry| eprintln!("  {}", entry.name));
                ExitCode::from(USAGE)
            }
        },
        Command::All { nightly, json } => {
            let entries = MODELS.iter().filter(|entry| nightly || entry.tier == Tier::Always);
            let outcomes: Vec<Outcome> = entries.map(run).collect();
            if json {
                let ok = outcomes.iter().all(Outcome::is_expected);
                println!("{}", json!({ "ok": ok, "runs": outcomes }));
            } else {
                print(&outcomes);
            }
            status(&outcomes)
        }
    }
}

fn status(outcomes: &[Outcome]) -> ExitCode {
    if outcomes.iter().all(Outcome::is_expected) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn list(json: bool) {
    if json {
        let models: Vec<Value> = MODELS.iter().map(describe).collect();
        println!("{}", json!({ "models": models }));
        return;
    }
    let width = MODELS.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in MODELS {
        let nightly = if entry.tier == Tier::Nightly { " (nightly)" } else { "" };
        println!("{:width$}  {}: {}{nightly}", entry.name, entry.configuration(), expected(entry));
    }
}

fn describe(entry: &Entry) -> Value {
    json!({
        "name": entry.name,
        "parameters": {
            "n": entry.resilience.n(),
            "f": entry.resilience.f(),
            "p": entry.resilience.p(),
            "views": entry.schedule.len(),
            "leaders": entry.schedule,
            "delivery": format!("{:?}", entry.delivery),
            "mutant": entry.mutant.map(|mutant| format!("{mutant:?}")),
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
