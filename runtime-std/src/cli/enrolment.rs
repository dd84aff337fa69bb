//! `token` and `join`: how somebody comes into the roster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::{Usage, bounds_as_usage, run};
use crate::operate;

/// An operator's word that its holder may become a member. Give the file to the
/// newcomer on a way that nobody else reads: whoever uses it first is the
/// newcomer. It is good for the roster as it is now, and spent with the next
/// change.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// The cluster's folder, with that of its operator
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// For a worker, which runs stages and does not vote
    #[arg(long, conflicts_with_all = ["faults_tolerated", "fast_path_faults"])]
    worker: bool,
    /// Nodes that may be faulty in any way, with the newcomer [default: as many as they allow]
    #[arg(long, value_name = "F")]
    faults_tolerated: Option<usize>,
    /// Nodes that may be silent without slowing a decision down, with the newcomer
    /// [default: as many as they allow, at most F]
    #[arg(long, value_name = "P")]
    fast_path_faults: Option<usize>,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// Draws keys, hands the token to the members, and waits until the cluster has
/// admitted the newcomer; then there is the folder of a node to be started.
/// After an interruption the same command goes on.
#[derive(Debug, Args)]
pub(super) struct Join {
    /// The folder in which that of the node is made
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// What `token` wrote
    #[arg(long, value_name = "FILE")]
    token: PathBuf,
    /// Where the node listens, and the others find it
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where it shows operators health, metrics and state, on loopback [default: nowhere]
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Give up when it is not decided by then; it may be decided later
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    patience: u64,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// The document that `token --json` prints.
#[derive(Serialize)]
struct TokenReport {
    version: u32,
    /// The id of the first cluster, by which proofs name it.
    cluster: String,
    file: PathBuf,
    votes: bool,
    /// Of the roster with the newcomer.
    members: usize,
    f: usize,
    p: usize,
}

/// The document that `join --json` prints.
#[derive(Serialize)]
struct JoinReport {
    version: u32,
    /// The id of the first cluster, by which proofs name it.
    cluster: String,
    /// What the folder is called.
    node: u8,
    folder: PathBuf,
    /// Its number in the roster that admits it.
    member: u8,
    votes: bool,
    /// The epoch that admitted it.
    epoch: u64,
    /// Of that roster.
    members: usize,
    f: usize,
    p: usize,
}

pub(super) fn token(token: &Token) -> Result<ExitCode> {
    let wanted = operate::Wanted {
        votes: !token.worker,
        faults_tolerated: token.faults_tolerated,
        fast_path_faults: token.fast_path_faults,
    };
    let invitation = run(operate::write_token(&token.dir, &token.out, wanted)).map_err(bounds_as_usage)?;
    let lineage = invitation.lineage();
    let report = TokenReport {
        version: 1,
        cluster: lineage.first().id().to_string(),
        file: token.out.clone(),
        votes: invitation.votes(),
        members: lineage.cluster().members().len() + 1,
        f: invitation.resilience().f(),
        p: invitation.resilience().p(),
    };
    if token.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        let TokenReport { members, f, .. } = report;
        println!("with the newcomer the cluster has {members} members, of which {f} may be faulty in any way");
        println!("it joins with `butterfly join --dir DIR --token {} --listen ADDRESS`", token.out.display());
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn join(join: &Join) -> Result<ExitCode> {
    let Join { listen, admin, .. } = *join;
    if listen.port() == 0 || listen.ip().is_unspecified() {
        return Err(Usage(format!(
            "nobody can dial {listen}; say with --listen at which address and port the others find this node"
        ))
        .into());
    }
    if let Some(admin) = admin.filter(|admin| !admin.ip().is_loopback()) {
        return Err(Usage(format!(
            "whoever can reach {admin} would be answered, so --admin must be on loopback: 127.0.0.1:{}",
            admin.port()
        ))
        .into());
    }
    let newcomer = operate::Newcomer { dir: &join.dir, listen, admin, patience: Duration::from_secs(join.patience) };
    let joined = run(operate::join(newcomer, &join.token))?;
    let cluster = &joined.cluster;
    let resilience = cluster.resilience();
    let report = JoinReport {
        version: 1,
        cluster: cluster.first().to_string(),
        node: joined.node.0,
        folder: joined.folder.clone(),
        member: joined.place.0,
        votes: cluster.votes(joined.place),
        epoch: joined.epoch,
        members: cluster.members().len(),
        f: resilience.f(),
        p: resilience.p(),
    };
    if join.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        let JoinReport { node, member, epoch, members, f, .. } = report;
        println!(
            "epoch {epoch} admitted this newcomer as node {member} of {members}, of which {f} may be faulty in any way"
        );
        println!("start it with `butterfly start --dir {} --node {node}`", join.dir.display());
    }
    Ok(ExitCode::SUCCESS)
}
