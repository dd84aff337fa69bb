//! `submit` and `status`: for whoever asks a cluster.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use butterfly_kernel::types::ClientId;
use clap::Args;
use comfy_table::{Table, presets};
use serde::Serialize;

use super::{DEFAULT_PROMPT, Usage, run};
use crate::client::{Client, ClusterState, MemberState, StandingReport, Wish};
use crate::model::{prompt_of, text_of};
use crate::operate::client_folder;

/// Prints the text as it is committed. The proof says that the cluster
/// committed it; `butterfly verify` checks it offline.
#[derive(Debug, Args)]
pub(super) struct Submit {
    /// The cluster's folder, as `init` made it
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// As which client
    #[arg(long, default_value_t = 0, value_name = "CLIENT")]
    client: u8,
    /// The text to continue: printable ASCII and newlines
    #[arg(long, default_value = DEFAULT_PROMPT, value_name = "TEXT")]
    prompt: String,
    /// Characters to add to the prompt
    #[arg(long, default_value_t = 64)]
    tokens: usize,
    /// Write the commit proof to FILE
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// Give up when no epoch is decided for this many seconds
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    patience: u64,
    /// Print one JSON document instead of the text
    #[arg(long)]
    json: bool,
}

/// Asks every node and shows where each is.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// The cluster's folder, as `init` made it
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// As which client
    #[arg(long, default_value_t = 0, value_name = "CLIENT")]
    client: u8,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
}

/// The document that `submit --json` prints.
#[derive(Serialize)]
struct Answer {
    version: u32,
    text: String,
    /// The bytes of a proof file, in hexadecimal digits.
    proof: String,
    latency_ms: f64,
    cluster: String,
    epoch: u64,
}

pub(super) fn submit(submit: &Submit) -> Result<ExitCode> {
    let prompt = prompt_of(&submit.prompt, submit.tokens).map_err(|refused| Usage(format!("{refused:#}")))?;
    let tokens = u16::try_from(submit.tokens).map_err(|error| Usage(error.to_string()))?;
    let client = Client::open(&client_folder(&submit.dir, ClientId(submit.client)))?;
    let wish = Wish { prompt, tokens, patience: Duration::from_secs(submit.patience) };
    let show = |tokens: &[u8]| {
        if !submit.json {
            let mut out = io::stdout().lock();
            write!(out, "{}", text_of(tokens.iter().copied()))?;
            out.flush()?;
        }
        Ok(())
    };
    let done = run(client.submit(&wish, show))?;
    if let Some(path) = &submit.proof {
        fs::write(path, &done.proof).with_context(|| format!("cannot write the proof to {}", path.display()))?;
    }
    let latency_ms = done.latency.as_secs_f64() * 1e3;
    if submit.json {
        let answer = Answer {
            version: 1,
            text: text_of(done.tokens.iter().copied()),
            proof: hex::encode(&done.proof),
            latency_ms,
            cluster: client.first().to_string(),
            epoch: done.epoch.0,
        };
        println!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        println!();
        if io::stderr().is_terminal() {
            eprintln!("{} tokens by epoch {} in {latency_ms:.0} ms", done.tokens.len(), done.epoch.0);
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn status(status: &Status) -> Result<ExitCode> {
    let client = Client::open(&client_folder(&status.dir, ClientId(status.client)))?;
    let report = run(client.status())?;
    if status.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}\n{}", headline(&report), table(&report));
        for member in report.members.iter().filter(|member| !member.faults.is_empty()) {
            let faults: Vec<&str> = member.faults.iter().copied().collect();
            println!("node {} is proven faulty: {}", member.id, faults.join(", "));
        }
    }
    Ok(if report.state == ClusterState::Stopped { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn headline(report: &StandingReport) -> String {
    let state = match report.state {
        ClusterState::Whole => "every node takes part",
        ClusterState::Degraded => "some nodes do not take part, and no more than may fail",
        ClusterState::Stopped => "too few nodes take part for a decision",
    };
    let work = if report.working { "a request is under way" } else { "nothing is under way" };
    let StandingReport { epoch, view, leader, .. } = report;
    let blocked = report.blocked.as_ref().map_or(String::new(), |by| format!("\nblocked: {by}"));
    format!("{state}; {work}\nepoch {epoch}, view {view}, led by node {leader}{blocked}\n")
}

fn table(report: &StandingReport) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["node", "state", "last epoch", "address"]);
    for member in &report.members {
        let state = match member.state {
            MemberState::Replica => "votes",
            MemberState::Learner => "learns: it lost its vote record",
            MemberState::Worker => "works",
            MemberState::Unreachable => "does not answer",
        };
        let epoch = member.last_epoch.map_or("-".into(), |epoch| epoch.to_string());
        table.add_row([member.id.to_string(), state.into(), epoch, member.address.clone()]);
    }
    table
}
