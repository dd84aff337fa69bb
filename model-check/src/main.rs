//! The command line. Results go to standard output, progress to standard
//! error; the exit status is 0 only if everything asked for was explored to
//! its end and came out as it must.

mod cli;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use butterfly_model_check::explore::Engine;
use clap::{Parser, Subcommand};

/// Checks the kernel of Butterfly, as shipped: every state of small clusters,
/// against its properties and against its specification.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The models, their parameters and what must come out
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Explore one model
    Run {
        /// Its name, from `list`
        model: String,
        /// What explores it
        #[arg(long, value_enum, default_value = "graph")]
        engine: Engine,
        /// Only the first views of its schedule; nothing is pinned then
        #[arg(long)]
        views: Option<usize>,
        /// Draw the first violation as a message sequence chart into this file (SVG)
        #[arg(long, value_name = "FILE")]
        chart: Option<PathBuf>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Everything: each model with each engine, conformance, liveness, mutants
    All {
        /// What takes long as well
        #[arg(long)]
        nightly: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// The kernel against its specification, in both directions
    Conform {
        /// Only these models, from `list`
        models: Vec<String>,
        /// What takes long as well
        #[arg(long)]
        nightly: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// What must happen in the end, if honest nodes keep their promises
    Liveness {
        /// What takes long as well
        #[arg(long)]
        nightly: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// The specification in Rust against `spec/`, and against what TLC found
    Spec {
        /// Only these configurations, by the names of their files without `.cfg`
        configurations: Vec<String>,
        /// What explores it
        #[arg(long, value_enum, default_value = "graph")]
        engine: Engine,
        /// What TLC wrote with `-dump` for the one configuration that is named
        #[arg(long, value_name = "FILE")]
        dump: Option<PathBuf>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// The same states by TLC, tla-checker, Stateright and our graph, and what each costs
    Bench {
        /// A configuration of `spec/` without a reduction
        #[arg(default_value = "n4-p1-slow-unreduced")]
        configuration: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Look at a model in the browser, step by step, with Stateright's Explorer
    Explore {
        /// Its name, from `list`
        model: String,
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:3000")]
        address: SocketAddr,
    },
    /// Put bugs into the kernel, one at a time, and see that each is noticed
    Mutants {
        /// This one only, with its counterexample
        mutant: Option<String>,
        /// Those that take long as well
        #[arg(long)]
        nightly: bool,
        /// Print one JSON document
        #[arg(long, conflicts_with = "survey")]
        json: bool,
        /// Try it in every configuration, by every layer, whatever is pinned;
        /// or only in those of one module of the specification
        #[arg(long, value_name = "MODULE", num_args = 0..=1, value_parser = ["Agreement", "Chain", "Inference"])]
        survey: Option<Option<String>>,
    },
    /// Whole clusters in virtual time, with faults: many seeds
    Simulate(cli::simulate::Simulate),
    /// One seed of a simulation again, twice
    Replay(cli::simulate::Replay),
    /// Leave out the faults that a failing seed does not need
    Shrink(cli::shrink::Arguments),
    /// Hold a trace of a cluster against the specification, step by step
    Trace {
        /// One line of JSON for each step
        file: PathBuf,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// The power fails at every moment of every write of a vote record
    CrashPoints(cli::crash_points::Arguments),
    /// What coordination costs, and what the loss of a member does, in virtual time
    Figures(cli::figures::Arguments),
    /// Put bugs into the kernel, and see how soon a simulation notices
    Hunt(cli::hunt::Arguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::List { json } => cli::list::list(json),
        Command::Run { model, engine, views, chart, json } => {
            cli::run::run(&model, engine, views, chart.as_deref(), json)
        }
        Command::All { nightly, json } => cli::all::all(nightly, json),
        Command::Conform { models, nightly, json } => cli::conform::conform(&models, nightly, json),
        Command::Liveness { nightly, json } => cli::liveness::liveness(nightly, json),
        Command::Spec { configurations, engine, dump, json } => {
            cli::spec::spec(&configurations, engine, dump.as_deref(), json)
        }
        Command::Bench { configuration, json } => cli::bench::bench(&configuration, json),
        Command::Explore { model, address } => cli::run::explore(&model, address),
        Command::Mutants { mutant, nightly, json, survey } => {
            cli::mutants::mutants(mutant.as_deref(), nightly, json, survey.as_ref().map(Option::as_deref))
        }
        Command::Simulate(arguments) => cli::simulate::simulate(&arguments),
        Command::Replay(arguments) => cli::simulate::replay(&arguments),
        Command::Shrink(arguments) => cli::shrink::shrink(&arguments),
        Command::Trace { file, json } => cli::trace::trace(&file, json),
        Command::CrashPoints(arguments) => cli::crash_points::crash_points(&arguments),
        Command::Figures(arguments) => cli::figures::figures(&arguments),
        Command::Hunt(arguments) => cli::hunt::hunt(&arguments),
    }
}
