//! What was found.

use std::fmt;

use serde::Serialize;

/// Everything that `cargo xtask bindings test` found.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) pytest: Tested,
    pub(super) mypy: Checked,
    pub(super) pyright: Checked,
    pub(super) swift: Tested,
    pub(super) golden: Golden,
    pub(super) events_per_second: u64,
    pub(super) wheel_bytes: u64,
}

/// Tests that were run.
#[derive(Serialize)]
pub(super) struct Tested {
    /// All of them, or there is no report.
    pub(super) passed: usize,
    /// Of these, golden vectors.
    #[serde(skip)]
    pub(super) golden: usize,
}

/// What a type checker found.
#[derive(Serialize)]
pub(super) struct Checked {
    pub(super) errors: usize,
}

/// Golden vectors that each language ran.
#[derive(Serialize)]
pub(super) struct Golden {
    pub(super) rust: usize,
    pub(super) python: usize,
    pub(super) swift: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "pytest             {} passed", self.pytest.passed)?;
        writeln!(out, "mypy, pyright      {} and {} errors", self.mypy.errors, self.pyright.errors)?;
        writeln!(out, "swift test         {} passed", self.swift.passed)?;
        let Golden { rust, python, swift } = self.golden;
        writeln!(out, "golden vectors     {rust} in Rust, {python} in Python, {swift} in Swift")?;
        writeln!(out, "events a second    {}", self.events_per_second)?;
        write!(out, "wheel              {} bytes", self.wheel_bytes)
    }
}
