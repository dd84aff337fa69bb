//! `cargo xtask test`: everything that must hold before a commit is released.
//!
//! Steps run one after the other, each even if one before it failed, so that
//! one run tells all that is wrong. What a step needs and the machine lacks it
//! installs, or it fails and says what is missing.

mod fingerprint;

use std::env;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::process::succeed;
use crate::{bindings, costs, debian, firmware_link, fuzz, page, session, spec, test_embedded, trace, workspace};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these steps, by name
    steps: Vec<String>,
    /// List the steps and stop
    #[arg(long)]
    list: bool,
}

struct Step {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<()>,
}

/// In this order: what is quick and fails often stands first.
const STEPS: [Step; 19] = [
    Step { name: "format", about: "sources are formatted", run: || cargo(&["fmt", "--all", "--check"]) },
    Step { name: "lints", about: "no warning, and in the kernel no panic, index or unchecked sum", run: lints },
    Step {
        name: "features",
        about: "no feature of checkers or microcontrollers reaches the daemon or the bindings",
        run: features,
    },
    Step {
        name: "kernel",
        about: "units, whole clusters in memory, wire, proofs",
        run: || {
            cargo(&["test", "-p", "butterfly-kernel", "--features", "checker"])?;
            cargo(&["test", "-p", "butterfly-record"])
        },
    },
    Step {
        name: "golden",
        about: "the wire is what the golden vectors say",
        run: || cargo(&["test", "-p", "butterfly-golden"]),
    },
    Step { name: "session", about: "secure sessions: vectors, snow, attacks, their numbers", run: session::step },
    Step { name: "fuzz", about: "arbitrary bytes for everything that a node reads, for a while", run: fuzz::step },
    Step {
        name: "workload",
        about: "the integer transformer",
        run: || cargo(&["test", "--release", "-p", "butterfly-workload"]),
    },
    Step { name: "fingerprint", about: "equal activations in every kind of build", run: fingerprint::run },
    Step { name: "spec", about: "the specification, by two checkers", run: || spec::run(&spec::Arguments::default()) },
    Step { name: "model-check", about: "the kernel's agreement, exhaustively", run: model_check },
    Step { name: "simulate", about: "whole clusters in virtual time, with every fault", run: simulate },
    Step {
        name: "costs",
        about: "bytes and instructions as pinned, agreement near its signatures",
        run: costs::run_checks,
    },
    Step { name: "firmware-link", about: "the kernel and sessions without an allocator", run: firmware_link::run },
    Step {
        name: "runtime",
        about: "separate processes: each fault alone and with others, attacks, an operator's way, bad input",
        run: runtime,
    },
    Step { name: "page", about: "the live page of four and of sixteen nodes, in a browser", run: page::step },
    Step {
        name: "bindings",
        about: "the kernel in Python and in Swift: wheel, tests, types, notebook, golden vectors",
        run: bindings::step,
    },
    Step {
        name: "embedded",
        about: "firmware in an emulator: alone and beside servers, killed, flooded, cut off; its sizes",
        run: test_embedded::step,
    },
    Step { name: "trace", about: "what real nodes did under each fault, against the specification", run: trace::step },
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        STEPS.iter().for_each(|step| println!("{:<14} {}", step.name, step.about));
        return Ok(());
    }
    let unknown = arguments.steps.iter().find(|name| STEPS.iter().all(|step| step.name != **name));
    if let Some(name) = unknown {
        bail!("there is no step `{name}`; `cargo xtask test --list` names them");
    }
    let chosen =
        STEPS.iter().filter(|step| arguments.steps.is_empty() || arguments.steps.iter().any(|name| name == step.name));
    let mut results: Vec<(&Step, Duration, Result<()>)> = Vec::new();
    for step in chosen {
        println!("\n== {}: {}", step.name, step.about);
        let begin = Instant::now();
        let result = (step.run)();
        if let Err(error) = &result {
            println!("error: {error:#}");
        }
        results.push((step, begin.elapsed(), result));
    }
    println!("\n{:<14} {:>8}  result", "step", "seconds");
    for (step, time, result) in &results {
        let verdict = if result.is_ok() { "passed" } else { "FAILED" };
        println!("{:<14} {:>8}  {verdict}", step.name, time.as_secs());
    }
    // Again, since what stands above may be far away, or cut off.
    for (step, _, result) in &results {
        if let Err(error) = result {
            println!("\n{}: {error:#}", step.name);
        }
    }
    let failed = results.iter().filter(|(_, _, result)| result.is_err()).count();
    println!("\n{} passed, {failed} failed", results.len() - failed);
    ensure!(failed == 0, "{failed} of {} steps failed", results.len());
    Ok(())
}

