//! Python: environments, and what is run in them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::report::{Checked, Golden, Report, Tested};
use super::wheel::{self, Built};
use crate::process::{finish, succeed};
use crate::test::cargo_command;
use crate::workspace;

/// A virtual environment.
pub(super) struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// One that has what `requirements` says, made if it is not there or has
    /// something else.
    fn with(name: &str, requirements: &Path) -> Result<Environment> {
        let environment = Environment { folder: workspace::target().join("bindings").join(name) };
        let wanted = fs::read_to_string(requirements).with_context(|| format!("no {}", requirements.display()))?;
        let installed = environment.folder.join("installed");
        if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
            return Ok(environment);
        }
        let environment = Environment::empty(name)?;
        eprintln!("installing {}", requirements.display());
        succeed(environment.pip().args(["install", "--requirement"]).arg(requirements))?;
        fs::write(&installed, wanted)?;
        Ok(environment)
    }

    /// One that has nothing.
    fn empty(name: &str) -> Result<Environment> {
        let folder = workspace::target().join("bindings").join(name);
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
            .context("the bindings need `python3` 3.11 and its `venv` module (Debian: python3-venv)")?;
        Ok(Environment { folder })
    }

    /// A program in it.
    pub(super) fn program(&self, name: &str) -> Command {
        let programs = self.folder.join("bin");
        let mut command = Command::new(programs.join(name));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(programs).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(paths).unwrap_or(path)).env("VIRTUAL_ENV", &self.folder);
        command
    }

    fn pip(&self) -> Command {
        let mut command = self.program("python");
        command.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]);
        command
    }

    /// Installs `package`, in place of whatever was there of it, and nothing else.
    fn install(&self, package: &Path) -> Result<()> {
        let mut command = self.pip();
        command.args(["install", "--force-reinstall", "--no-deps"]).arg(package);
        succeed(command.env("CARGO_TARGET_DIR", workspace::target())).map(drop)
    }
}

/// What builds and tests.
pub(super) fn tools() -> Result<Environment> {
    Environment::with("tools", &project().join("requirements.txt"))
}

fn project() -> PathBuf {
    workspace::root().join("bindings/python")
}

/// Everything that must hold of what was built.
///
/// # Errors
/// The first thing that does not.
pub(super) fn test(tools: &Environment, built: &Built, program: &Path, swift: Tested) -> Result<Report> {
    eprintln!("-- the README's first lines, with the wheel in an empty environment");
    let empty = Environment::empty("empty")?;
    empty.install(&built.wheel)?;
    first_lines(&empty)?;
    tools.install(&built.wheel)?;
    eprintln!("-- pytest");
    let pytest = pytest(tools, program)?;
    eprintln!("-- mypy and pyright");
    let mypy = types(tools, tools.program("mypy").arg("--no-error-summary"), "mypy")?;
    let pyright = types(tools, &mut tools.program("pyright"), "pyright")?;
    eprintln!("-- notebook and reference");
    notebook(tools)?;
    let reference = workspace::target().join("bindings/reference");
    succeed(tools.program("pdoc").arg("--output-directory").arg(reference).arg("butterfly"))?;
    eprintln!("-- golden vectors");
    succeed(cargo_command().args(["test", "-p", "butterfly-ffi", "-p", "butterfly-golden"]))?;
    let golden = Golden { rust: vectors()?, python: pytest.golden, swift: swift.golden };
    ensure!(
        golden.rust == golden.python && golden.rust == golden.swift,
        "{} golden vectors, of which Python ran {} and Swift {}",
        golden.rust,
        golden.python,
        golden.swift
    );
    eprintln!("-- throughput");
    let events_per_second = throughput(tools)?;
    eprintln!("-- the source distribution in an empty environment");
    let source = Environment::empty("source")?;
    source.install(&built.source)?;
    first_lines(&source)?;
    Ok(Report { pytest, mypy, pyright, swift, golden, events_per_second, wheel_bytes: built.wheel_bytes })
}

