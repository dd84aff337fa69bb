//! Who judges, and one judge's hearing: a run of cargo-mutants.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::process::succeed;
use crate::test::cargo_command;
use crate::workspace;

pub(super) struct Judge {
    pub(super) name: &'static str,
    /// What cargo-mutants is told about the build and the tests in it.
    build: &'static [&'static str],
    /// What cargo is told to test of the unbroken kernel, where cargo-mutants would
    /// look for the tests in the package that it breaks.
    unbroken: &'static [&'static str],
    /// What the test programs are told.
    tests: &'static [&'static str],
}

/// A whole cluster that does not come to an end takes thousands of times as
/// long, so whoever takes this many times as long as the unbroken kernel, and
/// as many seconds at least, hangs.
const PATIENCE: [&str; 4] = ["--timeout-multiplier", "10", "--minimum-test-timeout", "30"];

/// The quickest first.
pub(super) const JUDGES: [Judge; 3] = [
    Judge {
        name: "units",
        build: &["--profile=mutants", "--features=butterfly-kernel/checker", "--cargo-arg=--lib"],
        unbroken: &[],
        // They use nothing that is broken, and are slow.
        tests: &["--skip", "assignment::"],
    },
    Judge {
        name: "kept seeds, and all states unbroken",
        build: &[
            "--profile=mutants-explored",
            "--test-package=butterfly-model-check",
            "--cargo-arg=--test=check",
            "--baseline=skip",
            "--timeout=600",
        ],
        unbroken: &["--profile=mutants-explored", "--package=butterfly-model-check", "--test=check"],
        tests: &["kept_seeds", "what_notices_a_mutant"],
    },
    Judge {
        name: "whole clusters",
        build: &["--profile=mutants-in-clusters", "--features=butterfly-kernel/checker", "--cargo-arg=--test=whole"],
        unbroken: &[],
        tests: &[
            "coordinator::",
            "durable::",
            "horizon::",
            "open_requests::",
            "pipelining::",
            "proofs::",
            "readmission::",
            "recovery::",
            "stubborn::",
            "values::",
            "undisturbed::",
        ],
    },
];

/// What is to be judged.
#[derive(Clone)]
pub(super) enum Which {
    /// All, or one part of several.
    Part(Option<String>),
    /// These, by the names that cargo-mutants gives them.
    Named(Vec<String>),
}

/// What one judge said, each mutant by its name.
#[derive(Clone, Default)]
pub(super) struct Heard {
    pub(super) caught: Vec<String>,
    /// It never came to an end, which is noticed too.
    pub(super) hung: Vec<String>,
    pub(super) missed: Vec<String>,
    /// The compiler refused it.
    pub(super) unviable: Vec<String>,
    /// It is in no shipped build: of those that were missed.
    pub(super) unshipped: Vec<String>,
}

impl Judge {
    /// Runs every mutant of `which`; everything that is made goes to `place`.
    ///
    /// # Errors
    /// When the unbroken kernel does not pass, or cargo-mutants fails.
    pub(super) fn hear(&self, program: &Path, which: &Which, place: &Path) -> Result<Heard> {
        if !self.unbroken.is_empty() {
            self.pass_unbroken(place)?;
        }
        let mut command = command(program, which);
        command.args(self.build).args(PATIENCE).arg("--output").arg(place);
        // One folder for all copies of the sources: dependencies are compiled once.
        command.env("CARGO_TARGET_DIR", place.join("build"));
        command.args(["--", "--"]).args(self.tests);
        let status = command.status().context("cannot start cargo-mutants")?;
        // Some were missed: 2. Some hung: 3.
        if !matches!(status.code(), Some(0 | 2 | 3)) {
            bail!("cargo-mutants ended with {status}: what it did is in {}", place.join("mutants.out").display());
        }
        let heard = Heard::read(&place.join("mutants.out"))?;
        match which {
            Which::Part(_) => Ok(heard),
            // Others were judged before.
            Which::Named(names) => Ok(heard.only(names)),
        }
    }
}

