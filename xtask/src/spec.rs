//! `cargo xtask spec`: every configuration in `spec/`, with both checkers.
//!
//! Two checkers that share no code, and the transcription in Rust, must
//! complete each configuration, find the number of states pinned in
//! [`configurations`], and find the expected violation wherever a rule of the
//! protocol is switched off. Anything else, also a checker that stopped at a
//! limit, is a failure. What must happen under fairness is for one of them alone.

mod configurations;
mod report;
mod tla_checker;
mod tlc;
mod tools;
mod transcription;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::workspace;
use configurations::{ALWAYS, Configuration, NIGHTLY, Outcome, SLOW};
use report::Report;
use tla_checker::TlaChecker;
use tlc::Tlc;
use transcription::Transcription;

#[derive(Default, clap::Args)]
pub(crate) struct Arguments {
    /// Only these configurations, by the names of their files without `.cfg`
    configurations: Vec<String>,
    /// Also the configurations that take many minutes
    #[arg(long)]
    nightly: bool,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
}

/// One of the programs.
trait Checker {
    const NAME: &'static str;

    /// Whether it understands the configuration.
    fn reads(configuration: &Configuration) -> bool;

    /// Installs the program if need be.
    fn prepare() -> Result<Self>
    where
        Self: Sized;

    /// Explores all states. An error if it could not, or did not reach the end.
    fn check(&self, configuration: &Configuration) -> Result<Outcome>;
}

/// What one checker said about one configuration.
struct Run {
    configuration: &'static Configuration,
    checker: &'static str,
    outcome: Result<Outcome>,
    time: Duration,
}

impl Run {
    fn as_expected(&self) -> bool {
        matches!(&self.outcome, Ok(outcome) if *outcome == self.configuration.expected)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    every_file_is_listed()?;
    let chosen = choose(arguments)?;

    // One lane per checker of TLA+: on two cores each has its own, and TLC runs
    // while the other one is still being compiled.
    let (tlc, tla_checker) = thread::scope(|scope| {
        let tlc = scope.spawn(|| lane::<Tlc>(&chosen));
        let tla_checker = scope.spawn(|| lane::<TlaChecker>(&with_time_for(arguments, &chosen)));
        (tlc.join(), tla_checker.join())
    });
    let panicked = |_| anyhow!("a lane panicked");
    // Both lanes have ended here, so both can be heard before one fails us.
    let (tlc, tla_checker) = (tlc.map_err(panicked)?, tla_checker.map_err(panicked)?);
    let runs = match (tlc, tla_checker) {
        (Ok(tlc), Ok(tla_checker)) => [tlc, tla_checker],
        (Err(first), Err(second)) => bail!("{first:#}\n{second:#}"),
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    // Last, since it compares its states with those that TLC wrote down.
    let [tlc, tla_checker] = runs;
    let report = Report::new(&chosen, [tlc, tla_checker, lane::<Transcription>(&chosen)?]);

    if arguments.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.table());
    }
    match report.unexpected() {
        0 => Ok(()),
        count => bail!("{count} of {} runs are not as expected", report.len()),
    }
}

/// Without those on which tla-checker alone would make every commit wait, unless
/// they are asked for: their states are those that TLC and the transcription agree on.
fn with_time_for(arguments: &Arguments, chosen: &[&'static Configuration]) -> Vec<&'static Configuration> {
    let has_time = arguments.nightly || !arguments.configurations.is_empty();
    chosen.iter().filter(|configuration| has_time || !SLOW.contains(&configuration.name)).copied().collect()
}

fn lane<C: Checker>(chosen: &[&'static Configuration]) -> Result<Vec<Run>> {
    let checker = C::prepare().with_context(|| format!("cannot set up {}", C::NAME))?;
    let mut runs = Vec::new();
    for configuration in chosen.iter().filter(|configuration| C::reads(configuration)) {
        let begin = Instant::now();
        let outcome = checker.check(configuration);
        let run = Run { configuration, checker: C::NAME, outcome, time: begin.elapsed() };
        eprintln!("{}", report::progress(&run));
        runs.push(run);
    }
    Ok(runs)
}

fn choose(arguments: &Arguments) -> Result<Vec<&'static Configuration>> {
    if arguments.configurations.is_empty() {
        let nightly = if arguments.nightly { NIGHTLY } else { &[] };
        return Ok(ALWAYS.iter().chain(nightly).collect());
    }
    let named = |name: &String| {
        let found = ALWAYS.iter().chain(NIGHTLY).find(|c| c.name == *name);
        found.with_context(|| format!("there is no configuration `{name}`"))
    };
    arguments.configurations.iter().map(named).collect()
}

/// A configuration that nobody runs would look as if it were checked.
fn every_file_is_listed() -> Result<()> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder()).context("cannot list spec/")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "cfg") {
            files.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    let listed: BTreeSet<String> = ALWAYS.iter().chain(NIGHTLY).map(|c| c.name.to_owned()).collect();
    let differing: Vec<&String> = files.symmetric_difference(&listed).collect();
    if !differing.is_empty() {
        bail!("spec/*.cfg and xtask/src/spec/configurations.rs differ in {differing:?}");
    }
    Ok(())
}

/// The folder of the modules and their configurations.
fn folder() -> PathBuf {
    workspace::root().join("spec")
}
