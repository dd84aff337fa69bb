//! The step `session` of the tests: the sessions' own, then the numbers of
//! their README, which two examples print.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::process::succeed;
use crate::test::{cargo, cargo_command};
use crate::workspace;

const README: &str = "kernel/session/README.md";
/// What stands behind this line is another number on every machine.
const TIMES: &str = "nanoseconds on this machine";

/// # Errors
/// When a test fails, or the README has a number that is not what is printed.
pub(crate) fn step() -> Result<()> {
    cargo(&["test", "-p", "butterfly-session"])?;
    cargo(&["clippy", "-p", "butterfly-session", "--all-targets", "--all-features", "--", "-D", "warnings"])?;
    let readme = fs::read_to_string(workspace::root().join(README)).with_context(|| format!("cannot read {README}"))?;
    let sizes = ["run", "--quiet", "-p", "butterfly-session", "--example", "sizes"];
    let costs = ["run", "--quiet", "--release", "-p", "butterfly-session", "--features", "count", "--example", "costs"];
    for arguments in [&sizes[..], &costs] {
        let printed = succeed(cargo_command().args(arguments))?;
        let missing = missing(&printed, &readme);
        ensure!(missing.is_empty(), "{README} does not say what is printed:\n{}", missing.join("\n"));
    }
    Ok(())
}

/// The lines of `printed`, down to the times, that are not in `readme`.
fn missing<'p>(printed: &'p str, readme: &str) -> Vec<&'p str> {
    let lines = printed.lines().take_while(|line| !line.starts_with(TIMES));
    lines.filter(|line| !line.is_empty() && readme.lines().all(|other| other != *line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_the_readme_has_not_is_missed() {
        let readme = "# Title\n\n```\nkeys  4\nframes  19\n```\n";
        assert_eq!(missing("keys  4\n\nframes  19\nnanoseconds on this machine\nall  7\n", readme), Vec::<&str>::new());
        assert_eq!(missing("keys  5\nframes  19\n", readme), ["keys  5"]);
    }
}
