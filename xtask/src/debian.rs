//! Debian packages that a check needs and the machine lacks.

use std::process::Command;

use anyhow::{Context, Result};

use crate::process::succeed;

/// Installs the package of each program that is not there.
pub(crate) fn need(programs: &[(&str, &str)]) -> Result<()> {
    let is_there = |program: &str| {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
    };
    let missing: Vec<&str> =
        programs.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

/// Installs `packages`, which needs root.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    eprintln!("installing {}", packages.join(" "));
    let attempt = || -> Result<()> {
        succeed(Command::new("apt-get").arg("update"))?;
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "--yes", "--no-install-recommends"]);
        succeed(command.args(packages)).map(drop)
    };
    attempt().with_context(|| {
        let packages = packages.join(" ");
        format!("these Debian packages are missing and could not be installed: {packages}")
    })
}
