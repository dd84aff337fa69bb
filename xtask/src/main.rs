//! `cargo xtask ...`: set-up and the long checks, without shell scripts.

mod bindings;
mod costs;
mod debian;
mod firmware;
mod firmware_link;
mod fuzz;
mod golden;
mod mutants;
mod page;
mod process;
mod session;
mod spec;
mod test;
mod test_embedded;
mod trace;
mod weights;
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
    /// Link the kernel and sessions for a microcontroller, without an allocator
    FirmwareLink,
    /// Build the firmware of a whole node, and hold its sizes against their limits
    Firmware(firmware::Arguments),
    /// What the kernel costs: bytes, instructions, and CPU time against its signatures
    Costs(costs::Arguments),
    /// The kernel in other languages: generate, build, test
    Bindings(bindings::Arguments),
    /// Arbitrary bytes for everything that a node reads
    Fuzz(fuzz::Arguments),
    /// Write the golden vectors again, after the wire was changed on purpose
    Golden(golden::Arguments),
    /// Train the model's weights again, from nothing
    Weights(weights::Arguments),
    /// The kernel broken in one place at a time: its tests and checks must notice
    Mutants(mutants::Arguments),
    /// The live page of a node, in a browser
    Page(page::Arguments),
    /// Firmware beside servers in an emulator: killed, flooded, cut off
    TestEmbedded(test_embedded::Arguments),
    /// Everything that must hold before a commit is released
    Test(test::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Spec(arguments) => spec::run(&arguments),
        Task::FirmwareLink => firmware_link::run(),
        Task::Firmware(arguments) => firmware::run(&arguments),
        Task::Costs(arguments) => costs::run(&arguments),
        Task::Bindings(arguments) => bindings::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Golden(arguments) => golden::run(&arguments),
        Task::Weights(arguments) => weights::run(&arguments),
        Task::Mutants(arguments) => mutants::run(&arguments),
        Task::Page(arguments) => page::run(&arguments),
        Task::TestEmbedded(arguments) => test_embedded::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
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
