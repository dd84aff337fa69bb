//! Swift: a toolchain, and what is run with it.
//!
//! Where there is no `swift` 6, Debian's is unpacked into a folder of its own, as
//! a system that is entered for each command: with root, without a trace outside
//! of the target folder. Mounts are in a namespace that ends with the command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::report::Tested;
use super::words;
use crate::debian;
use crate::process::{finish, succeed};
use crate::workspace;

/// The release of Debian that has Swift 6, and what is taken from it.
const RELEASE: &str = "trixie";
const PACKAGES: &str = "swiftlang swiftlang-dev libswiftlang libstdc++-14-dev libc6-dev";
/// Where the workspace is inside that system.
const CHECKOUT: &str = "/checkout";

/// Something that runs Swift.
pub(super) enum Toolchain {
    /// On this system.
    Here,
    /// In the system in this folder.
    Within(PathBuf),
}

/// Builds and tests the package; what is written by hand must compile without a warning.
///
/// # Errors
/// The first thing that does not hold.
pub(super) fn test(toolchain: &Toolchain, program: &Path) -> Result<Tested> {
    let sources = workspace::root().join("bindings/swift/Sources");
    words::compare(&sources.join("ButterflyBindings/ButterflyBindings.swift"), &sources.join("Butterfly"))?;
    eprintln!("-- swift build, example and swift test");
    link_statically()?;
    toolchain.run("swift build --build-tests", program)?;
    let shown = toolchain.run("swift run --skip-build butterfly-example", program)?;
    ensure!(shown.contains("member 2 is to blame: attestation"), "the liar is not blamed:\n{shown}");
    // One by one, since some look at the memory of the process.
    let tested = toolchain.run("swift test --skip-build --disable-xctest --no-parallel", program)?;
    let passed = tested
        .lines()
        .find_map(|line| line.split_once("Test run with ")?.1.split_once(" tests passed")?.0.parse().ok())
        .with_context(|| format!("swift test does not say how many passed:\n{tested}"))?;
    let ran = tested.lines().filter_map(|line| line.strip_prefix("golden vectors: ")?.parse::<usize>().ok());
    eprintln!("-- reference");
    toolchain.run(DOCUMENTATION, program)?;
    Ok(Tested { passed, golden: ran.sum() })
}

/// The reference, as pages in the target folder.
const DOCUMENTATION: &str = "swift package dump-symbol-graph --minimum-access-level public >/dev/null && \
     rm -rf $SCRATCH/graphs && mkdir $SCRATCH/graphs && \
     find $SCRATCH/*/symbolgraph \\( -name Butterfly.symbols.json -o -name ButterflyBindings.symbols.json \\) \
     -exec cp {} $SCRATCH/graphs \\; && \
     $(dirname $(readlink -f $(command -v swift)))/docc convert --fallback-display-name Butterfly \
     --fallback-bundle-identifier butterfly --additional-symbol-graph-dir $SCRATCH/graphs --output-path $SCRATCH/reference";

/// The library as an archive alone in a folder, so that no linker prefers a
/// shared one.
fn link_statically() -> Result<()> {
    let folder = workspace::target().join("bindings/swift");
    fs::create_dir_all(&folder)?;
    let name = "libbutterfly_ffi.a";
    let library = workspace::target().join("release").join(name);
    fs::copy(&library, folder.join(name)).with_context(|| format!("cannot copy {}", library.display()))?;
    Ok(())
}

impl Toolchain {
    /// Installs one where there is none.
    pub(super) fn find() -> Result<Toolchain> {
        if finish(Command::new("swift").arg("--version")).is_ok_and(|found| found.stdout.contains("Swift version 6")) {
            return Ok(Toolchain::Here);
        }
        let system = workspace::tools().join("swift");
        let is_whole = system.join("whole");
        if !is_whole.exists() {
            install(&system).context("Swift 6 is needed, and could not be installed from Debian")?;
            fs::write(&is_whole, PACKAGES)?;
        }
        Ok(Toolchain::Within(system))
    }

    /// Runs a command of the shell in the package's folder.
    fn run(&self, command: &str, program: &Path) -> Result<String> {
        let root = workspace::root();
        let within = |path: &Path| match self {
            Toolchain::Here => Ok(path.to_path_buf()),
            Toolchain::Within(_) => {
                let inside = path.strip_prefix(&root).context("the target folder must be inside the workspace")?;
                Ok::<_, anyhow::Error>(Path::new(CHECKOUT).join(inside))
            }
        };
        let target = within(&workspace::target())?;
        let script = format!(
            "cd {}/bindings/swift && export SCRATCH={target}/swift BUTTERFLY_LIBRARY={target}/bindings/swift \
             BUTTERFLY_PROGRAM={} BUTTERFLY_STRICT=1 && {}",
            within(&root)?.display(),
            within(program)?.display(),
            command
                .replace("swift build", "swift build --scratch-path $SCRATCH")
                .replace("swift run", "swift run --scratch-path $SCRATCH")
                .replace("swift test", "swift test --scratch-path $SCRATCH")
                .replace("swift package", "swift package --scratch-path $SCRATCH"),
            target = target.display(),
        );
        match self {
            Toolchain::Here => succeed(Command::new("bash").args(["-c", &script])),
            Toolchain::Within(system) => enter(system, &root, &script),
        }
    }
}

fn install(system: &Path) -> Result<()> {
    debian::need(&[("debootstrap", "debootstrap")])?;
    if system.exists() {
        // A system that is half there.
        fs::remove_dir_all(system)?;
    }
    eprintln!("installing Swift: {PACKAGES} of Debian {RELEASE}, 3 GB");
    let folder = system.to_str().context("the target folder has a name that is no text")?;
    alone(&format!("debootstrap --variant=minbase --include=ca-certificates {RELEASE} {folder}"))?;
    alone(&format!(
        "mount -t proc proc {folder}/proc && chroot {folder} apt-get update -qq && \
         DEBIAN_FRONTEND=noninteractive chroot {folder} apt-get install -qq --yes --no-install-recommends {PACKAGES} && \
         chroot {folder} apt-get clean && mkdir -p {folder}{CHECKOUT}"
    ))?;
    Ok(())
}

fn enter(system: &Path, root: &Path, script: &str) -> Result<String> {
    let (system, root) = (system.display(), root.display());
    alone(&format!(
        "mount --bind {root} {system}{CHECKOUT} && mount -t proc proc {system}/proc && \
         mount --bind /dev {system}/dev && exec chroot {system} bash -c '{script}'"
    ))
}

/// A script with mounts and processes of its own, which end with it.
fn alone(script: &str) -> Result<String> {
    let mut command = Command::new("unshare");
    succeed(command.args(["--mount", "--pid", "--fork", "--kill-child", "bash", "-c", script]))
}
