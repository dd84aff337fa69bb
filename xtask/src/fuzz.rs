//! `cargo xtask fuzz`: arbitrary bytes for everything that a node reads.
//!
//! The targets are those of `kernel/fuzz`, built for libFuzzer with the
//! compiler in use: counting branches needs no nightly one.

mod build;
mod corpus;
mod run;

use std::collections::VecDeque;
use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace;
use run::{Outcome, Plan};

/// All kept inputs together take no more bytes than this.
const MOST_KEPT: u64 = 2 << 20;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these targets, by name
    targets: Vec<String>,
    /// Executions of each target
    #[arg(long, default_value_t = 1_000_000)]
    runs: u64,
    /// Where libFuzzer's random numbers begin
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Targets at a time; as many as there are processors, if not said
    #[arg(long)]
    jobs: Option<usize>,
    /// Afterwards, keep in `kernel/fuzz/corpus` the fewest inputs that reach all that was reached
    #[arg(long)]
    keep: bool,
    /// List the targets and stop
    #[arg(long)]
    list: bool,
}

/// The step of the tests: that the targets get to where the work is done, then
/// each of them for seconds at most, always with the same inputs.
pub(crate) fn step() -> Result<()> {
    let place = place();
    build::run(build::cargo("test", &place).args(["--quiet", "--lib", "--examples"]))?;
    build::run(build::cargo("clippy", &place).args(["--quiet", "--lib", "--examples", "--", "-D", "warnings"]))?;
    let arguments = Arguments { targets: Vec::new(), runs: 50_000, seed: 1, jobs: None, keep: false, list: false };
    run(&arguments)
}

/// Builds the targets, runs them, and prints what came of it.
///
/// # Errors
/// When there is a finding, or something is missing that cannot be installed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let all = targets()?;
    if arguments.list {
        all.iter().for_each(|target| println!("{target}"));
        return Ok(());
    }
    if let Some(name) = arguments.targets.iter().find(|name| !all.contains(name)) {
        bail!("there is no target `{name}`; `cargo xtask fuzz --list` names them");
    }
    let chosen = if arguments.targets.is_empty() { all } else { arguments.targets.clone() };
    let place = place();
    let seeds = build::seeds(&place)?;
    let programs = build::programs(&place)?;
    let plans = chosen.iter().map(|target| Plan {
        target: target.clone(),
        program: programs.join(target),
        runs: arguments.runs,
        seed: arguments.seed,
        seeds: seeds.join(target),
        words: build::workspace().join("words.dict"),
        kept: kept().join(target),
        unpacked: place.join("kept").join(target),
        work: place.join("work").join(target),
        findings: place.join("findings"),
    });
    let plans: Vec<Plan> = plans.collect();
    let jobs = arguments.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get));
    let outcomes = in_parallel(&plans, jobs, Plan::fuzz)?;
    if arguments.keep {
        in_parallel(&plans, jobs, Plan::keep)?;
    }
    report(&outcomes, arguments.keep)
}

/// The names of the targets: what there is a file for.
fn targets() -> Result<Vec<String>> {
    let folder = build::workspace().join("fuzz_targets");
    let files = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let stem = |path: PathBuf| path.file_stem().map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> = files.flatten().filter_map(|file| stem(file.path())).collect();
    names.sort();
    ensure!(!names.is_empty(), "there is no target in {}", folder.display());
    Ok(names)
}

/// Where everything goes that can be made again.
fn place() -> PathBuf {
    workspace::target().join("fuzz")
}

/// Where inputs are kept.
fn kept() -> PathBuf {
    build::workspace().join("corpus")
}

/// Does `act` for every plan, at most `jobs` at a time. Results are in the
/// order of the plans.
fn in_parallel<T: Send>(plans: &[Plan], jobs: usize, act: impl Fn(&Plan) -> Result<T> + Sync) -> Result<Vec<T>> {
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..plans.len()).collect());
    let next = || queue.lock().ok()?.pop_front();
    let worker = || {
        let turns = std::iter::from_fn(next).map(|at| (at, act(&plans[at])));
        turns.collect::<Vec<(usize, Result<T>)>>()
    };
    let mut done = thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    done.sort_by_key(|(at, _)| *at);
    ensure!(done.len() == plans.len(), "a worker ended before its work");
    done.into_iter().map(|(_, result)| result).collect()
}

fn report(outcomes: &[Outcome], keep: bool) -> Result<()> {
    println!("\n{:<14} {:>12} {:>9} {:>8} {:>8}  findings", "target", "executions", "per s", "reached", "corpus");
    for outcome in outcomes {
        let Outcome { target, executions, rate, reached, corpus, finding } = outcome;
        let finding = finding.as_ref().map_or("none".to_owned(), |finding| finding.reason.clone());
        println!("{target:<14} {executions:>12} {rate:>9} {reached:>8} {corpus:>8}  {finding}");
    }
    let executions: u64 = outcomes.iter().map(|outcome| outcome.executions).sum();
    println!("{:<14} {executions:>12}", "all");
    if keep {
        let (inputs, bytes) = corpus::size(&kept())?;
        println!("kept: {inputs} inputs, {bytes} bytes, in {}", kept().display());
        ensure!(bytes <= MOST_KEPT, "that is more than {MOST_KEPT} bytes: too much for a repository");
    }
    let findings: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.finding.as_ref()).collect();
    for finding in &findings {
        println!("\nto see it again: {}", finding.again);
    }
    ensure!(findings.is_empty(), "{} of {} targets have a finding", findings.len(), outcomes.len());
    Ok(())
}
