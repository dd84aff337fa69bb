//! The generated code in the tree, and whether it is what would be generated.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::succeed;
use crate::test::cargo_command;
use crate::workspace;

const MODULE: &str = "butterfly_ffi.py";

/// Where it is kept.
fn kept() -> PathBuf {
    workspace::root().join("bindings/python/generated").join(MODULE)
}

/// # Errors
/// When it cannot be generated or written.
pub(super) fn write() -> Result<()> {
    let module = kept();
    fs::write(&module, generate()?).with_context(|| format!("cannot write {}", module.display()))
}

/// # Errors
/// When it cannot be generated, or is not what is kept.
pub(super) fn check() -> Result<()> {
    let module = kept();
    let found = fs::read_to_string(&module).with_context(|| format!("cannot read {}", module.display()))?;
    ensure!(
        found == generate()?,
        "{} is not what the library generates; `cargo xtask bindings generate` writes it again",
        module.display()
    );
    Ok(())
}

/// The Python module that belongs to the library as it is now.
fn generate() -> Result<String> {
    let folder = workspace::target().join("bindings");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut command = bindgen();
    command.args(["generate", "--no-format", "--language", "python", "--out-dir"]).arg(&folder);
    succeed(command.arg("--library").arg(library()?))?;
    let module = folder.join(MODULE);
    let generated = fs::read_to_string(&module).with_context(|| format!("cannot read {}", module.display()))?;
    // As everything else in the tree: no spaces at the ends of lines.
    Ok(generated.lines().map(|line| format!("{}\n", line.trim_end())).collect())
}

/// The library as wheels have it.
fn library() -> Result<PathBuf> {
    succeed(cargo_command().args(["build", "--release", "--lib", "-p", "butterfly-ffi"]))?;
    let library = workspace::target().join("release").join(name());
    ensure!(Path::new(&library).is_file(), "{} was not built", library.display());
    Ok(library)
}

fn name() -> String {
    format!("{}butterfly_ffi{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

/// The generator, of the version that the library is built with; unoptimised,
/// since it runs for a moment.
fn bindgen() -> Command {
    let mut command = cargo_command();
    command.args(["run", "--quiet", "-p", "butterfly-ffi", "--features", "bindgen", "--bin", "uniffi-bindgen", "--"]);
    command
}
