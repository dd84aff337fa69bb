//! cargo-mutants: which version, and how it is installed.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::process::{finish, succeed};
use crate::workspace;

const VERSION: &str = "27.1.0";

/// Its program, under the target folder.
pub(super) fn cargo_mutants() -> Result<PathBuf> {
    let program = workspace::tools().join("bin").join("cargo-mutants");
    let installed = || {
        let version = finish(Command::new(&program).args(["mutants", "--version"]));
        version.is_ok_and(|finished| finished.stdout.trim() == format!("cargo-mutants {VERSION}"))
    };
    if installed() {
        return Ok(program);
    }
    eprintln!("installing cargo-mutants {VERSION}: compiling takes some minutes");
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command
        .args(["install", "cargo-mutants", "--locked", "--force"])
        .args(["--version", &format!("={VERSION}")])
        .arg("--root")
        .arg(workspace::tools())
        .arg("--target-dir")
        .arg(workspace::tools().join("build"));
    succeed(&mut command)?;
    ensure!(installed(), "`{}` is not version {VERSION}", program.display());
    Ok(program)
}