impl Judge {
    /// # Errors
    /// When the unbroken kernel does not pass.
    fn pass_unbroken(&self, place: &Path) -> Result<()> {
        let mut command = cargo_command();
        command.arg("test").args(self.unbroken).arg("--").args(self.tests).stdin(Stdio::null());
        let status = command.env("CARGO_TARGET_DIR", place.join("build")).status().context("cannot start cargo")?;
        ensure!(status.success(), "the unbroken kernel does not pass: {status}");
        Ok(())
    }
}

/// The names of `which`, a line each.
pub(super) fn list(program: &Path, which: &Which) -> Result<String> {
    succeed(command(program, which).arg("--list"))
}

/// What is known of each of `which` and of others, in JSON.
pub(super) fn describe(program: &Path, which: &Which) -> Result<String> {
    succeed(command(program, which).args(["--list", "--json"]))
}

fn command(program: &Path, which: &Which) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command.args(["mutants", "--package", "butterfly-kernel", "--colors", "never"]);
    match which {
        Which::Part(None) => {}
        // In turn: each part has something of every file.
        Which::Part(Some(part)) => {
            command.args(["--sharding", "round-robin", "--shard", part]);
        }
        Which::Named(names) => {
            // Their files only: fields left out are run whatever is named.
            let files: BTreeSet<&str> = names.iter().filter_map(|name| name.split(':').next()).collect();
            command.arg("--no-config").args(files.into_iter().flat_map(|file| ["--file", file]));
            command.args(names.iter().flat_map(|name| ["--re".to_owned(), exactly(name)]));
        }
    }
    command
}

/// What means something in a regular expression. Other signs may mean something
/// only once they are escaped, such as `<`.
const MEANT: &str = r"\.+*?()|[]{}^$#&-~";

/// A regular expression that matches `name` and nothing else.
fn exactly(name: &str) -> String {
    let escaped = name.chars().flat_map(|sign| {
        let escape = MEANT.contains(sign).then_some('\\');
        escape.into_iter().chain([sign])
    });
    let escaped: String = escaped.collect();
    format!("^{escaped}$")
}

impl Heard {
    fn only(self, asked: &[String]) -> Heard {
        let only = |names: Vec<String>| names.into_iter().filter(|name| asked.contains(name)).collect();
        let Heard { caught, hung, missed, unviable, unshipped } = self;
        let (caught, hung, missed) = (only(caught), only(hung), only(missed));
        Heard { caught, hung, missed, unviable: only(unviable), unshipped: only(unshipped) }
    }

    fn read(folder: &Path) -> Result<Heard> {
        let names = |file: &str| -> Result<Vec<String>> {
            let path = folder.join(file);
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(text.lines().map(str::to_owned).collect())
        };
        let heard = Heard {
            caught: names("caught.txt")?,
            hung: names("timeout.txt")?,
            missed: names("missed.txt")?,
            unviable: names("unviable.txt")?,
            unshipped: Vec::new(),
        };
        let Heard { caught, hung, missed, unviable, .. } = &heard;
        let all = [caught, hung, missed, unviable];
        ensure!(all.into_iter().any(|names| !names.is_empty()), "no mutant was run: {}", folder.display());
        Ok(heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_does_not_count() {
        let names = || vec!["a".to_owned(), "b".to_owned()];
        let (caught, hung, missed, unviable, unshipped) = (names(), names(), names(), names(), names());
        let heard = Heard { caught, hung, missed, unviable, unshipped };
        let Heard { caught, hung, missed, unviable, unshipped } = heard.only(&["b".to_owned()]);
        assert_eq!([caught, hung, missed, unviable, unshipped], [["b"]; 5]);
    }

    #[test]
    fn a_name_is_matched_sign_by_sign() {
        assert_eq!(exactly("a.rs:1:2: replace || with && in A<C>::b"), {
            r"^a\.rs:1:2: replace \|\| with \&\& in A<C>::b$"
        });
    }
}
