//! Debian packages that a check needs and the machine lacks.

use std::process::Command;

use anyhow::{Context, Result};

use crate::process::succeed;

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
