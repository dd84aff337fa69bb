//! `cargo xtask golden`: the golden vectors, written again or compared.

use anyhow::Result;

use crate::test::cargo;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Compare the files with what would be written, and change nothing
    #[arg(long)]
    check: bool,
}

/// Writes `bindings/golden/vectors` and `kernel/session/vectors/sessions.json`, or compares them.
///
/// # Errors
/// When a vector does not do what it says, or with `check` is not the one in the files.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let check: &[&str] = if arguments.check { &["--", "--check"] } else { &[] };
    cargo(&[&["run", "--quiet", "--release", "-p", "butterfly-golden"][..], check].concat())?;
    cargo(&[&["run", "--quiet", "-p", "butterfly-session", "--example", "vectors"][..], check].concat())
}
