//! `cargo xtask ...`: set-up and the long checks, without shell scripts.

mod process;
mod spec;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set-up and the long checks")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check the TLA+ specifications with two independent checkers
    Spec(spec::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Spec(arguments) => spec::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not as `Debug`: a backtrace would bury the reason.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
