//! `bench`: what agreement costs on this machine.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::Usage;
use crate::bench::floor::{self, FloorOptions};
use crate::bench::{self, Plan};
use crate::provision;

/// Measures what agreement costs on this machine and this disk, beside what it
/// costs at least: the same messages, signatures and flushes without anything
/// else. Takes the machine for itself for about a minute.
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// Processes, 4 to 16
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u8).range(4..=16))]
    nodes: u8,
    /// Epochs of each measurement
    #[arg(long, default_value_t = 400, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(10..=100_000))]
    epochs: u64,
    /// How often Butterfly and its floor take turns
    #[arg(long, default_value_t = 5, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..=99))]
    rounds: u8,
    /// Write vote records in a temporary folder here: on the disk that is to be measured
    #[arg(long, default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Floor {
    /// The folder of a member
    #[arg(long)]
    folder: PathBuf,
    /// Epochs that are measured of each layer
    #[arg(long)]
    epochs: u64,
    /// Milliseconds between a decision and the next proposal
    #[arg(long)]
    pause_ms: u64,
    /// What is made durable at a time
    #[arg(long)]
    record_bytes: usize,
}

pub(super) fn bench(bench: &Bench) -> Result<ExitCode> {
    let resilience =
        provision::resilience(usize::from(bench.nodes), None, None).map_err(|error| Usage(error.to_string()))?;
    let plan = Plan { resilience, epochs: bench.epochs, rounds: usize::from(bench.rounds) };
    let report = bench::run(&plan, &bench.dir)?;
    if bench.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn floor(floor: Floor) -> Result<ExitCode> {
    let Floor { folder, epochs, pause_ms, record_bytes } = floor;
    floor::run(&FloorOptions { folder, epochs, pause: Duration::from_millis(pause_ms), record_bytes })?;
    Ok(ExitCode::SUCCESS)
}
