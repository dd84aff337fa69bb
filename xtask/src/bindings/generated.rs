//! The generated code in the tree, and whether it is what would be generated.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::succeed;
use crate::test::cargo_command;
use crate::workspace;

const PYTHON: &str = "butterfly_ffi.py";
const SWIFT: &str = "ButterflyBindings.swift";
const HEADER: &str = "ButterflyFFI.h";

/// A file as it belongs to the library.
struct Generated {
    kept: PathBuf,
    content: String,
}

/// # Errors
/// When it cannot be generated or written.
pub(super) fn write() -> Result<()> {
    for Generated { kept, content } in generate()? {
        fs::write(&kept, content).with_context(|| format!("cannot write {}", kept.display()))?;
    }
    Ok(())
}

/// # Errors
/// When it cannot be generated, or is not what is kept.
pub(super) fn check() -> Result<()> {
    for Generated { kept, content } in generate()? {
        let found = fs::read_to_string(&kept).with_context(|| format!("cannot read {}", kept.display()))?;
        ensure!(
            found == content,
            "{} is not what the library generates; `cargo xtask bindings generate` writes it again",
            kept.display()
        );
    }
    Ok(())
}

/// What belongs to the library as it is now.
fn generate() -> Result<Vec<Generated>> {
    let folder = workspace::target().join("bindings");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let library = library()?;
    let mut python = bindgen("uniffi-bindgen");
    python.args(["generate", "--no-format", "--language", "python", "--out-dir"]).arg(&folder);
    succeed(python.arg("--library").arg(&library))?;
    let mut swift = bindgen("uniffi-bindgen-swift");
    succeed(swift.args(["--swift-sources", "--headers"]).arg(&library).arg(&folder))?;
    let bindings = workspace::root().join("bindings");
    let sources = bindings.join("swift/Sources");
    [
        (PYTHON, bindings.join("python/generated")),
        (SWIFT, sources.join("ButterflyBindings")),
        (HEADER, sources.join("ButterflyFFI")),
    ]
    .into_iter()
    .map(|(name, kept)| {
        let path = folder.join(name);
        let generated = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        // As everything else in the tree: no spaces at the ends of lines.
        let content = generated.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        Ok(Generated { kept: kept.join(name), content })
    })
    .collect()
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

/// A generator, of the version that the library is built with; unoptimised,
/// since it runs for a moment.
fn bindgen(name: &str) -> Command {
    let mut command = cargo_command();
    command.args(["run", "--quiet", "-p", "butterfly-ffi", "--features", "bindgen", "--bin", name, "--"]);
    command
}
