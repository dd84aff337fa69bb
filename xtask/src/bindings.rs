//! `cargo xtask bindings`: the kernel in other languages, generated, built and
//! tested.

mod generated;
mod python;
mod report;
mod swift;
mod wheel;
mod words;

use std::thread;

use anyhow::Result;
use clap::Subcommand;

use report::Tested;
use swift::Toolchain;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write the generated code again, after the Rust side was changed
    Generate,
    /// Generate again and compare, and change nothing
    Check,
    /// Build the wheel and the source distribution
    Wheel,
    /// What a call costs, beside plain PyO3 and plain ctypes
    Costs,
    /// Build and test the Swift package alone
    Swift,
    /// Everything: generated code, wheel, tests, types, notebook, golden vectors
    Test {
        /// Print one JSON document at the end
        #[arg(long)]
        json: bool,
    },
}

/// # Errors
/// When something cannot be built or does not hold.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match arguments.task {
        Task::Generate => generated::write(),
        Task::Check => generated::check(),
        Task::Wheel => wheel::build(&python::tools()?).map(|built| println!("{built}")),
        Task::Costs => python::costs(),
        Task::Swift => swift().map(|tested| println!("swift test         {} passed", tested.passed)),
        Task::Test { json } => test(json),
    }
}

/// The step `bindings` of the tests.
///
/// # Errors
/// As `cargo xtask bindings test`.
pub(crate) fn step() -> Result<()> {
    test(false)
}

fn swift() -> Result<Tested> {
    thread::scope(|scope| {
        let toolchain = scope.spawn(Toolchain::find);
        generated::check()?;
        let program = python::butterfly()?;
        swift::test(&joined(toolchain)?, &program)
    })
}

fn test(json: bool) -> Result<()> {
    let report = thread::scope(|scope| {
        // What is to be fetched comes while the rest is compiled.
        let (toolchain, tools) = (scope.spawn(Toolchain::find), scope.spawn(python::tools));
        generated::check()?;
        let program = python::butterfly()?;
        let tools = joined(tools)?;
        let built = wheel::build(&tools)?;
        let swift = swift::test(&joined(toolchain)?, &program)?;
        python::test(&tools, &built, &program, swift)
    })?;
    if json {
        println!("{:#}", serde_json::to_value(&report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
