//! The commands of the binary.

mod asking;
mod bench;
mod commands;
mod enrolment;
mod operator;
mod remove;
mod shell;
mod top;
mod verify;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use butterfly_kernel::types::ResilienceError;
use clap::{Args, Parser, Subcommand};

use crate::faults::{Fault, FaultKind, Misbehaviour};

/// Bad usage: clap's own code for it.
const USAGE: u8 = 2;
/// The cluster stopped because more than f nodes failed.
const STOPPED: u8 = 3;

/// A cluster that does not trust its members, agreeing on what a transformer says.
#[derive(Debug, Parser)]
#[command(name = "butterfly", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 bad usage, 3 the cluster rightly stopped because more than f nodes failed."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a cluster of processes on this machine and let it continue a text
    Demo(Demo),
    /// Make a cluster's folder: keys, roster, one TOML file for each node
    Init(operator::Init),
    /// Run one node of a cluster, or all of them
    Start(operator::Start),
    /// Have a cluster continue a text, and get the proof
    Submit(asking::Submit),
    /// Show where a cluster and each of its nodes is
    Status(asking::Status),
    /// Invite somebody to be a member: write a token that is used once
    Token(enrolment::Token),
    /// Become a member of a cluster, with a token
    Join(enrolment::Join),
    /// Take a member out of a cluster's roster
    Remove(remove::Remove),
    /// Watch a cluster: what each node says of itself, again and again
    Top(top::Top),
    /// Measure what agreement costs on this machine, beside what it costs at least
    Bench(bench::Bench),
    /// Continue a text on one machine, without a cluster: what the cluster must say
    Reference(Reference),
    /// Check a commit proof or evidence, offline
    Verify(Verify),
    /// What a node is told by its files, the environment and flags
    #[command(subcommand)]
    Config(operator::Config),
    /// Make the keys of a node or a client
    Keygen(operator::Keygen),
    /// Print a script that completes commands in a shell
    Completions(shell::Completions),
    /// Print the manual page
    Man(shell::Manual),
    /// Run one node; `demo` starts these
    #[command(hide = true)]
    Node(Node),
    /// Run one process that does the least that agreement needs; `bench` starts these
    #[command(hide = true)]
    Floor(bench::Floor),
    /// Run one member as firmware in an emulator; `demo --firmware` starts these
    #[command(hide = true)]
    Device(Device),
}

/// Starts the nodes, prints the text as it is committed, and closes with a table.
#[derive(Debug, Args)]
struct Demo {
    /// Processes, 1 to 16
    #[arg(long, default_value_t = 4, value_name = "N")]
    nodes: usize,
    /// Nodes that may be faulty in any way; n >= 3f + 1 [default: as many as the nodes allow]
    #[arg(long, value_name = "F")]
    faults_tolerated: Option<usize>,
    /// Nodes that may be silent without slowing a decision down; n >= 3f + 2p - 1
    /// [default: as many as the nodes allow, at most F]
    #[arg(long, value_name = "P")]
    fast_path_faults: Option<usize>,
    /// Characters to add to the prompt
    #[arg(long, default_value_t = 64)]
    tokens: usize,
    /// Characters that one epoch commits, 1 to 16
    #[arg(long, default_value_t = 4, value_name = "COUNT")]
    tokens_per_epoch: usize,
    /// The text to continue: printable ASCII and newlines
    #[arg(long, default_value = DEFAULT_PROMPT, value_name = "TEXT")]
    prompt: String,
    /// What goes wrong, repeatable, from epoch 1 unless @EPOCH says otherwise;
    /// `demo --help` lists the kinds
    #[arg(long = "fault", value_name = "NODE:KIND[@EPOCH]", long_help = fault_help())]
    faults: Vec<Fault>,
    /// Write the commit proof of the whole text to FILE
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// Write the evidence against each blamed node to DIR
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    /// Write what the honest nodes did, one line of JSON for each step, to FILE;
    /// `butterfly-check trace FILE` holds it against the specification
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Let the last COUNT of four nodes be firmware for a microcontroller, in an emulator;
    /// `cargo xtask firmware` builds it
    #[arg(long, default_value_t = 0, value_name = "COUNT", conflicts_with = "trace")]
    firmware: usize,
    /// The firmware that these run
    #[arg(long, default_value = FIRMWARE_IMAGE, value_name = "FILE", hide = true)]
    firmware_image: PathBuf,
    /// Listen on ports from PORT on instead of any free ones
    #[arg(long, value_name = "PORT")]
    base_port: Option<u16>,
    /// Print one JSON document instead of text and tables
    #[arg(long)]
    json: bool,
    /// How long the first leader of an epoch may take
    #[arg(long, default_value_t = 2_000, hide = true, value_parser = clap::value_parser!(u32).range(20..=60_000))]
    view_timeout_ms: u32,
}