/// Prints what a call costs; everything is measured in one run.
///
/// # Errors
/// When something cannot be built or measured.
pub(super) fn costs() -> Result<()> {
    let tools = tools()?;
    tools.install(&wheel::build(&tools)?.wheel)?;
    let yardstick = project().join("benchmarks/yardstick");
    // Of one version of everything with what it is compared to. A lock file of
    // its own would be behind after every change to the workspace.
    let lock = "Cargo.lock";
    fs::copy(workspace::root().join(lock), yardstick.join(lock)).context("cannot copy the lock file")?;
    let mut build = cargo_command();
    build.current_dir(&yardstick).env("CARGO_TARGET_DIR", workspace::target());
    succeed(build.args(["build", "--release"]))?;
    let library = format!("{}yardstick{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    for (program, argument) in
        [("costs.py", Some(workspace::target().join("release").join(library))), ("throughput.py", None)]
    {
        let mut command = tools.program("python");
        let printed = succeed(command.arg(project().join("benchmarks").join(program)).args(argument))?;
        println!("{printed}");
    }
    Ok(())
}

/// Runs the first Python of the README.
fn first_lines(environment: &Environment) -> Result<()> {
    let readme = fs::read_to_string(project().join("README.md"))?;
    let begin = readme.split_once("```python\n").context("no Python in the README")?.1;
    let (program, _) = begin.split_once("```").context("Python in the README that does not end")?;
    let mut command = environment.program("python");
    // Nothing of the tree may be found but what was installed.
    command.current_dir(workspace::target()).args(["-I", "-c", program]);
    let printed = succeed(&mut command)?;
    ensure!(printed.contains("accused=2"), "the liar is not blamed: {printed}");
    eprint!("{printed}");
    Ok(())
}

fn pytest(tools: &Environment, program: &Path) -> Result<Tested> {
    let results = workspace::target().join("bindings/pytest.xml");
    let mut command = tools.program("python");
    command.current_dir(project()).args(["-m", "pytest", "-q", "--junitxml"]).arg(&results);
    // Standard output is for the report.
    command.env("BUTTERFLY_BINARY", program).stdin(Stdio::null()).stdout(io::stderr());
    let status = command.status().context("cannot start pytest")?;
    ensure!(status.success(), "pytest ended with {status}");
    let results = fs::read_to_string(results)?;
    let count = |attribute: &str| -> Result<usize> {
        let (_, rest) = results.split_once(&format!(" {attribute}=\"")).context("pytest reports no counts")?;
        Ok(rest.split('"').next().unwrap_or_default().parse()?)
    };
    let golden = results.matches("classname=\"tests.test_golden\" name=\"test_").count();
    let whole = results.matches("name=\"test_the_cluster_is_the_one_of_the_vectors\"").count();
    let again = results.matches("name=\"test_messages_say_who_says_what").count();
    let (all, skipped) = (count("tests")?, count("skipped")?);
    ensure!(skipped == 0, "{skipped} tests were skipped");
    Ok(Tested { passed: all, golden: golden - whole - again })
}

/// The daemon, for tests that join a cluster of it.
pub(super) fn butterfly() -> Result<PathBuf> {
    succeed(cargo_command().args(["build", "--release", "-p", "butterfly-runtime-std"]))?;
    Ok(workspace::target().join("release/butterfly"))
}

fn types(tools: &Environment, command: &mut Command, name: &str) -> Result<Checked> {
    command.current_dir(project()).env("PYTHONPATH", "");
    if name == "pyright" {
        command.arg("--pythonpath").arg(tools.folder.join("bin/python"));
    }
    let finished = finish(command)?;
    let found = finished.stdout.lines().filter(|line| line.contains(": error") || line.contains(" - error")).count();
    if found > 0 || !finished.status.success() {
        bail!("{name} finds {found} errors:\n{}", finished.tail());
    }
    Ok(Checked { errors: found })
}

/// Runs the notebook from nothing; every cell must succeed.
fn notebook(tools: &Environment) -> Result<()> {
    let notebook = project().join("notebooks/an_epoch.ipynb");
    let mut command = tools.program("jupyter-execute");
    let output = workspace::target().join("bindings/an_epoch.ipynb");
    succeed(command.arg("--output").arg(output).arg(&notebook)).map(drop)
}

/// Vectors in the files that every language reads.
fn vectors() -> Result<usize> {
    let folder = workspace::root().join("bindings/golden/vectors");
    let mut count = 0;
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default();
        // One digest for each type over drawn values, and the words of errors.
        if name == "generated" || name == "errors" || name == "cluster" {
            continue;
        }
        let family: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        count += family["vectors"].as_array().with_context(|| format!("no vectors in {}", path.display()))?.len();
    }
    Ok(count)
}

fn throughput(tools: &Environment) -> Result<u64> {
    let mut command = tools.program("python");
    let printed = succeed(command.arg(project().join("benchmarks/throughput.py")).arg("--json"))?;
    let measured: serde_json::Value = serde_json::from_str(&printed)?;
    measured["events_per_second"].as_u64().context("no events per second")
}
