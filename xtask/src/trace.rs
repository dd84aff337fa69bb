//! The step `trace` of the tests: what the real cluster did under each kind of
//! fault is held against the specification, and a trace in which one line was
//! altered is refused.

mod alterations;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::process::{finish, succeed};
use crate::test::cargo;
use crate::workspace;

/// What every run is told besides its faults: short epochs, so that there are
/// many, and views that do not take long to leave.
const RUN: [&str; 6] = ["--tokens", "12", "--tokens-per-epoch", "1", "--view-timeout-ms", "300"];
/// Epochs of such a run.
const EPOCHS: u64 = 12;
/// With a fast path that survives one silent node, and with one that survives none.
const FAST_PATHS: [&str; 2] = ["1", "0"];
/// The actions of the specification; all traces together must have each.
const ACTIONS: [&str; 4] = ["Propose", "Vote", "Commit", "EnterView"];

/// The document that `butterfly-check trace --json` prints.
#[derive(Deserialize)]
struct Verdict {
    ok: bool,
    checked: Option<Checked>,
    refused: Option<Refused>,
}

#[derive(Deserialize)]
struct Checked {
    steps: u64,
    taken: u64,
    left: u64,
    actions: BTreeMap<String, u64>,
    decisions: u64,
    epochs: u64,
    beyond: u64,
}

#[derive(Debug, Deserialize)]
struct Refused {
    line: usize,
    rule: String,
    seen: String,
}

/// # Errors
/// When a trace of the real cluster is refused, or an altered one is not.
pub(crate) fn step() -> Result<()> {
    cargo(&["test", "-p", "butterfly-trace"])?;
    // One at a time: the checker's features must not reach the daemon.
    for package in ["butterfly-runtime-std", "butterfly-model-check"] {
        cargo(&["build", "--release", "-p", package])?;
    }
    let folder = workspace::target().join("traces");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    let (mut epochs, mut beyond) = (0, 0);
    for p in FAST_PATHS {
        for fault in faults()? {
            let file = record(&folder, p, fault.as_deref())?;
            let checked = accepted(&file)?;
            let name = fault.as_deref().unwrap_or("no fault");
            let Checked { steps, taken, left, .. } = checked;
            println!(
                "ok  p = {p}, {name:<14} {steps:>6} steps, {taken:>4} in the specification, {left} left unchecked"
            );
            ensure!(checked.epochs >= EPOCHS && checked.decisions >= EPOCHS, "only {} epochs", checked.epochs);
            (epochs, beyond) = (epochs + checked.epochs, beyond + checked.beyond);
            checked.actions.into_iter().for_each(|(action, times)| *all.entry(action).or_default() += times);
        }
    }
    println!("{epochs} epochs, {beyond} of them left on the way: {all:?}");
    ensure!(ACTIONS.iter().all(|action| all.contains_key(*action)), "an action never happened");
    ensure!(beyond * 10 <= epochs, "{beyond} of {epochs} epochs were left on the way");
    alterations::all_are_refused(&folder)
}

/// Nothing, and each kind on one of the nodes, from one of the first epochs on.
fn faults() -> Result<Vec<Option<String>>> {
    let refused = finish(program("butterfly").args(["demo", "--fault", "0:?"]))?.stderr;
    let named = refused.split_once("there are ").map(|(_, named)| named.lines().next().unwrap_or_default());
    let named = named.context("the command line does not say which faults there are")?;
    let kinds: Vec<&str> = named.split(", ").flat_map(|part| part.split(" and ")).collect();
    ensure!(kinds.len() >= 12, "only {} kinds of fault: {named}", kinds.len());
    let each = kinds.iter().enumerate().map(|(at, kind)| Some(format!("{}:{kind}@{}", at % 4, 1 + at % 3)));
    Ok(std::iter::once(None).chain(each).collect())
}

/// Runs the real cluster and returns where its trace is.
fn record(folder: &Path, p: &str, fault: Option<&str>) -> Result<PathBuf> {
    let file = folder.join(format!("{}-{p}.ndjson", fault.unwrap_or("calm").replace([':', '@'], "-")));
    let mut demo = program("butterfly");
    demo.arg("demo").args(RUN).args(["--fast-path-faults", p, "--json", "--trace"]).arg(&file);
    if let Some(fault) = fault {
        demo.args(["--fault", fault]);
    }
    succeed(&mut demo)?;
    Ok(file)
}

fn accepted(file: &Path) -> Result<Checked> {
    let verdict = check(file)?;
    match (verdict.checked, verdict.refused) {
        (Some(checked), None) if verdict.ok => Ok(checked),
        (_, refused) => bail!("{} is refused: {refused:?}", file.display()),
    }
}

fn check(file: &Path) -> Result<Verdict> {
    let printed = finish(program("butterfly-check").arg("trace").arg(file).arg("--json"))?;
    let verdict: Verdict = serde_json::from_str(&printed.stdout).with_context(|| printed.tail())?;
    ensure!(verdict.ok == printed.status.success(), "the exit status is not what the document says");
    Ok(verdict)
}

fn program(name: &str) -> Command {
    Command::new(workspace::target().join("release").join(name))
}