/// Every kind of fault on a line of its own.
fn fault_help() -> String {
    let kinds = |counts: bool| -> String {
        let kinds = FaultKind::ALL.into_iter().filter(|kind| kind.severity().counts() == counts);
        kinds.map(|kind| format!("\n  {:<12}{}", kind.name(), kind.about())).collect()
    };
    format!(
        "What goes wrong, repeatable, from epoch 1 unless @EPOCH says otherwise\n\n\
         The node comes back by itself:{}\n\n\
         The node counts as one of the F faulty ones:{}",
        kinds(false),
        kinds(true)
    )
}

const DEFAULT_PROMPT: &str = "Return the ";
/// Where `cargo xtask firmware` leaves the image for four members, from the workspace's root.
const FIRMWARE_IMAGE: &str =
    "runtime-embedded/firmware/mps2-an386/target/thumbv7em-none-eabihf/release/butterfly-firmware";

/// Continues a text with the same model and the same choices as `demo`.
#[derive(Debug, Args)]
struct Reference {
    /// The text to continue: printable ASCII and newlines
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// Characters to add to the prompt
    #[arg(long)]
    tokens: usize,
    /// Print one JSON document instead of the text
    #[arg(long)]
    json: bool,
}

/// Prints what a file proves and for which cluster, or why it proves nothing.
#[derive(Debug, Args)]
struct Verify {
    /// A file that `demo` or `submit` wrote with --proof or --evidence
    file: PathBuf,
    /// The id of the cluster that it must be about, in hexadecimal digits
    #[arg(long, value_name = "ID")]
    cluster: Option<String>,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Node {
    /// The node's folder
    #[arg(long)]
    folder: PathBuf,
    /// The port to listen on; 0 for any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How long the first leader of an epoch may take
    #[arg(long, default_value_t = 2_000)]
    view_timeout_ms: u32,
    /// Misbehave: KIND@EPOCH
    #[arg(long, value_parser = misbehaviour)]
    misbehave: Option<(Misbehaviour, u64)>,
    /// Measure this many epochs, and say little else
    #[arg(long, value_name = "EPOCHS")]
    measure: Option<u64>,
    /// Give notice of another speed this long after the last notice was committed
    #[arg(long, value_name = "MS", requires = "measure")]
    notices_after_ms: Option<u64>,
    /// Give notice of another speed whenever it leads the epoch
    #[arg(long, requires = "measure", conflicts_with = "notices_after_ms")]
    notices_as_leader: bool,
    /// Write down each step, with times since this many microseconds after the Unix epoch
    #[arg(long, value_name = "MICROSECONDS")]
    trace_since: Option<u64>,
}

#[derive(Debug, Args)]
struct Device {
    /// The member's folder
    #[arg(long)]
    folder: PathBuf,
    /// The firmware
    #[arg(long)]
    image: PathBuf,
    /// The port of this machine where it is reached; 0 for any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How long the first leader of an epoch may take
    #[arg(long, default_value_t = 2_000)]
    view_timeout_ms: u32,
    /// Where the members listen, in the roster's order, separated by commas;
    /// without it, whoever started this says so on standard input
    #[arg(long, value_delimiter = ',')]
    peers: Vec<SocketAddr>,
    /// Join the network of a hub on this port instead of this machine's
    #[arg(long, conflicts_with = "tap")]
    hub: Option<u16>,
    /// Be a process on this TAP interface; the image is then its program
    #[arg(long)]
    tap: Option<String>,
}

/// What was asked for cannot be: the message says what would do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Numbers that the next roster cannot have are bad usage.
fn bounds_as_usage(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<ResilienceError>() {
        Ok(error) => Usage(format!("{error}; ask for less with --faults-tolerated and --fast-path-faults")).into(),
        Err(other) => other,
    }
}

/// What comes of asking a cluster.
fn run<T>(asking: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(asking)
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    match commands::run(Cli::parse().command) {
        Ok(code) => code,
        // Whoever read what we print has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<Usage>() { USAGE } else { 1 })
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

fn misbehaviour(text: &str) -> Result<(Misbehaviour, u64), String> {
    let (kind, epoch) = text.split_once('@').ok_or("write KIND@EPOCH")?;
    let kind = kind.parse().map_err(|error| format!("{error}"))?;
    Ok((kind, epoch.parse().map_err(|error| format!("{error}"))?))
}
