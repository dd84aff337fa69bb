//! The wheel and the source distribution.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::python::Environment;
use crate::process::succeed;
use crate::workspace;

/// A wheel may have this many bytes: the library, and Python to call it. More
/// is something that nobody needs.
const MOST_BYTES: u64 = 2_500_000;

/// What was built.
pub(super) struct Built {
    pub(super) wheel: PathBuf,
    pub(super) source: PathBuf,
    pub(super) wheel_bytes: u64,
}

impl fmt::Display for Built {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{} ({} bytes, at most {MOST_BYTES})", self.wheel.display(), self.wheel_bytes)?;
        write!(out, "{}", self.source.display())
    }
}

/// Builds both into a folder of their own.
///
/// # Errors
/// When something cannot be built, or the wheel is too large.
pub(super) fn build(tools: &Environment) -> Result<Built> {
    let folder = workspace::target().join("bindings/wheels");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    let project = workspace::root().join("bindings/python");
    let maturin = || {
        let mut command = tools.program("maturin");
        command.current_dir(&project).env("CARGO_TARGET_DIR", workspace::target());
        command
    };
    succeed(maturin().args(["build", "--release", "--out"]).arg(&folder))?;
    succeed(maturin().args(["sdist", "--out"]).arg(&folder))?;
    let (wheel, source) = (only(&folder, ".whl")?, only(&folder, ".tar.gz")?);
    let wheel_bytes = fs::metadata(&wheel)?.len();
    ensure!(wheel_bytes <= MOST_BYTES, "the wheel has {wheel_bytes} bytes; {MOST_BYTES} are allowed");
    Ok(Built { wheel, source, wheel_bytes })
}

/// The one file in `folder` that ends like this.
fn only(folder: &Path, end: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    match found.as_slice() {
        [path] => Ok(path.clone()),
        _ => bail!("{} files end with {end} in {}", found.len(), folder.display()),
    }
}
