//! `init`, `start`, `config check`, `keygen`: for whoever runs a cluster.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use butterfly_kernel::types::{MAX_CLIENTS, MAX_TOKENS_PER_EPOCH, NodeId};
use clap::{ArgGroup, Args, Subcommand};
use comfy_table::{Table, presets};
use serde::Serialize;

use super::Usage;
use crate::config::{NodeConfig, Overrides, Setting, Switch};
use crate::host::{self, Voice};
use crate::keys::Keys;
use crate::log::{LogFormat, LogLevel};
use crate::operate::Ports;
use crate::{operate, provision};

/// How far the ports for operators are above those for members, if nobody says where.
const ADMIN_ABOVE: u16 = 100;

/// Makes a folder with one folder for each node and each client, to be used
/// here or elsewhere.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The folder to make
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Nodes, 1 to 16
    #[arg(long, default_value_t = 4, value_name = "N")]
    nodes: usize,
    /// Nodes that may be faulty in any way; n >= 3f + 1 [default: as many as the nodes allow]
    #[arg(long, value_name = "F")]
    faults_tolerated: Option<usize>,
    /// Nodes that may be silent without slowing a decision down; n >= 3f + 2p - 1
    /// [default: as many as the nodes allow, at most F]
    #[arg(long, value_name = "P")]
    fast_path_faults: Option<usize>,
    /// Clients, 1 to 8
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    clients: u8,
    /// Characters that one epoch commits, 1 to 16
    #[arg(long, default_value_t = 4, value_name = "COUNT")]
    tokens_per_epoch: u8,
    /// The nodes listen on loopback, on ports from PORT on
    #[arg(long, default_value_t = 7400, value_name = "PORT")]
    base_port: u16,
    /// They answer operators on loopback, on ports from PORT on
    /// [default: 100 above those on which they listen]
    #[arg(long, value_name = "PORT")]
    admin_port: Option<u16>,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// Runs one node in the foreground, or every node as a process of its own.
/// SIGTERM or Ctrl-C lets a node finish its step, say what it has to, and end.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["all", "node"]))]
pub(super) struct Start {
    /// The cluster's folder, as `init` made it
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Run every node; they end with this process
    #[arg(long, conflicts_with_all = ["listen", "admin", "view_timeout_ms", "log_format", "log_level", "traces"])]
    all: bool,
    /// Run this node
    #[arg(long, value_name = "NODE")]
    node: Option<u8>,
    #[command(flatten)]
    overrides: Flags,
    /// Print events, one JSON document on each line, instead of text
    #[arg(long)]
    json: bool,
    /// Take commands on standard input and end with the parent: how `--all` starts nodes
    #[arg(long, hide = true, conflicts_with = "all")]
    supervised: bool,
}

#[derive(Debug, Args)]
struct Flags {
    /// Listen here; overrides BUTTERFLY_LISTEN and node.toml
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Show operators health, metrics and state here, on loopback, or nowhere:
    /// `off`; overrides BUTTERFLY_ADMIN and node.toml
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<Switch>,
    /// How long the first leader of an epoch may take, 20 to 60000; overrides
    /// BUTTERFLY_VIEW_TIMEOUT_MS and node.toml
    #[arg(long, value_name = "MS")]
    view_timeout_ms: Option<u32>,
    /// How lines of the log are written, on standard error; overrides
    /// BUTTERFLY_LOG_FORMAT and node.toml
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// What is worth a line; overrides BUTTERFLY_LOG_LEVEL and node.toml
    #[arg(long, value_enum, value_name = "LEVEL")]
    log_level: Option<LogLevel>,
    /// Send traces to the collector here, on loopback, as OTLP over HTTP, or
    /// nowhere: `off`; overrides BUTTERFLY_TRACES and node.toml
    #[arg(long, value_name = "ADDRESS")]
    traces: Option<Switch>,
}

