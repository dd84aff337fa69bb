//! The modules in Rust, explored by `butterfly-check spec`. Where TLC wrote its
//! states down, they have to be the same, one by one.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::configurations::{Configuration, Outcome};
use super::{Checker, tlc};
use crate::{process, test, workspace};

pub(super) struct Transcription {
    program: PathBuf,
}

impl Checker for Transcription {
    const NAME: &'static str = "Rust";

    /// Fairness is for TLC.
    fn reads(configuration: &Configuration) -> bool {
        !configuration.temporal
    }

    fn prepare() -> Result<Self> {
        test::cargo(&["build", "--release", "-p", "butterfly-model-check"])?;
        Ok(Self { program: workspace::target().join("release/butterfly-check") })
    }

    fn check(&self, configuration: &Configuration) -> Result<Outcome> {
        let mut command = Command::new(&self.program);
        command.args(["spec", configuration.name, "--json"]);
        if configuration.writes_states() {
            command.arg("--dump").arg(tlc::states_of(configuration));
        }
        let finished = process::finish(&mut command)?;
        let report: Value = serde_json::from_str(&finished.stdout).with_context(|| finished.tail())?;
        let run = &report["runs"][0];
        if configuration.writes_states() {
            ensure!(run["same_as_dump"] == true, "it has other states than TLC");
            // They are many, and the next run has to compare its own.
            std::fs::remove_file(tlc::states_of(configuration)).context("cannot remove TLC's states")?;
        }
        if let Some(violation) = run["violations"].get(0) {
            let property = violation[0].as_str().context("no property")?.to_owned();
            let length = violation[1].as_u64().context("no length")?;
            return Ok(Outcome::Violates { property: property.into(), length });
        }
        if run["complete"] != true {
            bail!("it did not reach the end");
        }
        let number = |key: &str| run[key].as_u64().with_context(|| format!("no {key}"));
        Ok(Outcome::Holds { states: number("distinct")?, depth: number("depth")? })
    }
}
