//! `cargo xtask weights`: train the model again, from nothing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::process::succeed;
use crate::workspace;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where to write the weights
    #[arg(long, default_value = "target/butterfly.weights")]
    out: PathBuf,
    /// A few steps only, to see that the way from text to weights is open
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let training = workspace::root().join("workload/training");
    let environment = workspace::tools().join("training");
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&environment))
        .context("training needs `python3` and its `venv` module (Debian: python3-venv)")?;
    let mut pip = Command::new(environment.join("bin/pip"));
    succeed(pip.args(["install", "--quiet", "-r"]).arg(training.join("requirements.txt")))?;
    let mut train = Command::new(environment.join("bin/python3"));
    train.current_dir(workspace::root()).stdin(Stdio::null());
    train.arg(training.join("train.py")).arg("--out").arg(&arguments.out);
    if arguments.quick {
        train.arg("--quick");
    }
    let status = train.status().context("cannot start the training")?;
    ensure!(status.success(), "the training ended with {status}");
    Ok(())
}
