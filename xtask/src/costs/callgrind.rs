//! Counting instructions with callgrind.
//!
//! Everything outside the functions `measured_*` is not counted, and each time
//! that one of them is left its count goes into a file of its own. The program
//! says in which order it makes the transitions.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::program::{Instructions, Program, SIZES, Timed, read};
use crate::process::{finish, succeed};
use crate::{debian, workspace};

/// glibc copies large blocks with one instruction that is counted once for
/// each byte. Its loops are counted like everything else.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000";
/// The pattern must not be one of the two names: of two options for the same
/// pattern callgrind follows one.
const COUNTED: &str = "--toggle-collect=*measured_*";
const DUMPED: [&str; 2] =
    ["--dump-after=butterfly_costs::steps::measured_step", "--dump-after=butterfly_costs::steps::measured_arrival"];

/// The instructions of every transition at every size.
pub(super) fn count(program: &Program) -> Result<Vec<Instructions>> {
    install()?;
    let folder = workspace::target().join("callgrind");
    let mut all = Vec::new();
    for size in SIZES {
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        all.extend(count_size(program, size, &folder.join("counts"))?);
    }
    Ok(all)
}

fn install() -> Result<()> {
    let works = || finish(Command::new("valgrind").arg("--version")).is_ok_and(|finished| finished.status.success());
    if !works() {
        debian::install(&["valgrind"])?;
        ensure!(works(), "`valgrind` does not run although it is installed");
    }
    Ok(())
}

fn count_size(program: &Program, size: &str, counts: &Path) -> Result<Vec<Instructions>> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--dump-line=no", COUNTED]).args(DUMPED);
    command.arg(format!("--callgrind-out-file={}", counts.display()));
    command.arg(program.path()).args(["once", size]).env("GLIBC_TUNABLES", TUNABLES);
    let order: Vec<Timed> = read(&succeed(&mut command)?)?;
    ensure!(!order.is_empty(), "there was no transition to count");
    let beyond = counts.with_extension((order.len() + 1).to_string());
    ensure!(!beyond.exists(), "callgrind left more counts than there were transitions");
    order
        .into_iter()
        .enumerate()
        .map(|(at, made)| {
            let Timed { n, transition, about, part, signatures, .. } = made;
            let instructions = total(&counts.with_extension((at + 1).to_string()))?;
            Ok(Instructions { n, transition, about, part, signatures, instructions })
        })
        .collect()
}

/// The one line of a count that matters.
fn total(path: &Path) -> Result<u64> {
    let text = fs::read_to_string(path).with_context(|| format!("callgrind left no {}", path.display()))?;
    let summary = text.lines().find_map(|line| line.strip_prefix("summary: "));
    let summary = summary.with_context(|| format!("there is no summary in {}", path.display()))?;
    summary.trim().parse().with_context(|| format!("the summary in {} is not a number", path.display()))
}
