//! Running other programs, and saying clearly what went wrong.

use std::io::ErrorKind;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, anyhow, bail};

/// How many of the last lines of a failed program are shown.
const TAIL: usize = 30;

/// What a program printed, and how it ended.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// The end of everything that was printed, for an error message.
    pub(crate) fn tail(&self) -> String {
        let lines: Vec<&str> = self.stdout.lines().chain(self.stderr.lines()).collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}

/// Runs `command` to its end, whatever its exit status.
///
/// Fails only if the program cannot be started, and says so by name if it is
/// missing.
pub(crate) fn finish(command: &mut Command) -> Result<Finished> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!("`{program}` is missing"),
        _ => anyhow!(error).context(format!("cannot run `{program}`")),
    })?;
    Ok(Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs `command` and fails unless it succeeds. Returns its standard output.
pub(crate) fn succeed(command: &mut Command) -> Result<String> {
    let finished = finish(command).with_context(|| describe(command))?;
    if !finished.status.success() {
        bail!("{} ended with {}:\n{}", describe(command), finished.status, finished.tail());
    }
    Ok(finished.stdout)
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", words.join(" "))
}