impl Flags {
    fn overrides(&self) -> Overrides {
        let Flags { listen, admin, view_timeout_ms, log_format, log_level, traces } = *self;
        Overrides { listen, admin, view_timeout: view_timeout_ms, log_format, log_level, traces }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Check a node's files and print each value that holds, and where it came from
    Check(Check),
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The cluster's folder, as `init` made it
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Only this node [default: every node in DIR]
    #[arg(long, value_name = "NODE")]
    node: Option<u8>,
    #[command(flatten)]
    overrides: Flags,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
}

/// Draws an identity and an exchange key and writes them with mode 0600. `init`
/// does this for every node; here it is for a roster that is made elsewhere.
#[derive(Debug, Args)]
pub(super) struct Keygen {
    /// The folder to make
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// The document that `init --json` prints.
#[derive(Serialize)]
struct InitReport {
    version: u32,
    cluster: String,
    nodes: usize,
    f: usize,
    p: usize,
    addresses: Vec<SocketAddr>,
    admin: Vec<SocketAddr>,
    clients: Vec<PathBuf>,
}

pub(super) fn init(init: &Init) -> Result<ExitCode> {
    let refuse = |why: String| anyhow::Error::from(Usage(why));
    let resilience =
        provision::resilience(init.nodes, init.faults_tolerated, init.fast_path_faults).map_err(|error| {
            refuse(format!("{error}; add --nodes, or ask for less with --faults-tolerated and --fast-path-faults"))
        })?;
    if !(1..=MAX_TOKENS_PER_EPOCH).contains(&usize::from(init.tokens_per_epoch)) {
        return Err(refuse(format!(
            "an epoch commits 1 to {MAX_TOKENS_PER_EPOCH} tokens, not {}; change --tokens-per-epoch",
            init.tokens_per_epoch
        )));
    }
    if !(1..=MAX_CLIENTS).contains(&usize::from(init.clients)) {
        return Err(refuse(format!(
            "a cluster has 1 to {MAX_CLIENTS} clients, not {}; change --clients",
            init.clients
        )));
    }
    let made = operate::init(&init.dir, resilience, init.clients, init.tokens_per_epoch, ports(init).map_err(refuse)?)?;
    if init.json {
        let report = InitReport {
            version: 1,
            cluster: made.cluster,
            nodes: resilience.n(),
            f: resilience.f(),
            p: resilience.p(),
            addresses: made.addresses,
            admin: made.admin,
            clients: made.clients,
        };
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        let dir = init.dir.display();
        println!("cluster {}", made.cluster);
        println!("{} nodes, of which {} may be faulty in any way", resilience.n(), resilience.f());
        println!("start them with `butterfly start --dir {dir} --all`");
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the nodes listen and answer operators, or why there is no room for that.
fn ports(init: &Init) -> Result<Ports, String> {
    let n = init.nodes;
    let fit = |first: u16| first != 0 && usize::from(first) + n <= usize::from(u16::MAX) + 1;
    let members = init.base_port;
    if !fit(members) {
        return Err(format!("there are no {n} ports from {members} on; choose another --base-port"));
    }
    let admin = init.admin_port.unwrap_or(members.saturating_add(ADMIN_ABOVE));
    if !fit(admin) {
        return Err(format!("there are no {n} ports from {admin} on for operators; choose another --admin-port"));
    }
    if usize::from(admin.abs_diff(members)) < n {
        return Err(format!(
            "the {n} ports from {members} on and the {n} from {admin} on are partly the same; choose another --admin-port"
        ));
    }
    Ok(Ports { members, admin })
}

pub(super) fn start(start: &Start) -> Result<ExitCode> {
    match start.node {
        None => operate::supervise(&start.dir, start.json)?,
        Some(node) => {
            let voice = match (start.supervised, start.json) {
                (true, _) => Voice::Supervised,
                (false, true) => Voice::Programs,
                (false, false) => Voice::People,
            };
            host::run(&operate::node_options(&start.dir, NodeId(node), start.overrides.overrides(), voice)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The document that `config check --json` prints.
#[derive(Serialize)]
struct CheckReport {
    version: u32,
    nodes: Vec<NodeReport>,
}

#[derive(Serialize)]
struct NodeReport {
    id: u8,
    #[serde(flatten)]
    config: NodeConfig,
}

pub(super) fn check(check: &Check) -> Result<ExitCode> {
    let nodes = match check.node {
        Some(node) => vec![NodeId(node)],
        None => operate::nodes_in(&check.dir)?,
    };
    let report = |node: NodeId| -> Result<NodeReport> {
        let config = operate::node_config(&check.dir, node, check.overrides.overrides())?;
        Ok(NodeReport { id: node.0, config })
    };
    let nodes = nodes.into_iter().map(report).collect::<Result<Vec<_>>>()?;
    if check.json {
        println!("{}", serde_json::to_string_pretty(&CheckReport { version: 1, nodes })?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["node", "setting", "value", "from"]);
    for NodeReport { id, config } in &nodes {
        let mut row = |name: &str, value: String, source: String| {
            table.add_row([id.to_string(), name.into(), value, source]);
        };
        let NodeConfig { listen, admin, peers, view_timeout_ms, log_format, log_level, traces } = config;
        let switched = |address: Option<SocketAddr>| address.map_or("off".into(), |address| address.to_string());
        row("listen", listen.value.to_string(), listen.source.to_string());
        row("admin", switched(admin.value), admin.source.to_string());
        let Setting { value, source } = peers;
        row("peers", value.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), source.to_string());
        row("view_timeout_ms", view_timeout_ms.value.to_string(), view_timeout_ms.source.to_string());
        row("log_format", log_format.value.to_string(), log_format.source.to_string());
        row("log_level", log_level.value.to_string(), log_level.source.to_string());
        row("traces", switched(traces.value), traces.source.to_string());
    }
    println!("{table}");
    Ok(ExitCode::SUCCESS)
}

/// The document that `keygen --json` prints.
#[derive(Serialize)]
struct KeygenReport {
    version: u32,
    identity: String,
    exchange: String,
}

pub(super) fn keygen(keygen: &Keygen) -> Result<ExitCode> {
    let keys = Keys::generate()?;
    fs::create_dir(&keygen.dir).with_context(|| {
        format!("cannot make the folder {}; choose one that is not there yet, in one that is", keygen.dir.display())
    })?;
    keys.write(&keygen.dir)?;
    let identity = hex::encode(keys.public().0);
    let exchange = hex::encode(keys.exchange().public().0);
    if keygen.json {
        println!("{}", serde_json::to_string_pretty(&KeygenReport { version: 1, identity, exchange })?);
    } else {
        println!("identity  {identity}\nexchange  {exchange}");
    }
    Ok(ExitCode::SUCCESS)
}