/// Once as shipped and once with what checkers switch on.
fn lints() -> Result<()> {
    let deny = ["--", "-D", "warnings"];
    cargo(&[&["clippy", "--workspace", "--all-targets"][..], &deny].concat())?;
    cargo(&[&["clippy", "-p", "butterfly-kernel", "--no-default-features"][..], &deny].concat())
}

/// Features for checkers, and for microcontrollers.
const NOT_SHIPPED: [&str; 5] = [
    "butterfly-kernel feature \"checker\"",
    "butterfly-kernel feature \"compact\"",
    "butterfly-kernel feature \"compact-four\"",
    "butterfly-session feature \"checker\"",
    "butterfly-session feature \"count\"",
];

/// A build of the whole workspace unifies features; what is shipped must be free of them.
fn features() -> Result<()> {
    for shipped in ["butterfly-runtime-std", "butterfly-ffi"] {
        let mut command = cargo_command();
        command.args(["tree", "-p", shipped, "--edges", "features,normal,build", "--prefix", "none"]);
        let tree = succeed(&mut command)?;
        ensure!(tree.contains("butterfly-kernel"), "{shipped} does not depend on the kernel: this checks nothing");
        let reached = tree.lines().find(|line| NOT_SHIPPED.iter().any(|feature| line.contains(feature)));
        if let Some(line) = reached {
            bail!("a feature that is not for servers reaches {shipped}: {line}");
        }
    }
    Ok(())
}

/// Disks that fail need strace, networks of their own need ip.
fn runtime() -> Result<()> {
    debian::need(&[("strace", "strace"), ("ip", "iproute2")])?;
    cargo(&["test", "--release", "-p", "butterfly-runtime-std"])
}

fn model_check() -> Result<()> {
    cargo(&["test", "--release", "-p", "butterfly-model-check"])?;
    cargo(&["run", "--release", "-p", "butterfly-model-check", "--", "all"])
}

/// Forty hours without faults, then every profile, larger clusters, other
/// workloads, seeded bugs, crash points and figures.
fn simulate() -> Result<()> {
    let check = |arguments: &[&str]| {
        cargo(&[&["run", "--release", "-p", "butterfly-model-check", "--"][..], arguments].concat())
    };
    check(&["simulate", "--profile", "calm", "--seeds", "0..500"])?;
    for profile in ["network", "process", "disk", "byzantine", "chaos"] {
        check(&["simulate", "--profile", profile])?;
    }
    for (nodes, seeds) in [("7", "0..40"), ("10", "0..20"), ("16", "0..4")] {
        check(&["simulate", "--nodes", nodes, "--seeds", seeds])?;
    }
    for workload in ["short", "long"] {
        check(&["simulate", "--workload", workload, "--seeds", "0..40"])?;
    }
    check(&["simulate", "--seeds", "0..40", "--twice"])?;
    check(&["hunt", "--seeds", "3"])?;
    check(&["crash-points"])?;
    let drawn = workspace::target().join("figures.svg");
    let path = drawn.to_str().context("the target folder's name is no text")?;
    check(&["figures", "--chart", path])?;
    let kept = workspace::root().join("model-check").join("figures.svg");
    let read = |path: &std::path::Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    ensure!(read(&drawn)? == read(&kept)?, "{} is another picture than {path}: copy it", kept.display());
    Ok(())
}

/// Runs cargo in the workspace, its output going where ours goes.
pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    let mut command = cargo_command();
    let status = command.args(arguments).stdin(Stdio::null()).status().context("cannot start cargo")?;
    ensure!(status.success(), "`cargo {}` ended with {status}", arguments.join(" "));
    Ok(())
}

pub(crate) fn cargo_command() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root());
    command
}
