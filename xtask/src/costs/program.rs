//! The program `butterfly-costs`, and what it prints.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::process::succeed;
use crate::test::cargo;
use crate::workspace;

/// The sizes of cluster at which transitions are measured.
pub(super) const SIZES: [&str; 3] = ["4", "7", "16"];

pub(super) struct Program {
    path: PathBuf,
}

/// One type of the state.
#[derive(Serialize, Deserialize)]
pub(super) struct Size {
    pub(super) name: String,
    pub(super) about: String,
    /// For at most 4, 7 and 16 voters.
    pub(super) bytes: [u64; 3],
}

/// What a transition was measured for.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    Step,
    Arrival,
    Signed,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signatures {
    pub(super) made: u32,
    pub(super) checked: u32,
}

/// One transition in one part, with its time if it was timed.
#[derive(Serialize, Deserialize)]
pub(super) struct Timed {
    pub(super) n: u32,
    pub(super) transition: String,
    pub(super) about: String,
    pub(super) part: Part,
    pub(super) signatures: Signatures,
    pub(super) nanoseconds: Option<u64>,
}

/// One transition in one part, with its instructions.
#[derive(Serialize)]
pub(super) struct Instructions {
    pub(super) n: u32,
    pub(super) transition: String,
    pub(super) about: String,
    pub(super) part: Part,
    pub(super) signatures: Signatures,
    pub(super) instructions: u64,
}

/// Agreement of one size against its floor.
#[derive(Serialize, Deserialize)]
pub(super) struct Agreement {
    pub(super) n: u32,
    pub(super) f: u32,
    pub(super) p: u32,
    pub(super) checked: u64,
    pub(super) made: u64,
    pub(super) floor_checked: u64,
    pub(super) floor_made: u64,
    pub(super) agreement_us: f64,
    pub(super) floor_us: f64,
    pub(super) ratio_min: f64,
    pub(super) ratio_median: f64,
    pub(super) ratios: Vec<f64>,
}

/// One of the design's numbers that is no transition.
#[derive(Serialize, Deserialize)]
pub(super) struct Number {
    pub(super) name: String,
    pub(super) below_us: f64,
    pub(super) median_us: f64,
}

impl Program {
    pub(super) fn build() -> Result<Program> {
        cargo(&["build", "--quiet", "--release", "-p", "butterfly-costs"])?;
        Ok(Program { path: workspace::target().join("release").join("butterfly-costs") })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn state(&self) -> Result<Vec<Size>> {
        self.measure(&["state"])
    }

    pub(super) fn time(&self) -> Result<Vec<Timed>> {
        let mut all = Vec::new();
        for size in SIZES {
            all.extend(self.measure::<Vec<Timed>>(&["time", size])?);
        }
        Ok(all)
    }

    pub(super) fn agreement(&self) -> Result<Vec<Agreement>> {
        self.measure(&["agreement"])
    }

    pub(super) fn others(&self) -> Result<Vec<Number>> {
        self.measure(&["others"])
    }

    fn measure<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T> {
        read(&succeed(Command::new(&self.path).args(arguments))?)
    }
}

/// A document that the program printed.
pub(super) fn read<T: DeserializeOwned>(printed: &str) -> Result<T> {
    serde_json::from_str(printed).context("butterfly-costs printed something else than was expected")
}
