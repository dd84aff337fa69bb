//! Building the targets and their seeds.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::process::{finish, succeed};
use crate::{debian, workspace};

/// What libFuzzer needs of the compiler: a counter on every branch, and a call
/// at every comparison. The names are LLVM's, and stable in rustc.
const FLAGS: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
    "-Cdebug-assertions",
];

/// The targets' own workspace.
pub(super) fn workspace() -> PathBuf {
    workspace::root().join("kernel/fuzz")
}

/// A cargo command in that workspace, everything that it makes under `place`.
pub(super) fn cargo(command: &str, place: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).stdin(Stdio::null()).arg(command).arg("--locked");
    cargo.env("CARGO_TARGET_DIR", place).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo
}

/// Writes what the fuzzer begins with; a folder for each target.
pub(super) fn seeds(place: &Path) -> Result<PathBuf> {
    let seeds = place.join("seeds");
    let mut command = cargo("run", place);
    run(command.args(["--quiet", "--example", "seeds", "--"]).arg(&seeds))?;
    Ok(seeds)
}

/// Builds every target and returns the folder with their programs.
pub(super) fn programs(place: &Path) -> Result<PathBuf> {
    cxx()?;
    let host = host()?;
    let mut command = cargo("build", place);
    // With a target named, build scripts and macros get no counters.
    command.args(["--release", "--bins", "--target", &host]).env("RUSTFLAGS", FLAGS.join(" "));
    run(&mut command)?;
    Ok(place.join(host).join("release"))
}

/// Runs cargo, its output going where ours goes.
pub(super) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().context("cannot start cargo")?;
    ensure!(status.success(), "cargo ended with {status} in {}", workspace().display());
    Ok(())
}

/// libFuzzer is C++, and compiled with the targets.
fn cxx() -> Result<()> {
    let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
    if finish(Command::new(compiler).arg("--version")).is_ok_and(|finished| finished.status.success()) {
        return Ok(());
    }
    debian::install(&["g++"])
}

fn host() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = succeed(Command::new(rustc).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say for what it compiles")?.to_owned())
}
